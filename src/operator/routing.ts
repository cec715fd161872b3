import { parseLspName } from '../api/names.ts';
import type { Pod } from '../api/objects.ts';
import { CLUSTER_KEY, OWNER_KEY, parseOwner } from '../api/owner.ts';
import type { LogicalPort } from '../api/types.gen.ts';
import type { Change, KubeObject } from '../kube/index.ts';
import type { RowChange } from '../ovsdb/index.ts';
import type { Row } from '../ovsdb/values.ts';
import { GROUP_OWNER } from '../plan/policies/groups.ts';
import { isHandedOver } from '../plan/ports/claim-status.ts';
import type { Context } from './context.ts';
import { formatWorkloadKey, getPortKey } from './keys.ts';
import { routeKubevirts } from './kubevirt/route.ts';
import { routeMigrationNetworks } from './migration-network/route.ts';
import { listPodKeys, listSpareKeys } from './pod/spare.ts';
import { routePolicies } from './policy/route.ts';
import { routeCounts, routeNetworks } from './route-networks.ts';

/** Takes keys of work that is due, some of them later. */
export type Inbox = { add(key: string): void; addAfter(key: string, delayMs: number): void };

type Wake = (subnet?: string) => void;

/** Turns every change of the world and of OVN into keys, as long as the returned function was not called. */
export function routeChanges(context: Context, inbox: Inbox, wake: Wake): () => void {
  const ends = [
    ...routeWorkloads(context, inbox),
    ...routeTenants(context, inbox, wake),
    ...routeNetworks(context, inbox, wake),
    ...routeOvn(context, inbox),
    ...routeMigrationNetworks(context, inbox),
    ...routeKubevirts(context, inbox),
    ...routePolicies(context, inbox),
  ];
  return () => {
    for (const end of ends) end();
  };
}

function routeWorkloads(context: Context, inbox: Inbox): (() => void)[] {
  const { world } = context;
  const byName = ({ object }: { object: KubeObject }) =>
    inbox.add(formatWorkloadKey('vm', object.metadata?.namespace ?? '', object.metadata?.name ?? ''));
  return [
    world.pods.onNews((change) => routePod(context, change, inbox)),
    world.vms.onNews(byName),
    world.vmis.onNews(byName),
    world.vmis.onNews(({ object }) => {
      for (const key of listSpareKeys(context, object)) inbox.add(key);
    }),
    world.vmims.onNews(({ object }) =>
      inbox.add(formatWorkloadKey('vm', object.metadata.namespace ?? '', object.spec?.vmiName ?? '')),
    ),
  ];
}

/** What makes a launcher one without a guest is an annotation: who had the pod before hears of it, too. */
function routePod(context: Context, change: Change<Pod>, inbox: Inbox): void {
  for (const pod of change.type === 'updated' ? [change.object, change.previous] : [change.object]) {
    for (const key of listPodKeys(context, pod)) inbox.add(key);
  }
}

function routeTenants(context: Context, inbox: Inbox, wake: Wake): (() => void)[] {
  const { world } = context;
  return [
    world.ports.onNews((change) => routePort(context, change, { inbox, wake })),
    world.ports.onNews((change) => {
      for (const other of listFellows(context, change)) inbox.add(getPortKey(other));
    }),
    world.namespaces.onNews((change) => {
      if (!isHeartbeat(change)) wake();
    }),
    world.nads.onNews(() => wake()),
    world.ipamClaims.onNews(({ type, object }) => {
      const { namespace = '', name } = object.metadata;
      for (const port of world.ports.store.byIndex('claim', `${namespace}/${name}`)) inbox.add(getPortKey(port));
      if (type !== 'updated') wake();
    }),
  ];
}

type Hands = { readonly inbox: Inbox; readonly wake: Wake };

function routePort(context: Context, change: Change<LogicalPort>, { inbox, wake }: Hands): void {
  const { world, addresses } = context;
  const { object: port } = change;
  inbox.add(getPortKey(port));
  if (change.type === 'updated') {
    if (getPortKey(change.previous) !== getPortKey(port)) inbox.add(getPortKey(change.previous));
    if (getAllocation(change.previous) === getAllocation(port)) {
      if (isHeld(change.previous) !== isHeld(port)) addPartners(context, port, inbox);
      return;
    }
  }
  addPartners(context, port, inbox);
  routeCounts(context, port, inbox);
  if (change.type !== 'added') {
    const before = change.type === 'updated' ? change.previous : port;
    routeCounts(context, before, inbox);
    wake(before.spec.subnet);
  }
  if (change.type === 'deleted') return;
  for (const rival of addresses.listRivals(port)) {
    const other = world.ports.store.get(rival);
    if (other !== undefined) inbox.add(getPortKey(other));
  }
}

const isHeld = ({ spec }: LogicalPort): boolean => (spec.attachments ?? []).length > 0;

/** Ports with the same MAC: whether one of them runs decides about the others. */
function addPartners({ addresses }: Context, port: LogicalPort, inbox: Inbox): void {
  for (const partner of addresses.listMacPartners(port)) inbox.add(getPortKey(partner));
}

/**
 * The ports that the same IPAMClaim speaks for, when one of them gets, has ceased to use or loses what the others wait for.
 * One that merely waits as well is news to nobody: a tenant may have thousands of them.
 */
function listFellows({ world }: Context, change: Change<LogicalPort>): LogicalPort[] {
  const { metadata, spec } = change.object;
  if (!spec.ipamClaim || spec.ips.length === 0) return [];
  if (change.type === 'updated') {
    const { object, previous } = change;
    if (getAllocation(object) === getAllocation(previous) && isHandedOver(object) === isHandedOver(previous)) return [];
  }
  return world.ports.store.byIndex('claim', `${metadata.namespace ?? ''}/${spec.ipamClaim}`);
}

const getAllocation = ({ spec }: LogicalPort): string => [spec.subnet, spec.pool, spec.mac, ...spec.ips].join(' ');

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
    // What was bound is known again: bindings that did not change meanwhile make no event.
    context.bindings.onLive(() => {
      for (const port of context.world.ports.store.list()) if (isBindingUnknown(port)) inbox.add(getPortKey(port));
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

const isBindingUnknown = ({ status }: LogicalPort): boolean =>
  status?.conditions?.some((condition) => condition.type === 'Bound' && condition.status === 'Unknown') === true;

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
  ['NetworkPolicy', 'policy'],
  [GROUP_OWNER, 'policygroup'],
]);

/** The key that puts an owner's rows right. */
export function getOwnerKey({ world }: Pick<Context, 'world'>, owner: string): string {
  const parsed = parseOwner(owner);
  const kind = PLAIN.get(parsed?.kind ?? '');
  if (kind !== undefined) return `${kind}/${owner.slice(owner.indexOf('/') + 1)}`;
  const port = parsed && world.ports.store.get(`${parsed.namespace}/${parsed.name}`);
  return port === undefined ? `rows/${owner}` : getPortKey(port);
}
