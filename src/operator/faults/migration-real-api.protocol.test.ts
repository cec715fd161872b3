import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { startControlPlane, type TestControlPlane } from '../../../test/kube/apiserver.ts';
import { CRD } from '../../../test/kube/crds.ts';
import { type Fleet, startFleet } from '../../../test/operator/fleet.ts';
import { arrangeCut, type Death } from '../../../test/operator/mortal.ts';
import { startOperator } from '../../../test/operator/stage.ts';
import { SCHEMA_FILES, startNb, type TestNb } from '../../../test/ovn/database.ts';
import { startServer, type TestServer, until } from '../../../test/ovsdb/server.ts';
import { KINDS } from '../../api/group.ts';
import type { LogicalPort } from '../../api/types.gen.ts';
import {
  createResource,
  createTransport,
  type KubeObject,
  LEASE,
  type ResourceKind,
  systemClock,
  type Transport,
} from '../../kube/index.ts';
import { NB } from '../../ovn/schema/nb.gen.ts';

const ROOT = join(import.meta.dirname, '../../..');
const OURS = ['logicalports', 'subnets', 'vpcs', 'ippools'];
const THEIRS = ['virtualmachines', 'virtualmachineinstances', 'virtualmachineinstancemigrations'];
const WATCHED = [KINDS.logicalPort, KINDS.subnet, KINDS.vpc, KINDS.ipPool, KINDS.vm, KINDS.vmi, KINDS.vmim];
const LSP = 'vm/a/db/default';

let plane: TestControlPlane;
let nb: TestNb;
let sb: TestServer & AsyncDisposable;
let fleet: Fleet;
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
  fleet = await startFleet({ nb, sb }, ['n1', 'n2', 'n3']);
}, 240_000);
afterAll(async () => {
  await transport?.close();
  await fleet?.[Symbol.asyncDispose]();
  await plane?.stop();
  await nb?.[Symbol.asyncDispose]();
  await sb?.[Symbol.asyncDispose]();
});

const SPEC = {
  domain: { devices: { interfaces: [{ name: 'default', bridge: {} }] } },
  networks: [{ name: 'default', pod: {} }],
};
const own = (kind: string, { metadata }: KubeObject) => [
  {
    apiVersion: 'kubevirt.io/v1',
    kind,
    name: metadata?.name ?? '',
    uid: metadata?.uid ?? '',
    controller: true,
  },
];
const patchVmi = (status: object) => resource(KINDS.vmi).patch(at('db'), { status });

async function makeLauncher(name: string, node: string, job?: string): Promise<void> {
  const vmi = await resource(KINDS.vmi).get(at('db'));
  const labels = job === undefined ? {} : { 'kubevirt.io/migrationJobUID': job };
  const pod = await resource(KINDS.pod).create({
    metadata: { ...at(name), labels, ownerReferences: own('VirtualMachineInstance', vmi) },
    spec: { nodeName: node, containers: [{ name: 'c', image: 'i' }], terminationGracePeriodSeconds: 0 },
  } as KubeObject);
  await patchVmi({ activePods: { [pod.metadata?.uid ?? '']: node } });
}

async function startVm(): Promise<void> {
  const template = { spec: SPEC };
  const vm = await resource(KINDS.vm).create({
    metadata: at('db'),
    spec: { runStrategy: 'Always', template },
  } as KubeObject);
  await resource(KINDS.vmi).create({
    metadata: { ...at('db'), ownerReferences: own('VirtualMachine', vm) },
    spec: SPEC,
  } as KubeObject);
  await makeLauncher('db-l1', 'n1');
  await patchVmi({ phase: 'Running', nodeName: 'n1' });
}

/** A VMIM and its target launcher. */
async function prepare(name: string, node: string): Promise<void> {
  const vmim = await resource(KINDS.vmim).create({ metadata: at(name), spec: { vmiName: 'db' } } as KubeObject);
  await makeLauncher(`db-${name}`, node, vmim.metadata?.uid ?? '');
}

async function handOver(name: string, node: string): Promise<void> {
  const uid = (await resource(KINDS.vmim).get(at(name))).metadata?.uid ?? '';
  const fresh = { targetNodeDomainReadyTimestamp: null, completed: null, failed: null };
  const sides = { sourceNode: 'n1', targetNode: node, targetPod: `db-${name}` };
  await patchVmi({ migrationState: { ...fresh, ...sides, migrationUid: uid } });
  await resource(KINDS.vmim).patchStatus(at(name), { status: { phase: 'Running' } });
}

