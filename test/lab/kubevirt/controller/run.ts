import {
  createQueue,
  createRunner,
  type KubeObject,
  keyOf,
  type Outcome,
  systemClock,
} from '../../../../src/kube/index.ts';
import { type Cache, type Client, createCache } from '../client.ts';
import {
  EVENT,
  findCondition,
  KUBEVIRT,
  type KubeNode,
  type KubeVirt,
  LABEL,
  NAD,
  type Nad,
  NODE,
  POD,
  type Pod,
  VM,
  VMI,
  VMIM,
  type Vm,
  type Vmi,
  type Vmim,
} from '../objects.ts';
import { type Context, type Kind, type Note, type Observed, planNext, type Write } from './plan.ts';
import { deriveTraffic, type Traffic } from './plan-automatic.ts';
import { isFinalMigration } from './plan-migration.ts';
import { formatSeconds } from './plan-vm.ts';
import { ATTACHMENT_APP } from './plan-volumes.ts';
import { deriveSettings } from './settings.ts';

type Caches = {
  VirtualMachine: Cache<Vm>;
  VirtualMachineInstance: Cache<Vmi>;
  VirtualMachineInstanceMigration: Cache<Vmim>;
  Pod: Cache<Pod>;
  attachments: Cache<Pod>;
  nodes: Cache<KubeNode>;
  nads: Cache<Nad>;
  kubevirts: Cache<KubeVirt>;
  /** UIDs of migrations that have taken one of the places, before any cache shows it. */
  admitted: Set<string>;
};
type Watched = Omit<Caches, 'admitted'>;

const KINDS = {
  VirtualMachine: VM,
  VirtualMachineInstance: VMI,
  VirtualMachineInstanceMigration: VMIM,
  Pod: POD,
} as const;
/** Turns that one key takes before others come: a plan that never settles must not starve them. */
const TURNS = 20;
const RECHECK_MS = 5000;

/** Runs the controller half (virt-controller, virt-api) until the process ends. One worker per VM name. */
export async function startController(client: Client, image: string): Promise<void> {
  const watched: Watched = {
    VirtualMachine: createCache(client, VM),
    VirtualMachineInstance: createCache(client, VMI),
    VirtualMachineInstanceMigration: createCache(client, VMIM),
    Pod: createCache(client, POD, `${LABEL.app}=virt-launcher`),
    attachments: createCache(client, POD, `${LABEL.app}=${ATTACHMENT_APP}`),
    nodes: createCache(client, NODE),
    nads: createCache(client, NAD),
    kubevirts: createCache(client, KUBEVIRT),
  };
  const caches: Caches = { ...watched, admitted: new Set() };
  const queue = createQueue({ clock: systemClock, random: Math.random });
  caches.VirtualMachine.onChange(({ key }) => queue.add(key));
  caches.VirtualMachineInstance.onChange(({ key }) => queue.add(key));
  caches.VirtualMachineInstanceMigration.onChange(({ object }) =>
    queue.add(`${object.metadata.namespace ?? ''}/${object.spec.vmiName}`),
  );
  caches.Pod.onChange(({ object }) => queue.add(keyOfLauncher(object)));
  caches.attachments.onChange(({ object }) => {
    const owner = object.metadata.ownerReferences?.[0]?.name ?? '';
    const launcher = caches.Pod.store.get(`${object.metadata.namespace ?? ''}/${owner}`);
    if (launcher !== undefined) queue.add(keyOfLauncher(launcher));
  });
  caches.nads.onChange(() => {
    for (const vmi of caches.VirtualMachineInstance.store.list()) queue.add(keyOf(vmi));
  });
  for (const cache of Object.values(watched)) cache.start();
  await Promise.all(Object.values(watched).map((cache) => cache.whenSynced()));
  const reconcile = (key: string) => runTurns(client, caches, { key, image });
  const runner = createRunner({ queue, reconcile, concurrency: 8, clock: systemClock, log: client.log });
  runner.start();
}

/** Launchers carry their VMI's full name in an annotation; labels may be cut. */
function keyOfLauncher(pod: Pod): string {
  return `${pod.metadata.namespace ?? ''}/${pod.metadata.annotations?.['kubevirt.io/domain'] ?? ''}`;
}

async function runTurns(client: Client, caches: Caches, turn: { key: string; image: string }): Promise<Outcome> {
  for (let count = 0; count < TURNS; count += 1) {
    const observed = observe(caches, turn.key);
    const write = planNext(observed, contextOf(caches, turn.image));
    if (write === undefined) return waitsForTime(observed) ? { requeueAfterMs: RECHECK_MS } : { done: true };
    admit(caches, write);
    await apply(client, caches, write);
  }
  return { requeueAfterMs: 100 };
}

