import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { startControlPlane, type TestControlPlane } from '../../../test/kube/apiserver.ts';
import { CRD } from '../../../test/kube/crds.ts';
import { arrangeCut } from '../../../test/operator/mortal.ts';
import { listSwitchPorts } from '../../../test/operator/sentinel.ts';
import { makeSettings, startOperator } from '../../../test/operator/stage.ts';
import { SCHEMA_FILES, startNb, type TestNb } from '../../../test/ovn/database.ts';
import { startServer, type TestServer } from '../../../test/ovsdb/server.ts';
import { KINDS } from '../../api/group.ts';
import type { LogicalPort, Subnet } from '../../api/types.gen.ts';
import {
  createResource,
  createTransport,
  type KubeObject,
  LEASE,
  type ResourceKind,
  systemClock,
  type Transport,
} from '../../kube/index.ts';
import { audit, auditAlways, type Snapshot } from '../testing/audit.ts';

const ROOT = join(import.meta.dirname, '../../..');
const OURS = ['logicalports', 'subnets', 'vpcs', 'ippools'];
const THEIRS = ['virtualmachines', 'virtualmachineinstances', 'virtualmachineinstancemigrations'];
const WATCHED = [KINDS.logicalPort, KINDS.subnet, KINDS.vpc, KINDS.ipPool, KINDS.vm, KINDS.vmi, KINDS.vmim];

let plane: TestControlPlane;
let nb: TestNb;
let sb: TestServer & AsyncDisposable;
let transport: Transport;

const resource = <T extends KubeObject = KubeObject>(kind: ResourceKind) => createResource<T>(transport, kind);

async function until<T>(what: () => string, check: () => Promise<T>): Promise<void> {
  const end = performance.now() + 30_000;
  while (performance.now() < end) {
    if (await check()) return;
    await delay(20);
  }
  throw new Error(`not within 30 s: ${what()}`);
}

async function listAll<T extends KubeObject>(kind: ResourceKind): Promise<T[]> {
  return [...(await resource<T>(kind).list({})).items];
}

beforeAll(async () => {
  plane = await startControlPlane(process.env);
  transport = createTransport({ endpoint: plane.endpoint, clock: systemClock });
  const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
  const theirs = 'test/fixtures/kubevirt-v1.8.4/crds-v1.8.4';
  const crds = [
    ...OURS.map((name) => parse(read(`crds/mooring.dev_${name}.yaml`)) as KubeObject),
    ...THEIRS.map((name) => JSON.parse(read(`${theirs}/${name}.kubevirt.io.json`)) as KubeObject),
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
    await until(() => `${kind.plural} served`, isServed);
  }
  for (const name of ['a', 'mooring']) await resource(KINDS.namespace).create({ metadata: { name } });
  nb = await startNb();
  sb = await startServer(SCHEMA_FILES.sb);
}, 240_000);
afterAll(async () => {
  await transport?.close();
  await plane?.stop();
  await nb?.[Symbol.asyncDispose]();
  await sb?.[Symbol.asyncDispose]();
});

async function takeSnapshot(): Promise<Snapshot> {
  await nb.nb.client.transactAndSync([{ op: 'comment', comment: 'catch up' }]);
  const owners = (await Promise.all([KINDS.vm, KINDS.vmi, KINDS.pod].map((kind) => listAll(kind)))).flat();
  return {
    cluster: makeSettings().cluster,
    ports: await listAll<LogicalPort>(KINDS.logicalPort),
    subnets: await listAll<Subnet>(KINDS.subnet),
    switchPorts: listSwitchPorts({ nb }),
    owners: new Set(owners.flatMap(({ metadata }) => metadata?.uid ?? [])),
    claims: new Set(),
  };
}

const SPEC = {
  domain: { devices: { interfaces: [{ name: 'default', bridge: {} }] } },
  networks: [{ name: 'default', pod: {} }],
};
const at = (name: string) => ({ namespace: 'a', name });
const ask = (ip: string) => ({ 'mooring.dev/nics': JSON.stringify({ default: { ips: [ip] } }) });

