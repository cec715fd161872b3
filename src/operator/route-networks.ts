import { NODE_NETWORK_ANNOTATION } from '../api/node-network.ts';
import type { Node } from '../api/objects.ts';
import type { LogicalPort } from '../api/types.gen.ts';
import type { PoolPlan } from '../ipam/ip-pools.ts';
import type { Change, KubeObject } from '../kube/index.ts';
import { isSameFooting, isSamePlan, type SubnetPlan } from '../plan/networks/subnet.ts';
import { serializeIps } from './addresses.ts';
import type { Context } from './context.ts';
import { getPortKey } from './keys.ts';
import { isNodeReady } from './subnet/gateway.ts';

type Inbox = { add(key: string): void; addAfter(key: string, delayMs: number): void };

/** Counts in a status may lag behind by this much: not every pod is worth a write. */
const COUNT_DELAY_MS = 5000;

/** Turns changes of networks and nodes into keys: only what depends on a change is looked at again. */
export function routeNetworks(context: Context, inbox: Inbox, wake: () => void): (() => void)[] {
  const { world, bindings } = context;
  const compare = followPlans(context, inbox);
  const onWish = (kind: string, change: Change<KubeObject & { spec?: unknown }>): boolean => {
    inbox.add(`${kind}/${change.object.metadata?.name}`);
    if (isStatusOnly(change)) return false;
    compare();
    wake();
    return true;
  };
  return [
    world.subnets.onNews((change) => {
      if (!onWish('subnet', change)) return;
      for (const port of world.ports.store.byIndex('subnet', change.object.metadata.name)) inbox.add(getPortKey(port));
    }),
    world.vpcs.onNews((change) => void onWish('vpc', change)),
    world.ipPools.onNews((change) => void onWish('ippool', change)),
    world.nodes.onNews((change) => {
      routeNode(context, change, inbox);
      if (!isSame(change, serializeIps)) compare();
    }),
    bindings.onChassisChange(() => {
      for (const plan of listCentralized(context)) inbox.add(`subnet/${plan.name}`);
    }),
  ];
}

/** The counts that a port which came, went or moved is part of. */
export function routeCounts({ addresses }: Context, port: LogicalPort, inbox: Inbox): void {
  const { subnet, pool } = port.spec;
  if (subnet === '') return;
  inbox.addAfter(`subnet/${subnet}`, COUNT_DELAY_MS);
  if (pool !== undefined) inbox.addAfter(`ippool/${pool}`, COUNT_DELAY_MS);
  const vpc = addresses.plans().get(subnet)?.vpc;
  if (vpc !== undefined) inbox.addAfter(`vpc/${vpc}`, COUNT_DELAY_MS);
}

/** Compares the plans of all subnets and pools with those of last time; one change may concern several of them. */
function followPlans({ addresses, world }: Context, inbox: Inbox): () => void {
  let [subnets, pools] = [addresses.plans(), addresses.poolPlans()];
  return () => {
    const [oldSubnets, oldPools] = [subnets, pools];
    [subnets, pools] = [addresses.plans(), addresses.poolPlans()];
    const changes = listChanges(oldSubnets, subnets);
    const concernsNodes = changes.some(({ plans: [a, b] }) => !isSameFooting(a, b));
    const keys = [
      ...changes.flatMap(({ name, plans }) => [`subnet/${name}`, ...plans.map(({ vpc }) => `vpc/${vpc}`)]),
      ...(concernsNodes ? world.nodes.store.list().map(({ metadata }) => `node/${metadata.name}`) : []),
      ...(oldPools === pools ? [] : listChangedPools(oldPools, pools).map((name) => `ippool/${name}`)),
    ];
    for (const key of keys) inbox.add(key);
  };
}

type Pools = ReadonlyMap<string, PoolPlan>;

const listChangedPools = (before: Pools, now: Pools): string[] =>
  [...now.keys()].filter((name) => before.get(name)?.problem?.message !== now.get(name)?.problem?.message);

type Plans = ReadonlyMap<string, SubnetPlan>;

/** Subnets that came, went, or mean something else now; with what was and what is. */
function listChanges(before: Plans, now: Plans): { readonly name: string; readonly plans: readonly SubnetPlan[] }[] {
  if (before === now) return [];
  const names = [...new Set([...before.keys(), ...now.keys()])];
  return names.flatMap((name) => {
    const [a, b] = [before.get(name), now.get(name)];
    return isSamePlan(a, b) ? [] : [{ name, plans: [a, b].filter((plan) => plan !== undefined) }];
  });
}

function listCentralized({ addresses }: Context): SubnetPlan[] {
  return [...addresses.plans().values()].filter(({ gateways }) => gateways.length > 0);
}

/** A node's heartbeats say nothing; its annotation, and whether it is ready, do. */
function routeNode(context: Context, change: Change<Node>, inbox: Inbox): void {
  const { name } = change.object.metadata;
  const isAnnotated = !isSame(
    change,
    ({ metadata }) => `${metadata.uid} ${metadata.annotations?.[NODE_NETWORK_ANNOTATION]}`,
  );
  if (isAnnotated) inbox.add(`node/${name}`);
  if (!isAnnotated && isSame(change, (node) => String(isNodeReady(node)))) return;
  for (const plan of listCentralized(context)) if (plan.gateways.includes(name)) inbox.add(`subnet/${plan.name}`);
}

function isSame(change: Change<Node>, describe: (node: Node) => string): boolean {
  return change.type === 'updated' && describe(change.object) === describe(change.previous);
}

const serializeWish = (object: KubeObject & { spec?: unknown }): string =>
  JSON.stringify([object.spec, object.metadata?.uid, object.metadata?.deletionTimestamp]);

function isStatusOnly(change: Change<KubeObject & { spec?: unknown }>): boolean {
  return change.type === 'updated' && serializeWish(change.object) === serializeWish(change.previous);
}
