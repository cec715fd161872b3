import { formatRouterName } from '../../api/names.ts';
import { formatOwner } from '../../api/owner.ts';
import type { Subnet } from '../../api/types.gen.ts';
import { keyOf, type Outcome } from '../../kube/index.ts';
import { ROUTER } from '../../ovn/router.ts';
import type { ActiveGateway } from '../../plan/networks/gateway.ts';
import type { SubnetPlan } from '../../plan/networks/subnet.ts';
import { planSubnetDhcp, planSubnetRows } from '../../plan/networks/subnet-rows.ts';
import { deriveSubnetStatus } from '../../plan/networks/subnet-status.ts';
import { formatVpcOwner } from '../../plan/networks/vpc.ts';
import { NOTHING } from '../../plan/rows.ts';
import type { Turn } from '../context.ts';
import { getReadyReason, holdObject, letGo, tellStatus } from '../hold.ts';
import { planVpcRows } from '../join.ts';
import { makeMoment } from '../moment.ts';
import { type Programmed, program } from '../port/program.ts';
import { findGateway } from './gateway.ts';

const UNPROGRAMMED_MS = 2000;
const LAGGING_MS = 1000;

/**
 * One turn for a Subnet: its rows, and its status. A Subnet that is being deleted stays as long as ports have addresses
 * of it.
 */
export async function runSubnetTurn(turn: Turn, name: string): Promise<Outcome> {
  const { world, addresses, api } = turn;
  const subnet = world.subnets.store.get(name);
  const plan = addresses.plans().get(name);
  const owner = formatOwner({ kind: 'Subnet', name });
  if (subnet === undefined || plan === undefined) {
    if ((await api.subnets.find({ name }, { signal: turn.signal })) !== undefined)
      return { requeueAfterMs: LAGGING_MS };
    return settle(await program(turn, NOTHING, [owner]));
  }
  const isInUse = addresses.isInUse(name);
  if (subnet.metadata.deletionTimestamp !== undefined && !isInUse) {
    const gone = await program(turn, NOTHING, [owner]);
    if (gone.ok) await letGo(api.subnets, subnet);
    return settle(gone);
  }
  await holdObject(api.subnets, subnet);
  const active = findGateway(turn, plan, subnet.status?.activateGateway);
  const programming = await programSubnet(turn, subnet, { plan, active, isInUse });
  if (programming.ok && programming.written) turn.wake(name);
  await writeStatus(turn, subnet, { plan, programming, active });
  return settle(programming);
}

const settle = (programming: Programmed): Outcome =>
  programming.ok ? { done: true } : { requeueAfterMs: UNPROGRAMMED_MS };

type Wish = { readonly plan: SubnetPlan; readonly active: ActiveGateway | undefined; readonly isInUse: boolean };

/**
 * The rows of a subnet that became unusable stay: ports may still be on them. So do those of one that was given to
 * another CNI's provider, as long as ports have addresses of it.
 */
async function programSubnet(turn: Turn, subnet: Subnet, { plan, active, isInUse }: Wish): Promise<Programmed> {
  if (!plan.usable || (!plan.ovn && isInUse)) return { ok: true, written: false };
  const owner = formatOwner({ kind: 'Subnet', name: plan.name });
  if (!plan.ovn) return program(turn, NOTHING, [owner]);
  if (turn.nb.observed.findByKey(ROUTER, formatRouterName(plan.vpc)).length === 0) {
    const router = await program(turn, planVpcRows(turn, plan.vpc), [formatVpcOwner(plan.vpc)]);
    if (!router.ok) return router;
  }
  return program(turn, planSubnetRows(subnet, plan, turn.settings, active), [owner]);
}

type Facts = Pick<Wish, 'plan' | 'active'> & { readonly programming: Programmed };

async function writeStatus(turn: Turn, subnet: Subnet, { plan, programming, active }: Facts): Promise<void> {
  const { name } = plan;
  const isEnding = subnet.metadata.deletionTimestamp !== undefined;
  const status = deriveSubnetStatus(
    subnet,
    {
      plan,
      programming,
      counts: turn.addresses.counts(name),
      gateway: active?.node,
      dhcpProblems: planSubnetDhcp(subnet, plan, turn.settings).problems,
      holders: isEnding ? listHolders(turn, name) : [],
    },
    makeMoment(turn, subnet.metadata),
  );
  const { activateGateway = null } = status;
  if (activateGateway !== (subnet.status?.activateGateway ?? null)) {
    turn.log.info({ subnet: name, from: subnet.status?.activateGateway, to: activateGateway }, 'gateway of a subnet');
  }
  reportReady(turn, subnet, status);
  await tellStatus(turn, turn.api.subnets, subnet, { ...status, activateGateway });
}

/** Ports without an address only say why; they hold nothing back. */
function listHolders({ world }: Turn, subnet: string): string[] {
  const ports = world.ports.store.byIndex('subnet', subnet);
  return ports.filter(({ spec }) => spec.ips.length > 0).map(keyOf);
}

/** What newly keeps a subnet from being ready is told as an event too. */
function reportReady(turn: Turn, subnet: Subnet, { conditions }: ReturnType<typeof deriveSubnetStatus>): void {
  const ready = conditions?.find(({ type }) => type === 'Ready');
  if (ready?.status !== 'False' || getReadyReason(subnet) === ready.reason) return;
  turn.events.record(
    { ...subnet, kind: 'Subnet' },
    { type: 'Warning', reason: ready.reason, action: 'Planning', note: ready.message.slice(0, 900) },
  );
}
