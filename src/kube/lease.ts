import { type Clock, sleep } from './clock.ts';
import { retryConflicts } from './conflicts.ts';
import { isConflict } from './errors.ts';
import { deriveObservation, formatMicroTime, type Lease, type Observation, planClaim } from './lease-record.ts';
import type { Resource } from './resource.ts';
import type { Logger, Random } from './types.ts';

/** What a candidate needs. The default times are client-go's: 15, 10 and 2 s. */
export type ElectorOptions = {
  leases: Resource<Lease>;
  namespace: string;
  name: string;
  /** Unlike any other candidate's, also across restarts. */
  identity: string;
  clock: Clock;
  random: Random;
  log: Logger;
  leaseDurationMs?: number;
  renewDeadlineMs?: number;
  retryPeriodMs?: number;
  /** Leadership began; `signal` aborts when it ends. A rejection gives the leadership up. */
  onStarted: (term: number, signal: AbortSignal) => void | Promise<void>;
  /** Leadership ended; resolve when all work of the term has stopped. The lease is released only then. */
  onStopped: () => void | Promise<void>;
};

/** One candidate. */
export type Elector = {
  /** Campaigns and leads, again and again, until the signal aborts; resolves when the lease has been released. */
  run(signal: AbortSignal): Promise<void>;
  /** True only while our renewal is fresh by our own clock: false at once after a pause of the process. */
  isLeader(): boolean;
  /** `leaseTransitions` of our present or last term; undefined before the first. Grows with every new leader. */
  term(): number | undefined;
};

type Settings = ElectorOptions & { leaseDurationMs: number; renewDeadlineMs: number; retryPeriodMs: number };
type Held = { lease: Lease; term: number; renewedAt: number };
type State = { seen: Observation | undefined; held: Held | undefined; term: number | undefined };

const TIMES = { leaseDurationMs: 15_000, renewDeadlineMs: 10_000, retryPeriodMs: 2000 };

/** A candidate that waits for `run`. */
export function createElector(options: ElectorOptions): Elector {
  const settings = { ...TIMES, ...options };
  const state: State = { seen: undefined, held: undefined, term: undefined };
  return {
    run: async (signal) => {
      while (!signal.aborted) {
        const held = await campaign(settings, state, signal);
        if (held !== undefined) await lead(settings, state, signal);
      }
    },
    isLeader: () => state.held !== undefined && remainingMs(settings, state.held) > 0,
    term: () => state.term,
  };
}

function remainingMs(settings: Settings, held: Held): number {
  return settings.renewDeadlineMs - (settings.clock.now() - held.renewedAt);
}

async function pause(settings: Settings, signal: AbortSignal, atMostMs = Number.POSITIVE_INFINITY): Promise<void> {
  const delayMs = settings.retryPeriodMs * (1 + 0.2 * settings.random());
  await sleep(settings.clock, Math.max(0, Math.min(delayMs, atMostMs)), signal).catch(() => {});
}

/** Tries for the lease until it is ours; undefined when stopped. */
async function campaign(settings: Settings, state: State, signal: AbortSignal): Promise<Held | undefined> {
  while (!signal.aborted) {
    try {
      state.held = await claim(settings, state, signal);
      state.term = state.held?.term ?? state.term;
      if (state.held !== undefined) return state.held;
    } catch (error) {
      const level = isConflict(error) || signal.aborted ? 'debug' : 'warn';
      settings.log[level]({ lease: settings.name, err: error }, 'could not claim the lease');
    }
    await pause(settings, signal, untilExpiry(settings, state.seen));
  }
  return undefined;
}

/** Time until another's lease has run out unless it is renewed: looking again just then makes a change of leader quick. */
function untilExpiry({ clock }: Settings, seen: Observation | undefined): number | undefined {
  if (seen === undefined) return undefined;
  const left = seen.at + (seen.lease.spec?.leaseDurationSeconds ?? 0) * 1000 - clock.now();
  return left > 0 ? left : undefined;
}

/** One attempt. The lease's resourceVersion in the update makes sure that only one candidate succeeds. */
async function claim(settings: Settings, state: State, signal: AbortSignal): Promise<Held | undefined> {
  const { leases, namespace, name, clock, identity, renewDeadlineMs: timeoutMs } = settings;
  const found = await leases.find({ namespace, name }, { signal, timeoutMs });
  state.seen = found === undefined ? undefined : deriveObservation(state.seen, found, clock.now());
  const plan = planClaim(state.seen, identity, clock.now());
  if (plan.action === 'wait') return undefined;
  const renewedAt = clock.now();
  const term = plan.action === 'take' ? plan.term : 1;
  const time = formatMicroTime(clock.date());
  const wanted: Lease = {
    metadata: found?.metadata ?? { namespace, name },
    spec: { ...formatSpec(settings, term), acquireTime: time, renewTime: time },
  };
  const write = plan.action === 'create' ? leases.create : leases.update;
  return { lease: await write(wanted, { signal, timeoutMs }), term, renewedAt };
}

