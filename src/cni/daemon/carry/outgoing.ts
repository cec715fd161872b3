import type { TLSSocket } from 'node:tls';
import { formatDigest } from '../../../api/names.ts';
import { deriveBackoff, sleep } from '../../../kube/index.ts';
import { CarryError } from './errors.ts';
import type { Introduction } from './identity.ts';
import { deriveProblem } from './incoming.ts';
import type { Carry } from './plan.ts';
import { LIMITS } from './protocol.ts';
import { getPeer, type Peer } from './published.ts';
import { BACKOFF, NOTICEABLE, type Self } from './self.ts';
import { type SendOptions, sendFlows } from './send.ts';
import { openTables } from './tables.ts';

/** The source's part of one carry: knows the target's key and answers it. */
export type Outgoing = {
  readonly carry: Carry;
  /** The target's address, as it has published it. */
  isExpected(address: string): boolean;
  /** The key for this target, when that is whom it says to be. Looks the target up again when it has another key. */
  findPsk(introduction: Introduction): Buffer | undefined;
  isServing(): boolean;
  /** Serves a target that has proved itself; an earlier session of it ends. */
  serve(socket: TLSSocket): void;
  /** Resolves when nothing of it runs any more. */
  stop(): Promise<void>;
};

/** Milliseconds between two look-ups that a caller's words have asked for. */
const LOOK_AGAIN_MS = 1000;

export function startOutgoing(self: Self, carry: Carry): Outgoing {
  const abort = new AbortController();
  const target = createTarget(self, carry, abort.signal);
  let serving: { socket: TLSSocket; done: Promise<void> } | undefined;
  return {
    carry,
    isExpected: (address) => target.find()?.peer.address === address,
    findPsk: (introduction) => {
      const found = target.find();
      const isOurs = introduction.sourceKey === formatDigest(self.identity.publicKey);
      if (found === undefined || !isOurs || introduction.podUid !== carry.podUid) return undefined;
      if (introduction.targetKey === formatDigest(found.peer.key)) return found.psk;
      target.lookAgain();
      return undefined;
    },
    isServing: () => serving !== undefined,
    serve: (socket) => {
      serving?.socket.destroy();
      const current = { socket, done: serve(self, carry, socket, abort.signal) };
      serving = current;
      void current.done.then(() => {
        if (serving === current) serving = undefined;
      });
    },
    stop: async () => {
      abort.abort(new Error('the port does not move any more'));
      await Promise.all([target.done(), serving?.done]);
    },
  };
}

type Target = { readonly peer: Peer; readonly psk: Buffer };

/** Reads what the target's agent has published, until it has. */
function createTarget(self: Self, carry: Carry, signal: AbortSignal) {
  let found: Target | undefined;
  let lookedAt = Number.NEGATIVE_INFINITY;
  const look = async (): Promise<void> => {
    for (let failures = 1; !signal.aborted; failures += 1) {
      const next: unknown = await findTarget(self, carry, signal).catch((error: unknown) => error);
      if (isTarget(next)) {
        found = next;
        return;
      }
      if (signal.aborted) return;
      const level = failures === NOTICEABLE ? 'warn' : 'debug';
      self.log[level](
        { port: carry.port, target: carry.target, err: next },
        'the target is not known yet; trying again',
      );
      await sleep(self.clock, deriveBackoff(failures, BACKOFF, self.random), signal).catch(() => undefined);
    }
  };
  let looking: Promise<void> | undefined = look().finally(() => {
    looking = undefined;
  });
  return {
    find: () => found,
    lookAgain: () => {
      if (looking !== undefined || self.clock.now() - lookedAt < LOOK_AGAIN_MS) return;
      lookedAt = self.clock.now();
      looking = look().finally(() => {
        looking = undefined;
      });
    },
    done: async () => looking,
  };
}

function isTarget(value: unknown): value is Target {
  return typeof value === 'object' && value !== null && 'psk' in value;
}

async function findTarget(self: Self, carry: Carry, signal: AbortSignal): Promise<Target> {
  const peer = await getPeer(self.registry, carry.target, signal);
  const psk = self.identity.derivePsk(carry, 'source', peer.key);
  if (psk === undefined) throw new CarryError('unknownPeer', `the key of node ${carry.target} is none`);
  return { peer, psk };
}

/** One session to its end, which is always an error or the end of the migration. */
async function serve(self: Self, carry: Carry, socket: TLSSocket, stop: AbortSignal): Promise<void> {
  const { clock, log, metrics } = self;
  const over = new AbortController();
  const end = () => over.abort(new CarryError('closed', 'the session was ended'));
  const timer = clock.schedule(LIMITS.sessionMs, end);
  const signal = AbortSignal.any([stop, over.signal]);
  socket.once('close', end);
  // A target has nothing to say; reading notices its end.
  socket.on('data', () => socket.destroy());
  const write = (text: string) => writeTo(socket, text, signal);
  const error: unknown = await handOut(self, carry, { write, signal }).catch((thrown: unknown) => thrown);
  timer.cancel();
  socket.destroy();
  if (!signal.aborted)
    log.warn({ port: carry.port, target: carry.target, err: error }, 'the table could not be handed out');
  metrics.count('carry_sessions', { role: 'source', outcome: signal.aborted ? 'ended' : deriveProblem(error) });
}

async function handOut(
  { clock, links }: Self,
  carry: Carry,
  line: Pick<SendOptions, 'write' | 'signal'>,
): Promise<never> {
  await using source = await openTables({ links, carry });
  return await sendFlows({ ips: carry.ips, source, clock, ...line });
}

async function writeTo(socket: TLSSocket, text: string, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (socket.write(text)) return;
  const drained = Promise.withResolvers<void>();
  const onAbort = () => drained.reject(signal.reason);
  socket.once('drain', drained.resolve);
  signal.addEventListener('abort', onAbort, { once: true });
  await drained.promise.finally(() => {
    socket.off('drain', drained.resolve);
    signal.removeEventListener('abort', onAbort);
  });
}
