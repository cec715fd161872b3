import type { Outcome } from '../../../kube/index.ts';
import { ALL_TABLES, type Flow } from '../../../ovs/openflow/messages.ts';
import type { OpenFlow } from '../../../ovs/openflow/openflow.ts';
import type { Context } from '../context.ts';
import { type Count, countForeign, findPortCookies, planIncrements } from './plan-counts.ts';
import { INGRESS_TABLE, listGuards, planGuards } from './plan-guards.ts';

/** Keeps pods and guests from speaking as servers of their network, and counts what was dropped of theirs. */
export type Guardian = {
  /**
   * Every port has its guards when it resolves, and what was dropped since the last count is in the metric
   * `spoofed_frames`. The switch is asked only when the ports are others than the last time, or that was a while ago:
   * ovn-controller removes all flows when it starts. Returns after how many milliseconds to look again. Throws OpenFlowError.
   */
  look(signal: AbortSignal): Promise<number>;
};

/** How soon guards are looked for again, and how often what was spoofed is counted: both by one reading of the switch. */
const LOOK_MS = 10_000;
const OFFLINE_MS = 1000;
/** Ports that have a series of their own, for as long as the program runs; the rest shares one. */
const MAX_SERIES = 1000;
const OTHERS = 'others';

type Port = { readonly ofport: number; readonly ifaceId: string };

export function createGuardian(
  { ports, metrics, log, clock }: Pick<Context, 'ports' | 'metrics' | 'log' | 'clock'>,
  openflow: OpenFlow,
): Guardian {
  let before: readonly Count[] | undefined;
  let guarded = '';
  let countedAt = Number.NEGATIVE_INFINITY;
  const series = new Set<string>();
  const nameSeries = (port: string): string => {
    if (!series.has(port) && series.size >= MAX_SERIES) return OTHERS;
    series.add(port);
    return port;
  };
  const guard = async (present: readonly Port[], ingress: readonly Flow[], signal: AbortSignal) => {
    const changes = planGuards(
      present.map(({ ofport }) => ofport),
      ingress,
    );
    await openflow.change(changes, signal);
    guarded = formatPorts(present);
    if (changes.length > 0) log.debug({ changes: changes.length }, 'guards of ports');
  };
  const count = async (present: readonly Port[], ingress: readonly Flow[], signal: AbortSignal) => {
    const now = await observeCounts({ present, ingress }, openflow, signal);
    for (const { port, cause, by } of planIncrements(before ?? [], now, before === undefined)) {
      metrics.count('spoofed_frames', { port: nameSeries(port), cause }, by);
    }
    before = now;
  };
  return {
    look: async (signal) => {
      const at = clock.now();
      const present = ports
        .list()
        .flatMap(({ ofport, ifaceId }) => (ofport === undefined ? [] : [{ ofport, ifaceId }]));
      const isDue = at - countedAt >= LOOK_MS;
      if (isDue || guarded !== formatPorts(present)) {
        const [ingress = []] = await openflow.listFlows([{ table: INGRESS_TABLE }], signal);
        await guard(present, ingress, signal);
        if (isDue) {
          await count(present, ingress, signal);
          countedAt = at;
        }
      }
      return countedAt + LOOK_MS - at;
    },
  };
}

const formatPorts = (present: readonly Port[]): string =>
  present
    .map(({ ofport }) => ofport)
    .toSorted((a, b) => a - b)
    .join();

type Seen = { readonly present: readonly Port[]; readonly ingress: readonly Flow[] };

/** What was dropped of each port so far, by our guards and by OVN's port security. */
async function observeCounts({ present, ingress }: Seen, openflow: OpenFlow, signal: AbortSignal): Promise<Count[]> {
  const names = new Map(present.map(({ ofport, ifaceId }) => [ofport, ifaceId]));
  const guards = listGuards(ingress).flatMap(({ ofport, server, packets }): Count[] => {
    const port = names.get(ofport);
    return port === undefined ? [] : [{ port, cause: server, packets }];
  });
  const cookies = findPortCookies(ingress);
  const asked = present.flatMap(({ ofport, ifaceId }) => {
    const cookie = cookies.get(ofport);
    return cookie === undefined ? [] : [{ port: ifaceId, cookie }];
  });
  const answers = await openflow.listFlows(
    asked.map(({ cookie }) => ({ table: ALL_TABLES, cookie })),
    signal,
  );
  const foreign = asked.map(
    ({ port }, index): Count => ({ port, cause: 'foreign', packets: countForeign(answers[index] ?? []) }),
  );
  return [...guards, ...foreign];
}

/** The agent's loop for it, which news of ports wake. */
export function createGuardLoop(context: Context, openflow: OpenFlow): (signal: AbortSignal) => Promise<Outcome> {
  const guardian = createGuardian(context, openflow);
  return async (signal) => {
    if (!context.ports.isLive()) return { requeueAfterMs: OFFLINE_MS };
    return { requeueAfterMs: await guardian.look(signal) };
  };
}
