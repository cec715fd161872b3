import { z } from 'zod';

/** One link of a network namespace as `ip -j -d addr show` prints it. */
export type Link = { name: string; mac: string; mtu: number; ipv4: string[]; ipv6: string[]; up: boolean };
export type Route = { destination: string; gateway?: string; device: string };

const links = z.array(
  z.object({
    ifname: z.string(),
    address: z.string().optional(),
    mtu: z.number(),
    flags: z.array(z.string()).default([]),
    addr_info: z
      .array(z.object({ family: z.string(), local: z.string(), prefixlen: z.number(), scope: z.string() }))
      .default([]),
  }),
);
const routes = z.array(z.object({ dst: z.string(), gateway: z.string().optional(), dev: z.string().optional() }));

/** Links by `ip -j addr show`; addresses of global scope only, with prefix length. */
export function parseLinks(json: string): Link[] {
  return links.parse(parse(json)).map((link) => {
    const global = link.addr_info.filter((address) => address.scope === 'global');
    const list = (family: string) =>
      global.filter((one) => one.family === family).map((one) => `${one.local}/${one.prefixlen}`);
    return {
      name: link.ifname,
      mac: link.address ?? '',
      mtu: link.mtu,
      ipv4: list('inet'),
      ipv6: list('inet6'),
      up: link.flags.includes('UP'),
    };
  });
}

/** IPv4 routes by `ip -j -4 route show`, in the kernel's order. */
export function parseRoutes(json: string): Route[] {
  return routes.parse(parse(json)).map(({ dst, gateway, dev }) => ({
    destination: dst,
    device: dev ?? '',
    ...(gateway === undefined ? {} : { gateway }),
  }));
}

/** `ip -j` prints nothing at all for an empty list. */
function parse(json: string): unknown {
  return json.trim() === '' ? [] : JSON.parse(json);
}
