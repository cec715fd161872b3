import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parse } from 'yaml';
import { bundle } from '../../scripts/build/bundle.ts';
import { KINDS } from '../../src/api/group.ts';
import {
  createResource,
  createTransport,
  type KubeObject,
  noLogger,
  type Resource,
  type ResourceKind,
  systemClock,
  type Transport,
} from '../../src/kube/index.ts';
import { startControlPlane } from '../../test/kube/apiserver.ts';
import { CRD } from '../../test/kube/crds.ts';
import { installNodeHalf } from '../../test/lab/kubevirt/install.ts';
import { SCHEMA_FILES } from '../../test/ovn/database.ts';
import { startServer, type TestServer } from '../../test/ovsdb/server.ts';
import { runTool } from '../../test/ovsdb/tools.ts';
import { type Audit, followAudit, formatAuditArguments, OPERATOR_USER } from './audit.ts';
import { type ChassisFarm, startChassisFarm } from './chassis.ts';
import { listNodes, makeNad, makeNode, makeSubnets, NAMESPACES } from './objects.ts';
import { type OperatorProcess, startOperator } from './operators.ts';
import { createPortView, type PortView } from './port-view.ts';

/** Everything that the operator works with: real API server, real databases, simulated nodes. */
export type Stage = AsyncDisposable & {
  readonly transport: Transport;
  readonly audit: Audit;
  readonly ports: PortView;
  readonly farm: ChassisFarm;
  resource(kind: ResourceKind): Resource<KubeObject>;
  startOperator(name: string): Promise<OperatorProcess>;
  /** Replaces the Northbound database by an empty one; resolves when its server accepts connections again. */
  wipeNorthbound(): Promise<void>;
};

export type StageOptions = {
  readonly env: NodeJS.ProcessEnv;
  readonly say: (line: string) => void;
  readonly profileDir: string | undefined;
};

const CONNECTIONS = 48;

export async function startStage({ env, say, profileDir }: StageOptions): Promise<Stage> {
  await using cleanup = new AsyncDisposableStack();
  say('bundling the operator, starting etcd, the API server and both databases of OVN');
  const dist = mkdtempSync(join(tmpdir(), 'mooring-bench-'));
  cleanup.defer(() => rmSync(dist, { recursive: true, force: true }));
  await bundle(ROOT, dist);
  const program = join(dist, 'lib/operator.js');
  const control = await startControlPlane(env, { users: [OPERATOR_USER], formatArguments: formatAuditArguments });
  cleanup.defer(() => control.stop());
  const nb = cleanup.use(await startServer(SCHEMA_FILES.nb));
  const sb = cleanup.use(await startServer(SCHEMA_FILES.sb));
  const transport = createTransport({ endpoint: control.endpoint, clock: systemClock, connections: CONNECTIONS });
  cleanup.defer(() => transport.close());
  const resource = (kind: ResourceKind) => createResource<KubeObject>(transport, kind);
  say('installing the CRDs, nodes, namespaces, subnets and NADs');
  await installKinds(transport, resource);
  await installNetworks(resource);
  const farm = cleanup.use(await startChassisFarm(nb.remote, sb.remote, listNodes()));
  const ports = cleanup.use(await createPortView(transport));
  const kubeconfig = control.kubeconfigOf(OPERATOR_USER);
  const running = new Set<OperatorProcess>();
  cleanup.defer(async () => {
    await Promise.all([...running].map((operator) => operator.kill('SIGTERM')));
  });
  const audit = cleanup.use(followAudit(control.dir));
  const owned = cleanup.move();
  return {
    transport,
    audit,
    ports,
    farm,
    resource,
    startOperator: async (name) => {
      const operator = await startOperator({ name, program, kubeconfig, nb: nb.remote, sb: sb.remote, profileDir });
      running.add(operator);
      return operator;
    },
    wipeNorthbound: () => wipe(nb),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

const ROOT = join(import.meta.dirname, '../..');
const KUBEVIRT_DIR = join(ROOT, 'test/fixtures/kubevirt-v1.8.4/crds-v1.8.4');
const KUBEVIRT_KINDS = ['virtualmachines', 'virtualmachineinstances', 'virtualmachineinstancemigrations'];

type Make = (kind: ResourceKind) => Resource<KubeObject>;

/** Ours, KubeVirt's three that the operator watches, and the NAD. */
async function installKinds(transport: Transport, resource: Make): Promise<void> {
  const client = { transport, log: noLogger, resource: resource as never };
  const ours = readdirSync(join(ROOT, 'crds')).filter((file) => file.endsWith('.yaml'));
  const crds = [
    ...ours.map((file) => parse(readFileSync(join(ROOT, 'crds', file), 'utf8')) as KubeObject),
    ...KUBEVIRT_KINDS.map(
      (plural) => JSON.parse(readFileSync(join(KUBEVIRT_DIR, `${plural}.kubevirt.io.json`), 'utf8')) as KubeObject,
    ),
  ];
  await Promise.all([
    installNodeHalf(client),
    ...crds.map(async (crd) => {
      const { status: _, ...wanted } = crd as KubeObject & { status?: unknown };
      await resource(CRD).create(wanted);
      await untilServed(resource, crd.metadata?.name ?? '');
    }),
  ]);
}

type Crd = KubeObject & { status?: { conditions?: { type: string; status: string }[] } };

async function untilServed(resource: Make, name: string): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    const { status } = (await resource(CRD).get({ name })) as Crd;
    if (status?.conditions?.some((one) => one.type === 'Established' && one.status === 'True')) return;
    await delay(100);
  }
  throw new Error(`CRD ${name} is not served`);
}

async function installNetworks(resource: Make): Promise<void> {
  await Promise.all(listNodes().map((name) => resource(KINDS.node).create(makeNode(name))));
  await Promise.all(NAMESPACES.map((name) => resource(KINDS.namespace).create({ metadata: { name } })));
  const nads = NAMESPACES.flatMap((namespace) => ['net-a', 'net-b'].map((name) => makeNad(namespace, name)));
  await Promise.all(nads.map((nad) => resource(KINDS.nad).create(nad)));
  await Promise.all(NAMESPACES.flatMap(makeSubnets).map((subnet) => resource(KINDS.subnet).create(subnet)));
}

async function wipe(server: TestServer): Promise<void> {
  await server.kill();
  const file = join(server.dir, 'db');
  rmSync(file);
  await runTool('ovsdb-tool', ['create', file, SCHEMA_FILES.nb.schemaPath]);
  await server.start();
}
