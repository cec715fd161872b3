import { setTimeout as delay } from 'node:timers/promises';
import { asObject, requireResult } from './expect.ts';
import { Failure, type Place, type Result, type Sandbox, type World } from './model.ts';

export type Link = { readonly mac: string; readonly up: boolean; readonly addresses: readonly string[] };

/** An interface as it is in a namespace, undefined when it is not there. `addresses` are `address/prefix`. */
export async function findLink(world: World, netns: string | undefined, ifname: string): Promise<Link | undefined> {
  const links: unknown = JSON.parse(await world.exec(netns, 'ip', '-j', 'addr', 'show'));
  const all = Array.isArray(links) ? links.map(asObject) : [];
  const found = all.find((link) => link?.ifname === ifname);
  if (found === undefined) return undefined;
  const flags = Array.isArray(found.flags) ? found.flags : [];
  const infos = Array.isArray(found.addr_info) ? found.addr_info.map(asObject) : [];
  const addresses = infos.map((info) => `${String(info?.local)}/${String(info?.prefixlen)}`);
  return { mac: String(found.address), up: flags.includes('UP'), addresses };
}

/** The destinations of a namespace's routes; a default route is `default`. */
export async function listRoutes(world: World, netns: string): Promise<string[]> {
  const texts = await Promise.all(['-4', '-6'].map((family) => world.exec(netns, 'ip', '-j', family, 'route', 'show')));
  return texts.flatMap((text) => {
    const routes: unknown = text.trim() === '' ? [] : JSON.parse(text);
    return (Array.isArray(routes) ? routes : []).map((route) => String(asObject(route)?.dst));
  });
}

/** A destination of a result as `ip` writes it. */
export const formatDestination = (dst: string): string => (/^(0\.0\.0\.0|::)\/0$/.test(dst) ? 'default' : dst);

/** The addresses of a result that are for the sandbox's interface. */
export function listOwnAddresses(result: Result, { ifname, path }: Sandbox): string[] {
  const own = (result.interfaces ?? []).findIndex((link) => link.name === ifname && link.sandbox === path);
  return (result.ips ?? []).filter((ip) => ip.interface === own).map(({ address }) => address);
}

export type Added = { readonly sandbox: Sandbox; readonly result: Result };

/** A sandbox with its interface. Throws Failure when ADD fails. */
export async function attach(world: World, given?: Sandbox): Promise<Added> {
  const sandbox = given ?? (await world.sandbox());
  return { sandbox, result: requireResult(await world.call('ADD', sandbox), 'ADD') };
}

/** Where the interface of a sandbox is not as the result of its ADD says, in words. */
export async function listDamage(world: World, { sandbox, result }: Added): Promise<string[]> {
  const { ifname, netns } = sandbox;
  const link = await findLink(world, netns, ifname);
  if (link === undefined) return [`${ifname} is not in the namespace`];
  const said = (result.interfaces ?? []).find((item) => item.name === ifname && item.sandbox === sandbox.path);
  const isSame = said?.mac === undefined || said.mac.toLowerCase() === link.mac;
  const missing = listOwnAddresses(result, sandbox).filter((address) => !link.addresses.includes(address));
  const routes = await listRoutes(world, netns);
  const lost = (result.routes ?? []).map(({ dst }) => formatDestination(dst)).filter((dst) => !routes.includes(dst));
  return [
    ...(link.up ? [] : [`${ifname} is down`]),
    ...(isSame ? [] : [`${ifname} has MAC ${link.mac}, the result says ${said?.mac}`]),
    ...missing.map((address) => `${ifname} lacks ${address}`),
    ...lost.map((dst) => `there is no route ${dst}`),
  ];
}

/** Throws Failure when the interface is still in the namespace. */
export async function requireGone(world: World, { netns, ifname }: Place): Promise<void> {
  if ((await findLink(world, netns, ifname)) !== undefined) throw new Failure(`${ifname} is still in the namespace`);
}

/** Throws Failure when the node still holds something of this sandbox, as far as that can be seen. */
export async function requireNothingLeft(world: World, place: Place): Promise<void> {
  const left = (await world.running.leftovers?.(place)) ?? [];
  if (left.length > 0) throw new Failure(`left on the node: ${left.join(', ')}`);
}

/** Long enough for whoever was away to do what it has missed. */
const SOON_MS = 15_000;

/** The same for what is done after the answer. */
export async function requireNothingLeftSoon(world: World, place: Place): Promise<void> {
  const end = performance.now() + SOON_MS;
  for (;;) {
    const left = (await world.running.leftovers?.(place)) ?? [];
    if (left.length === 0) return;
    if (performance.now() > end) throw new Failure(`left on the node after ${SOON_MS / 1000} s: ${left.join(', ')}`);
    await delay(50);
  }
}
