import type { KubeVirt, NetworkAttachmentDefinition } from '../../api/objects.ts';
import type { MigrationNetwork } from '../../api/types.gen.ts';
import { isFalse, type Moment, type Verdict } from '../conditions.ts';
import { deriveInUse } from '../networks/subnet-status.ts';
import { listUsers } from './handlers.ts';
import { planTakeBack, readPresent } from './kubevirt.ts';
import { formatStatus } from './status.ts';
import { findKubevirt, type MigrationFacts, type MigrationPlan, NOTHING_TO_REMOVE } from './types.ts';
import { isOwnNad, isOwnSubnet } from './wish.ts';

/**
 * The end of a MigrationNetwork, in this order: KubeVirt's object has what it had before; its virt-handlers have left the
 * network; the definition and the Subnet go. A pod that still asks for the definition could not start without it.
 */
export function planRelease(network: MigrationNetwork, facts: MigrationFacts, moment: Moment): MigrationPlan {
  const { name } = network.metadata;
  const kubevirt = findKubevirt(facts.kubevirts);
  const patch = kubevirt && planTakeBack(kubevirt, name);
  const own = {
    nads: facts.nads.filter((nad) => isOwnNad(nad, name)),
    subnets: facts.subnets.filter((subnet) => isOwnSubnet(subnet, name)),
  };
  const base = { isGone: false, news: [], remove: NOTHING_TO_REMOVE };
  const tell = (verdict: Verdict) => formatStatus(network, { verdict, kubevirt }, moment);
  if (kubevirt !== undefined && patch !== undefined)
    return { ...base, kubevirt: { object: kubevirt, patch }, status: tell(TAKING_BACK) };
  const users = listUsersLeft(own.nads, facts, kubevirt);
  if (users.length > 0) return { ...base, status: tell(deriveInUse('virt-handlers', users)) };
  const status = tell(
    deriveInUse(
      'Subnet',
      own.subnets.map(({ metadata }) => metadata.name),
    ),
  );
  return { ...base, remove: own, status, isGone: own.nads.length === 0 && own.subnets.length === 0 };
}

const TAKING_BACK = isFalse('InUse', 'being deleted; KubeVirt takes every virt-handler off the network');

/** virt-handlers on the network, and KubeVirt's object when somebody else made it name the network. */
function listUsersLeft(
  nads: readonly NetworkAttachmentDefinition[],
  { handlers }: MigrationFacts,
  kubevirt: KubeVirt | undefined,
): string[] {
  const names = nads.map(({ metadata }) => `${metadata.namespace ?? ''}/${metadata.name}`);
  const named = kubevirt && `${kubevirt.metadata.namespace ?? ''}/${readPresent(kubevirt).network ?? ''}`;
  const still = named !== undefined && names.includes(named) ? ["(KubeVirt's migrations.network still names it)"] : [];
  return [...still, ...names.flatMap((name) => listUsers(handlers, name))];
}
