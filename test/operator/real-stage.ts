import { afterAll, beforeAll } from 'vitest';
import { KINDS } from '../../src/api/group.ts';
import {
  type ApiEndpoint,
  createResource,
  createTransport,
  type KubeObject,
  LEASE,
  type Resource,
  type ResourceKind,
  systemClock,
} from '../../src/kube/index.ts';
import { startControlPlane } from '../kube/apiserver.ts';
import { NEEDED, teachKinds } from '../kube/teach.ts';
import { SCHEMA_FILES, startNb, type TestNb } from '../ovn/database.ts';
import { startServer, type TestServer } from '../ovsdb/server.ts';
import { createOperators, type Started, type StartOptions } from './stage.ts';

/** A real API server and real OVSDB servers for both databases of OVN, for all tests of a file. */
export type RealStage = {
  /** Of the API server, as its administrator. */
  readonly endpoint: ApiEndpoint;
  readonly nb: TestNb;
  readonly sb: TestServer;
  resource<T extends KubeObject = KubeObject>(kind: ResourceKind): Resource<T>;
  listAll<T extends KubeObject = KubeObject>(kind: ResourceKind): Promise<T[]>;
  start(options?: StartOptions): Started;
  /** The operator is over and its Lease has run out: the next one may begin. */
  bury(operator: Started): Promise<void>;
};

type Opened = Awaited<ReturnType<typeof open>>;

/** Starts it before the tests of a file; `more` are kinds and namespaces besides those that the operator needs and `a`. */
export function useRealStage(
  more: { kinds?: readonly ResourceKind[]; namespaces?: readonly string[] } = {},
): RealStage {
  let opened: Opened | undefined;
  const get = (): Opened => {
    if (opened === undefined) throw new Error('no stage outside of a test');
    return opened;
  };
  beforeAll(async () => {
    opened = await open([...NEEDED, ...(more.kinds ?? [])], ['a', 'mooring', ...(more.namespaces ?? [])]);
  }, 240_000);
  afterAll(() => opened?.[Symbol.asyncDispose]());
  const resource: RealStage['resource'] = (kind) => createResource(get().transport, kind);
  const listAll: RealStage['listAll'] = async <T extends KubeObject>(kind: ResourceKind) => [
    ...(await resource<T>(kind).list({})).items,
  ];
  return {
    get endpoint() {
      return get().endpoint;
    },
    get nb() {
      return get().nb;
    },
    get sb() {
      return get().sb;
    },
    resource,
    listAll,
    start: (options = {}) => get().start(options),
    bury: async (operator) => {
      await operator.stop();
      for (const { metadata } of await listAll(LEASE)) {
        await resource(LEASE).delete({ namespace: metadata?.namespace ?? '', name: metadata?.name ?? '' });
      }
    },
  };
}

async function open(kinds: readonly ResourceKind[], namespaces: readonly string[]) {
  await using cleanup = new AsyncDisposableStack();
  const { endpoint, stop } = await startControlPlane(process.env);
  cleanup.defer(stop);
  const transport = createTransport({ endpoint, clock: systemClock });
  cleanup.defer(() => transport.close());
  await teachKinds(transport, kinds);
  for (const name of namespaces) await createResource(transport, KINDS.namespace).create({ metadata: { name } });
  const nb = cleanup.use(await startNb());
  const sb = cleanup.use(await startServer(SCHEMA_FILES.sb));
  const operators = cleanup.use(createOperators({ endpoint, nb: nb.server.remote, sb: sb.remote }));
  const owned = cleanup.move();
  return {
    endpoint,
    transport,
    nb,
    sb,
    start: operators.start,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
