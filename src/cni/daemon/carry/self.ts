import type { Clock, EventRecorder, Logger, Metrics, Random } from '../../../kube/index.ts';
import type { Links } from '../context.ts';
import type { Identity } from './identity.ts';
import type { Peer, Registry } from './published.ts';

/** What every part of carrying works with. */
export type Self = {
  readonly node: string;
  readonly registry: Registry;
  readonly identity: Identity;
  /** The same one on all nodes. */
  readonly port: number;
  readonly links: Links;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** What this agent tells of itself; undefined until its node has an address. */
  findOwn(): Peer | undefined;
};

/** Waits between two attempts. */
export const BACKOFF = { baseMs: 200, maxMs: 10_000 } as const;
/** Failures until the log says so, once: two agents that begin at the same time may miss each other at first. */
export const NOTICEABLE = 3;
