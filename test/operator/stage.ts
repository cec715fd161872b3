import { randomUUID } from 'node:crypto';
import type { LogicalPort, Subnet } from '../../src/api/types.gen.ts';
import {
  type ApiEndpoint,
  type Clock,
  createTransport,
  type Metrics,
  noMetrics,
  systemClock,
  type Transport,
} from '../../src/kube/index.ts';
import { eventually } from '../../src/kube/testing/eventually.ts';
import { type FakeApiServer, startFakeApiServer } from '../../src/kube/testing/fake-api-server.ts';
import { createRecordingLogger } from '../../src/kube/testing/recording-logger.ts';
import { createOperator, type Operator } from '../../src/operator/operator.ts';
import { createNbClient, createSbClient, type NbClient } from '../../src/ovn/database.ts';
import { planJoin, type Settings } from '../../src/plan/settings.ts';
import { SCHEMA_FILES, startNb, type TestNb } from '../ovn/database.ts';
import { startServer, type TestServer } from '../ovsdb/server.ts';

/** Names of collections in the fake API server's storage. */
export const COLLECTIONS = {
  ports: 'mooring.dev/v1alpha1/logicalports',
  subnets: 'mooring.dev/v1alpha1/subnets',
  vpcs: 'mooring.dev/v1alpha1/vpcs',
  ipPools: 'mooring.dev/v1alpha1/ippools',
  pods: 'v1/pods',
  nodes: 'v1/nodes',
  namespaces: 'v1/namespaces',
  events: 'events.k8s.io/v1/events',
  vms: 'kubevirt.io/v1/virtualmachines',
  vmis: 'kubevirt.io/v1/virtualmachineinstances',
  vmims: 'kubevirt.io/v1/virtualmachineinstancemigrations',
  nads: 'k8s.cni.cncf.io/v1/network-attachment-definitions',
  migrationNetworks: 'mooring.dev/v1alpha1/migrationnetworks',
  kubevirts: 'kubevirt.io/v1/kubevirts',
  ipamClaims: 'k8s.cni.cncf.io/v1alpha1/ipamclaims',
} as const;

export type Started = {
  readonly operator: Operator;
  readonly log: ReturnType<typeof createRecordingLogger>;
  stop(): Promise<void>;
};

export type StartOptions = {
  /** Stands between the operator and the API server. */
  readonly wrapTransport?: (transport: Transport) => Transport;
  /** Stands between the operator and the Northbound database. */
  readonly wrapNb?: (nb: NbClient) => NbClient;
  readonly nbRemote?: string;
  readonly defaultCidr?: string;
  readonly settings?: Partial<Settings>;
  readonly clock?: Clock;
  readonly metrics?: Metrics;
  /** Its length, for tests that are not about it: on a busy machine a short one is lost before the first pass is over. */
  readonly lease?: typeof LONG_LEASE;
};

/** Who ends an operator frees it (`bury`, `expectIdle`): its own giving back has little time. */
export const LONG_LEASE = { leaseDurationMs: 60_000, renewDeadlineMs: 50_000 };

/** A fake API server, real OVSDB servers for both databases of OVN, and as many operators as are started. */
export type Stage = AsyncDisposable & {
  readonly api: FakeApiServer;
  readonly nb: TestNb;
  readonly sb: TestServer;
  start(options?: StartOptions): Promise<Started>;
  listPorts(): LogicalPort[];
  findPort(key: string): LogicalPort | undefined;
  findSubnet(name: string): Subnet | undefined;
  /** Switch ports of VMs and pods: name to addresses and options. */
  listLsps(): Promise<Map<string, { addresses: string; chassis: string }>>;
  events(): string[];
};

export function makeSettings(): Settings {
  const join = planJoin('100.64.0.0/24');
  if (!join.ok) throw new Error('fixture');
  return {
    cluster: 'test',
    join: join.value,
    mtu: 1400,
    defaultVpc: 'default',
    defaultSubnet: 'default',
    primary: true,
  };
}

