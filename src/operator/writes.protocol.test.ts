import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startControlPlane, type TestControlPlane } from '../../test/kube/apiserver.ts';
import { NEEDED, teachKinds } from '../../test/kube/teach.ts';
import { makeSettings } from '../../test/operator/stage.ts';
import { SCHEMA_FILES, startNb, type TestNb } from '../../test/ovn/database.ts';
import { startServer, type TestServer } from '../../test/ovsdb/server.ts';
import { KINDS } from '../api/group.ts';
import type { LogicalPort } from '../api/types.gen.ts';
import {
  createResource,
  createTransport,
  type KubeObject,
  noMetrics,
  type ResourceKind,
  systemClock,
  type Transport,
} from '../kube/index.ts';
import { createRecordingLogger } from '../kube/testing/recording-logger.ts';
import { createNbClient, createSbClient, type SbClient } from '../ovn/database.ts';
import { insertOp, updateOp, wireMap } from '../ovsdb/operations.ts';
import { createOperator } from './operator.ts';

let plane: TestControlPlane;
let nb: TestNb;
let sb: TestServer & AsyncDisposable;
let client: SbClient['client'];
let transport: Transport;

const resource = (kind: ResourceKind) => createResource<KubeObject>(transport, kind);
const ports = () => createResource<LogicalPort>(transport, KINDS.logicalPort);

async function until<T>(what: string, check: () => Promise<T>): Promise<NonNullable<T>> {
  const end = performance.now() + 30_000;
  while (performance.now() < end) {
    const found = await check();
    if (found !== undefined && found !== null && found !== false) return found;
    await delay(20);
  }
  throw new Error(`not within 30 s: ${what}`);
}

beforeAll(async () => {
  plane = await startControlPlane(process.env);
  transport = createTransport({ endpoint: plane.endpoint, clock: systemClock });
  await teachKinds(transport, NEEDED);
  await resource(KINDS.namespace).create({ metadata: { name: 'a' } });
}, 240_000);
afterAll(async () => {
  await transport?.close();
  await plane?.stop();
});

let stop: () => Promise<void>;
let writes: string[];
beforeEach(async () => {
  nb = await startNb();
  sb = await startServer(SCHEMA_FILES.sb);
  client = createSbClient({ remotes: [sb.remote] }).client;
  client.start();
  await client.whenLive(AbortSignal.timeout(10_000));
  await registerChassis();
  writes = [];
  stop = startOperator();
  await until('the default subnet', async () => {
    const subnet = (await resource(KINDS.subnet).find({ name: 'default' })) as
      | (KubeObject & { status?: { conditions?: { reason: string }[] } })
      | undefined;
    return subnet?.status?.conditions?.some(({ reason }) => reason === 'Ready');
  });
});
afterEach(async () => {
  await stop();
  await client.stop();
  await nb[Symbol.asyncDispose]();
  await sb[Symbol.asyncDispose]();
});

/** The operator, with every write about LogicalPorts written down as it goes out. */
function startOperator(): () => Promise<void> {
  const own = createTransport({ endpoint: plane.endpoint, clock: systemClock });
  const request: Transport['request'] = (options) => {
    const { method = 'GET', path } = options;
    if (method !== 'GET' && path.includes('/logicalports')) writes.push(`${method} ${path.split('/logicalports')[1]}`);
    return own.request(options);
  };
  const operator = createOperator({
    settings: makeSettings(),
    transport: { ...own, request },
    nb: createNbClient({ remotes: [nb.server.remote], backoff: { minMs: 10, maxMs: 50 } }),
    sb: createSbClient({ remotes: [sb.remote], backoff: { minMs: 10, maxMs: 50 } }),
    clock: systemClock,
    random: Math.random,
    randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
    log: createRecordingLogger(),
    metrics: noMetrics,
    identity: 'writes',
    lease: { namespace: 'default', name: 'operator', retryPeriodMs: 50 },
    defaultCidr: '10.16.0.0/24',
  });
  const abort = new AbortController();
  const running = operator.run(abort.signal);
  return async () => {
    abort.abort(new Error('the test is over'));
    await running;
    await own.close();
  };
}

