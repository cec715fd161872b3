import { parseOwner } from '../../api/owner.ts';
import type { ObjectRef, Outcome } from '../../kube/index.ts';
import { NOTHING } from '../../plan/rows.ts';
import type { Turn } from '../context.ts';
import { program } from '../port/program.ts';

const UNPROGRAMMED_MS = 2000;
const LAGGING_MS = 1000;

/**
 * One turn for rows whose LogicalPort is not in the cache. The cache may lag behind our own writes, so the API server is
 * asked: only rows whose owner is not there either are deleted.
 */
export async function runRowsTurn(turn: Turn, owner: string): Promise<Outcome> {
  const ref = parsePortOwner(owner);
  if (ref !== undefined) {
    if (turn.world.ports.store.get(`${ref.namespace}/${ref.name}`) !== undefined) return { done: true };
    const found = await turn.api.ports.find(ref, { signal: turn.signal });
    if (found !== undefined) return { requeueAfterMs: LAGGING_MS };
  }
  turn.log.warn({ owner }, 'deleting rows without an owner');
  const programming = await program(turn, NOTHING, [owner]);
  return programming.ok ? { done: true } : { requeueAfterMs: UNPROGRAMMED_MS };
}

function parsePortOwner(owner: string): ObjectRef | undefined {
  const parsed = parseOwner(owner);
  if (parsed?.kind !== 'LogicalPort' || parsed.namespace === undefined) return undefined;
  return { namespace: parsed.namespace, name: parsed.name };
}
