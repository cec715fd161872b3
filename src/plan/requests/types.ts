import type { NetworkAttachmentDefinition } from '../../api/objects.ts';
import type { Problem } from '../../api/problem.ts';
import type { Binding, PoolWish, ReleasePolicy } from '../wishes/types.ts';
import type { Grants } from './grants.ts';

/** `dst` is a CIDR without host bits. */
export type Route = { readonly dst: string; readonly gw?: string };

/** A NIC that Mooring is to provide, with everything that was asked for it. */
export type NicRequest = {
  readonly nic: string;
  /** Interface of the pod that holds the port. */
  readonly interface: string;
  readonly subnet: string;
  /** At most one of each family, IPv4 first, in canonical text. */
  readonly ips?: readonly string[];
  /** Lower case. */
  readonly mac?: string;
  readonly binding?: Binding;
  /** `namespace/name`. */
  readonly nad?: string;
  readonly pool?: PoolWish;
  /** All routes of the interface, the default one among them; absent for the usual ones (LogicalPort's spec.routes). */
  readonly routes?: readonly Route[];
  readonly releasePolicy?: ReleasePolicy;
  /** Ascending. */
  readonly securityGroups?: readonly string[];
  /** Another plugin makes the NIC; it gets an address and no switch port. */
  readonly ipamOnly?: true;
  /** Name of the IPAMClaim that speaks for the NIC. */
  readonly ipamClaim?: string;
  /** Takes over a retained port of an earlier owner of the name. */
  readonly adopt?: true;
  /** On its way out: what exists stays until it is gone, nothing new is made. */
  readonly absent: boolean;
};

export type NicProblem = { readonly nic: string; readonly problem: Problem };

/**
 * What an owner wants: its NICs on our networks, and the ones that cannot be had; no NIC is in both. Other plugins' NICs
 * are in neither, unless something was asked for them that they cannot have.
 */
export type RequestPlan = {
  readonly requests: readonly NicRequest[];
  readonly problems: readonly NicProblem[];
  /** What is wrong with the owner as a whole, or with a NIC that can be had all the same: told, and nothing else. */
  readonly notes?: readonly Problem[];
  /** NICs that another plugin makes without us. A port that a running pod holds for one had its NAD changed under it. */
  readonly others?: readonly string[];
  /** The list of NICs could not be read: nobody can tell which of the present ports are still wanted. */
  readonly incomplete?: true;
};

/** What requests are judged against. */
export type RequestContext = {
  readonly grants: Grants;
  /** Whether the pods' first interface is ours. */
  readonly primary: boolean;
  readonly findNad: (namespace: string, name: string) => NetworkAttachmentDefinition | undefined;
};

/** The interface that KubeVirt and the kubelet take for the pod's own; only it gets the default route unasked. */
export const PRIMARY_INTERFACE = 'eth0';
