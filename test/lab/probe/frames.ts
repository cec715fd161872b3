/** Frames as hexadecimal text, from the Ethernet header on, for the guest's program `frame`. */
export type Station = { readonly mac: string; readonly ip: string; readonly ip6: string };

export const BROADCAST = 'ff:ff:ff:ff:ff:ff';
/** All nodes of a link (RFC 4291, section 2.7.1), and the Ethernet address of that group (RFC 2464, section 7). */
export const ALL_NODES = { mac: '33:33:00:00:00:01', ip6: 'ff02::1' } as const;

const hex = (value: number, bytes: number): string => value.toString(16).padStart(bytes * 2, '0');
const packMac = (mac: string): string => mac.replaceAll(':', '');
const packIp = (ip: string): string =>
  ip
    .split('.')
    .map((part) => hex(Number(part), 1))
    .join('');

/** An IPv6 address without zone as 32 hexadecimal digits. */
export function packIp6(ip6: string): string {
  const [head = '', tail] = ip6.split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':'));
  const [before, after] = [groups(head), groups(tail ?? '')];
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0');
  return [...before, ...(tail === undefined ? [] : zeros), ...after].map((group) => group.padStart(4, '0')).join('');
}

/** The link-local address of a MAC (RFC 4291, appendix A). */
export function deriveLinkLocal(mac: string): string {
  const bytes = mac.split(':').map((part) => Number.parseInt(part, 16));
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = bytes;
  const groups = [
    [a ^ 2, b],
    [c, 0xff],
    [0xfe, d],
    [e, f],
  ].map(([high = 0, low = 0]) => ((high << 8) | low).toString(16));
  return `fe80::${groups.join(':')}`;
}

/** RFC 1071. */
function sum(text: string): string {
  let total = 0;
  const even = text.length % 4 === 0 ? text : `${text}00`;
  for (let at = 0; at < even.length; at += 4) total += Number.parseInt(even.slice(at, at + 4), 16);
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return hex(~total & 0xffff, 2);
}

const bytesOf = (text: string): number => text.length / 2;
const ethernet = (target: string, source: string, type: string, payload: string): string =>
  packMac(target) + packMac(source) + type + payload;

/** An answer "ip is at mac" (RFC 826) to `target`. */
export function formatArp(from: Pick<Station, 'mac' | 'ip'>, target: Pick<Station, 'mac' | 'ip'>): string {
  const body = `0001080006040002${packMac(from.mac)}${packIp(from.ip)}${packMac(target.mac)}${packIp(target.ip)}`;
  return ethernet(target.mac, from.mac, '0806', body);
}

export type Ports = { readonly source: number; readonly target: number };

function udp(pseudo: string, { source, target }: Ports, payload: string): string {
  const length = hex(8 + bytesOf(payload), 2);
  const head = hex(source, 2) + hex(target, 2) + length;
  return `${head}${sum(`${pseudo}0011${length}${head}0000${payload}`)}${payload}`;
}

type Pair = { readonly from: Station; readonly to: Station };

/** UDP over IPv4. */
export function formatUdp({ from, to }: Pair, ports: Ports, payload = '68656c6c6f'): string {
  const addresses = packIp(from.ip) + packIp(to.ip);
  const body = udp(addresses, ports, payload);
  const [start, rest] = [`4500${hex(20 + bytesOf(body), 2)}000000004011`, addresses];
  return ethernet(to.mac, from.mac, '0800', `${start}${sum(start + rest)}${rest}${body}`);
}

function ipv6({ from, to }: Pair, protocol: number, limit: number, body: string): string {
  const head = `60000000${hex(bytesOf(body), 2)}${hex(protocol, 1)}${hex(limit, 1)}`;
  return ethernet(to.mac, from.mac, '86dd', head + packIp6(from.ip6) + packIp6(to.ip6) + body);
}

/** UDP over IPv6. */
export function formatUdp6(pair: Pair, ports: Ports, payload = '68656c6c6f'): string {
  return ipv6(pair, 17, 64, udp(packIp6(pair.from.ip6) + packIp6(pair.to.ip6), ports, payload));
}

function icmp6(pair: Pair, type: number, body: string): string {
  const pseudo = packIp6(pair.from.ip6) + packIp6(pair.to.ip6) + hex(bytesOf(body) + 4, 4) + hex(58, 4);
  return ipv6(pair, 58, 255, `${hex(type, 1)}00${sum(`${pseudo}${hex(type, 1)}000000${body}`)}${body}`);
}

/** A DHCP offer of `offered` (RFC 2131, section 2), broadcast as to a client that has no address. */
export function formatDhcpOffer(from: Station, client: Station, offered: string): string {
  const fixed = `02010600cafe00000000800000000000${packIp(offered)}${packIp(from.ip)}00000000${packMac(client.mac)}`;
  const options = `63825363350102${`3604${packIp(from.ip)}`}${`0304${packIp(from.ip)}`}ff`;
  const payload = fixed.padEnd(236 * 2, '0') + options;
  return formatUdp(
    { from, to: { ...client, mac: BROADCAST, ip: '255.255.255.255' } },
    { source: 67, target: 68 },
    payload,
  );
}

/** A router advertisement with a prefix for addresses of one's own choice (RFC 4861, sections 4.2 and 4.6.2). */
export function formatAdvertisement(
  from: Station,
  prefix: string,
  to: Pick<Station, 'mac' | 'ip6'> = ALL_NODES,
): string {
  const option = `030440c00000ffff0000ffff00000000${packIp6(prefix)}`;
  return icmp6({ from, to: { ...to, ip: '' } }, 134, `40000708${'00'.repeat(8)}${option}`);
}

/** An unasked neighbour advertisement "address is at mac" (RFC 4861, section 4.4). */
export function formatNeighbour(from: Station, address: string, to: Pick<Station, 'mac' | 'ip6'> = ALL_NODES): string {
  return icmp6({ from, to: { ...to, ip: '' } }, 136, `20000000${packIp6(address)}0201${packMac(from.mac)}`);
}
