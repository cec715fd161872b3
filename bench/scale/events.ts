import { setTimeout as delay } from 'node:timers/promises';
import { KINDS } from '../../src/api/group.ts';
import { isRunning, untilBound } from './fill.ts';
import { forEach, listVmPorts, range, startVm, stopVm } from './load.ts';
import { namespaceOf } from './objects.ts';
import type { OperatorProcess } from './operators.ts';
import { median, round } from './report.ts';
import type { Stage } from './stage.ts';

/** CPU of the operator per event, in milliseconds, with so many ports there. */
export type EventFigures = {
  readonly ports: number;
  /** A VM with four NICs is started, or stopped: from its VMI to its ports bound, or let go. */
  readonly changeMs: number;
  /** Something of a VM changed that asks nothing of us. */
  readonly quietMs: number;
};

export type EventOptions = {
  readonly stage: Stage;
  readonly operator: OperatorProcess;
  readonly ports: number;
  /** VMs there are. */
  readonly vms: number;
  /** Starts and stops to average over. */
  readonly rounds: number;
};

const WORKERS = 5;
const QUIET_PER_ROUND = 8;
/** The regular look at everything falls into some measurement or other: the middle one of several is free of it. */
const BATCHES = 5;
const IDLE_MS = 2500;
const SETTLE_MS = 1500;

/** Averages over many events; what the operator uses while nothing happens is taken off. */
export async function measureEvents({ stage, operator, ports, vms, rounds }: EventOptions): Promise<EventFigures> {
  const stopped = range(0, vms)
    .filter((vm) => !isRunning(vm))
    .slice(0, WORKERS);
  const batch = Math.max(stopped.length, Math.round(rounds / BATCHES));
  const idlePerSecond = await measureIdle(operator);
  const average = async (events: number, run: () => Promise<unknown>): Promise<number> => {
    const [begun, cpu] = [performance.now(), operator.cpuSeconds()];
    await run();
    await delay(SETTLE_MS);
    const idle = (idlePerSecond * (performance.now() - begun)) / 1000;
    return ((operator.cpuSeconds() - cpu - idle) * 1000) / events;
  };
  const middle = async (events: number, run: () => Promise<unknown>): Promise<number> => {
    const batches: number[] = [];
    while (batches.length < BATCHES) batches.push(await average(events, run));
    return round(median(batches), 3);
  };
  const changeMs = await middle(batch * 2, () => {
    const turns = range(0, batch).map((at) => at % stopped.length);
    return forEach(
      turns,
      serialise(stopped, (vm) => cycle(stage, vm)),
      WORKERS,
    );
  });
  const quietMs = await middle(batch * QUIET_PER_ROUND, () =>
    forEach(range(0, batch * QUIET_PER_ROUND), (at) => touch(stage, at % vms)),
  );
  return { ports, changeMs, quietMs };
}

/** Two rounds of one VM never run at the same time. */
function serialise(vms: readonly number[], run: (vm: number) => Promise<void>): (at: number) => Promise<void> {
  const last = new Map<number, Promise<void>>();
  return (at) => {
    const turn = (last.get(at) ?? Promise.resolve()).then(() => run(vms[at] ?? 0));
    last.set(at, turn);
    return turn;
  };
}

/** Seconds of CPU per second, the middle one of several looks. */
async function measureIdle(operator: OperatorProcess): Promise<number> {
  const looks: number[] = [];
  while (looks.length < BATCHES) {
    const cpu = operator.cpuSeconds();
    await delay(IDLE_MS);
    looks.push(((operator.cpuSeconds() - cpu) * 1000) / IDLE_MS);
  }
  return median(looks);
}

async function cycle(stage: Stage, vm: number): Promise<void> {
  const ports = listVmPorts(vm);
  const launcher = await startVm(stage, vm);
  await untilBound(stage, ports);
  await stopVm(stage, vm, launcher);
  await stage.ports.until(`VM ${vm} let go`, () => ports.every((port) => stage.ports.find(port)?.attached === false));
}

let touches = 0;

/** A label that is not for us, as users and other controllers set them all the time. */
async function touch(stage: Stage, vm: number): Promise<void> {
  const ref = { namespace: namespaceOf(vm), name: `vm-${vm}` };
  touches += 1;
  await stage.resource(KINDS.vm).patch(ref, { metadata: { labels: { touched: String(touches) } } });
}
