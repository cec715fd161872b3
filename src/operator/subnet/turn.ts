import { FINALIZER } from '../../api/names.ts';
import { formatOwner } from '../../api/owner.ts';
import type { Subnet } from '../../api/types.gen.ts';
import { ensureFinalizer, ensureStatus, isNotFound, type Outcome, removeFinalizer } from '../../kube/index.ts';
import { formatVpcOwner } from '../../plan/network.ts';
import type { Programming } from '../../plan/port-status.ts';
import { mergeWanted, NOTHING } from '../../plan/rows.ts';
import { planSubnetRows, type SubnetPlan } from '../../plan/subnet.ts';
import { deriveSubnetStatus } from '../../plan/subnet-status.ts';
import { reportProblem, type Turn } from '../context.ts';
import { planVpcRows } from '../join.ts';
import { program } from '../port/program.ts';

const UNPROGRAMMED_MS = 2000;
const LAGGING_MS = 1000;

/**
 * One turn for a Subnet: its rows, those of its VPC's router, and its status. A Subnet that is being deleted stays as
 * long as ports have addresses of it.
 */
export async function runSubnetTurn(turn: Turn, name: string): Promise<Outcome> {
  const { world, addresses } = turn;
  const subnet = world.subnets.store.get(name);
  const plan = addresses.plans().get(name);
  const owner = formatOwner({ kind: 'Subnet', name });
  if (subnet === undefined || plan === undefined) {
    if ((await turn.api.subnets.find({ name }, { signal: turn.signal })) !== undefined)
      return { requeueAfterMs: LAGGING_MS };
    const gone = await program(turn, NOTHING, [owner]);
    return gone.ok ? { done: true } : { requeueAfterMs: UNPROGRAMMED_MS };
  }
  const isInUse = world.ports.store.byIndex('subnet', name).length > 0;
  if (subnet.metadata.deletionTimestamp !== undefined && !isInUse) return endSubnet(turn, subnet, owner);
  await ensureFinalizerOf(turn, subnet);
  const vpcOwner = formatVpcOwner(plan.vpc);
  const wanted = mergeWanted([planVpcRows(turn, plan.vpc), planSubnetRows(subnet, plan, turn.settings)]);
  // The rows of a subnet that became unusable stay: ports may still be on them.
  const programming: Programming = plan.usable ? await program(turn, wanted, [vpcOwner, owner]) : { ok: true };
  if (programming.ok) turn.wake(name);
  await writeStatus(turn, subnet, { plan, programming });
  return programming.ok ? { done: true } : { requeueAfterMs: UNPROGRAMMED_MS };
}

async function endSubnet(turn: Turn, subnet: Subnet, owner: string): Promise<Outcome> {
  const { name, uid } = subnet.metadata;
  const programming = await program(turn, NOTHING, [owner]);
  if (!programming.ok) return { requeueAfterMs: UNPROGRAMMED_MS };
  await removeFinalizer(turn.api.subnets, { name, uid }, FINALIZER);
  return { done: true };
}

async function ensureFinalizerOf(turn: Turn, { metadata }: Subnet): Promise<void> {
  if (metadata.finalizers?.includes(FINALIZER) || metadata.deletionTimestamp !== undefined) return;
  await ensureFinalizer(turn.api.subnets, { name: metadata.name, uid: metadata.uid }, FINALIZER);
}

type Facts = { readonly plan: SubnetPlan; readonly programming: Programming };

async function writeStatus(turn: Turn, subnet: Subnet, { plan, programming }: Facts): Promise<void> {
  const status = deriveSubnetStatus(
    subnet,
    { plan, programming, counts: turn.addresses.counts(plan.name) },
    {
      now: turn.clock
        .date()
        .toISOString()
        .replace(/\.\d+Z$/, 'Z'),
      generation: subnet.metadata.generation,
    },
  );
  const before = subnet.status?.conditions?.find(({ type }) => type === 'Ready')?.reason;
  if (plan.problem !== undefined && before !== plan.problem.reason) {
    reportProblem(turn, { ...subnet, kind: 'Subnet' }, 'Planning', plan.problem);
  }
  await ensureStatus(turn.api.subnets, subnet, status, { signal: turn.signal }).catch((error: unknown) => {
    if (!isNotFound(error)) throw error;
  });
}
