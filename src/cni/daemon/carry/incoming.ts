import type { TLSSocket } from 'node:tls';
import { deriveBackoff, sleep } from '../../../kube/index.ts';
import type { ConntrackEntry } from '../../../netlink/conntrack-entry.ts';
import { NetlinkError } from '../../../netlink/errors.ts';
import { CarryError } from './errors.ts';
import { formatIntroduction } from './identity.ts';
import { type NeighbourKeeper, startNeighbours } from './neighbours.ts';
import type { Carry } from './plan.ts';
import { LIMITS } from './protocol.ts';
import { getPeer } from './published.ts';
import { receiveFlows } from './receive.ts';
import { BACKOFF, NOTICEABLE, type Self } from './self.ts';
import { callSource } from './tls.ts';

/** The target's part of one carry: asks the source again and again until it is stopped. */
export type Incoming = {
  readonly carry: Carry;
  /** Whether the source's whole table has been in the target's namespace. */
  hasWorked(): boolean;
  /** In words, why the last attempt ended; undefined while none did. */
  findProblem(): string | undefined;
  /** Resolves when nothing of it runs any more. */
  stop(): Promise<void>;
};

/** A session of this length was a good one. */
const SOUND_MS = 60_000;

type State = { worked: boolean; problem: string | undefined; failures: number };

export function startIncoming(self: Self, carry: Carry): Incoming {
  const state: State = { worked: false, problem: undefined, failures: 0 };
  const abort = new AbortController();
  const keeper = startNeighbours(self, carry, abort.signal);
  const running = keepAsking(self, carry, state, { keeper, signal: abort.signal });
  return {
    carry,
    hasWorked: () => state.worked,
    findProblem: () => state.problem,
    stop: async () => {
      abort.abort(new Error('the port does not move any more'));
      await Promise.all([running, keeper.done()]);
    },
  };
}

type Stay = { readonly keeper: NeighbourKeeper; readonly signal: AbortSignal };

/** No error ends it: a carry that fails never fails a migration. */
async function keepAsking(self: Self, carry: Carry, state: State, { keeper, signal }: Stay): Promise<void> {
  const begun = self.clock.now();
  const onWhole = (complete: boolean) => {
    if (state.worked) return;
    state.worked = true;
    self.metrics.observe('carry_ms', self.clock.now() - begun);
    self.log.info({ port: carry.port, source: carry.source, complete }, 'tracked connections have been carried over');
  };
  while (!signal.aborted) {
    const startedAt = self.clock.now();
    const error: unknown = await attempt(self, carry, { onWhole, keeper, signal }).catch((thrown: unknown) => thrown);
    if (signal.aborted) break;
    // A source that begins again and again waits as one that never answers.
    if (self.clock.now() - startedAt >= SOUND_MS) state.failures = 0;
    noteFailure(self, carry, state, error);
    await sleep(self.clock, deriveBackoff(state.failures, BACKOFF, self.random), signal).catch(() => undefined);
  }
  self.metrics.count('carry_sessions', { role: 'target', outcome: state.worked ? 'carried' : 'never' });
}

function noteFailure({ log, metrics }: Self, { port, source }: Carry, state: State, error: unknown): void {
  const problem = deriveProblem(error);
  metrics.count('carry_failures', { role: 'target', problem });
  state.problem = error instanceof Error ? error.message : String(error);
  state.failures += 1;
  log[state.failures === NOTICEABLE ? 'warn' : 'debug'](
    { port, source, problem, err: error },
    'connections are not carried over; trying again',
  );
}

export function deriveProblem(error: unknown): string {
  if (error instanceof CarryError) return error.problem;
  return error instanceof NetlinkError ? 'kernel' : 'api';
}

type Attempt = Stay & { onWhole(complete: boolean): void };

/** One session, from the source's Lease to its end. */
async function attempt(self: Self, carry: Carry, { onWhole, keeper, signal }: Attempt): Promise<never> {
  const own = self.findOwn();
  if (own === undefined) throw new CarryError('unreachable', 'this node has no InternalIP');
  const peer = await getPeer(self.registry, carry.source, signal);
  const psk = self.identity.derivePsk(carry, 'target', peer.key);
  if (psk === undefined) throw new CarryError('unknownPeer', `the key of node ${carry.source} is none`);
  const introduction = formatIntroduction(carry, { source: peer.key, target: own.key });
  const { port, clock } = self;
  const call = { address: peer.address, port, localAddress: own.address, psk, introduction };
  const socket = await callSource(call, clock, signal);
  const session = limitSession(self, socket, signal);
  try {
    return await receiveFlows({
      chunks: session.chunks,
      ips: carry.ips,
      load: (entries) => load(self, carry, entries),
      onNeighbours: keeper.tell,
      onWhole,
      clock,
    });
  } finally {
    session.end();
  }
}

/** What a socket brings, until silence, half an hour, or the end of the migration end it. */
function limitSession({ clock }: Self, socket: TLSSocket, signal: AbortSignal) {
  const end = () => void socket.destroy(new Error('the session was ended'));
  const timer = clock.schedule(LIMITS.sessionMs, end);
  let silence = clock.schedule(LIMITS.silenceMs, end);
  signal.addEventListener('abort', end, { once: true });
  if (signal.aborted) end();
  const listen = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of socket as AsyncIterable<Uint8Array>) {
      silence.cancel();
      yield chunk;
      silence = clock.schedule(LIMITS.silenceMs, end);
    }
  };
  return {
    chunks: listen(),
    end: () => {
      timer.cancel();
      silence.cancel();
      signal.removeEventListener('abort', end);
      socket.destroy();
    },
  };
}

async function load({ links, metrics }: Self, carry: Carry, entries: readonly ConntrackEntry[]): Promise<void> {
  for (const netnsPath of carry.netnsPaths) {
    const { refused } = await links.run({ kind: 'loadConntrack', netnsPath, entries, gateInterface: carry.interface });
    if (refused > 0) metrics.count('carry_failures', { role: 'target', problem: 'entries' });
  }
}