function formatSpec(settings: Settings, term: number) {
  return {
    holderIdentity: settings.identity,
    leaseDurationSeconds: Math.ceil(settings.leaseDurationMs / 1000),
    leaseTransitions: term,
  };
}

/** One term, from the first callback to the release. */
async function lead(settings: Settings, state: State, stop: AbortSignal): Promise<void> {
  const over = new AbortController();
  const { log, name } = settings;
  log.info({ lease: name, term: state.term }, 'leading');
  const begun = begin(settings, state.term ?? 0, over);
  await keepRenewing(settings, state, AbortSignal.any([stop, over.signal]));
  over.abort(new Error('leadership ended'));
  const hasFailed = await begun;
  await Promise.resolve()
    .then(settings.onStopped)
    .catch((error: unknown) => log.error({ lease: name, err: error }, 'stopping the work of a leader failed'));
  log.info({ lease: name, term: state.term }, 'no longer leading');
  await release(settings, state);
  state.held = undefined;
  // What failed now may fail again at once, and another candidate may do better.
  if (hasFailed) await pause(settings, stop);
}

/** True when the work of the term failed by itself: that ends the term. */
async function begin(settings: Settings, term: number, over: AbortController): Promise<boolean> {
  try {
    await settings.onStarted(term, over.signal);
    return false;
  } catch (error) {
    if (over.signal.aborted) return false;
    settings.log.error({ lease: settings.name, err: error }, 'starting the work of a leader failed');
    over.abort(error);
    return true;
  }
}

/** Renews until the lease is lost, the deadline has passed without a renewal, or the signal aborts. */
async function keepRenewing(settings: Settings, state: State, signal: AbortSignal): Promise<void> {
  while (state.held !== undefined) {
    await pause(settings, signal, remainingMs(settings, state.held));
    if (signal.aborted) return;
    if (remainingMs(settings, state.held) <= 0) {
      settings.log.warn({ lease: settings.name }, 'the lease was not renewed in time');
      return;
    }
    state.held = await renew(settings, state.held, signal);
  }
}

/** The renewed lease; the old one when the write failed for now; undefined when the lease is another's. */
async function renew(settings: Settings, held: Held, signal: AbortSignal): Promise<Held | undefined> {
  const renewedAt = settings.clock.now();
  const timeoutMs = remainingMs(settings, held);
  const spec = { ...held.lease.spec, renewTime: formatMicroTime(settings.clock.date()) };
  try {
    return { ...held, renewedAt, lease: await settings.leases.update({ ...held.lease, spec }, { signal, timeoutMs }) };
  } catch (error) {
    if (isConflict(error)) return reread(settings, held, signal);
    if (!signal.aborted) settings.log.warn({ lease: settings.name, err: error }, 'could not renew the lease');
    return held;
  }
}

/** After a conflict: our own earlier write may have arrived though its answer was lost. */
async function reread(settings: Settings, held: Held, signal?: AbortSignal): Promise<Held | undefined> {
  try {
    const { namespace, name } = settings;
    const timeoutMs = Math.max(1, remainingMs(settings, held));
    const lease = await settings.leases.get({ namespace, name }, { signal, timeoutMs });
    const ours = lease.spec?.holderIdentity === settings.identity && lease.spec.leaseTransitions === held.term;
    return ours ? { ...held, lease } : undefined;
  } catch {
    return held;
  }
}

/**
 * Lets the next candidate in at once. A renewal that was cut off by the stop may have arrived all the same: then the
 * lease is read again. Skipped when the lease is no longer ours for certain.
 */
async function release(settings: Settings, state: State): Promise<void> {
  let { held } = state;
  try {
    await retryConflicts(async () => {
      if (held === undefined || remainingMs(settings, held) <= 0) return;
      const current = held;
      held = await writeRelease(settings, current).catch(async (error: unknown) => {
        if (isConflict(error)) held = await reread(settings, current);
        throw error;
      });
    });
  } catch (error) {
    settings.log.warn({ lease: settings.name, err: error }, 'could not release the lease');
  }
}

async function writeRelease(settings: Settings, { lease }: Held): Promise<undefined> {
  const spec = { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1 };
  await settings.leases.update({ ...lease, spec }, { timeoutMs: settings.retryPeriodMs });
}
