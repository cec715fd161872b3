import type { Vpc } from '../../api/types.gen.ts';
import type { Outcome } from '../../kube/index.ts';
import { formatVpcOwner } from '../../plan/networks/vpc.ts';
import { deriveVpcStatus } from '../../plan/networks/vpc-status.ts';
import { NOTHING } from '../../plan/rows.ts';
import type { Turn } from '../context.ts';
import { holdObject, letGo, tellStatus } from '../hold.ts';
import { planVpcRows, releaseVpc } from '../join.ts';
import { makeMoment } from '../moment.ts';
import { type Programmed, program } from '../port/program.ts';

const UNPROGRAMMED_MS = 2000;

/**
 * One turn for a VPC: its router, its status and its finalizer. The default one is always there and needs no object. The
 * rows of another one stay as long as a Subnet names it, also when there is no Vpc of that name: ports may be behind it.
 */
export async function runVpcTurn(turn: Turn, name: string): Promise<Outcome> {
  const vpc = turn.world.vpcs.store.get(name);
  const subnets = listSubnets(turn, name);
  const isLeaving = vpc?.metadata.deletionTimestamp !== undefined && subnets.length === 0;
  const programming = await programVpc(turn, name, subnets.length > 0 || (vpc !== undefined && !isLeaving));
  if (vpc !== undefined && !isLeaving) await updateVpc(turn, vpc, { subnets, programming });
  if (!programming.ok) return { requeueAfterMs: UNPROGRAMMED_MS };
  if (vpc !== undefined && isLeaving) await letGo(turn.api.vpcs, vpc);
  return { done: true };
}

type Facts = { readonly subnets: readonly string[]; readonly programming: Programmed };

async function updateVpc(turn: Turn, vpc: Vpc, { subnets, programming }: Facts): Promise<void> {
  const { world, api } = turn;
  await holdObject(api.vpcs, vpc);
  const ports = subnets.reduce((sum, subnet) => sum + world.ports.store.byIndex('subnet', subnet).length, 0);
  const status = deriveVpcStatus(vpc, { subnets, ports, programming }, makeMoment(turn, vpc.metadata));
  await tellStatus(turn, api.vpcs, vpc, status);
}

async function programVpc(turn: Turn, name: string, isNamed: boolean): Promise<Programmed> {
  const isWanted = isNamed || name === turn.settings.defaultVpc;
  const programming = await program(turn, isWanted ? planVpcRows(turn, name) : NOTHING, [formatVpcOwner(name)]);
  if (programming.ok && !isWanted) releaseVpc(turn, name);
  return programming;
}

/** The Subnets behind the VPC's router, also those that are not usable. */
function listSubnets({ addresses }: Turn, vpc: string): string[] {
  const plans = [...addresses.plans().values()];
  return plans
    .filter((plan) => plan.vpc === vpc && plan.ovn)
    .map(({ name }) => name)
    .sort();
}
