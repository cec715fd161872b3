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
  /** VMs that are made and not started. */
  readonly stoppedVms: FillFigures;
  /** VMs that are made and started as soon as they have their ports. */
  readonly startedVms: FillFigures;
};

type Watch = { readonly stage: Stage; readonly operator: OperatorProcess; readonly say: (line: string) => void };

/** Raises the load from one size to another, each kind by itself, so that the writes can be told apart. */
export async function fill(watch: Watch, from: Size, to: Size): Promise<Filled> {
  const { stage } = watch;
  const pods = range(from.pods, to.pods);
  const vms = range(from.vms, to.vms);
  const started = vms.filter(isRunning);
  const stopped = vms.filter((vm) => !isRunning(vm));
  const forPods = await measure(watch, { what: 'pods', nics: pods.length }, async () => {
    await createPods(stage, pods);
    await untilBound(
      stage,
      pods.map((pod) => formatPodPort(pod)),
    );
    return () => reportRunning(stage, pods);
  });
  const forStopped = await measure(watch, { what: 'VMs', nics: stopped.length * NICS_PER_VM }, async () => {
    await createVms(stage, stopped);
    await untilMade(stage, stopped);
    return undefined;
  });
  const launchers = new Map<number, string>();
  const start = async (vm: number) => {
    await createVms(stage, [vm]);
    await untilMade(stage, [vm]);
    launchers.set(vm, await startVm(stage, vm));
  };
  const forStarted = await measure(watch, { what: 'VM starts', nics: started.length * NICS_PER_VM }, async () => {
    await forEach(started, start);
    await untilBound(stage, started.flatMap(listVmPorts));
    return () => forEach(started, (vm) => reportGuest(stage, vm, launchers.get(vm) ?? ''));
  });
  return { pods: forPods, stoppedVms: forStopped, startedVms: forStarted };
}

async function untilMade(stage: Stage, vms: readonly number[]): Promise<void> {
  const ports = vms.flatMap(listVmPorts);
  await stage.ports.until(`${ports.length} ports made`, () =>
    ports.every((port) => stage.ports.find(port) !== undefined),
  );
}

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
): Promise<FillFigures> {
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
  return {
    nics,
    seconds: round(seconds),
    nicsPerSecond: round(nics / seconds, 1),
    writesPerNic: round(counts.ports / nics, 3),
    otherWrites: counts.others,
    events: counts.events,
    leaseWrites: counts.leases,
    cpuMsPerNic: round((cpuSeconds * 1000) / nics),
  };
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
