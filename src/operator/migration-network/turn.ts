import type { MigrationNetwork } from '../../api/types.gen.ts';
import { ensureObject, type Outcome } from '../../kube/index.ts';
import { describeSent, type Sent } from '../../plan/migration-network/memory.ts';
import { planMigrationNetwork } from '../../plan/migration-network/plan.ts';
import type { MigrationPlan } from '../../plan/migration-network/types.ts';
import { forAll } from '../all.ts';
import type { Turn } from '../context.ts';
import { getReadyReason, holdObject, letGo, tellStatus } from '../hold.ts';
import { makeMoment } from '../moment.ts';
import { observeMigrationNetwork } from './observe.ts';

const DENIED_MS = 10_000;

/**
 * One turn for a MigrationNetwork: its Subnet and its definition, KubeVirt's object, its status. What it makes comes back
 * by the watches and brings the next turn, which goes on from there; so does what others change.
 */
export async function runMigrationNetworkTurn(turn: Turn, name: string): Promise<Outcome> {
  const network = turn.world.migrationNetworks.store.get(name);
  if (network === undefined) return { done: true };
  // Nobody can tell what of the network KubeVirt still needs.
  if (turn.world.kubevirts.isDenied()) return { requeueAfterMs: DENIED_MS };
  const plan = planMigrationNetwork(
    network,
    observeMigrationNetwork(turn, network),
    makeMoment(turn, network.metadata),
  );
  const { migrationNetworks } = turn.api;
  if (plan.isGone) {
    await letGo(migrationNetworks, network);
    return { done: true };
  }
  await holdObject(migrationNetworks, network);
  await ensureMade(turn, plan);
  await applyKubevirt(turn, network, plan);
  await removeSuperfluous(turn, plan);
  tellUsers(turn, network, plan);
  await tellStatus(turn, migrationNetworks, network, plan.status);
  return { done: true };
}

/** The Subnet first: a pod that asks for the definition finds its addresses. */
async function ensureMade({ api, world, signal }: Turn, { subnet, definition }: MigrationPlan): Promise<void> {
  if (subnet !== undefined) {
    await ensureObject(api.subnets, subnet, { known: world.subnets.store.get(subnet.metadata.name), signal });
  }
  if (definition === undefined) return;
  const { namespace = '', name } = definition.metadata;
  await ensureObject(api.nads, definition, { known: world.nads.store.get(`${namespace}/${name}`), signal });
}

/**
 * Only against the object that was looked at: what somebody sets meanwhile must not be overwritten. A lost race throws, and
 * the next turn looks again.
 */
async function applyKubevirt(turn: Turn, network: MigrationNetwork, { kubevirt }: MigrationPlan): Promise<void> {
  if (kubevirt === undefined) return;
  const { namespace, name, uid, resourceVersion } = kubevirt.object.metadata;
  const { metadata, ...rest } = kubevirt.patch as { metadata?: object };
  turn.log.info(
    { migrationNetwork: network.metadata.name, kubevirt: `${namespace}/${name}`, patch: kubevirt.patch },
    'telling KubeVirt of the migration network',
  );
  const patch = { ...rest, metadata: { ...metadata, uid, resourceVersion } };
  await turn.api.kubevirts.patch({ namespace, name }, patch, { signal: turn.signal });
}

async function removeSuperfluous({ api, signal }: Turn, { remove }: MigrationPlan): Promise<void> {
  await forAll([...remove.nads], ({ metadata: { namespace, name, uid } }) =>
    api.nads.delete({ namespace, name }, { uid }, signal),
  );
  const living = remove.subnets.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  await forAll(living, ({ metadata: { name, uid } }) => api.subnets.delete({ name }, { uid }, signal));
}

type Conditions = { readonly conditions?: { type: string; status: string; reason: string; message: string }[] };

/** What newly keeps it from being ready, and memory that went the wrong way, are told as events too. */
function tellUsers(turn: Turn, network: MigrationNetwork, { status, news }: MigrationPlan): void {
  const regarding = { ...network, kind: 'MigrationNetwork' };
  const ready = (status as Conditions).conditions?.find(({ type }) => type === 'Ready');
  if (ready !== undefined && getReadyReason(network) !== ready.reason) {
    const type = ready.status === 'True' || ready.reason === 'VirtHandlersRolling' ? 'Normal' : 'Warning';
    turn.events.record(regarding, {
      type,
      reason: ready.reason,
      action: 'Planning',
      note: ready.message.slice(0, 900),
    });
  }
  for (const one of news) {
    turn.metrics.count('migration_memory_total', { network: one.network });
    if (one.network === 'Pod') warn(turn, network, one);
  }
}

function warn(turn: Turn, network: MigrationNetwork, sent: Sent): void {
  const note = `${describeSent(sent)}, which is not an address of migration network ${network.metadata.name}`;
  const event = { type: 'Warning' as const, reason: 'MemoryOnPodNetwork', action: 'Migrating', note };
  turn.events.record({ ...network, kind: 'MigrationNetwork' }, event);
  const vmi = turn.world.vmis.store.get(sent.vmi);
  if (vmi !== undefined) turn.events.record({ ...vmi, kind: 'VirtualMachineInstance' }, event);
}
