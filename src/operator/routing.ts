import { parseLspName } from '../api/names.ts';
import { NODE_NETWORK_ANNOTATION } from '../api/node-network.ts';
import { CLUSTER_KEY, OWNER_KEY, parseOwner } from '../api/owner.ts';
import type { LogicalPort } from '../api/types.gen.ts';
import type { Change, KubeObject } from '../kube/index.ts';
import type { RowChange } from '../ovsdb/index.ts';
import type { Row } from '../ovsdb/values.ts';
import type { Context } from './context.ts';
import { formatWorkloadKey, getPodKey, getPortKey } from './keys.ts';

/** Takes keys of work that is due, some of them later. */
export type Inbox = { add(key: string): void; addAfter(key: string, delayMs: number): void };

/** Counts in a Subnet's status may lag behind by this much: not every pod is worth a write. */
const COUNT_DELAY_MS = 5000;

type Wake = (subnet?: string) => void;

/** Turns every change of the world and of OVN into keys, as long as the returned function was not called. */
export function routeChanges(context: Context, inbox: Inbox, wake: Wake): () => void {
  const ends = [...routeWorkloads(context, inbox), ...routeNetworks(context, inbox, wake), ...routeOvn(context, inbox)];
  return () => {
    for (const end of ends) end();
  };
}

function routeWorkloads({ world }: Context, inbox: Inbox): (() => void)[] {
  const byName = ({ object }: { object: KubeObject }) =>
    inbox.add(formatWorkloadKey('vm', object.metadata?.namespace ?? '', object.metadata?.name ?? ''));
  return [
    world.pods.onChange(({ object }) => inbox.add(getPodKey(object))),
    world.vms.onChange(byName),
    world.vmis.onChange(byName),
    world.vmims.onChange(({ object }) =>
      inbox.add(formatWorkloadKey('vm', object.metadata.namespace ?? '', object.spec?.vmiName ?? '')),
    ),
  ];
}

function routeNetworks(context: Context, inbox: Inbox, wake: Wake): (() => void)[] {
  const { world, settings } = context;
  return [
    world.ports.onChange((change) => routePort(context, change, { inbox, wake })),
    world.subnets.onChange((change) => {
      inbox.add(`subnet/${change.object.metadata.name}`);
      if (isStatusOnly(change)) return;
      const vpcs = [change.object, ...(change.type === 'updated' ? [change.previous] : [])];
      for (const { spec } of vpcs) inbox.add(`vpc/${spec.vpc ?? settings.defaultVpc}`);
      for (const other of world.subnets.store.list()) inbox.add(`subnet/${other.metadata.name}`);
      for (const node of world.nodes.store.list()) inbox.add(`node/${node.metadata.name}`);
      for (const port of world.ports.store.byIndex('subnet', change.object.metadata.name)) inbox.add(getPortKey(port));
      wake();
    }),
    world.nodes.onChange((change) => {
      if (!isSameAnnotation(change)) inbox.add(`node/${change.object.metadata.name}`);
    }),
    world.namespaces.onChange((change) => {
      if (!isHeartbeat(change)) wake();
    }),
    world.nads.onChange(() => wake()),
  ];
}

type Hands = { readonly inbox: Inbox; readonly wake: Wake };

function routePort({ world, addresses }: Context, change: Change<LogicalPort>, { inbox, wake }: Hands): void {
  const { object: port } = change;
  const { subnet } = port.spec;
  inbox.add(getPortKey(port));
  if (change.type === 'updated') {
    if (getPortKey(change.previous) !== getPortKey(port)) inbox.add(getPortKey(change.previous));
    return;
  }
  inbox.addAfter(`subnet/${subnet}`, COUNT_DELAY_MS);
  if (change.type === 'deleted') {
    wake(subnet);
    for (const other of world.ports.store.byIndex('conflict', subnet)) inbox.add(getPortKey(other));
    return;
  }
  for (const rival of addresses.listRivals(port)) {
    const other = world.ports.store.get(rival);
    if (other !== undefined) inbox.add(getPortKey(other));
  }
}

const serializeWish = (object: KubeObject & { spec?: unknown }): string =>
  JSON.stringify([object.spec, object.metadata?.uid, object.metadata?.deletionTimestamp]);

function isStatusOnly(change: Change<KubeObject & { spec?: unknown }>): boolean {
  return change.type === 'updated' && serializeWish(change.object) === serializeWish(change.previous);
}

function isSameAnnotation(change: Change<KubeObject>): boolean {
  if (change.type !== 'updated') return false;
  const [now, before] = [change.object, change.previous].map(
    (node) => `${node.metadata?.uid} ${node.metadata?.annotations?.[NODE_NETWORK_ANNOTATION]}`,
  );
  return now === before;
}

function isHeartbeat(change: Change<KubeObject>): boolean {
  if (change.type !== 'updated') return false;
  return JSON.stringify(change.object.metadata?.labels) === JSON.stringify(change.previous.metadata?.labels);
}

/** Drift in the Northbound database, and bindings in the Southbound one. */
function routeOvn(context: Context, inbox: Inbox): (() => void)[] {
  return [
    context.nb.client.onChange((changes) => {
      for (const key of listRowKeys(context, changes)) inbox.add(key);
    }),
    context.bindings.onPortChange((names) => {
      for (const name of names) {
        const port = parseLspName(name);
        if (port === undefined) continue;
        inbox.add(formatWorkloadKey(port.ownerKind === 'Pod' ? 'pod' : 'vm', port.namespace, port.owner));
      }
    }),
  ];
}

function listRowKeys(context: Context, changes: readonly RowChange[]): Set<string> {
  const owners = new Set(changes.flatMap((change) => [findOwner(context, change.old), findOwner(context, change.new)]));
  return new Set([...owners].flatMap((owner) => (owner === undefined ? [] : [getOwnerKey(context, owner)])));
}

function findOwner({ settings }: Context, row: Row | undefined): string | undefined {
  const ids = row?.external_ids;
  if (!(ids instanceof Map) || ids.get(CLUSTER_KEY) !== settings.cluster) return undefined;
  const owner = ids.get(OWNER_KEY);
  return typeof owner === 'string' ? owner : undefined;
}

const PLAIN: ReadonlyMap<string, string> = new Map([
  ['Subnet', 'subnet'],
  ['Node', 'node'],
  ['Vpc', 'vpc'],
]);

/** The key that puts an owner's rows right. */
export function getOwnerKey({ world }: Context, owner: string): string {
  const parsed = parseOwner(owner);
  const kind = PLAIN.get(parsed?.kind ?? '');
  if (parsed !== undefined && kind !== undefined) return `${kind}/${parsed.name}`;
  const port = parsed && world.ports.store.get(`${parsed.namespace}/${parsed.name}`);
  return port === undefined ? `rows/${owner}` : getPortKey(port);
}
