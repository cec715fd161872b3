import { join } from 'node:path';
import { createQueue, createRunner, type Outcome, type Queue, systemClock } from '../../../../src/kube/index.ts';
import { ensureGuestImage } from '../../guest/image.ts';
import type { QmpEvent } from '../../guest/qmp.ts';
import type { LabNode, LabState } from '../../state.ts';
import { type Cache, type Client, createCache } from '../client.ts';
import { isSame } from '../controller/conditions.ts';
import { formatSeconds } from '../controller/plan-vm.ts';
import {
  KUBEVIRT,
  type KubeNode,
  type KubeVirt,
  LABEL,
  type MigrationState,
  NODE,
  POD,
  type Pod,
  VMI,
  type Vmi,
} from '../objects.ts';
import { forget, reap, shutDown, startLauncher } from './actions.ts';
import { HANDLER_APP } from './daemon-set.ts';
import { recordEvent } from './figures.ts';
import { command, prepareTarget, send, takeFigures } from './migrate.ts';
import { createMonitors, readGuest } from './monitors.ts';
import { isAlive } from './netns.ts';
import { beat, HEARTBEAT_MS, isLost, markLost, needsBeat, needsMark } from './nodes.ts';
import { startOperator } from './operator.ts';
import { isPauseWanted } from './pause.ts';
import { planNode } from './plan.ts';
import { deriveTerms } from './plan-copy.ts';
import { changeLink, plugNic, unplugNic } from './plug.ts';
import { createHandlerPods } from './pod.ts';
import { createRecords, type GuestRecord } from './record.ts';
import { deriveMigratable, reportEnd, reportMoved, reportRunning, withoutTargetLabel } from './status.ts';
import type { NodeTools } from './tools.ts';
import type { Action, Guest, NodeView } from './view.ts';
import { WiringError } from './wiring.ts';

type Caches = {
  vmis: Cache<Vmi>;
  pods: Cache<Pod>;
  handlers: Cache<Pod>;
  nodes: Cache<KubeNode>;
  kubevirts: Cache<KubeVirt>;
};
type Handler = { client: Client; caches: Caches; tools: NodeTools };

const TURNS = 30;
const RECHECK_MS = 2000;
const WAIT_MS = 200;

/** Runs the node half (virt-handler, virt-launcher) for every node of the lab. Nodes share nothing but the process. */
export async function startHandlers(client: Client, lab: LabState): Promise<void> {
  const image = await ensureGuestImage(lab.cache);
  const caches: Caches = {
    vmis: createCache(client, VMI),
    pods: createCache(client, POD, `${LABEL.app}=virt-launcher`),
    handlers: createCache(client, POD, `${LABEL.app}=${HANDLER_APP}`),
    nodes: createCache(client, NODE),
    kubevirts: createCache(client, KUBEVIRT),
  };
  for (const cache of Object.values(caches)) cache.start();
  keepNodes(client, caches.nodes, lab.nodes);
  await startOperator(client, caches.kubevirts);
  await Promise.all([caches.vmis, caches.pods, caches.handlers].map((cache) => cache.whenSynced()));
  await Promise.all(lab.nodes.map((node) => startHandler(client, caches, { lab, node, image })));
}

/** Labels and heartbeats, for a node at once when it appears and then every minute. */
function keepNodes(client: Client, cache: Cache<KubeNode>, nodes: readonly LabNode[]): void {
  const give = (patch: Promise<void>, node: string): void => {
    patch.catch((err: unknown) => client.log.warn({ err, node }, 'heartbeat'));
  };
  const tend = (name: string): void => give(beat(client, name, formatSeconds(Date.now())), name);
  const names = new Set(nodes.map((node) => node.name));
  cache.onChange((change) => {
    if (change.type === 'deleted' || !names.has(change.key)) return;
    if (needsBeat(change.object)) tend(change.key);
    if (needsMark(change.object)) give(markLost(client, change.key), change.key);
  });
  setInterval(() => {
    for (const node of cache.store.list()) {
      const { name = '' } = node.metadata;
      if (names.has(name) && !isLost(node)) tend(name);
    }
  }, HEARTBEAT_MS);
}

