import { ApiError } from '../../kube/index.ts';
import { reportProblem, type Turn } from '../context.ts';
import type { Seen } from './seen.ts';

/**
 * What is asked of the API server for one port, whose `holder` is `<namespace>/<name>` of its LogicalPort; or for a guest
 * that is to be told of all of its NICs, by the name of its VMI.
 */
export type Attempt =
  | { readonly holder: string; readonly nic: string; readonly verb: 'create' | 'update' }
  | { readonly holder: `vmi ${string}`; readonly verb: 'tell' };

/** What a term knows of the refusals of one key: when they began (monotonic ms), and what was told of which port. */
export type Refused = {
  readonly since: number;
  readonly told: Map<string, { readonly cause: string; readonly at: number }>;
};

/** The refusals of one turn. */
export type Refusals = {
  /** What `run` gives, or undefined when the API server refuses it for good: that is told. Other errors are thrown. */
  attempt<T>(what: Attempt, run: () => Promise<T>): Promise<T | undefined>;
  /** Ends the turn: gives after how many ms to try again, undefined when nothing was refused. */
  settle(): number | undefined;
};

const SHORTEST_MS = 250;
const LONGEST_MS = 30_000;
/** The API server forgets events after an hour. */
const TELL_AGAIN_MS = 3_600_000;
/** So that the way out stays within what an event has room for. */
const MAX_MESSAGE = 300;
const MAX_NIC = 63;

/**
 * Keeps what the API server refuses, as by a quota, from ending the turn. It is told when it begins, when its cause
 * changes and every hour; it is tried again after as long as it has lasted, half a minute at most, as nobody tells when a
 * quota was raised.
 */
export function createRefusals(turn: Turn, seen: Seen): Refusals {
  const now = turn.clock.now();
  const refused: Set<string> = new Set();
  const entry: Refused = turn.refused.get(seen.key) ?? { since: now, told: new Map() };
  return {
    attempt: async (what, run) => {
      try {
        return await run();
      } catch (error) {
        if (!isRefusedForGood(error)) throw error;
        refused.add(what.holder);
        turn.refused.set(seen.key, entry);
        tell({ turn, seen, entry }, what, error);
        return undefined;
      }
    },
    settle: () => {
      for (const holder of entry.told.keys()) if (!refused.has(holder)) entry.told.delete(holder);
      if (refused.size > 0) return Math.min(LONGEST_MS, Math.max(SHORTEST_MS, now - entry.since));
      turn.refused.delete(seen.key);
      return undefined;
    },
  };
}

/** The same request will be refused again until somebody changes something else; 403 is a quota's answer and a webhook's. */
const isRefusedForGood = (error: unknown): error is ApiError =>
  error instanceof ApiError && (error.class === 'terminal' || error.status === 403);

type Place = { readonly turn: Turn; readonly seen: Seen; readonly entry: Refused };

function tell({ turn, seen, entry }: Place, what: Attempt, error: ApiError): void {
  const at = turn.clock.now();
  const cause = `${what.verb} ${error.status} ${dropVarying(error.message)}`;
  const last = entry.told.get(what.holder);
  if (last?.cause === cause && at - last.at < TELL_AGAIN_MS) return;
  entry.told.set(what.holder, { cause, at });
  turn.log.warn({ key: seen.key, port: what.holder, verb: what.verb, err: error }, 'the API server refuses a port');
  if (seen.regarding === undefined) return;
  const message = explainRefusal(what, error);
  if (what.verb === 'tell')
    reportProblem(turn, seen.regarding, 'Configuring', { reason: 'GuestNotConfigured', message });
  else reportProblem(turn, seen.regarding, 'Reserving', { reason: 'PortRefused', message });
}

/** Counts, addresses and ids of requests differ from one answer to the next, and are no other cause. */
const dropVarying = (message: string): string =>
  message
    .split(/[^\w-]+/)
    .map((word) => (/\d/.test(word) ? '#' : word))
    .join(' ');

/** What was refused, what the server says, and the way out, for people. */
export function explainRefusal(what: Attempt, error: ApiError): string {
  const { message } = error;
  const said = message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE)}…` : message;
  return `${describeFate(what)}. The API server says: ${said}. Way out: ${findWayOut(error)}`;
}

function describeFate(what: Attempt): string {
  if (what.verb === 'tell') return `The guest is not configured: ${what.holder} cannot be told what its NICs have`;
  const fate = what.verb === 'create' ? 'cannot be made' : 'cannot be changed and stays as it is';
  return `LogicalPort ${what.holder} of NIC ${what.nic.slice(0, MAX_NIC)} ${fate}`;
}

const WAYS: readonly (readonly [RegExp, string])[] = [
  [/(exceeded|failed) quota/, 'raise the ResourceQuota of the namespace, or delete LogicalPorts that nobody needs'],
  [/denied (the )?request/, 'change the admission webhook or policy that the message names, or what it objects to'],
  [/cannot \w+ resource/, 'apply the roles of the chart of this version'],
];

function findWayOut({ status, message }: ApiError): string {
  const way = WAYS.find(([pattern]) => pattern.test(message))?.[1];
  if (way !== undefined) return way;
  return status === 403 ? 'the message says who refuses it' : 'apply crds/ of this version';
}
