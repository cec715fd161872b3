import {
  type Attribute,
  decodeAttributes,
  encodeAttributes,
  type Message,
  readText,
  readU32,
  text,
  u8,
  u32,
} from './codec.ts';
import { AF, IFF, IFLA, IFLA_INET6_ADDR_GEN_MODE, IFLA_INFO, NLM_NEW, RTM, VETH_INFO_PEER } from './constants.ts';
import { fromCode, NetlinkError } from './errors.ts';
import { formatMac, parseMac } from './ip.ts';
import { parseInterfaceName, parseMtu } from './names.ts';
import type { RouteSocket } from './socket.ts';

/** A network interface. `peerIndex` is IFLA_LINK: for a veth its peer, in the namespace that `peerNetnsId` numbers. */
export type Link = {
  index: number;
  name: string;
  mac?: string;
  mtu: number;
  up: boolean;
  running: boolean;
  kind?: string;
  peerIndex?: number;
  peerNetnsId?: number;
  master?: number;
  alias?: string;
};

export type VethPair = {
  hostName: string;
  peerName: string;
  peerNetnsFd: number;
  hostMac?: string;
  peerMac: string;
  mtu: number;
};

type Selector = string | number;
const HEADER = 16;
const MAX_ALIAS = 255;
/** IN6_ADDR_GEN_MODE_NONE: no link-local address of the kernel's own making. */
const ADDR_GEN_MODE_NONE = 1;

/** struct ifinfomsg. */
function encodeHeader(index: number, flags = 0, change = 0): Buffer {
  const out = Buffer.alloc(HEADER);
  out.writeInt32LE(index, 4);
  out.writeUInt32LE(flags >>> 0, 8);
  out.writeUInt32LE(change >>> 0, 12);
  return out;
}

/** The payload of a request about one link, found by index or by name. */
function encodeSelected(selector: Selector, attributes: readonly Attribute[] = [], flags = 0, change = 0): Buffer {
  const byName = typeof selector === 'string';
  const name: Attribute[] = byName ? [{ type: IFLA.ifname, value: text(parseInterfaceName(selector)) }] : [];
  const header = encodeHeader(byName ? 0 : selector, flags, change);
  return Buffer.concat([header, encodeAttributes([...name, ...attributes])]);
}

/** The RTM_NEWLINK payload that makes both ends at once, the peer inside its namespace (drivers/net/veth.c). */
export function encodeVethPair(pair: VethPair): Buffer {
  const mtu: Attribute = { type: IFLA.mtu, value: u32(parseMtu(pair.mtu)) };
  const peer = Buffer.concat([
    encodeHeader(0),
    encodeAttributes([
      { type: IFLA.ifname, value: text(parseInterfaceName(pair.peerName)) },
      { type: IFLA.address, value: parseMac(pair.peerMac) },
      mtu,
      { type: IFLA.netNsFd, value: u32(pair.peerNetnsFd) },
    ]),
  ]);
  const info: Attribute[] = [
    { type: IFLA_INFO.kind, value: text('veth') },
    { type: IFLA_INFO.data, value: [{ type: VETH_INFO_PEER, value: peer }] },
  ];
  const attributes: Attribute[] = [{ type: IFLA.ifname, value: text(parseInterfaceName(pair.hostName)) }, mtu];
  if (pair.hostMac !== undefined) attributes.push({ type: IFLA.address, value: parseMac(pair.hostMac) });
  return Buffer.concat([encodeHeader(0), encodeAttributes([...attributes, { type: IFLA.linkInfo, value: info }])]);
}

function encodeAlias(alias: string): Buffer {
  const bytes = Buffer.from(alias);
  if (bytes.length > MAX_ALIAS) throw fromCode('EINVAL', `alias of ${bytes.length} bytes`);
  return bytes;
}

/** Reads an RTM_NEWLINK message. Throws EBADMSG when it is too short. */
export function decodeLink(message: Message): Link {
  const { payload } = message;
  if (payload.length < HEADER) throw fromCode('EBADMSG', `link message of ${payload.length} bytes`);
  const attributes = decodeAttributes(payload.subarray(HEADER));
  const flags = payload.readUInt32LE(8);
  const mac = attributes.get(IFLA.address);
  const info = attributes.get(IFLA.linkInfo);
  const optional = {
    mac: mac?.length === 6 ? formatMac(mac) : undefined,
    kind: info === undefined ? undefined : readText(decodeAttributes(info), IFLA_INFO.kind),
    peerIndex: readU32(attributes, IFLA.link),
    peerNetnsId: readU32(attributes, IFLA.linkNetnsId),
    master: readU32(attributes, IFLA.master),
    alias: readText(attributes, IFLA.ifAlias),
  };
  return {
    index: payload.readInt32LE(4),
    name: readText(attributes, IFLA.ifname) ?? '',
    mtu: readU32(attributes, IFLA.mtu) ?? 0,
    up: (flags & IFF.up) !== 0,
    running: (flags & IFF.running) !== 0,
    ...(Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)) as Partial<Link>),
  };
}