const makePod = (name: string, extra: object = {}) =>
  resource(KINDS.pod).create({
    metadata: { ...at(name), ...extra },
    spec: { nodeName: 'n1', containers: [{ name: 'c', image: 'i' }], terminationGracePeriodSeconds: 0 },
  } as KubeObject);
const makeVm = (name: string, annotations: Record<string, string> = {}) =>
  resource(KINDS.vm).create({
    metadata: at(name),
    spec: { runStrategy: 'Always', template: { metadata: { annotations }, spec: SPEC } },
  } as KubeObject);
const own = (kind: string, object: KubeObject) => ({
  ownerReferences: [
    {
      apiVersion: 'kubevirt.io/v1',
      kind,
      name: object.metadata?.name ?? '',
      uid: object.metadata?.uid ?? '',
      controller: true,
    },
  ],
});
const removePod = (name: string) => resource(KINDS.pod).delete(at(name), { gracePeriodSeconds: 0 });

async function makeVmi(name: string) {
  const vm = await resource(KINDS.vm).get(at(name));
  return resource(KINDS.vmi).create({
    metadata: { ...at(name), ...own('VirtualMachine', vm) },
    spec: SPEC,
  } as KubeObject);
}

/** KubeVirt's launcher without a guest, with the annotations of the VM's template. */
async function makeStorageOnly(name: string, ip: string) {
  const vmi = await makeVmi(name);
  const annotations = { 'kubevirt.io/ephemeral-provisioning': 'true', 'ovn.kubernetes.io/ip_address': ip };
  const pod = await makePod(`${name}-s`, { annotations, ...own('VirtualMachineInstance', vmi) });
  await resource(KINDS.vmi).patch(at(name), { status: { activePods: { [pod.metadata?.uid ?? '']: 'n1' } } });
}

async function startVm(name: string) {
  const vmi = (await resource(KINDS.vmi).find(at(name))) ?? (await makeVmi(name));
  const pod = await makePod(`${name}-l`, own('VirtualMachineInstance', vmi));
  const status = { activePods: { [pod.metadata?.uid ?? '']: 'n1' }, phase: 'Running', nodeName: 'n1' };
  await resource(KINDS.vmi).patch(at(name), { status });
}

async function stopVm(name: string) {
  await removePod(`${name}-l`);
  await resource(KINDS.vmi).delete(at(name));
}

type Step = {
  readonly what: string;
  readonly run: () => Promise<unknown>;
  /** The ports that there are afterwards, as `<name> <ip>`, `*` for any, and whether they are released. */
  readonly ports: readonly string[];
};

const P1 = 'p1.eth0.pod *';
const patchVm = (name: string, ip: string) =>
  resource(KINDS.vm).patch(at(name), { spec: { template: { metadata: { annotations: ask(ip) } } } });
const removeVm = (name: string) => resource(KINDS.vm).delete(at(name));