const READY = { targetNodeDomainReadyTimestamp: '2026-11-21T10:48:37Z' };

const findAsked = () =>
  [...nb.nb.observed.rows(NB.Logical_Switch_Port).values()]
    .find(({ name }) => name === LSP)
    ?.options.get('requested-chassis');

async function plugWherePossible(): Promise<void> {
  const port = await resource<LogicalPort>(KINDS.logicalPort)
    .get(at('db.default.vm'))
    .catch(() => undefined);
  for (const { node } of port?.spec.attachments ?? []) {
    await fleet.ship(node).plug('db', { lsp: LSP, uid: port?.metadata.uid ?? '' });
  }
}

type Step = {
  readonly what: string;
  readonly play: () => Promise<unknown>;
  readonly asked: string;
  readonly bound: string;
  /** What else may be asked for on the way. */
  readonly via: readonly string[];
};

const STEPS: readonly Step[] = [
  { what: 'start', play: startVm, asked: 'n1', bound: 'n1 |  | up', via: ['mooring/unattached'] },
  { what: 'prepare', play: () => prepare('m1', 'n2'), asked: 'n1,n2', bound: 'n1 | n2 | up', via: ['n1'] },
  { what: 'hand over', play: () => handOver('m1', 'n2'), asked: 'n1,n2', bound: 'n1 | n2 | up', via: [] },
  {
    what: 'ready',
    play: () => patchVmi({ migrationState: READY }),
    asked: 'n2',
    bound: 'n2 |  | up',
    via: ['n1,n2', 'n2,n1'],
  },
  {
    what: 'fail',
    play: () =>
      patchVmi({ migrationState: { failed: true } }).then(() =>
        resource(KINDS.vmim).patchStatus(at('m1'), { status: { phase: 'Failed' } }),
      ),
    asked: 'n1',
    bound: 'n1 |  | up',
    via: ['n2', 'n1,n2'],
  },
  {
    what: 'prepare another one, the failed target lingers',
    play: () => prepare('m2', 'n3'),
    asked: 'n1,n3',
    bound: 'n1 | n3 | up',
    via: ['n1'],
  },
  {
    what: 'hand over and end at once',
    play: () =>
      handOver('m2', 'n3').then(() => patchVmi({ nodeName: 'n3', migrationState: { ...READY, completed: true } })),
    asked: 'n3',
    bound: 'n3 |  | up',
    via: ['n1,n3', 'n3,n1'],
  },
];

/** An operator for the time until all is as it must be, or until it is dead; tells whether it died. */
async function live(death: Death, { asked, bound, via }: Step): Promise<boolean> {
  const cut = arrangeCut(death);
  const operator = startOperator({ endpoint: plane.endpoint, nb: nb.server.remote, sb: sb.remote }, cut);
  let steady = 0;
  let last = -1;
  try {
    await until(
      `${asked} and ${bound}`,
      async () => {
        expect([asked, ...via, undefined]).toContain(findAsked());
        if (cut.dead) return true;
        await plugWherePossible();
        const done = findAsked() === asked && fleet.findBinding(LSP) === bound && cut.writes === last;
        steady = done ? steady + 1 : 0;
        last = cut.writes;
        return steady > 10;
      },
      30_000,
    );
  } catch (error) {
    throw new Error(`asked ${findAsked()}, bound ${fleet.findBinding(LSP)}`, { cause: error });
  } finally {
    await operator.stop();
    for (const { metadata } of (await resource(LEASE).list({})).items) {
      await resource(LEASE).delete({ namespace: metadata?.namespace ?? '', name: metadata?.name ?? '' });
    }
  }
  return cut.dead;
}

describe('on a real API server', () => {
  it('F01 F24 F27 operators die at each of their first writes in every step of two migrations: the guest keeps its port', async () => {
    let deaths = 0;
    for (const step of STEPS) {
      await step.play();
      for (let write = 1; ; write += 1) {
        const died = await live({ write, when: write % 2 === 1 ? 'after' : 'before' }, step).catch((error: unknown) => {
          throw new Error(step.what, { cause: error });
        });
        if (!died) break;
        deaths += 1;
      }
    }
    expect(deaths).toBeGreaterThan(10);
    const port = await resource<LogicalPort>(KINDS.logicalPort).get(at('db.default.vm'));
    expect(port.spec.attachments?.map(({ node, podName }) => `${podName}@${node}`)).toEqual(['db-m2@n3']);
  }, 240_000);
});
