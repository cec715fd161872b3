import type { KubeVirt, NetworkAttachmentDefinition, Pod, VirtualMachineInstance } from '../../api/objects.ts';
import type { Problem } from '../../api/problem.ts';
import type { MigrationNetwork, Subnet } from '../../api/types.gen.ts';
import { compareAge } from '../networks/subnet.ts';
import type { Neighbours } from './checks.ts';
import type { Sent } from './memory.ts';

/** Everything that a MigrationNetwork depends on, as it is now. */
export type MigrationFacts = Neighbours & {
  /** All of the cluster, this one among them. */
  readonly networks: readonly MigrationNetwork[];
  readonly kubevirts: readonly KubeVirt[];
  /** Those of KubeVirt's namespace, and those that a MigrationNetwork made. */
  readonly nads: readonly NetworkAttachmentDefinition[];
  /** What is wrong with the Subnet of this network, once there is one. */
  readonly subnetProblem?: Problem | undefined;
  /** virt-handlers in KubeVirt's namespace. */
  readonly handlers: readonly Pod[];
  /** Those with a migration that has a target address. */
  readonly vmis: readonly VirtualMachineInstance[];
};

export type MigrationPlan = {
  readonly subnet?: Subnet | undefined;
  readonly definition?: NetworkAttachmentDefinition | undefined;
  /** A merge patch for KubeVirt's object. */
  readonly kubevirt?: { readonly object: KubeVirt; readonly patch: object } | undefined;
  /** Objects of ours that nobody needs any more. */
  readonly remove: { readonly subnets: readonly Subnet[]; readonly nads: readonly NetworkAttachmentDefinition[] };
  /** Merged into the status; null takes a field away. */
  readonly status: Readonly<Record<string, unknown>>;
  /** Nothing is left of it: the object may go. */
  readonly isGone: boolean;
  /** Migrations that the status did not have before. */
  readonly news: readonly Sent[];
};

export const NOTHING_TO_REMOVE: MigrationPlan['remove'] = { subnets: [], nads: [] };

/** The one that counts when there are several by mistake: the oldest. */
export const findKubevirt = (kubevirts: readonly KubeVirt[]): KubeVirt | undefined => kubevirts.toSorted(compareAge)[0];

/** The one MigrationNetwork that is active: the oldest, also while it is being deleted. */
export const findActive = (networks: readonly MigrationNetwork[]): MigrationNetwork | undefined =>
  networks.toSorted(compareAge)[0];
