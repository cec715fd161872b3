import { NUD } from './constants.ts';
import { fromCode } from './errors.ts';
import { formatIp, formatMac, maskCidr, parseCidr, parseIp, parseMac } from './ip.ts';
import type { Neighbour } from './neighbours.ts';

/** The two links of a masquerading launcher: towards the network, and towards its guest (KubeVirt's bridge). */
export type NeighbourSide = 'pod' | 'guest';
/** Who has an address on one of them, as it travels from one launcher to another. Both texts in canonical form. */
export type TravellingNeighbour = { link: NeighbourSide; ip: string; mac: string };

/** No more travel of a link: the kernel's table is one for the whole node, 1024 entries by default (arp(7), gc_thresh3). */
export const NEIGHBOUR_LIMITS = { pod: 128, guest: 16 } as const;

const MAX_ADDRESS_TEXT = 45;
const USABLE = NUD.reachable | NUD.stale | NUD.delay | NUD.probe | NUD.permanent;
/** Being used without doubt; the kernel has heard of it or takes it for granted. */
const FRESH = NUD.reachable | NUD.delay | NUD.permanent;
/** The kernel asks for it and holds packets back meanwhile. */
const ASKED = NUD.incomplete;

/** Reads what another agent says. Throws EINVAL for anything but a unicast MAC and an address on a known link. */
export function parseTravellingNeighbour(value: unknown): TravellingNeighbour {
  if (typeof value !== 'object' || value === null) throw fromCode('EINVAL', 'a neighbour that is no object');
  const { link, ip, mac } = value as { link?: unknown; ip?: unknown; mac?: unknown };
  if (link !== 'pod' && link !== 'guest') throw fromCode('EINVAL', 'a neighbour on another link');
  if (typeof ip !== 'string' || ip.length > MAX_ADDRESS_TEXT || typeof mac !== 'string') {
    throw fromCode('EINVAL', 'a neighbour without address or MAC');
  }
  return { link, ip: formatIp(parseIp(ip).bytes), mac: formatMac(parseMac(mac)) };
}

/**
 * What of a link's table travels: entries that packets can be sent by, the freshest first, no more than may. The others
 * are dropped in the order of their text, so that two readings of one table give the same.
 */
export function planNeighbourTravel(side: NeighbourSide, table: readonly Neighbour[]): TravellingNeighbour[] {
  const usable = table.filter(({ state, mac }) => (state & USABLE) !== 0 && mac !== undefined && isUnicast(mac));
  const rank = ({ state }: Neighbour) => ((state & FRESH) === 0 ? 1 : 0);
  const sorted = usable.toSorted((a, b) => rank(a) - rank(b) || (a.ip < b.ip ? -1 : 1));
  const chosen = sorted.slice(0, NEIGHBOUR_LIMITS[side]);
  const byText = chosen.toSorted((a, b) => (a.ip < b.ip ? -1 : 1));
  return byText.map(({ ip, mac = '' }) => ({ link: side, ip, mac }));
}

function isUnicast(mac: string): boolean {
  return (Number.parseInt(mac.slice(0, 2), 16) & 1) === 0 && mac !== '00:00:00:00:00:00';
}

/** A link as it is: its addresses as `address/prefix`, and its neighbour table. */
export type LinkView = { addresses: readonly string[]; table: readonly Neighbour[] };
/** `replace`: another MAC that is there goes. Without, the kernel keeps it. */
export type NeighbourWrite = { ip: string; mac: string; replace: boolean };

/**
 * What to write into a link's table so that each of these neighbours can be used at once. Only addresses of the link's own
 * networks, never its own. While the gate is `shut` nothing has spoken to the guest by this kernel, so that what it
 * has in doubt is made good; afterwards it knows better, and only what it has not or just asks for is added.
 */
export function planNeighbourWrites(
  wanted: readonly TravellingNeighbour[],
  { addresses, table }: LinkView,
  shut: boolean,
): NeighbourWrite[] {
  const there = new Map(table.map((entry) => [entry.ip, entry]));
  return wanted
    .filter(({ ip }) => isNeighbourly(ip, addresses))
    .flatMap(({ ip, mac }) => {
      const found = there.get(ip);
      if (found === undefined || found.state === ASKED) return { ip, mac, replace: false };
      if (!shut || isGood(found, mac)) return [];
      return { ip, mac, replace: found.mac !== mac };
    });
}

/** Nothing that the kernel is sure of is touched; nor what it may use as it is. */
function isGood({ state, mac }: Neighbour, wanted: string): boolean {
  if ((state & (NUD.reachable | NUD.permanent | NUD.noarp)) !== 0) return true;
  return mac === wanted && (state & (NUD.stale | NUD.delay)) !== 0;
}

function isNeighbourly(ip: string, addresses: readonly string[]): boolean {
  const own = addresses.map(parseCidr);
  const { family, bytes } = parseIp(ip);
  if (own.some((cidr) => cidr.family === family && cidr.bytes.equals(bytes))) return false;
  return own.some((cidr) => {
    if (cidr.family !== family) return false;
    const network = maskCidr(cidr).bytes;
    return maskCidr({ family, bytes, prefix: cidr.prefix }).bytes.equals(network);
  });
}
