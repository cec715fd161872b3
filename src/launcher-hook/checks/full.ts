import type { IPPool, Subnet } from '../../api/types.gen.ts';
import { isUnallocated } from '../../plan/ports/change.ts';
import type { NicRequest } from '../../plan/requests/types.ts';
import { type Guest, listOwnPorts } from './guest.ts';
import { type CheckCluster, type Problem, warn } from './types.ts';

type Counts = { readonly v4availableIPs?: number; readonly v6availableIPs?: number };
type Around = { readonly guest: Guest; readonly cluster: CheckCluster };

/**
 * A warning where the subnet, or the pool that is named, has no address left by its own status, and the NIC has none
 * yet: it waits, and gets the first that is given back.
 */
export function listFull(request: NicRequest, subnet: Subnet, around: Around): Problem[] {
  const { nic, pool, ips = [] } = request;
  if (pool?.kind === 'list' || hasAddress(nic, around)) return [];
  const isAsked = (family: 4 | 6) => ips.some((ip) => ip.includes(':') === (family === 6));
  const source = pool === undefined ? subnet : findPool(around.cluster, pool.name);
  const families = listEmpty(source?.status).filter((family) => !isAsked(family));
  if (families.length === 0) return [];
  const what = families.map((family) => `IPv${family}`).join(' and ');
  const wait = `no free ${what} address; the NIC waits until one is given back`;
  return pool === undefined
    ? [warn({ reason: 'SubnetFull', message: `subnet ${subnet.metadata.name} has ${wait}` }, nic)]
    : [warn({ reason: 'PoolFull', message: `IPPool ${pool.name} has ${wait}` }, nic)];
}

const findPool = (cluster: CheckCluster, name: string): IPPool | undefined =>
  cluster.listPools().find(({ metadata }) => metadata.name === name);

function hasAddress(nic: string, { guest, cluster }: Around): boolean {
  return listOwnPorts(nic, guest, cluster).some((port) => !isUnallocated(port));
}

/** The families of which the status counts none; one that is not served is not in it. */
function listEmpty(status: Counts | undefined): (4 | 6)[] {
  const counts = [
    [4, status?.v4availableIPs],
    [6, status?.v6availableIPs],
  ] as const;
  return counts.flatMap(([family, count]) => (count === 0 ? [family] : []));
}
