import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';
import { startControlPlane, type TestControlPlane } from '../../../test/kube/apiserver.ts';
import { CRD, NAD_CRD } from '../../../test/kube/crds.ts';
import { annotate, makeSpec, type Nics, NONE } from '../../../test/operator/guest.ts';
import { listSwitchPorts } from '../../../test/operator/sentinel.ts';
import { type Started, startOperator } from '../../../test/operator/stage.ts';
import { SCHEMA_FILES, startNb, type TestNb } from '../../../test/ovn/database.ts';
import { startServer, type TestServer, until } from '../../../test/ovsdb/server.ts';
import { KINDS } from '../../api/group.ts';
import { formatLogicalPortName } from '../../api/names.ts';
import type { LogicalPort, Subnet } from '../../api/types.gen.ts';
import {
  createResource,
  createTransport,
  type KubeObject,
  type ResourceKind,
  systemClock,
  type Transport,
} from '../../kube/index.ts';

const ROOT = join(import.meta.dirname, '../../..');
const OURS = ['logicalports', 'subnets', 'vpcs', 'ippools'];
const THEIRS = ['virtualmachines', 'virtualmachineinstances', 'virtualmachineinstancemigrations'];
const WATCHED = [KINDS.logicalPort, KINDS.subnet, KINDS.vpc, KINDS.vm, KINDS.vmi, KINDS.vmim, KINDS.nad];
const RED = 'vm/a/db/side';
const BLUE = 'vm/a/db/side/blue';

let plane: TestControlPlane;
let nb: TestNb;
let sb: TestServer & AsyncDisposable;
let operator: Started | undefined;
let transport: Transport;

const resource = <T extends KubeObject = KubeObject>(kind: ResourceKind) => createResource<T>(transport, kind);
const at = (name: string) => ({ namespace: 'a', name });

beforeAll(async () => {
  plane = await startControlPlane(process.env);
  transport = createTransport({ endpoint: plane.endpoint, clock: systemClock });
  const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
  const theirs = 'test/fixtures/kubevirt-v1.8.4/crds-v1.8.4';
  const crds = [
    ...OURS.map((name) => parse(read(`crds/mooring.dev_${name}.yaml`)) as KubeObject),
    ...THEIRS.map((name) => JSON.parse(read(`${theirs}/${name}.kubevirt.io.json`)) as KubeObject),
    NAD_CRD,
  ];
  for (const crd of crds) {
    const { status: _, ...wanted } = crd as KubeObject & { status?: unknown };
    await resource(CRD).create(wanted);
  }
  for (const kind of WATCHED) {
    const isServed = () =>
      resource(kind)
        .list({ limit: 1 })
        .then(Boolean, () => false);
    await until(`${kind.plural} served`, isServed, 60_000);
  }
  for (const name of ['a', 'mooring']) await resource(KINDS.namespace).create({ metadata: { name } });
  nb = await startNb();
  sb = await startServer(SCHEMA_FILES.sb);
  operator = startOperator({ endpoint: plane.endpoint, nb: nb.server.remote, sb: sb.remote }, {});
}, 240_000);
afterAll(async () => {
  await operator?.stop();
  await transport?.close();
  await plane?.stop();
  await nb?.[Symbol.asyncDispose]();
  await sb?.[Symbol.asyncDispose]();
});

const own = (kind: string, { metadata }: KubeObject) => [
  { apiVersion: 'kubevirt.io/v1', kind, name: metadata?.name ?? '', uid: metadata?.uid ?? '', controller: true },
];
const patchVmi = (status: object) => resource(KINDS.vmi).patch(at('db'), { status });

async function makeLauncher(name: string, node: string, nics: Nics, job?: string): Promise<void> {
  const vmi = await resource(KINDS.vmi).get(at('db'));
  const labels = job === undefined ? {} : { 'kubevirt.io/migrationJobUID': job };
  const ownerReferences = own('VirtualMachineInstance', vmi);
  const pod = await resource(KINDS.pod).create({
    metadata: { ...at(name), labels, annotations: annotate(nics), ownerReferences },
    spec: { nodeName: node, containers: [{ name: 'c', image: 'i' }], terminationGracePeriodSeconds: 0 },
  } as KubeObject);
  await patchVmi({ activePods: { [pod.metadata?.uid ?? '']: node } });
}

