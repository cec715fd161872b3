import { NODE_NETWORK_ANNOTATION } from '../../api/node-network.ts';
import type { Node } from '../../api/objects.ts';
import { formatOwner } from '../../api/owner.ts';
import { release } from '../../ipam/pool.ts';
import { ensureObject, type Outcome } from '../../kube/index.ts';
import { allocateNode, planNode } from '../../plan/networks/node.ts';
import { formatVpcOwner } from '../../plan/networks/vpc.ts';
import { mergeWanted, NOTHING } from '../../plan/rows.ts';
import { reportProblem, type Turn } from '../context.ts';
import { listVpcRouters, planVpcRows } from '../join.ts';
import { program } from '../port/program.ts';

const UNPROGRAMMED_MS = 2000;
const LAGGING_MS = 1000;

/** One turn for a Node: its address on the join network, its port there, and the annotation for its agent. */
export async function runNodeTurn(turn: Turn, name: string): Promise<Outcome> {
  const { world, settings, joinPool } = turn;
  const node = world.nodes.store.get(name);
  const owner = formatOwner({ kind: 'Node', name });
  if (node === undefined) {
    if ((await turn.api.nodes.find({ name }, { signal: turn.signal })) !== undefined)
      return { requeueAfterMs: LAGGING_MS };
    const gone = await program(turn, NOTHING, [owner]);
    if (!gone.ok) return { requeueAfterMs: UNPROGRAMMED_MS };
    release(joinPool, name);
    return { done: true };
  }
  const lease = allocateNode(joinPool, name);
  if (!lease.ok) {
    reportProblem(turn, { ...node, apiVersion: 'v1', kind: 'Node' }, 'Allocating', lease.problem);
    return { requeueAfterMs: 30_000 };
  }
  const around = { subnets: [...turn.addresses.plans().values()], vpcs: listVpcRouters(turn) };
  const plan = planNode(node, lease.value, around, settings);
  const desired = { metadata: { name, annotations: { [NODE_NETWORK_ANNOTATION]: plan.annotation } } };
  await ensureObject<Node>(turn.api.nodes, desired, { known: node, signal: turn.signal });
  const { defaultVpc } = settings;
  const wanted = mergeWanted([planVpcRows(turn, defaultVpc), { ...NOTHING, ports: [plan.port] }]);
  const programming = await program(turn, wanted, [formatVpcOwner(defaultVpc), owner]);
  return programming.ok ? { done: true } : { requeueAfterMs: UNPROGRAMMED_MS };
}
