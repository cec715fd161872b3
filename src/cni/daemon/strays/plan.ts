import type { NodeSettings } from '../../../ovs/settings.ts';

/** Where this node's Open vSwitch takes in tunnels. */
export type TunnelEnd = { readonly address: string; readonly port: number };

/** Geneve's own (RFC 8926 section 3.3); OVN uses no other by default (`ovn-encap-df_default` and its like change no port). */
const GENEVE_PORT = 6081;

/**
 * What to watch for strays: with the datapath in user space, no packet of a tunnel is for the kernel, as Open vSwitch
 * takes it from the bridge's local port before. With the kernel's datapath the port is its own, and nothing is watched.
 */
export function planWatch(settings: NodeSettings | undefined): TunnelEnd | undefined {
  const address = settings?.encapIps[0];
  if (settings?.datapathType !== 'netdev' || address === undefined) return undefined;
  return settings.encapTypes.includes('geneve') ? { address, port: GENEVE_PORT } : undefined;
}

/** How Open vSwitch is brought to think of its datapath's flows again. */
export type Renewal = 'revalidate' | 'purge';

/** Strays without a pause longer than `PAUSE_MS`. Milliseconds of one monotonic clock. */
export type Streak = {
  readonly since: number;
  readonly seen: number;
  readonly renewed?: number;
  readonly purged?: number;
};

/** Longer without a stray, and the next one is another matter. */
const PAUSE_MS = 1000;
/** Between two renewals: what is under way may still arrive, and a tenant who finds a way to send such packets costs no more. */
const AGAIN_MS = 100;
/** Strays for longer than this, and looking again at each flow is not enough. */
const PATIENCE_MS = 1000;
const PURGE_AGAIN_MS = 10_000;

/** What a stray at `now` asks for, if anything, and the streak with it. */
export function planRenewal(streak: Streak | undefined, now: number): { streak: Streak; renewal?: Renewal } {
  const current = extend(streak, now);
  const { since, renewed = -Infinity, purged = -Infinity } = current;
  if (now - renewed < AGAIN_MS) return { streak: current };
  if (now - since >= PATIENCE_MS && now - purged >= PURGE_AGAIN_MS) {
    return { streak: { ...current, renewed: now, purged: now }, renewal: 'purge' };
  }
  return { streak: { ...current, renewed: now }, renewal: 'revalidate' };
}

/** The streak that a stray at `now` belongs to; a new one remembers only the last purge. */
function extend(streak: Streak | undefined, now: number): Streak {
  if (streak !== undefined && now - streak.seen <= PAUSE_MS) return { ...streak, seen: now };
  return { since: now, seen: now, ...(streak?.purged === undefined ? {} : { purged: streak.purged }) };
}
