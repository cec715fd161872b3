import { KINDS } from '../api/group.ts';
import type {
  IPAMClaim,
  KubeVirt,
  NetworkAttachmentDefinition,
  NetworkPolicy,
  Node,
  Pod,
  VirtualMachine,
  VirtualMachineInstance,
} from '../api/objects.ts';
import type { IPPool, LogicalPort, MigrationNetwork, Subnet, Vpc } from '../api/types.gen.ts';
import type { RandomBytes } from '../ipam/allocate.ts';
import {
  type Clock,
  createElector,
  createEventRecorder,
  createResource,
  LEASE,
  type Lease,
  type Logger,
  type Metrics,
  type Random,
  type Transport,
} from '../kube/index.ts';
import { createBindings } from '../ovn/bindings.ts';
import type { NbClient, SbClient } from '../ovn/database.ts';
import type { Settings } from '../plan/settings.ts';
import { createAddresses } from './addresses.ts';
import type { Context } from './context.ts';
import { followMtu } from './mtu.ts';
import { createOwnWrites } from './own-writes.ts';
import { createPolicies } from './policy/policies.ts';
import { runTerm } from './term.ts';
import { createWorld, startWorld, stopWorld, whenWorldReady } from './world.ts';

export type OperatorOptions = {
  readonly settings: Settings;
  readonly transport: Transport;
  /** For the lease alone, so that its renewal never waits behind other calls; `transport` when left out. */
  readonly leaseTransport?: Transport;
  readonly nb: NbClient;
  readonly sb: SbClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly randomBytes: RandomBytes;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Unlike any other operator's, also across restarts. */
  readonly identity: string;
  readonly lease: { readonly namespace: string; readonly name: string } & Partial<typeof LEASE_TIMES>;
  /** CIDR of the default subnet, for when there is none yet. */
  readonly defaultCidr: string;
  readonly concurrency?: number;
  readonly resyncMs?: number;
};

export type Operator = {
  /** Follows, campaigns, and leads in its turns, until the signal aborts; resolves when all has stopped. */
  run(signal: AbortSignal): Promise<void>;
  isLeader(): boolean;
  /** Why the operator is of no use at the moment, in words; undefined when it is ready to lead. */
  findObstacle(): string | undefined;
};

const DEFAULTS = { concurrency: 32, resyncMs: 300_000 };
/**
 * Short, so that another leads soon after one has died. Nothing depends on it: the epoch in the Northbound database keeps
 * a leader that was merely slow from writing, and the new one serves events before it looks at everything.
 */
const LEASE_TIMES = { leaseDurationMs: 2000, renewDeadlineMs: 1800, retryPeriodMs: 500 };

/** The operator's parts, put together. The clients of both databases are started and stopped by it. */
export function createOperator(options: OperatorOptions): Operator {
  const context = createContext(options);
  const { log, clock, random, nb, sb } = options;
  let ready = false;
  const term = {
    context,
    defaultCidr: options.defaultCidr,
    random,
    concurrency: options.concurrency ?? DEFAULTS.concurrency,
    resyncMs: options.resyncMs ?? DEFAULTS.resyncMs,
  };
  const elector = createElector({
    ...LEASE_TIMES,
    ...options.lease,
    leases: createResource<Lease>(options.leaseTransport ?? options.transport, LEASE),
    identity: options.identity,
    clock,
    random,
    log,
    onStarted: (number, signal) => runTerm(term, number, signal),
    onStopped: () => undefined,
  });
  return {
    run: async (signal) => {
      logDatabase(log, 'Northbound', nb);
      logDatabase(log, 'Southbound', sb);
      nb.client.start();
      sb.client.start();
      startWorld(context.world);
      whenWorldReady(context.world, signal).then(
        () => {
          ready = true;
          log.info({}, 'caches are complete');
        },
        () => undefined,
      );
      await elector.run(signal);
      await Promise.all([stopWorld(context.world), context.events.stop(), nb.client.stop(), sb.client.stop()]);
    },
    isLeader: elector.isLeader,
    findObstacle: () => (ready ? undefined : 'the caches are not complete yet'),
  };
}

function createContext(options: OperatorOptions): Context {
  const { transport, nb, sb, clock, random, log, metrics } = options;
  // Where another plugin makes the first interface, its policies are that plugin's affair.
  const networkPolicies = options.settings.networkPolicies === true && options.settings.primary;
  const world = createWorld({ transport, clock, random, log, metrics, networkPolicies });
  const bindings = createBindings(sb);
  const settings = followMtu(options.settings, bindings, world);
  const ownWrites = createOwnWrites(world.ports.store, clock);
  const watched = world.networkPolicies;
  return {
    settings,
    world,
    ownWrites,
    addresses: createAddresses(world, settings, options.randomBytes),
    policies: watched && createPolicies({ ...world, networkPolicies: watched }, settings),
    api: {
      ports: ownWrites.follow(createResource<LogicalPort>(transport, KINDS.logicalPort)),
      subnets: createResource<Subnet>(transport, KINDS.subnet),
      vpcs: createResource<Vpc>(transport, KINDS.vpc),
      ipPools: createResource<IPPool>(transport, KINDS.ipPool),
      ipamClaims: createResource<IPAMClaim>(transport, KINDS.ipamClaim),
      nodes: createResource<Node>(transport, KINDS.node),
      pods: createResource<Pod>(transport, KINDS.pod),
      vms: createResource<VirtualMachine>(transport, KINDS.vm),
      vmis: createResource<VirtualMachineInstance>(transport, KINDS.vmi),
      migrationNetworks: createResource<MigrationNetwork>(transport, KINDS.migrationNetwork),
      kubevirts: createResource<KubeVirt>(transport, KINDS.kubevirt),
      nads: createResource<NetworkAttachmentDefinition>(transport, KINDS.nad),
      networkPolicies: createResource<NetworkPolicy>(transport, KINDS.networkPolicy),
    },
    nb,
    bindings,
    events: createEventRecorder({
      transport,
      component: 'mooring.dev/operator',
      instance: options.identity,
      clock,
      random,
      log,
      metrics,
    }),
    clock,
    log,
    metrics,
  };
}

/** Once when a database goes away and once when it is back, however often it was tried in between. */
function logDatabase(log: Logger, database: string, { client }: Pick<NbClient, 'client'>): void {
  let away = false;
  client.onState((event) => {
    if (event.state === 'live') {
      if (away) log.info({ database, remote: event.remote, resumed: event.resumed }, 'the database is back');
      away = false;
    } else if (event.state === 'backoff' && !away) {
      away = true;
      log.warn({ database, remote: event.remote, err: event.reason }, 'the database cannot be reached');
    }
    if (event.historyLost) log.error({ database }, 'the database is another one or lost its past; reading all again');
  });
}
