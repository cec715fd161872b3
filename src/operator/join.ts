import { parseAddress } from '../api/address.ts';
import { formatJoinRouterPortName, formatNodeLsp } from '../api/names.ts';
import { CLUSTER_KEY, OWNER_KEY, parseOwner } from '../api/owner.ts';
import { type Lease, release } from '../ipam/pool.ts';
import type { NbClient } from '../ovn/database.ts';
import { NB } from '../ovn/schema/nb.gen.ts';
import type { Wanted } from '../ovn/wanted.ts';
import { allocateVpc, formatVpcHolder, type JoinRecords, listJoinedVpcs } from '../plan/networks/node.ts';
import { planVpc } from '../plan/networks/vpc.ts';
import type { Turn } from './context.ts';

/** The addresses on the join network that our own rows record: ports of nodes, and ports of the VPCs' routers. */
export function listJoinRecords({ observed }: Pick<NbClient, 'observed'>, cluster: string): JoinRecords {
  const ownerOf = (kind: string, ids: ReadonlyMap<string, string>): string | undefined => {
    const owner = ids.get(CLUSTER_KEY) === cluster ? parseOwner(ids.get(OWNER_KEY) ?? '') : undefined;
    return owner?.kind === kind && owner.namespace === undefined ? owner.name : undefined;
  };
  const nodes = [...observed.rows(NB.Logical_Switch_Port).values()].flatMap((row): [string, string[]][] => {
    const node = ownerOf('Node', row.external_ids);
    return node !== undefined && row.name === formatNodeLsp(node) ? [[node, listIps(row.addresses)]] : [];
  });
  const vpcs = [...observed.rows(NB.Logical_Router_Port).values()].flatMap((row): [string, string[]][] => {
    const vpc = ownerOf('Vpc', row.external_ids);
    return vpc !== undefined && row.name === formatJoinRouterPortName(vpc) ? [[vpc, listIps(row.networks)]] : [];
  });
  return { nodes: new Map(nodes), vpcs: new Map(vpcs) };
}

/** Addresses among the words of a column, prefixes left off. */
function listIps(texts: readonly string[]): string[] {
  const words = texts.flatMap((text) => text.split(/\s+/)).map((word) => word.split('/')[0] ?? '');
  return words.filter((word) => parseAddress(word) !== undefined);
}

/** Where the router of each VPC but the default one is on the join network, for the VPCs that nodes can reach. */
export function listVpcRouters(turn: Turn): { name: string; lease: Lease }[] {
  const { settings, joinPool } = turn;
  const isHeld = (vpc: string) => joinPool.leases.has(formatVpcHolder(vpc));
  return listJoinedVpcs(turn.addresses.plans().values(), settings, isHeld).flatMap((name) => {
    const lease = allocateVpc(joinPool, name, settings);
    if (lease.ok) return [{ name, lease: lease.value }];
    turn.log.warn({ vpc: name, problem: lease.problem }, 'the join network has no address for a VPC');
    return [];
  });
}

/** The rows of a VPC with its port on the join network. */
export function planVpcRows(turn: Turn, vpc: string): Wanted {
  if (vpc === turn.settings.defaultVpc) return planVpc(vpc, turn.settings);
  const lease = listVpcRouters(turn).find(({ name }) => name === vpc)?.lease;
  return planVpc(vpc, turn.settings, lease);
}

/** To be called when the rows of a VPC are gone: its address on the join network is free again. */
export function releaseVpc({ joinPool }: Turn, vpc: string): void {
  release(joinPool, formatVpcHolder(vpc));
}