const LIFE: readonly Step[] = [
  { what: 'a pod comes', run: () => makePod('p1'), ports: [P1] },
  { what: 'a VM comes', run: () => makeVm('db', ask('10.16.0.50')), ports: ['db.default.vm 10.16.0.50', P1] },
  {
    what: 'a launcher without a guest comes',
    run: () => makeStorageOnly('db', '10.16.0.50'),
    ports: ['db-s.eth0.pod *', 'db.default.vm 10.16.0.50', P1],
  },
  { what: 'it starts', run: () => startVm('db'), ports: ['db-s.eth0.pod *', 'db.default.vm 10.16.0.50 on n1', P1] },
  {
    what: 'the one without a guest goes',
    run: () => removePod('db-s'),
    ports: ['db.default.vm 10.16.0.50 on n1', P1],
  },
  {
    what: 'another address is asked for while it runs',
    run: () => patchVm('db', '10.16.0.60'),
    ports: ['db.default.vm 10.16.0.50 on n1', P1],
  },
  {
    what: 'the pod goes and another one of its name comes',
    run: () => removePod('p1').then(() => makePod('p1')),
    ports: ['db.default.vm 10.16.0.50 on n1', P1],
  },
  { what: 'the VM stops', run: () => stopVm('db'), ports: ['db.default.vm 10.16.0.60', P1] },
  {
    what: 'a VM with a policy comes',
    run: () => makeVm('kept', { ...ask('10.16.0.70'), 'mooring.dev/release-policy': 'Retain' }),
    ports: ['db.default.vm 10.16.0.60', 'kept.default.vm 10.16.0.70', P1],
  },
  {
    what: 'and goes',
    run: () => removeVm('kept'),
    ports: ['db.default.vm 10.16.0.60', 'kept.default.vm 10.16.0.70 Released', P1],
  },
  {
    what: 'its successor adopts',
    run: () => makeVm('kept', { 'mooring.dev/adopt': 'true' }),
    ports: ['db.default.vm 10.16.0.60', 'kept.default.vm 10.16.0.70', P1],
  },
  {
    what: 'a VM goes and another one of its name comes',
    run: () => removeVm('db').then(() => makeVm('db')),
    ports: ['db.default.vm *', 'kept.default.vm 10.16.0.70', P1],
  },
  { what: 'all go', run: () => Promise.all([removePod('p1'), removeVm('db'), removeVm('kept')]), ports: [] },
];

function isAsWanted({ ports, owners }: Snapshot, wanted: Step['ports']): boolean {
  const shown = ports.map(({ metadata, spec, status }) => {
    const { name } = metadata;
    const [place] = spec.owner.kind === 'Pod' ? [] : (spec.attachments ?? []).map(({ node }) => ` on ${node}`);
    const isReleased = status?.phase === 'Released' && !owners.has(spec.owner.uid);
    const ip = wanted.includes(`${name} *`) ? '*' : spec.ips.join();
    return `${name} ${ip}${place ?? ''}${isReleased ? ' Released' : ''}`;
  });
  return shown.sort().join() === [...wanted].sort().join();
}

/** An operator for the time until all is sound and `isDone`, or until it is dead. */
async function live(death: { write: number; when: 'before' | 'after' }, isDone: (snapshot: Snapshot) => boolean) {
  const cut = arrangeCut(death);
  const operator = startOperator({ endpoint: plane.endpoint, nb: nb.server.remote, sb: sb.remote }, cut);
  let wrong: string[] = [];
  await until(
    () => `a sound end; last: ${wrong.join('\n')}`,
    async () => {
      if (cut.dead) return true;
      const snapshot = await takeSnapshot();
      expect(auditAlways(snapshot)).toEqual([]);
      wrong = audit(snapshot);
      return wrong.length === 0 && isDone(snapshot);
    },
  ).finally(async () => {
    await operator.stop();
    for (const { metadata } of await listAll(LEASE)) {
      await resource(LEASE).delete({ namespace: metadata?.namespace ?? '', name: metadata?.name ?? '' });
    }
  });
  return cut.dead;
}

describe('on a real API server', () => {
  it('F01 F02 F36 F38 operators die at each of their first writes in every step of a life: nothing twice, nothing lost', async () => {
    let deaths = 0;
    for (const { run, ports } of LIFE) {
      await run();
      const isDone = (snapshot: Snapshot) => isAsWanted(snapshot, ports);
      for (let write = 1; ; write += 1) {
        const when = write % 2 === 1 ? 'after' : 'before';
        if (!(await live({ write, when }, isDone))) break;
        deaths += 1;
      }
    }
    expect(deaths).toBeGreaterThan(10);
    const { ports, switchPorts } = await takeSnapshot();
    expect(ports).toEqual([]);
    expect(switchPorts.filter(({ type }) => type === '').map(({ name }) => name)).toEqual([]);
  }, 240_000);
});