async function registerChassis(): Promise<void> {
  const encap = insertOp('Encap', { type: 'geneve', ip: '192.168.0.1', chassis_name: 'n1' }, { uuidName: 'encap' });
  const [, chassis, datapath] = await client.transactAndSync([
    encap,
    insertOp('Chassis', { name: 'n1', hostname: 'n1', encaps: ['named-uuid', 'encap'] }),
    insertOp('Datapath_Binding', { tunnel_key: 1, external_ids: wireMap([['name', 'x']]) }),
  ]);
  rows = { chassis: chassis?.uuid ?? '', datapath: datapath?.uuid ?? '' };
}

let tunnel = 1;
let rows = { chassis: '', datapath: '' };

/** What northd does for a switch port that is there, and then, later, the ovn-controller of n1. */
async function bind(port: string): Promise<void> {
  await until(`switch port ${port}`, async () => port in ((await nb.dump()).Logical_Switch_Port ?? {}));
  tunnel += 1;
  await client.transactAndSync([
    insertOp('Port_Binding', {
      logical_port: port,
      tunnel_key: tunnel,
      datapath: ['uuid', rows.datapath],
      up: false,
    }),
  ]);
  await client.transactAndSync([
    updateOp('Port_Binding', [['logical_port', '==', port]], { chassis: ['uuid', rows.chassis], up: true }),
  ]);
}

const whenPhase = (name: string, phase: string) =>
  until(`${name} ${phase}`, async () => {
    const port = await ports().find({ namespace: 'a', name });
    return port?.status?.phase === phase ? port : undefined;
  });

const makePod = (name: string): KubeObject & { spec: object } => ({
  metadata: { name, namespace: 'a' },
  spec: { nodeName: 'n1', containers: [{ name: 'c', image: 'i' }], terminationGracePeriodSeconds: 0 },
});

describe('writes to the API server about one NIC', () => {
  it('of a pod: two until it is bound, four in its whole life', async () => {
    await resource(KINDS.pod).create(makePod('p1'));
    await bind('pod/a/p1/eth0');
    await whenPhase('p1.eth0.pod', 'Bound');
    expect(writes).toEqual(['POST ', 'PATCH /p1.eth0.pod/status']);
    await resource(KINDS.pod).delete({ namespace: 'a', name: 'p1' }, { gracePeriodSeconds: 0 });
    await until('the release', async () => (await ports().find({ namespace: 'a', name: 'p1.eth0.pod' })) === undefined);
    expect(writes).toHaveLength(4);
  });

  it('of a VM: three until it is bound', async () => {
    const spec = {
      domain: { devices: { interfaces: [{ name: 'default', bridge: {} }] } },
      networks: [{ name: 'default', pod: {} }],
    };
    const vm = await resource(KINDS.vm).create({
      metadata: { name: 'db', namespace: 'a' },
      spec: { runStrategy: 'Always', template: { spec } },
    } as KubeObject);
    await until('the port', () => ports().find({ namespace: 'a', name: 'db.default.vm' }));
    const own = { apiVersion: 'kubevirt.io/v1', controller: true };
    const vmi = await resource(KINDS.vmi).create({
      metadata: {
        name: 'db',
        namespace: 'a',
        ownerReferences: [{ ...own, kind: 'VirtualMachine', name: 'db', uid: vm.metadata?.uid ?? '' }],
      },
      spec,
    } as KubeObject);
    const pod = await resource(KINDS.pod).create({
      ...makePod('launcher'),
      metadata: {
        name: 'launcher',
        namespace: 'a',
        ownerReferences: [{ ...own, kind: 'VirtualMachineInstance', name: 'db', uid: vmi.metadata?.uid ?? '' }],
      },
    } as KubeObject);
    await tellActive(vmi, pod);
    await until('the attachment', async () => {
      const port = await ports().get({ namespace: 'a', name: 'db.default.vm' });
      return port.spec.attachments?.length === 1;
    });
    await bind('vm/a/db/default');
    await whenPhase('db.default.vm', 'Bound');
    expect(writes).toEqual(['POST ', 'PATCH /db.default.vm', 'PATCH /db.default.vm/status']);
  });
});

