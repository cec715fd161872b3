import type { Outcome } from '../../../kube/index.ts';
import { ALL_TABLES } from '../../../ovs/openflow/messages.ts';
import type { OpenFlow } from '../../../ovs/openflow/openflow.ts';
import type { Context } from '../context.ts';
import { type Count, countForeign, findPortCookies, planIncrements } from './plan-counts.ts';
import { INGRESS_TABLE, listGuards, planGuards } from './plan-guards.ts';

/** Keeps pods and guests from speaking as servers of their network, and counts what was dropped of theirs. */
export type Guardian = {
  /**
   * Every port has its guards when it resolves. The switch is asked only when the ports are others than the last time, or
   * that was a while ago: ovn-controller removes all flows when it starts. Throws OpenFlowError.
   */
  guard(signal: AbortSignal): Promise<void>;
  /** Adds what was dropped since the last look to the metric `spoofed_frames`. Throws OpenFlowError. */
  count(signal: AbortSignal): Promise<void>;
};

/** How soon guards are looked for again, and how often what was spoofed is counted; milliseconds. */
const GUARD_MS = 10_000;
const COUNT_MS = 10_000;
const OFFLINE_MS = 1000;
/** Ports that have a series of their own, for as long as the program runs; the rest shares one. */
const MAX_SERIES = 1000;
const OTHERS = 'others';

export function createGuardian(
  { ports, metrics, log, clock }: Pick<Context, 'ports' | 'metrics' | 'log' | 'clock'>,
  openflow: OpenFlow,
): Guardian {
  let before: readonly Count[] | undefined;
  let guarded = { ofports: '', at: Number.NEGATIVE_INFINITY };
  const series = new Set<string>();
  const listPorts = () =>
    ports.list().flatMap(({ ofport, ifaceId }) => (ofport === undefined ? [] : [{ ofport, ifaceId }]));
  const readIngress = async (signal: AbortSignal) =>
    (await openflow.listFlows([{ table: INGRESS_TABLE }], signal))[0] ?? [];
  const nameSeries = (port: string): string => {
    if (!series.has(port) && series.size >= MAX_SERIES) return OTHERS;
    series.add(port);
    return port;
  };
  const observe = async (signal: AbortSignal): Promise<Count[]> => {
    const present = listPorts();
    const ingress = await readIngress(signal);
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
  };
  return {
    guard: async (signal) => {
      const ofports = listPorts().map(({ ofport }) => ofport);
      const key = ofports.toSorted((a, b) => a - b).join();
      const at = clock.now();
      if (guarded.ofports === key && at - guarded.at < GUARD_MS) return;
      const changes = planGuards(ofports, await readIngress(signal));
      await openflow.change(changes, signal);
      guarded = { ofports: key, at };
      if (changes.length > 0) log.debug({ changes: changes.length }, 'guards of ports');
    },
    count: async (signal) => {
      const now = await observe(signal);
      for (const { port, cause, by } of planIncrements(before ?? [], now, before === undefined)) {
        metrics.count('spoofed_frames', { port: nameSeries(port), cause }, by);
      }
      before = now;
    },
  };
}

/** The agent's loops for it, by key: `guard`, which news of ports wake, and `spoofed`. */
export function createGuardLoops(
  context: Context,
  openflow: OpenFlow,
): readonly [string, (signal: AbortSignal) => Promise<Outcome>][] {
  const guardian = createGuardian(context, openflow);
  const every =
    (requeueAfterMs: number, run: (signal: AbortSignal) => Promise<void>) => async (signal: AbortSignal) => {
      if (!context.ports.isLive()) return { requeueAfterMs: OFFLINE_MS };
      await run(signal);
      return { requeueAfterMs };
    };
  return [
    ['guard', every(GUARD_MS, guardian.guard)],
    ['spoofed', every(COUNT_MS, guardian.count)],
  ];
}
