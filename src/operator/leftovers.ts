import { formatSwitchName } from '../api/names.ts';
import { CLUSTER_KEY, OWNER_KEY, parseOwner } from '../api/owner.ts';
import type { LogicalPort } from '../api/types.gen.ts';
import { keyOf } from '../kube/index.ts';
import { type Logical_Switch_PortRow, type Logical_SwitchRow, NB } from '../ovn/schema/nb.gen.ts';
import { SWITCH_PORT } from '../ovn/switch-port.ts';
import { formatPortOwner } from '../plan/ports/lsp.ts';
import type { Leftover } from './addresses.ts';
import type { Context } from './context.ts';
import { parseLease } from './foreign.ts';

type Means = Pick<Context, 'nb' | 'settings' | 'addresses' | 'world' | 'log'>;

const PREFIX = formatSwitchName('');

/**
 * Holds, for its LogicalPort, what a switch port of ours has and the LogicalPort does not say (any more), until the row is
 * rewritten or gone: a leader may have died between the two writes of a change, and somebody may have taken the LogicalPort
 * away by force. `onFreed` is told the subnet of what is free again. Gives a function that ends this.
 */
export function followLeftovers(means: Means, onFreed: (subnet: string) => void): () => void {
  const { nb, settings, addresses, world, log } = means;
  const known = new Map<string, Leftover>();
  const set = (key: string, leftover: Leftover | undefined) => {
    const before = known.get(key);
    if (before === undefined && leftover === undefined) return;
    if (leftover === undefined) known.delete(key);
    else known.set(key, leftover);
    addresses.holdLeftover(key, leftover);
    if (before === undefined || (leftover && formatLeftover(leftover) === formatLeftover(before))) return;
    if (!isSaid(world.ports.store.get(key), before)) onFreed(before.subnet);
  };
  const judge = (key: string) => {
    const [namespace = '', name = ''] = key.split('/');
    const owner = formatPortOwner({ metadata: { namespace, name } });
    const [row] = nb.observed.findByOwner(SWITCH_PORT, settings.cluster, owner);
    set(key, row && findLeftover(means, row as Logical_Switch_PortRow, world.ports.store.get(key)));
  };
  for (const row of nb.observed.findByCluster(SWITCH_PORT, settings.cluster)) {
    const key = findKey(row as Logical_Switch_PortRow, settings.cluster);
    if (key !== undefined) judge(key);
  }
  if (known.size > 0) log.info({ ports: [...known.keys()].slice(0, 10) }, 'switch ports have what no LogicalPort says');
  const ends = [
    world.ports.onNews(({ object }) => judge(keyOf(object))),
    nb.client.onChange((changes) => {
      const rows = changes.flatMap(({ table, old, new: now }) =>
        table === NB.Logical_Switch_Port.name ? [old, now] : [],
      );
      const keys = rows.flatMap((row) => (row && findKey(row as Logical_Switch_PortRow, settings.cluster)) ?? []);
      for (const key of new Set(keys)) judge(key);
    }),
  ];
  return () => {
    for (const end of ends) end();
    for (const key of [...known.keys()]) addresses.holdLeftover(key, undefined);
  };
}

const formatLeftover = ({ subnet, lease }: Leftover): string => [subnet, lease.mac, ...lease.ips].join(' ');

/** The key of the LogicalPort that a row belongs to; undefined for rows of others, and of other kinds. */
function findKey({ external_ids: ids }: Logical_Switch_PortRow, cluster: string): string | undefined {
  const owner = ids.get(CLUSTER_KEY) === cluster ? parseOwner(ids.get(OWNER_KEY) ?? '') : undefined;
  return owner?.kind === 'LogicalPort' && owner.namespace !== undefined
    ? `${owner.namespace}/${owner.name}`
    : undefined;
}

function findLeftover({ nb }: Means, row: Logical_Switch_PortRow, port: LogicalPort | undefined): Leftover | undefined {
  const [home] = nb.observed.findParents(SWITCH_PORT, row._uuid) as readonly Logical_SwitchRow[];
  if (home === undefined || !home.name.startsWith(PREFIX)) return undefined;
  const subnet = home.name.slice(PREFIX.length);
  const lease = parseLease(row.addresses);
  return isSaid(port, { subnet, lease }) ? undefined : { subnet, lease };
}

/** True when the LogicalPort says all of it, so that the allocator knows it from there. */
function isSaid(port: LogicalPort | undefined, { subnet, lease }: Leftover): boolean {
  if (port?.spec.subnet !== subnet || port.spec.mac !== lease.mac) return false;
  return lease.ips.every((ip) => port.spec.ips.includes(ip));
}