describe('what the API server makes of our writes', () => {
  const find = (name: string) => ports().find({ namespace: 'a', name });
  const whenReason = (name: string, expected: string) =>
    until(`${name} ${expected}`, async () => {
      const port = await find(name);
      const allocated = port?.status?.conditions?.find(({ type }) => type === 'Allocated');
      return allocated?.reason === expected ? port : undefined;
    });
  const annotate = (name: string, annotations: Record<string, string>) => {
    const pod = makePod(name);
    return { ...pod, metadata: { ...pod.metadata, annotations } } as KubeObject;
  };

  it('a port without an address is accepted, and filled when its request is mended', async () => {
    await resource(KINDS.pod).create(annotate('p2', { 'ovn.kubernetes.io/ip_address': '10.99.0.1' }));
    const port = await whenReason('p2.eth0.pod', 'AddressOutsideSubnet');
    expect(port.spec).toMatchObject({ ips: [], mac: '', releasePolicy: 'WithOwner' });
    // The agent of the pod's node sees it by this and tells the runtime why there is no address.
    expect(port.spec.attachments).toMatchObject([{ podName: 'p2', node: 'n1', interface: 'eth0' }]);
    const annotations = { 'ovn.kubernetes.io/ip_address': '10.16.0.77' };
    await resource(KINDS.pod).patch({ namespace: 'a', name: 'p2' }, { metadata: { annotations } });
    await until('the address', async () => (await find('p2.eth0.pod'))?.spec.ips[0] === '10.16.0.77');
    await bind('pod/a/p2/eth0');
    await whenPhase('p2.eth0.pod', 'Bound');
    await resource(KINDS.pod).delete({ namespace: 'a', name: 'p2' }, { gracePeriodSeconds: 0 });
    await until('the release', async () => (await find('p2.eth0.pod')) === undefined);
  });

  it("a pod's retained port is handed over to the next pod of its name, and no other port of a pod is", async () => {
    const wish = { 'mooring.dev/release-policy': 'Retain', 'mooring.dev/adopt': 'true' };
    await resource(KINDS.pod).create(annotate('web-0', wish));
    const first = await until('the port', () => find('web-0.eth0.pod'));
    await resource(KINDS.pod).delete({ namespace: 'a', name: 'web-0' }, { gracePeriodSeconds: 0 });
    await whenPhase('web-0.eth0.pod', 'Released');
    const next = await resource(KINDS.pod).create(annotate('web-0', wish));
    const adopted = await until('the adoption', async () => {
      const port = await find('web-0.eth0.pod');
      return port?.spec.owner.uid === next.metadata?.uid ? port : undefined;
    });
    expect([adopted.metadata.uid, adopted.spec.ips]).toEqual([first.metadata.uid, first.spec.ips]);
    await resource(KINDS.pod).create(makePod('p3'));
    const other = await until('another port', () => find('p3.eth0.pod'));
    const theft = { spec: { owner: { ...other.spec.owner, uid: 'thief' } } };
    await expect(ports().patch({ namespace: 'a', name: 'p3.eth0.pod' }, theft)).rejects.toThrow(
      /cannot change its owner/,
    );
  });

  it('a port that is marked deleted while its VM lives stays, and can still change', async () => {
    const spec = {
      domain: { devices: { interfaces: [{ name: 'default', bridge: {} }] } },
      networks: [{ name: 'default', pod: {} }],
    };
    const ask = (ip: string) => ({ metadata: { annotations: { 'ovn.kubernetes.io/ip_address': ip } } });
    await resource(KINDS.vm).create({
      metadata: { name: 'kept', namespace: 'a' },
      spec: { runStrategy: 'Halted', template: { ...ask('10.16.0.80'), spec } },
    } as KubeObject);
    await until('the port', () => find('kept.default.vm'));
    await ports().delete({ namespace: 'a', name: 'kept.default.vm' });
    await resource(KINDS.vm).patch({ namespace: 'a', name: 'kept' }, { spec: { template: ask('10.16.0.81') } });
    const port = await until('the change', async () => {
      const found = await find('kept.default.vm');
      return found?.spec.ips[0] === '10.16.0.81' ? found : undefined;
    });
    expect(port.metadata.deletionTimestamp).toBeDefined();
    await resource(KINDS.vm).delete({ namespace: 'a', name: 'kept' });
    await until('the release', async () => (await find('kept.default.vm')) === undefined);
  });
});

/** KubeVirt's CRD of the VMI has no status subresource. */
async function tellActive(vmi: KubeObject, pod: KubeObject): Promise<void> {
  const status = { phase: 'Scheduled', nodeName: 'n1', activePods: { [pod.metadata?.uid ?? '']: 'n1' } };
  await resource(KINDS.vmi).patch({ namespace: 'a', name: vmi.metadata?.name ?? '' }, { status });
}
