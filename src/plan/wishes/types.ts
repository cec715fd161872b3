import type { Binding, OpenBinding } from '../../api/binding.ts';
import type { LogicalPortSpec } from '../../api/types.gen.ts';

/** Addresses to choose from: candidates in order, each with one address per family, or an IPPool by name. */
export type PoolWish =
  | { readonly kind: 'list'; readonly candidates: readonly (readonly string[])[]; readonly ordinal?: number }
  | { readonly kind: 'named'; readonly name: string };

export type { Binding };
export type ReleasePolicy = NonNullable<LogicalPortSpec['releasePolicy']>;

/** Annotations of one object that speaks for the NIC, with the name to use in messages. */
export type WishSource = { readonly from: string; readonly annotations: Readonly<Record<string, string>> | undefined };

/** A route as it was typed: without `dst` it is a default route, without `gw` it goes to the subnet's gateway. */
export type RouteWish = { readonly dst?: string; readonly gw?: string };

/** What somebody asks for one NIC. Every value is well-formed and in canonical text; none is granted yet. */
export type Wish = {
  readonly subnet?: string;
  readonly ips?: readonly string[];
  readonly mac?: string;
  readonly pool?: PoolWish;
  readonly routes?: readonly RouteWish[];
  /** Gateways of the pod's default route, which goes through this NIC; empty: the subnet's own. */
  readonly defaultRoute?: readonly string[];
  readonly binding?: Binding;
  /** The binding is left open, which only admission knows what to do with. */
  readonly openBinding?: OpenBinding;
  readonly releasePolicy?: ReleasePolicy;
  readonly securityGroups?: readonly string[];
  readonly ipamClaim?: string;
  readonly adopt?: boolean;
};

/** A wish and who has it. */
export type Named = { readonly from: string; readonly wish: Wish };