async function makeNetwork(name: string, cidrBlock: string): Promise<void> {
  const config = JSON.stringify({ type: 'mooring', provider: `${name}.a.ovn` });
  await resource(KINDS.nad).create({ metadata: at(name), spec: { config } } as KubeObject);
  const spec = { cidrBlock, provider: `${name}.a.ovn` };
  await resource(KINDS.subnet).create({ metadata: { name }, spec } as KubeObject);
  await until(`${name} ready`, async () => {
    const subnet = await resource<Subnet>(KINDS.subnet).get({ name });
    return subnet.status?.conditions?.[0]?.reason === 'Ready';
  });
}

const SECOND = formatLogicalPortName({
  ownerKind: 'VirtualMachine',
  namespace: 'a',
  owner: 'db',
  nic: 'side',
  madeFor: 'blue',
});
const findPort = (name: string) => resource<LogicalPort>(KINDS.logicalPort).find(at(name));
const listRows = () =>
  new Map(listSwitchPorts({ nb }).flatMap(({ name, chassis }) => (name.startsWith('vm/') ? [[name, chassis]] : [])));
const whenRows = (rows: Record<string, string>) =>
  until(JSON.stringify(rows), async () => {
    const present = listRows();
    return present.size === Object.keys(rows).length && Object.entries(rows).every(([k, v]) => present.get(k) === v);
  });

it('K6 on a real API server: the new port beside the old one, a roll-back, and the move', async () => {
  await makeNetwork('red', '172.17.0.0/24');
  await makeNetwork('blue', '172.17.1.0/24');
  const template = { spec: makeSpec({ side: 'red' }) };
  const vm = await resource(KINDS.vm).create({
    metadata: at('db'),
    spec: { runStrategy: 'Always', template },
  } as KubeObject);
  const ownerReferences = own('VirtualMachine', vm);
  await resource(KINDS.vmi).create({ metadata: { ...at('db'), ownerReferences }, ...template } as KubeObject);
  await makeLauncher('l1', 'n1', { side: 'red' });
  await patchVmi({ phase: 'Running', nodeName: 'n1' });
  await whenRows({ [RED]: 'n1' });

  const asked = makeSpec({ side: 'blue' });
  await resource(KINDS.vm).patch(at('db'), { spec: { template: { spec: asked } } });
  await resource(KINDS.vmi).patch(at('db'), { spec: asked });
  await whenRows({ [RED]: 'n1', [BLUE]: NONE });
  const waiting = await findPort(SECOND);
  expect(waiting?.spec).toMatchObject({ madeFor: 'blue', subnet: 'blue', nad: 'a/blue', nic: 'side' });

  const move = async (name: string, target: string, to: string) => {
    const vmim = await resource(KINDS.vmim).create({ metadata: at(name), spec: { vmiName: 'db' } } as KubeObject);
    const uid = vmim.metadata?.uid ?? '';
    await makeLauncher(target, to, { side: 'blue' }, uid);
    await whenRows({ [RED]: 'n1', [BLUE]: to });
    const fresh = { targetNodeDomainReadyTimestamp: null, completed: null, failed: null };
    await patchVmi({ migrationState: { ...fresh, migrationUid: uid, sourceNode: 'n1', targetNode: to } });
  };
  await move('m1', 't1', 'n2');
  await patchVmi({ migrationState: { failed: true } });
  await resource(KINDS.vmim).patchStatus(at('m1'), { status: { phase: 'Failed' } });
  await resource(KINDS.pod).delete(at('t1'));
  await whenRows({ [RED]: 'n1', [BLUE]: NONE });

  await move('m2', 't2', 'n3');
  const ready = { targetNodeDomainReadyTimestamp: '2026-11-21T10:48:37Z', completed: true };
  await patchVmi({ nodeName: 'n3', migrationState: ready });
  await resource(KINDS.vmim).patchStatus(at('m2'), { status: { phase: 'Succeeded' } });
  await whenRows({ [RED]: NONE, [BLUE]: 'n3' });
  await resource(KINDS.pod).patchStatus(at('l1'), { status: { phase: 'Succeeded' } });
  await whenRows({ [BLUE]: 'n3' });
  await until('the release', async () => (await findPort('db.side.vm')) === undefined);
  expect((await findPort(SECOND))?.spec.ips).toEqual(waiting?.spec.ips);

  const change = resource(KINDS.logicalPort).patch(at(SECOND), { spec: { madeFor: 'red' } });
  await expect(change).rejects.toThrow('what a port was made for is fixed');
  await expect(resource(KINDS.logicalPort).patch(at(SECOND), { spec: { madeFor: null } })).rejects.toThrow('is fixed');
}, 120_000);