export async function startStage(): Promise<Stage> {
  const api = await startFakeApiServer();
  const nb = await startNb();
  const sb = await startServer(SCHEMA_FILES.sb);
  const operators = createOperators({ endpoint: api.endpoint, nb: nb.server.remote, sb: sb.remote });
  const list = <T>(collection: string): T[] => api.storage.list(collection) as unknown as T[];
  return {
    api,
    nb,
    sb,
    start: async (options = {}) => operators.start(options),
    listPorts: () => list<LogicalPort>(COLLECTIONS.ports),
    findPort: (key) =>
      list<LogicalPort>(COLLECTIONS.ports).find(({ metadata }) => `${metadata.namespace}/${metadata.name}` === key),
    findSubnet: (name) => list<Subnet>(COLLECTIONS.subnets).find(({ metadata }) => metadata.name === name),
    listLsps: async () => {
      const rows = Object.entries((await nb.dump()).Logical_Switch_Port ?? {});
      const own = rows.filter(([name]) => /^(vm|vmi|pod)\//.test(name));
      return new Map(own.map(([name, row]) => [name, describeLsp(row)]));
    },
    events: () =>
      list<{ reason: string; regarding: { kind: string; name: string } }>(COLLECTIONS.events).map(
        ({ reason, regarding }) => `${regarding.kind}/${regarding.name} ${reason}`,
      ),
    [Symbol.asyncDispose]: async () => {
      await operators[Symbol.asyncDispose]();
      await api.stop();
      await nb[Symbol.asyncDispose]();
      await sb[Symbol.asyncDispose]();
    },
  };
}

function describeLsp(row: Readonly<Record<string, unknown>>) {
  const options = row.options as Record<string, string>;
  return { addresses: String(row.addresses), chassis: options['requested-chassis'] ?? '' };
}

export type Remotes = { readonly endpoint: ApiEndpoint; readonly nb: string; readonly sb: string };

/** Operators in this process, on servers that run already; disposing stops those that still run. */
export function createOperators(remotes: Remotes): AsyncDisposable & { start(options: StartOptions): Started } {
  const running = new Set<Started>();
  return {
    start: (options) => {
      const started = startOperator(remotes, options);
      running.add(started);
      return {
        ...started,
        stop: async () => {
          running.delete(started);
          await started.stop();
        },
      };
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([...running].map((started) => started.stop()));
    },
  };
}

function startOperator(remotes: Remotes, options: StartOptions): Started {
  const log = createRecordingLogger();
  const transport = createTransport({ endpoint: remotes.endpoint, clock: systemClock });
  const nb = createNbClient({ remotes: [options.nbRemote ?? remotes.nb], backoff: { minMs: 10, maxMs: 50 } });
  const operator = createOperator({
    settings: { ...makeSettings(), ...options.settings },
    transport: options.wrapTransport?.(transport) ?? transport,
    nb: options.wrapNb?.(nb) ?? nb,
    sb: createSbClient({ remotes: [remotes.sb], backoff: { minMs: 10, maxMs: 50 } }),
    clock: options.clock ?? systemClock,
    random: Math.random,
    randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
    log,
    metrics: options.metrics ?? noMetrics,
    identity: randomUUID(),
    lease: { namespace: 'mooring', name: 'operator', retryPeriodMs: 50, ...options.lease },
    defaultCidr: options.defaultCidr ?? '10.16.0.0/24',
  });
  const abort = new AbortController();
  const running = operator.run(abort.signal);
  return {
    operator,
    log,
    stop: async () => {
      abort.abort(new Error('the test is over'));
      await running;
      await transport.close();
    },
  };
}

/** Waits for something of the stage that has to be asked for. */
export async function until<T>(what: string, check: () => Promise<T>): Promise<NonNullable<T>> {
  let last: T | undefined;
  let pending = false;
  return eventually(
    what,
    () => {
      if (!pending) {
        pending = true;
        check().then(
          (found) => {
            last = found;
            pending = false;
          },
          () => {
            pending = false;
          },
        );
      }
      return last;
    },
    20_000,
  );
}
