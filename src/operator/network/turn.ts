import type { Outcome } from '../../kube/index.ts';
import { formatVpcOwner } from '../../plan/network.ts';
import { NOTHING } from '../../plan/rows.ts';
import type { Turn } from '../context.ts';
import { planVpcRows, releaseVpc } from '../join.ts';
import { program } from '../port/program.ts';

const UNPROGRAMMED_MS = 2000;

/** One turn for a VPC: the default one is always there, another one as long as a subnet names it. */
export async function runVpcTurn(turn: Turn, vpc: string): Promise<Outcome> {
  const { settings, addresses } = turn;
  const isWanted = vpc === settings.defaultVpc || [...addresses.plans().values()].some((plan) => plan.vpc === vpc);
  const programming = await program(turn, isWanted ? planVpcRows(turn, vpc) : NOTHING, [formatVpcOwner(vpc)]);
  if (programming.ok && !isWanted) releaseVpc(turn, vpc);
  return programming.ok ? { done: true } : { requeueAfterMs: UNPROGRAMMED_MS };
}