/** Takes a place for a target before anything is awaited: eight workers plan at a time. */
function admit({ admitted }: Caches, write: Write): void {
  if (write.verb !== 'create' || write.kind !== 'Pod') return;
  const uid = write.object.metadata.labels?.[LABEL.migrationUid];
  if (uid !== undefined) admitted.add(uid);
}

function observe(caches: Caches, key: string): Observed {
  const vmi = caches.VirtualMachineInstance.store.get(key);
  const uid = vmi?.metadata.uid;
  const namespace = key.slice(0, key.indexOf('/'));
  const name = key.slice(key.indexOf('/') + 1);
  const owned = (pod: Pod) => (pod.metadata.ownerReferences ?? []).some((owner) => owner.uid === uid);
  const ours = (job: Vmim) => job.metadata.namespace === namespace && job.spec.vmiName === name;
  return {
    vm: caches.VirtualMachine.store.get(key),
    vmi,
    pods: caches.Pod.store.list().filter(owned),
    migrations: caches.VirtualMachineInstanceMigration.store.list().filter(ours),
    nodes: caches.nodes.store.list(),
    nads: new Set(caches.nads.store.list().map(keyOf)),
    attachments: caches.attachments.store.list(),
    traffic: listTraffic(caches),
  };
}

function listTraffic(caches: Caches): Traffic {
  const migrations = caches.VirtualMachineInstanceMigration.store.list();
  const findVmi = ({ metadata, spec }: Vmim) =>
    caches.VirtualMachineInstance.store.get(`${metadata.namespace ?? ''}/${spec.vmiName}`);
  return deriveTraffic(migrations, findVmi, caches.admitted);
}

function contextOf(caches: Caches, image: string): Context {
  const [kubevirt] = caches.kubevirts.store.list();
  return {
    now: formatSeconds(Date.now()),
    image,
    qemuTimeout: 240 + Math.floor(Math.random() * 120),
    plugins: kubevirt?.spec.configuration?.network?.binding ?? {},
    settings: deriveSettings(kubevirt),
  };
}

/** Backoffs and time limits pass without any object changing, and so do the places of other migrations get free. */
function waitsForTime({ vm, vmi, migrations }: Observed): boolean {
  if (vm?.status?.startFailure !== undefined || vmi?.status?.evacuationNodeName !== undefined) return true;
  if (findCondition(vmi?.status?.conditions, 'MigrationRequired') !== undefined) return true;
  return migrations.some((migration) => !isFinalMigration(migration));
}

async function apply(client: Client, caches: Caches, write: Write): Promise<void> {
  client.log.info({ verb: write.verb, kind: write.kind, name: nameOf(write), phase: phaseOf(write) }, 'write');
  await applyWrite(client, caches, write);
  if (write.note !== undefined) await recordEvent(client, write).catch((err) => client.log.warn({ err }, 'event lost'));
}

function nameOf(write: Write): string {
  if (write.verb === 'delete') return write.name;
  return write.object.metadata.name ?? write.object.metadata.generateName ?? '';
}

function phaseOf(write: Write): string | undefined {
  return write.verb === 'delete' ? undefined : (write.object.status as { phase?: string } | undefined)?.phase;
}

async function applyWrite(client: Client, caches: Caches, write: Write): Promise<void> {
  const resource = client.resource<KubeObject>(KINDS[write.kind]);
  const cache = caches[write.kind] as Cache<KubeObject>;
  if (write.verb === 'delete') {
    const { name, namespace, uid } = write;
    await resource.delete({ name, namespace }, { uid });
    return cache.settleGone(`${namespace}/${name}`, uid);
  }
  const call = { create: resource.create, update: resource.update, status: resource.updateStatus }[write.verb];
  const written = await call(write.object as KubeObject);
  const ended = written.metadata?.deletionTimestamp !== undefined && (written.metadata.finalizers ?? []).length === 0;
  if (ended && write.kind !== 'Pod') return cache.settleGone(keyOf(written), written.metadata?.uid ?? '');
  return cache.settle(written);
}

async function recordEvent(client: Client, write: Write): Promise<void> {
  const note = write.note as Note;
  const namespace = write.verb === 'delete' ? write.namespace : (write.object.metadata.namespace ?? '');
  const now = formatSeconds(Date.now());
  await client.resource<KubeObject & Record<string, unknown>>(EVENT).create({
    metadata: {
      namespace,
      name: `${note.name}.${Date.now().toString(16)}${Math.floor(Math.random() * 65536).toString(16)}`,
    },
    involvedObject: { apiVersion: 'kubevirt.io/v1', kind: note.on satisfies Kind, name: note.name, namespace },
    type: note.type,
    reason: note.reason,
    message: note.message,
    source: { component: 'virtualmachine-controller' },
    firstTimestamp: now,
    lastTimestamp: now,
    count: 1,
  });
}
