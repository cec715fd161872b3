import type { Outcome, Random } from '../../../kube/index.ts';
import type { Context } from '../context.ts';
import { createIdentity, type Introduction } from './identity.ts';
import { type Incoming, startIncoming } from './incoming.ts';
import { type Outgoing, startOutgoing } from './outgoing.ts';
import { type Carry, formatCarryKey, isCommitted, planCarries } from './plan.ts';
import { createPresence } from './presence.ts';
import { LIMITS } from './protocol.ts';
import { findInternalIp, type Registry } from './published.ts';
import type { Self } from './self.ts';
import { type CarryServer, createCarryServer } from './server.ts';

export type CarrierOptions = {
  readonly context: Pick<Context, 'node' | 'links' | 'journal' | 'events' | 'clock' | 'log' | 'metrics'> & {
    readonly cluster: Pick<Context['cluster'], 'hasSynced' | 'listPorts' | 'findNode'>;
  };
  readonly random: Random;
  readonly registry: Registry;
  /** Where the agents of all nodes listen. */
  readonly port: number;
};

/** Carries tracked connections between this node's launchers and those of other nodes, for ports with masquerade. */
export type Carrier = {
  /** Compares what is asked for with what runs; to be called whenever the cluster has changed. Never throws for a peer's sake. */
  turn(signal: AbortSignal): Promise<Outcome>;
  stop(): Promise<void>;
};

/** Until an ADD has finished, or there is room for another session. */
const PENDING_MS = 300;
const ABSENT_MS = 10_000;

type Running = {
  readonly self: Self;
  readonly incoming: Map<string, Incoming>;
  readonly outgoing: Map<string, Outgoing>;
};

export function createCarrier({ context, random, registry, port }: CarrierOptions): Carrier {
  const { cluster, journal, node, links, events, clock, log, metrics } = context;
  const identity = createIdentity();
  const findOwn = () => {
    const object = cluster.findNode();
    const address = object === undefined ? undefined : findInternalIp(object);
    return address === undefined ? undefined : { key: identity.publicKey, address };
  };
  const self: Self = { node, registry, identity, port, links, events, clock, random, log, metrics, findOwn };
  const running: Running = { self, incoming: new Map(), outgoing: new Map() };
  const server = createServer(running);
  const presence = createPresence(self, server);
  return {
    turn: async (signal) => {
      if (!cluster.hasSynced()) return { requeueAfterMs: 1000 };
      const ports = cluster.listPorts();
      const wanted = planCarries(ports, journal.list(), node);
      await Promise.all([
        stopUnwanted(running.outgoing, wanted.outgoing),
        stopUnwanted(running.incoming, wanted.incoming, (carry) => tellIfLost(self, carry, ports)),
      ]);
      const outgoing = listMissing(running.outgoing, wanted.outgoing, Number.POSITIVE_INFINITY);
      const incoming = listMissing(running.incoming, wanted.incoming, LIMITS.sessions);
      // When something begins it is worth a look whether others still find us.
      const isPresent = await presence.ensure(incoming.length + outgoing.length > 0, signal);
      for (const carry of outgoing) running.outgoing.set(formatCarryKey(carry), startOutgoing(self, carry));
      for (const carry of incoming) running.incoming.set(formatCarryKey(carry), startIncoming(self, carry));
      if (running.incoming.size < wanted.incoming.length) return { requeueAfterMs: PENDING_MS };
      return isPresent ? { done: true } : { requeueAfterMs: ABSENT_MS };
    },
    stop: async () => {
      await Promise.all([stopUnwanted(running.outgoing, []), stopUnwanted(running.incoming, []), server.close()]);
    },
  };
}

/** What is to begin, as far as there is room. Without a namespace there is no finished attachment on this node yet. */
function listMissing(running: ReadonlyMap<string, unknown>, wanted: readonly Carry[], most: number): Carry[] {
  const missing = wanted.filter((carry) => carry.netnsPaths.length > 0 && !running.has(formatCarryKey(carry)));
  return missing.slice(0, Math.max(0, most - running.size));
}

async function stopUnwanted<T extends { stop(): Promise<void> }>(
  running: Map<string, T>,
  wanted: readonly Carry[],
  onEnd: (ended: T) => void = () => undefined,
): Promise<void> {
  const keys = new Set(wanted.map(formatCarryKey));
  const ended = [...running].filter(([key]) => !keys.has(key));
  for (const [key, item] of ended) {
    running.delete(key);
    onEnd(item);
  }
  await Promise.all(ended.map(([, item]) => item.stop()));
}

/** The guest has moved and its connections have not: that is worth an event. A migration that was called off is not. */
function tellIfLost({ events, log }: Self, incoming: Incoming, ports: Parameters<typeof isCommitted>[1]): void {
  const { carry } = incoming;
  if (incoming.hasWorked() || !isCommitted(carry, ports)) return;
  const why = incoming.findProblem() ?? 'the migration was over before';
  const note = `tracked connections of port ${carry.port} were not carried over from node ${carry.source}, some may be reset: ${why}`;
  log.warn({ port: carry.port, source: carry.source, why }, 'the guest has moved without its tracked connections');
  const metadata = { namespace: carry.namespace, name: carry.podName, uid: carry.podUid };
  const regarding = { apiVersion: 'v1', kind: 'Pod', metadata };
  events.record(regarding, { type: 'Warning', reason: 'ConnectionsNotCarried', action: 'Migrate', note });
}

function createServer({ self, outgoing }: Running): CarryServer {
  const list = () => [...outgoing.values()];
  const find = ({ portUid }: Introduction) => list().find(({ carry }) => carry.portUid === portUid);
  const refuse = (address: string, why: string) => {
    self.metrics.count('carry_failures', { role: 'source', problem: 'refused' });
    self.log.debug({ address, why }, 'somebody who asked for tracked connections was sent away');
  };
  return createCarryServer(self.port, {
    clock: self.clock,
    isExpected: (address) => list().some((item) => item.isExpected(address)),
    findPsk: (introduction) => find(introduction)?.findPsk(introduction),
    serve: (introduction, socket) => {
      const item = find(introduction);
      // Asked again: while the handshake went on the port may have got another target.
      const isTarget = item?.findPsk(introduction) !== undefined;
      const others = list().filter((other) => other !== item && other.isServing()).length;
      if (item !== undefined && isTarget && others < LIMITS.sessions) return item.serve(socket);
      refuse(socket.remoteAddress ?? '', 'too many sessions, or the port has settled');
      socket.destroy();
    },
    onRefused: refuse,
  });
}
