import { FIELD, type Flow } from '../../../ovs/openflow/messages.ts';
import { GUARD_COOKIE, type Guard } from './plan-guards.ts';

/** Why a frame was dropped: not by its port's addresses, or what only a server sends. */
export type Cause = 'foreign' | Guard['server'];

/** How many frames of a port were dropped so far, for one cause. */
export type Count = { readonly port: string; readonly cause: Cause; readonly packets: bigint };

/**
 * The cookie of each port's flows in OVN's tables, by its number in the bridge: ovn-controller marks what it makes for
 * a port, from the first table on, with the beginning of its binding's UUID. Ports that it has not taken yet have none.
 */
export function findPortCookies(ingress: readonly Flow[]): ReadonlyMap<number, bigint> {
  const cookies = new Map<number, bigint>();
  for (const { cookie, match } of ingress) {
    const ofport = match.get(FIELD.inPort);
    const isPlain = match.size === 1 && cookie !== GUARD_COOKIE && cookie !== 0n;
    if (ofport !== undefined && isPlain) cookies.set(Number(ofport), cookie);
  }
  return cookies;
}

/** Priority of the flows that OVN's port security ends in: what no other flow has found to be the port's own. */
const PORT_SECURITY_DROP = 80;

/**
 * How many frames of a port its port security has dropped: `flows` are those with the port's cookie. The ones that look
 * at frames from the port compare register 14; those for frames to it do not. The number of their table changes with
 * OVN's version, so nothing here depends on it. Addresses and neighbour discovery are two tables, each with drops of its own.
 */
export function countForeign(flows: readonly Flow[]): bigint {
  return flows
    .filter(({ priority, match }) => priority === PORT_SECURITY_DROP && match.has(FIELD.logicalInport))
    .reduce((sum, { packets }) => sum + packets, 0n);
}

export type Increment = { readonly port: string; readonly cause: Cause; readonly by: number };

const format = ({ port, cause }: Pick<Count, 'port' | 'cause'>): string => `${cause} ${port}`;

/**
 * What was dropped between two looks. A count that went down began anew with its flow. `first`: nothing was looked at
 * before, so that nobody can tell what of it is new.
 */
export function planIncrements(before: readonly Count[], now: readonly Count[], first: boolean): Increment[] {
  if (first) return [];
  const known = new Map(before.map((count) => [format(count), count.packets]));
  return now.flatMap(({ port, cause, packets }) => {
    const had = known.get(format({ port, cause })) ?? 0n;
    const by = packets >= had ? packets - had : packets;
    return by > 0n ? [{ port, cause, by: Number(by) }] : [];
  });
}
