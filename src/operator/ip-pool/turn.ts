import type { IPPool } from '../../api/types.gen.ts';
import { keyOf, type Outcome } from '../../kube/index.ts';
import { derivePoolStatus } from '../../plan/networks/ip-pool-status.ts';
import { reportProblem, type Turn } from '../context.ts';
import { getReadyReason, holdObject, letGo, tellStatus } from '../hold.ts';
import { makeMoment } from '../moment.ts';

/**
 * One turn for an IPPool: its status, and its finalizer. A pool that is being deleted stays as long as ports have
 * addresses that came from it (F35): they would be anybody's otherwise.
 */
export async function runIpPoolTurn(turn: Turn, name: string): Promise<Outcome> {
  const { addresses, api } = turn;
  const pool = turn.world.ipPools.store.get(name);
  const plan = addresses.poolPlans().get(name);
  if (pool === undefined || plan === undefined) return { done: true };
  const isEnding = pool.metadata.deletionTimestamp !== undefined;
  const holders = isEnding ? listHolders(turn, pool) : [];
  if (isEnding && holders.length === 0) {
    await letGo(api.ipPools, pool);
    return { done: true };
  }
  await holdObject(api.ipPools, pool);
  if (plan.problem !== undefined && getReadyReason(pool) !== plan.problem.reason) {
    reportProblem(turn, { ...pool, kind: 'IPPool' }, 'Planning', plan.problem);
  }
  const facts = { plan, counts: addresses.poolCounts(name), holders };
  await tellStatus(turn, api.ipPools, pool, derivePoolStatus(pool, facts, makeMoment(turn, pool.metadata)));
  return { done: true };
}

function listHolders({ world }: Turn, { metadata, spec }: IPPool): string[] {
  const ports = world.ports.store.byIndex('subnet', spec.subnet);
  return ports.filter((port) => port.spec.pool === metadata.name && port.spec.ips.length > 0).map(keyOf);
}
