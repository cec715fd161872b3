import type { Subnet } from '../../api/types.gen.ts';
import { compareAge } from '../../plan/networks/subnet.ts';
import { findIpam } from './capabilities.ts';
import type { Context } from './context.ts';
import { CniError } from './errors.ts';
import type { Controller } from './ovn-controller.ts';
import type { NetworkConfig } from './request.ts';

/** What a node without its local OVS database says. */
export const NO_OVS = 'the local OVS database is not connected; is the ovn-node pod of this node running?';

/** Subnet of pods that ask for none, in a namespace that no Subnet names. */
const DEFAULT_SUBNET = 'default';

/** `controller` is not asked when it is absent. */
export type StatusContext = Context & { readonly controller?: Controller };

/**
 * STATUS: can an ADD of this network be served now? Throws CniError (CNI SPEC.md 1.1.0, "STATUS"): `limited` when present
 * pods are affected as well, as without Open vSwitch or ovn-controller; `unavailable` when only new ones are, as without
 * the API, before the node is set up, or when no address is left. A network that we are the IPAM plugin of needs none of
 * the former.
 */
export async function status(context: StatusContext, config: NetworkConfig): Promise<void> {
  const { cluster } = context;
  const ipam = findIpam(config);
  if (ipam === undefined) await checkNode(context);
  else if (!cluster.hasSynced()) throw new CniError('unavailable', 'the API server has not been read yet');
  const provider = (ipam ?? config.fields).get('provider');
  const full = findFull(cluster.listSubnets(), typeof provider === 'string' ? provider : '');
  if (full !== undefined) throw new CniError('unavailable', full);
}

async function checkNode({ ports, controller, findObstacle }: StatusContext): Promise<void> {
  if (!ports.isLive()) throw new CniError('limited', NO_OVS);
  const problem = await controller?.findProblem();
  if (problem !== undefined) throw new CniError('limited', problem);
  const obstacle = findObstacle();
  if (obstacle !== undefined) throw new CniError('unavailable', obstacle);
}

/**
 * Says that the subnet of a network has no address left, by its own status: of a NAD's the one that has its provider, else
 * the default one. Undefined where there is none, or nothing is known of it: namespaces may all have their own.
 */
export function findFull(subnets: readonly Subnet[], provider: string): string | undefined {
  const isOfNad = provider !== '' && provider !== 'ovn';
  const [subnet] = isOfNad
    ? subnets.filter(({ spec }) => spec.provider === provider).toSorted(compareAge)
    : subnets.filter(({ metadata }) => metadata.name === DEFAULT_SUBNET);
  const { v4availableIPs, v6availableIPs } = subnet?.status ?? {};
  const families = [...(v4availableIPs === 0 ? ['IPv4'] : []), ...(v6availableIPs === 0 ? ['IPv6'] : [])];
  if (families.length === 0) return undefined;
  const way = 'only pods that have an address already can start; free some, or use another Subnet';
  return `Subnet ${subnet?.metadata.name} has no free ${families.join(' and ')} address: ${way}`;
}