type Place = { lab: LabState; node: LabNode; image: NodeTools['image'] };

async function startHandler(client: Client, caches: Caches, { lab, node, image }: Place): Promise<void> {
  const queue = createQueue({ clock: systemClock, random: Math.random, backoff: { baseMs: 100, maxMs: 5000 } });
  const records = createRecords(join(lab.dir, 'kubevirt/guests', node.name));
  const monitors = createMonitors((podUid, event) => {
    hear(handler, queue, { podUid, event }).catch((err: unknown) => client.log.warn({ err, podUid }, 'event lost'));
  });
  const plugins = () => caches.kubevirts.store.list()[0]?.spec.configuration?.network?.binding ?? {};
  const traffic = createHandlerPods(node, () => caches.handlers.store.list());
  const tools: NodeTools = { labDir: lab.dir, node, image, records, monitors, plugins, traffic };
  const handler: Handler = { client, caches, tools };
  caches.vmis.onChange(({ key }) => queue.add(key));
  caches.pods.onChange(({ object }) => {
    if (object.spec.nodeName === node.name) queue.add(keyOfLauncher(object));
  });
  for (const record of await records.load()) queue.add(`${record.namespace}/${record.vmi}`);
  const reconcile = (key: string) => runTurns(handler, key);
  createRunner({ queue, reconcile, concurrency: 8, clock: systemClock, log: client.log }).start();
}

function keyOfLauncher(pod: Pod): string {
  return `${pod.metadata.namespace ?? ''}/${pod.metadata.annotations?.['kubevirt.io/domain'] ?? ''}`;
}

/** Events of a guest: what must outlive the moment is written down, then its key gets a turn. */
async function hear(
  handler: Handler,
  queue: Queue,
  { podUid, event }: { podUid: string; event: QmpEvent },
): Promise<void> {
  const { tools } = handler;
  const record = (await tools.records.load()).find((one) => one.podUid === podUid);
  if (record === undefined) return;
  await writeDown(tools, record, event);
  // A monitor closes a moment before its process has ended.
  queue.addAfter(`${record.namespace}/${record.vmi}`, event.event === 'CLOSED' ? 50 : 0);
}

async function writeDown(tools: NodeTools, record: GuestRecord, event: QmpEvent): Promise<void> {
  if (event.event === 'SHUTDOWN') {
    await tools.records.save({ ...record, ended: event.data.guest === true ? 'Succeeded' : 'Failed' });
  }
  recordEvent(tools.labDir, record, event);
  if (event.event === 'MIGRATION' && event.data.status === 'completed') await takeFigures(tools, record);
}

async function runTurns(handler: Handler, key: string): Promise<Outcome> {
  const { caches, tools } = handler;
  if (isLost(caches.nodes.store.get(tools.node.name))) return { requeueAfterMs: RECHECK_MS };
  for (let count = 0; count < TURNS; count += 1) {
    const view = await observe(handler, key);
    const action = planNode(view);
    if (action === undefined) return outcomeOf(view);
    const wait = await act(handler, view, action);
    if (wait !== undefined) return wait === 0 ? outcomeOf(view) : { requeueAfterMs: wait };
  }
  return { requeueAfterMs: WAIT_MS };
}

/** Nothing tells us of a container that ends under a guest before kubelet does, nor of a QEMU found again at a restart. */
function outcomeOf(view: NodeView): Outcome {
  return view.guests.length > 0 ? { requeueAfterMs: RECHECK_MS } : { done: true };
}

async function observe({ caches, tools }: Handler, key: string): Promise<NodeView> {
  const vmi = caches.vmis.store.get(key);
  const uid = vmi?.metadata.uid;
  const here = caches.pods.store.list().filter((pod) => pod.spec.nodeName === tools.node.name);
  const pods = here.filter((pod) => (pod.metadata.ownerReferences ?? []).some((owner) => owner.uid === uid));
  const records = (await tools.records.load()).filter((record) => `${record.namespace}/${record.vmi}` === key);
  const guests = records.map(async (record): Promise<Guest> => {
    const pod = here.find((one) => one.metadata.uid === record.podUid);
    const alive = isAlive(record.qemu);
    const qmp = alive ? await tools.monitors.find(record.podUid, tools.records.dirOf(record.podUid)) : undefined;
    const known = qmp === undefined ? undefined : await readGuest(qmp).catch(() => undefined);
    return { record, pod, alive, run: known?.run, migrate: known?.migrate, relay: isAlive(record.relay) };
  });
  return { node: tools.node.name, now: Date.now(), vmi, pods, guests: await Promise.all(guests) };
}

