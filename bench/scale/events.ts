import { setTimeout as delay } from 'node:timers/promises';
import { KINDS } from '../../src/api/group.ts';
import { isRunning, untilBound } from './fill.ts';
import { forEach, listVmPorts, range, startVm, stopVm } from './load.ts';
import { namespaceOf } from './objects.ts';
import type { OperatorProcess } from './operators.ts';
import { round } from './report.ts';
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
const IDLE_MS = 3000;
const SETTLE_MS = 7000;

/** Averages over many events; what the operator uses while nothing happens is taken off. */
export async function measureEvents({ stage, operator, ports, vms, rounds }: EventOptions): Promise<EventFigures> {
  const stopped = range(0, vms)
    .filter((vm) => !isRunning(vm))
    .slice(0, WORKERS);
  const idlePerSecond = await measureIdle(operator);
  const average = async (events: number, run: () => Promise<unknown>): Promise<number> => {
    const [begun, cpu] = [performance.now(), operator.cpuSeconds()];
    await run();
    const idle = (idlePerSecond * (performance.now() - begun)) / 1000;
    return round(((operator.cpuSeconds() - cpu - idle) * 1000) / events, 3);
  };
  const change = await average(rounds * 2, async () => {
    const turns = range(0, rounds).map((at) => at % stopped.length);
    await forEach(
      turns,
      serialise(stopped, (vm) => cycle(stage, vm)),
      WORKERS,
    );
    await delay(SETTLE_MS);
  });
  const quiet = await average(rounds * QUIET_PER_ROUND, async () => {
    await forEach(range(0, rounds * QUIET_PER_ROUND), (at) => touch(stage, at % vms, at));
    await delay(SETTLE_MS);
  });
  return { ports, changeMs: change, quietMs: quiet };
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

async function measureIdle(operator: OperatorProcess): Promise<number> {
  const cpu = operator.cpuSeconds();
  await delay(IDLE_MS);
  return ((operator.cpuSeconds() - cpu) * 1000) / IDLE_MS;
}

async function cycle(stage: Stage, vm: number): Promise<void> {
  const ports = listVmPorts(vm);
  const launcher = await startVm(stage, vm);
  await untilBound(stage, ports);
  await stopVm(stage, vm, launcher);
  await stage.ports.until(`VM ${vm} let go`, () => ports.every((port) => stage.ports.find(port)?.attached === false));
}

/** A label that is not for us, as users and other controllers set them all the time. */
async function touch(stage: Stage, vm: number, at: number): Promise<void> {
  const ref = { namespace: namespaceOf(vm), name: `vm-${vm}` };
  await stage.resource(KINDS.vm).patch(ref, { metadata: { labels: { touched: String(at) } } });
}
