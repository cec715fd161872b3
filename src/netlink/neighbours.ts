import { decodeAttributes, encodeAttributes, type Message } from './codec.ts';
import { NDA, NLM_NEW, NUD, RTM } from './constants.ts';
import { fromCode } from './errors.ts';
import { formatIp, formatMac, parseIp, parseMac } from './ip.ts';
import type { RouteSocket } from './socket.ts';

/** An entry of the kernel's neighbour table; `state` is a NUD_ value. */
export type Neighbour = { ifIndex: number; ip: string; mac?: string; state: number };

const HEADER = 12;

/** struct ndmsg and its attributes; `state` is a NUD_ value. */
export function encodeNeighbour(ifIndex: number, ip: string, mac: string, state: number = NUD.permanent): Buffer {
  const address = parseIp(ip);
  const header = Buffer.alloc(HEADER);
  header.writeUInt8(address.family, 0);
  header.writeInt32LE(ifIndex, 4);
  header.writeUInt16LE(state, 8);
  const attributes = [
    { type: NDA.dst, value: address.bytes },
    { type: NDA.lladdr, value: parseMac(mac) },
  ];
  return Buffer.concat([header, encodeAttributes(attributes)]);
}

/** Reads an RTM_NEWNEIGH message. Throws EBADMSG. */
export function decodeNeighbour(message: Message): Neighbour {
  const { payload } = message;
  if (payload.length < HEADER) throw fromCode('EBADMSG', `neighbour message of ${payload.length} bytes`);
  const attributes = decodeAttributes(payload.subarray(HEADER));
  const dst = attributes.get(NDA.dst);
  if (dst === undefined) throw fromCode('EBADMSG', 'neighbour message without an address');
  const lladdr = attributes.get(NDA.lladdr);
  const entry = { ifIndex: payload.readInt32LE(4), ip: formatIp(dst), state: payload.readUInt16LE(8) };
  return lladdr?.length === 6 ? { ...entry, mac: formatMac(lladdr) } : entry;
}

/** Sets a permanent entry. */
export function ensureNeighbour(socket: RouteSocket, ifIndex: number, entry: { ip: string; mac: string }): void {
  socket.request({
    type: RTM.newNeighbour,
    flags: NLM_NEW.create | NLM_NEW.replace,
    payload: encodeNeighbour(ifIndex, entry.ip, entry.mac),
    what: `set neighbour ${entry.ip} on link ${ifIndex}`,
  });
}

/**
 * Makes an entry usable at once; the kernel finds out by itself whether it is true when it is used (neigh_add in
 * net/core/neighbour.c: without `replace` a usable entry with another MAC stays).
 */
export function suggestNeighbour(
  socket: RouteSocket,
  ifIndex: number,
  { ip, mac, replace }: { ip: string; mac: string; replace: boolean },
): void {
  socket.request({
    type: RTM.newNeighbour,
    flags: NLM_NEW.create | (replace ? NLM_NEW.replace : 0),
    payload: encodeNeighbour(ifIndex, ip, mac, NUD.stale),
    what: `suggest neighbour ${ip} on link ${ifIndex}`,
  });
}

/** The neighbour table of a link. */
export function listNeighbours(socket: RouteSocket, ifIndex: number): Neighbour[] {
  return socket
    .dump({ type: RTM.getNeighbour, payload: Buffer.alloc(HEADER), what: 'list neighbours' })
    .map(decodeNeighbour)
    .filter((entry) => entry.ifIndex === ifIndex);
}