/** Carries one action out. Returns undefined to go on at once, 0 to stop, or the ms after which to look again. */
async function act(handler: Handler, view: NodeView, action: Action): Promise<number | undefined> {
  const { tools, client } = handler;
  if (action.do !== 'report')
    client.log.info({ node: view.node, action: action.do, vmi: view.vmi?.metadata.name }, 'action');
  switch (action.do) {
    case 'reap':
      await reap(tools, action.guest);
      return 0;
    case 'forget':
      await forget(tools, action.guest);
      return undefined;
    case 'give-up':
      await reap(tools, action.guest, true);
      return 0;
    case 'miss':
      await tools.records.save({ ...action.guest.record, missedAt: Date.now() });
      return undefined;
    default:
      return view.vmi === undefined ? 0 : actOn(handler, view.vmi, action);
  }
}

async function actOn(handler: Handler, vmi: Vmi, action: Action): Promise<number | undefined> {
  const { tools } = handler;
  switch (action.do) {
    case 'boot':
      return tryStart(handler, vmi, { pod: action.pod });
    case 'receive':
      return tryStart(handler, vmi, { pod: action.pod, migration: vmi.status?.migrationState });
    case 'shutdown':
      return shutDown(tools, action.guest, vmi.spec.terminationGracePeriodSeconds ?? 30);
    case 'settle-in':
      return tools.records.save({ ...action.guest.record, stage: 'booted' }).then(() => undefined);
    case 'plug':
    case 'unplug':
    case 'link':
      return actOnNic(handler, vmi, action);
    default:
      return actOnMigration(handler, vmi, action);
  }
}

async function actOnMigration(handler: Handler, vmi: Vmi, action: Action): Promise<number | undefined> {
  const { tools } = handler;
  switch (action.do) {
    case 'publish':
      return publish(handler, vmi, action.guest);
    case 'send': {
      const { postCopy } = deriveTerms(vmi);
      return (await send(tools, action.guest, { state: action.state, postCopy })) ? undefined : WAIT_MS;
    }
    case 'cancel':
    case 'pause':
    case 'resume':
    case 'post-copy':
      await command(tools, action.guest, COMMANDS[action.do]);
      return WAIT_MS;
    default:
      return write(handler, vmi, action);
  }
}

const COMMANDS = { cancel: 'migrate_cancel', pause: 'stop', resume: 'cont', 'post-copy': 'migrate-start-postcopy' };

/** Tells the source where to send; waits while the node's virt-handler is not ready. */
async function publish(handler: Handler, vmi: Vmi, guest: Guest): Promise<number | undefined> {
  const relay = await prepareTarget(handler.tools, guest, deriveTerms(vmi).postCopy);
  if (relay === undefined) return WAIT_MS;
  const { address = '', network = 'pod', port = 0 } = relay;
  const targetDirectMigrationNodePorts = { [port]: 49152 };
  const change = { targetNodeAddress: address, migrationNetworkType: network, targetDirectMigrationNodePorts };
  await update(handler, vmi, withState(vmi, change));
  return undefined;
}

type NicAction = Action & { do: 'plug' | 'unplug' | 'link' };

/** A NIC that cannot be wired is tried again, and the guest goes on without it. */
async function actOnNic({ tools, client }: Handler, vmi: Vmi, action: NicAction) {
  try {
    return (await changeNic(tools, vmi, action)) ? undefined : WAIT_MS;
  } catch (error) {
    if (!(error instanceof WiringError)) throw error;
    client.log.warn({ err: error, vmi: vmi.metadata.name }, 'the NIC cannot be plugged');
    return RECHECK_MS;
  }
}

