import { type EventFigures, measureEvents } from './events.ts';
import { measureColdStart, measureLife, measureRebuild, measureTakeover } from './failures.ts';
import { type Filled, fill, sizeOf, whenQuiet } from './fill.ts';
import type { OperatorProcess } from './operators.ts';
import { round } from './report.ts';
import { type Stage, startStage } from './stage.ts';

/** What `out/bench/scale.json` holds. */
export type Figures = {
  readonly apiWritesPerPodNic: number;
  readonly apiWritesPerVmNic: number;
  readonly apiWritesPerPodLife: number;
  /** The slowest of several. */
  readonly takeoverSeconds: number;
  readonly coldStartSeconds: number;
  readonly coldStartWrites: number;
  readonly rssMb: number;
  readonly eventCostRatio: number;
  readonly rebuildSeconds: number;
  readonly ports: number;
  readonly rates: {
    readonly podNicsPerSecond: number;
    readonly vmNicsPerSecond: number;
    readonly cpuMsPerPodNic: number;
    readonly cpuMsPerVmNic: number;
    readonly otherWritesPerPodNic: number;
    readonly leaseWritesPerSecond: number;
  };
  readonly events: readonly EventFigures[];
  readonly fills: readonly Filled[];
  readonly takeovers: readonly number[];
  /** How often a leader lost its lease although nobody had killed it. */
  readonly leasesLost: number;
};

export type RunOptions = {
  readonly ports: number;
  readonly say: (line: string) => void;
  readonly env: NodeJS.ProcessEnv;
  readonly profileDir: string | undefined;
  /** Ends the run: everything that was started is stopped and removed. */
  readonly signal: AbortSignal;
};

const STEPS = [100, 1000, 10_000];
const TAKEOVERS = 3;
const EVENT_ROUNDS = 100;

/** The whole run, cleaned up after whatever happens. */
export async function runScale(options: RunOptions): Promise<Figures> {
  await using stage = await startStage(options);
  const interrupted = new Promise<never>((_, reject) => {
    options.signal.addEventListener('abort', () => reject(new Error('interrupted')), { once: true });
  });
  return await Promise.race([measureAll(stage, options), interrupted]);
}

async function measureAll(stage: Stage, { ports, say, profileDir }: RunOptions): Promise<Figures> {
  const leader = await stage.startOperator('bench-0');
  await leader.whenLogged('first pass done', leader.startedAt);
  const watch = watchOperators();
  watch.add(leader);
  const { fills, events } = await climb(stage, { leader, ports, say });
  const apiWritesPerPodLife = await measureLife(stage, Math.min(500, Math.round(ports / 10)), say);
  say('taking over from a leader that was killed');
  const victim = profileDir === undefined ? leader : await replace(stage, leader);
  const { takeovers, last } = await takeOver(stage, { leader: victim, add: watch.add });
  say(`takeovers: ${takeovers.join(' s, ')} s; stopping all operators and starting one anew`);
  await whenQuiet(stage);
  await last.kill('SIGTERM');
  const cold = await measureColdStart(stage, 'bench-cold', say);
  watch.add(cold.operator);
  say('replacing the Northbound database by an empty one');
  const rebuildSeconds = await measureRebuild(stage, say);
  return {
    ...summarise(fills, events),
    apiWritesPerPodLife,
    takeoverSeconds: Math.max(...takeovers),
    coldStartSeconds: cold.seconds,
    coldStartWrites: cold.writes,
    ...watch.stop(),
    rebuildSeconds,
    ports: stage.ports.size(),
    events,
    fills,
    takeovers,
  };
}

/** Lets an operator end in peace, which writes its profile, and gives another one in its place. */
async function replace(stage: Stage, operator: OperatorProcess): Promise<OperatorProcess> {
  await operator.kill('SIGTERM');
  const next = await stage.startOperator('bench-next');
  await next.whenLogged('first pass done', next.startedAt);
  return next;
}

type Climb = { readonly leader: OperatorProcess; readonly ports: number; readonly say: (line: string) => void };

/** Grows the load step by step and measures the cost of an event at each. */
async function climb(stage: Stage, { leader, ports, say }: Climb) {
  const steps = [...STEPS.filter((step) => step < ports), ports];
  const fills: Filled[] = [];
  const events: EventFigures[] = [];
  let size = { pods: 0, vms: 0 };
  for (const step of steps) {
    const next = sizeOf(step);
    fills.push(await fill({ stage, operator: leader, say }, size, next));
    size = next;
    const options = { stage, operator: leader, ports: step, vms: size.vms, rounds: EVENT_ROUNDS };
    // The first rounds of a young process cost more: they are not counted.
    if (events.length === 0) await measureEvents(options);
    const figures = await measureEvents(options);
    say(
      `${step} ports: a VM's start or stop costs ${figures.changeMs} ms CPU, a change that asks nothing ${figures.quietMs} ms`,
    );
    events.push(figures);
  }
  return { fills, events };
}

function summarise(fills: readonly Filled[], events: readonly EventFigures[]) {
  const full = fills.at(-1);
  const [first, last] = [events[0], events.at(-1)];
  if (full === undefined || first === undefined || last === undefined) throw new Error('nothing was measured');
  const { pods, startedVms } = full;
  return {
    apiWritesPerPodNic: pods.writesPerNic,
    apiWritesPerVmNic: startedVms.writesPerNic,
    eventCostRatio: round(Math.max(last.changeMs / first.changeMs, last.quietMs / first.quietMs), 3),
    rates: {
      podNicsPerSecond: pods.nicsPerSecond,
      vmNicsPerSecond: startedVms.nicsPerSecond,
      cpuMsPerPodNic: pods.cpuMsPerNic,
      cpuMsPerVmNic: startedVms.cpuMsPerNic,
      otherWritesPerPodNic: round(pods.otherWrites / pods.nics, 3),
      leaseWritesPerSecond: round(pods.leaseWrites / pods.seconds),
    },
  };
}

async function takeOver(
  stage: Stage,
  { leader, add }: { leader: OperatorProcess; add: (one: OperatorProcess) => void },
) {
  const takeovers: number[] = [];
  let last = leader;
  for (let index = 0; index < TAKEOVERS; index++) {
    const standby = await stage.startOperator(`bench-${index + 1}`);
    add(standby);
    await standby.whenLogged('caches are complete', standby.startedAt);
    takeovers.push(await measureTakeover(stage, { leader: last, standby }, index));
    last = standby;
  }
  return { takeovers, last };
}

const SAMPLE_MS = 500;

/** The most memory that any operator had at any time, and the leases that were lost. */
function watchOperators() {
  const all: OperatorProcess[] = [];
  const living = new Set<OperatorProcess>();
  let rssMb = 0;
  const look = () => {
    for (const operator of living) {
      try {
        const now = operator.residentMb();
        // One that is just ending has none any more.
        if (now > rssMb) rssMb = now;
      } catch {
        living.delete(operator);
      }
    }
  };
  const timer = setInterval(look, SAMPLE_MS);
  timer.unref();
  return {
    add: (operator: OperatorProcess) => {
      all.push(operator);
      living.add(operator);
    },
    stop: () => {
      clearInterval(timer);
      return { rssMb, leasesLost: all.reduce((sum, operator) => sum + operator.countLeasesLost(), 0) };
    },
  };
}
