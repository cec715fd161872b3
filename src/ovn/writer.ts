import { setTimeout as delay } from 'node:timers/promises';
import { type ApplyClient, applyPlan, isUnreachable, type Plan } from '../ovsdb/apply.ts';
import { WaitTimedOutError } from '../ovsdb/errors.ts';
import { type Epoch, guardOps } from './epoch.ts';
import { EpochLost } from './problems.ts';

export type WriterOptions = {
  readonly client: ApplyClient;
  readonly epoch: Epoch;
  readonly log?: (event: string, fields: Readonly<Record<string, unknown>>) => void;
  /** How long the first plan waits for others to join its transaction. Default 3. */
  readonly batchMs?: number;
  /** Plans in one transaction at most. Default 256. */
  readonly batchSize?: number;
  readonly pause?: (ms: number) => Promise<unknown>;
};

/** The only way by which this process writes to the Northbound database. */
export type Writer = {
  /**
   * Brings the database to what `plan` wants and resolves when the monitor has shown the result. `plan` is called at the
   * moment of sending, and again whenever the outcome of sending is unknown or the replica was behind. Plans that arrive
   * together share a transaction; if that is refused each is sent alone, so that one bad plan harms no other.
   * Rejects with what the plan throws, EpochLost (terminal: stop leading), or an OvsdbError with its class.
   */
  apply(plan: Plan): Promise<void>;
  /** Resolves when all that was asked for before has ended. */
  idle(): Promise<void>;
};

type Job = { readonly plan: Plan; readonly resolve: () => void; readonly reject: (error: unknown) => void };

/** Makes the writer of one epoch: one transaction at a time, each guarded. */
export function createWriter(options: WriterOptions): Writer {
  const { batchMs = 3, batchSize = 256, pause = delay } = options;
  const waiting: Job[] = [];
  let running: Promise<void> | undefined;
  const send = createSender(options);

  const run = async (): Promise<void> => {
    await pause(batchMs);
    while (waiting.length > 0) await send(waiting.splice(0, batchSize));
    running = undefined;
  };
  return {
    apply: (plan) =>
      new Promise((resolve, reject) => {
        waiting.push({ plan, resolve, reject });
        running ??= run();
      }),
    idle: async () => {
      await running;
    },
  };
}

/** Sends batches; never rejects, every job gets its own outcome. */
function createSender({ client, epoch, log = () => undefined, pause }: WriterOptions) {
  const guard = guardOps(epoch);
  const applyOptions = { guard, ...(pause === undefined ? {} : { pause }) };
  let lost: EpochLost | undefined;

  const applyGuarded = async (plan: Plan): Promise<void> => {
    if (lost !== undefined) throw lost;
    try {
      await applyPlan(client, plan, applyOptions);
    } catch (error) {
      if (!isGuardFailure(error, guard.length)) throw error;
      lost = new EpochLost(epoch.value, { cause: error });
      log('ovn-epoch-lost', { epoch: String(epoch.value) });
      throw lost;
    }
  };
  const sendAlone = async (job: Job): Promise<void> => {
    try {
      await applyGuarded(job.plan);
      job.resolve();
    } catch (error) {
      job.reject(error);
    }
  };
  return async (jobs: readonly Job[]): Promise<void> => {
    const [first] = jobs;
    if (first !== undefined && jobs.length === 1) return sendAlone(first);
    try {
      await applyGuarded(() => jobs.flatMap((job) => job.plan()));
      for (const job of jobs) job.resolve();
    } catch (error) {
      if (lost !== undefined || isUnreachable(error)) return jobs.forEach((job) => void job.reject(error));
      log('ovn-batch-split', { plans: jobs.length, reason: String(error) });
      for (const job of jobs) await sendAlone(job);
    }
  };
}

function isGuardFailure(error: unknown, guards: number): boolean {
  return error instanceof WaitTimedOutError && error.operationIndex !== undefined && error.operationIndex < guards;
}