function changeNic(tools: NodeTools, vmi: Vmi, action: NicAction): Promise<boolean> {
  switch (action.do) {
    case 'plug':
      return plugNic(tools, vmi, action.guest, action.name);
    case 'unplug':
      return unplugNic(tools, action.guest, action.nic);
    case 'link':
      return changeLink(tools, action.guest, action.nic, action.down);
  }
}

/** A launcher that cannot be wired fails its VMI, or as a target itself. */
async function tryStart(
  handler: Handler,
  vmi: Vmi,
  { pod, migration }: { pod: Pod; migration?: MigrationState | undefined },
): Promise<number | undefined> {
  try {
    return (await startLauncher(handler.tools, vmi, pod, migration?.migrationUid)) ? undefined : WAIT_MS;
  } catch (error) {
    if (!(error instanceof WiringError)) throw error;
    handler.client.log.error({ err: error, vmi: vmi.metadata.name }, 'the launcher cannot be wired');
    if (migration === undefined) await update(handler, vmi, reportEnd(vmi, 'Failed', now()));
    else await failTarget(handler, vmi, error.message);
    return undefined;
  }
}

async function failTarget(handler: Handler, vmi: Vmi, failureReason: string): Promise<void> {
  const state = vmi.status?.migrationState;
  if (state === undefined) return;
  const migrationState = { ...state, failed: true, endTimestamp: now(), failureReason };
  await update(handler, vmi, { ...vmi, status: { ...vmi.status, migrationState } });
}

function now(): string {
  return formatSeconds(Date.now());
}

async function write(handler: Handler, vmi: Vmi, action: Action): Promise<number | undefined> {
  const next = await deriveWrite(handler, vmi, action);
  if (isSame(next, vmi)) return 0;
  await update(handler, vmi, next);
  return undefined;
}

async function update({ client, caches }: Handler, before: Vmi, next: Vmi): Promise<void> {
  const metadata = { ...next.metadata, resourceVersion: before.metadata.resourceVersion };
  await caches.vmis.settle(await client.resource<Vmi>(VMI).update({ ...next, metadata }));
}

async function deriveWrite({ tools }: Handler, vmi: Vmi, action: Action): Promise<Vmi> {
  switch (action.do) {
    case 'report': {
      const migratable = deriveMigratable(vmi, tools.plugins());
      const paused = action.guest.run === 'paused' && isPauseWanted(vmi);
      return reportRunning(vmi, action.guest.record.nics, { now: now(), migratable, paused });
    }
    case 'end':
      return reportEnd(vmi, action.phase, now());
    case 'move':
      return reportMoved(vmi, tools.node.name, now());
    case 'drop-label':
      return withoutTargetLabel(vmi);
    case 'note':
      return withoutNeed(withState(vmi, await deriveChange(tools, vmi, action)));
    default:
      return vmi;
  }
}

function withState(vmi: Vmi, change: object): Vmi {
  const state = vmi.status?.migrationState;
  if (state === undefined) return vmi;
  return { ...vmi, status: { ...vmi.status, migrationState: { ...state, ...change } } };
}

/** What only a migration could bring is there once the guest runs on the target. */
function withoutNeed(vmi: Vmi): Vmi {
  if (vmi.status?.migrationState?.targetNodeDomainReadyTimestamp === undefined) return vmi;
  const conditions = (vmi.status.conditions ?? []).filter(({ type }) => type !== 'MigrationRequired');
  return { ...vmi, status: { ...vmi.status, conditions } };
}

async function deriveChange(tools: NodeTools, vmi: Vmi, action: Action & { do: 'note' }): Promise<object> {
  const stamps = Object.fromEntries((action.stamps ?? []).map((field) => [field, now()]));
  if (action.change.failureReason !== '') return { ...action.change, ...stamps };
  const uid = vmi.status?.migrationState?.migrationUid;
  const record = (await tools.records.load()).find((one) => one.migrationUid === uid);
  const reason = record === undefined ? undefined : await takeFigures(tools, record);
  return { ...action.change, ...stamps, failureReason: `Live migration failed: ${reason ?? 'unknown reason'}` };
}