/**
 * Creates both ends of a veth in one request. Throws EEXIST when either name is taken, EINVAL for a bad name, MAC or MTU,
 * ENOENT/EINVAL when the namespace is gone. The host end lives in the socket's namespace.
 */
export function createVethPair(socket: RouteSocket, pair: VethPair): void {
  socket.request({
    type: RTM.newLink,
    flags: NLM_NEW.create | NLM_NEW.exclusive,
    payload: encodeVethPair(pair),
    what: `create veth ${pair.hostName} with peer ${pair.peerName}`,
  });
}

/** One link. Throws ENODEV (class not-found). */
export function getLink(socket: RouteSocket, selector: Selector): Link {
  return decodeLink(
    socket.get({ type: RTM.getLink, payload: encodeSelected(selector), what: `look up link ${selector}` }),
  );
}

/** One link, or undefined. */
export function findLink(socket: RouteSocket, selector: Selector): Link | undefined {
  try {
    return getLink(socket, selector);
  } catch (error) {
    if (error instanceof NetlinkError && error.class === 'not-found') return undefined;
    throw error;
  }
}

/** Every link of the namespace. */
export function listLinks(socket: RouteSocket): Link[] {
  return socket.dump({ type: RTM.getLink, payload: encodeHeader(0), what: 'list links' }).map(decodeLink);
}

export function setLinkUp(socket: RouteSocket, selector: Selector, up = true): void {
  const payload = encodeSelected(selector, [], up ? IFF.up : 0, IFF.up);
  socket.request({ type: RTM.setLink, payload, what: `set link ${selector} ${up ? 'up' : 'down'}` });
}

export function setLinkMtu(socket: RouteSocket, selector: Selector, mtu: number): void {
  const payload = encodeSelected(selector, [{ type: IFLA.mtu, value: u32(parseMtu(mtu)) }]);
  socket.request({ type: RTM.setLink, payload, what: `set MTU of link ${selector} to ${mtu}` });
}

export function setLinkMac(socket: RouteSocket, selector: Selector, mac: string): void {
  const payload = encodeSelected(selector, [{ type: IFLA.address, value: parseMac(mac) }]);
  socket.request({ type: RTM.setLink, payload, what: `set MAC of link ${selector} to ${mac}` });
}

/** Free text that the kernel keeps with the link (at most 255 bytes); it is ignored when given at creation. */
export function setLinkAlias(socket: RouteSocket, selector: Selector, alias: string): void {
  const payload = encodeSelected(selector, [{ type: IFLA.ifAlias, value: encodeAlias(alias) }]);
  socket.request({ type: RTM.setLink, payload, what: `set alias of link ${selector}` });
}

/** Keeps the kernel from giving the link an IPv6 link-local address of its own. */
export function disableLinkLocal(socket: RouteSocket, selector: Selector): void {
  const mode: Attribute = { type: IFLA_INET6_ADDR_GEN_MODE, value: u8(ADDR_GEN_MODE_NONE) };
  const payload = encodeSelected(selector, [{ type: IFLA.afSpec, value: [{ type: AF.inet6, value: [mode] }] }]);
  socket.request({ type: RTM.setLink, payload, what: `switch off link-local addresses of ${selector}` });
}

/** Deletes a link; throws ENODEV when it is not there. A veth takes about 20 ms (the kernel waits for readers). */
export function deleteLink(socket: RouteSocket, selector: Selector): void {
  socket.request({ type: RTM.delLink, payload: encodeSelected(selector), what: `delete link ${selector}` });
}

/** Deletes a link if it is there; says whether it was. */
export function deleteIfPresent(socket: RouteSocket, selector: Selector): boolean {
  try {
    deleteLink(socket, selector);
    return true;
  } catch (error) {
    if (error instanceof NetlinkError && error.class === 'not-found') return false;
    throw error;
  }
}
