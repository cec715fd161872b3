import { setTimeout as delay } from 'node:timers/promises';
import { countWrites, describeWrites, type Write } from './audit.ts';
import {
  createPods,
  createVms,
  forEach,
  formatPodPort,
  listVmPorts,
  range,
  reportGuest,
  reportRunning,
  startVm,
} from './load.ts';
import { NICS_PER_VM } from './objects.ts';
import type { OperatorProcess } from './operators.ts';
import { round } from './report.ts';
import type { Stage } from './stage.ts';

/** How many of each there are. A port in ten is no VM's: six are pods', four a VM's four NICs. */
export type Size = { readonly pods: number; readonly vms: number };

export const sizeOf = (ports: number): Size => ({
  pods: Math.round(ports * 0.6),
  vms: Math.round((ports * 0.4) / NICS_PER_VM),
});

/** Half of the VMs run: those with an even number. */
export const isRunning = (vm: number): boolean => vm % 2 === 0;

/** What it took to bring some ports from nothing to bound. */
export type FillFigures = {
  readonly nics: number;
  readonly seconds: number;
  readonly nicsPerSecond: number;
  /** Writes of LogicalPorts, refused ones among them. */
  readonly writesPerNic: number;
  /** All writes of other kinds, which are not one for each NIC: counts in the status of subnets above all. */
  readonly otherWrites: number;
  readonly events: number;
  readonly leaseWrites: number;
  readonly cpuMsPerNic: number;
};

export type Filled = {
  readonly pods: FillFigures;
  /** All VMs, made and not started yet. */
  readonly newVms: FillFigures;
  /** The half of them that is started then. */
  readonly startedVms: FillFigures;
  /** Writes for one NIC of a VM that was made and started, from its creation on. */
  readonly writesPerVmNic: number;
};

type Watch = { readonly stage: Stage; readonly operator: OperatorProcess; readonly say: (line: string) => void };

/** Raises the load from one size to another, each kind by itself, so that the writes can be told apart. */
export async function fill(watch: Watch, from: Size, to: Size): Promise<Filled> {
  const { stage } = watch;
  const pods = range(from.pods, to.pods);
  const vms = range(from.vms, to.vms);
  const running = vms.filter(isRunning);
  const forPods = await measure(watch, { what: 'pods', nics: pods.length }, async () => {
    await createPods(stage, pods);
    await untilBound(
      stage,
      pods.map((pod) => formatPodPort(pod)),
    );
    return () => reportRunning(stage, pods);
  });
  const forNewVms = await measure(watch, { what: 'VMs', nics: vms.length * NICS_PER_VM }, async () => {
    const before = stage.ports.size();
    await createVms(stage, vms);
    await stage.ports.until('ports of stopped VMs', () => stage.ports.size() >= before + vms.length * NICS_PER_VM);
    return undefined;
  });
  const launchers = new Map<number, string>();
  const forStarts = await measure(watch, { what: 'VM starts', nics: running.length * NICS_PER_VM }, async () => {
    await forEach(running, async (vm) => launchers.set(vm, await startVm(stage, vm)));
    await untilBound(stage, running.flatMap(listVmPorts));
    return () => forEach(running, (vm) => reportGuest(stage, vm, launchers.get(vm) ?? ''));
  });
  const started = new Set(running.flatMap(listVmPorts));
  const forStarted = [...forNewVms.writes, ...forStarts.writes].filter((write) => started.has(formatPort(write)));
  return {
    pods: forPods.figures,
    newVms: forNewVms.figures,
    startedVms: forStarts.figures,
    writesPerVmNic: round(forStarted.length / started.size, 3),
  };
}

/** The LogicalPort that a write was about; none of other kinds has such a name. */
const formatPort = ({ namespace, name }: Write): string => `${namespace}/${name}`;

export async function untilBound(stage: Stage, ports: readonly string[]): Promise<void> {
  const left = new Set(ports);
  const look = () => {
    for (const port of left) {
      if (stage.ports.find(port)?.bound !== true) return false;
      left.delete(port);
    }
    return true;
  };
  await stage.ports.until(`${ports.length} ports bound`, look);
}

/** May give what is to be done when the time is taken. */
type Work = () => Promise<(() => Promise<unknown>) | undefined>;

/**
 * Measures until the work is done; then lets the kubelet's part follow and waits until the operator writes nothing more:
 * what comes late counts all the same.
 */
async function measure(
  { stage, operator, say }: Watch,
  { what, nics }: { readonly what: string; readonly nics: number },
  work: Work,
): Promise<{ figures: FillFigures; writes: readonly Write[] }> {
  stage.audit.take();
  const [begun, cpu] = [performance.now(), operator.cpuSeconds()];
  const after = await work();
  const seconds = (performance.now() - begun) / 1000;
  if (after !== undefined) await after();
  const writes = await whenQuiet(stage);
  const counts = countWrites(writes);
  const cpuSeconds = operator.cpuSeconds() - cpu;
  say(
    `${nics} NICs of ${what} in ${seconds.toFixed(1)} s (${(nics / seconds).toFixed(0)}/s); ${describeWrites(writes)}`,
  );
  const figures = {
    nics,
    seconds: round(seconds),
    nicsPerSecond: round(nics / seconds, 1),
    writesPerNic: round(counts.ports / nics, 3),
    otherWrites: counts.others,
    events: counts.events,
    leaseWrites: counts.leases,
    cpuMsPerNic: round((cpuSeconds * 1000) / nics),
  };
  return { figures, writes };
}

const QUIET_MS = 12_000;
const LOOK_MS = 250;

/** Waits until no write but of leases came for longer than any delay of the operator's; gives all that came. */
export async function whenQuiet(stage: Stage): Promise<Write[]> {
  const writes: Write[] = [];
  let quietSince = performance.now();
  while (performance.now() - quietSince < QUIET_MS) {
    await delay(LOOK_MS);
    const more = stage.audit.take();
    writes.push(...more);
    if (more.some((write) => write.resource !== 'leases')) quietSince = performance.now();
  }
  return writes;
}
