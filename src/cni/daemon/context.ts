import type { Activation } from '../../api/activation.ts';
import type { Clock, EventRecorder, Logger, Metrics } from '../../kube/index.ts';
import type { Job, ResultOf } from '../../netlink/jobs.ts';
import type { Calls } from './calls.ts';
import type { Cluster } from './cluster.ts';
import type { Journal } from './journal.ts';
import type { Ports } from './ports.ts';

/** The netns worker, as far as the daemon needs it. */
export type Links = { run<J extends Job>(job: J): Promise<ResultOf<J>> };

/** Everything that the verbs and the loops work with. */
export type Context = {
  readonly node: string;
  /** Who opens the target of a migration; gate if absent. */
  readonly activation?: Activation;
  readonly cluster: Cluster;
  readonly ports: Ports;
  readonly links: Links;
  readonly journal: Journal;
  readonly calls: Calls;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Milliseconds; the specification's runtimes have none of their own. */
  readonly deadlines: { readonly addMs: number; readonly otherMs: number };
  /** For subnets that name no MTU, in bytes; it may change. */
  findMtu(): number;
  /** Why the node cannot serve an ADD now, undefined when it can. */
  findObstacle(): string | undefined;
};
