import { NETWORK_CONFIG } from '../../api/annotations.ts';
import { formatNetworkConfig, type NetworkConfig } from '../../api/network-config.ts';
import type { VirtualMachineInstance } from '../../api/objects.ts';
import { type Result, succeed } from '../../api/problem.ts';
import type { LogicalPort } from '../../api/types.gen.ts';
import { isNotFound } from '../../kube/index.ts';
import { makeLogicalPort } from '../../plan/ports/logical-port.ts';
import { planNetworkConfig } from '../../plan/ports/network-config.ts';
import type { Kept } from '../../plan/ports/ports.ts';
import { reportProblem, type Turn } from '../context.ts';
import type { Refusals } from './refused.ts';
import type { Reserved } from './reserve.ts';
import type { Seen } from './seen.ts';

/** The ports of a machine as the turn is about to write them. */
export type Coming = { readonly keep: readonly Kept[]; readonly reserved: readonly Reserved[] };

/**
 * Writes into the VMI, for the hook sidecar, what its guest's NICs have. It comes before any LogicalPort of the machine is
 * told of a launcher, without which the launcher's network is not made: so the VMI that virt-handler hands to the launcher,
 * after that has started, is one that says it. What the API server refuses for good keeps no guest from its network
 * (docs/decisions/0020).
 */
export async function tellGuest(turn: Turn, seen: Seen, coming: Coming, refusals: Refusals): Promise<void> {
  const { told, namespace, name } = seen;
  if (told === undefined) return;
  const text = formatTold(planNetworkConfig(listPorts(seen, coming), findSubnet(turn), turn.settings.mtu));
  if (!text.ok) {
    if (seen.regarding !== undefined) reportProblem(turn, seen.regarding, 'Configuring', text.problem);
    return;
  }
  if (text.value === undefined || text.value === told.text) return;
  const metadata = { uid: told.uid, annotations: { [NETWORK_CONFIG]: text.value } };
  const holder = `vmi ${namespace}/${name}` as const;
  await refusals.attempt({ holder, verb: 'tell' }, async () => {
    await turn.api.vmis.patch({ namespace, name }, { metadata }, { signal: turn.signal }).catch(ignoreNotFound);
    turn.log.info({ machine: seen.key }, 'guest told of its NICs');
  });
}

const findSubnet =
  ({ world }: Turn) =>
  (name: string) =>
    world.subnets.store.get(name);

/** It has just ended; its launcher ends with it. */
function ignoreNotFound(error: unknown): VirtualMachineInstance | undefined {
  if (isNotFound(error)) return undefined;
  throw error;
}

/**
 * With the addresses that are reserved and not written yet. A port that holds an address is given no other one while a
 * launcher has it, so that one's own is what its guest is told.
 */
function listPorts({ namespace }: Seen, { keep, reserved }: Coming): LogicalPort[] {
  const own = keep.filter(({ role }) => role === 'live' || role === 'restored');
  const atHome = own.filter(({ superseded }) => superseded === undefined);
  const beside = own.filter(({ superseded }) => superseded !== undefined);
  const coming = reserved.flatMap(({ owner, request, lease, madeFor }) =>
    lease === undefined ? [] : makeLogicalPort({ namespace, owner, request, lease, madeFor, attachments: [] }),
  );
  return [...atHome.map(({ port }) => port), ...coming, ...beside.map(({ port }) => port)];
}

/** In an order that does not depend on the cache's; undefined where nothing is known that could be told. */
function formatTold({ nics }: NetworkConfig): Result<string | undefined> {
  if (nics.length === 0) return succeed(undefined);
  try {
    return succeed(formatNetworkConfig({ nics: nics.toSorted((a, b) => (a.name < b.name ? -1 : 1)) }));
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return { ok: false, problem: { reason: 'GuestNotConfigured', message: error.message.slice(0, MAX_MESSAGE) } };
  }
}

const MAX_MESSAGE = 500;
