import type { Activation } from '../api/activation.ts';
import { type Cidr, formatAddress, getLastAddress } from '../api/address.ts';
import { formatDigest } from '../api/names.ts';
import { type Result, succeed } from '../api/problem.ts';
import type { LogicalPortSpec } from '../api/types.gen.ts';
import { createPool, type Pool } from '../ipam/pool.ts';
import { planRanges } from '../ipam/ranges.ts';

/** What holds for the whole cluster, from the operator's flags. */
export type Settings = {
  /** Our id in OVN: every row of ours carries it. */
  readonly cluster: string;
  readonly join: JoinNetwork;
  /** Bytes, for subnets that name none. Derived from the nodes' uplinks it changes with them: read it when it is needed. */
  readonly mtu: number;
  readonly defaultVpc: string;
  readonly defaultSubnet: string;
  /** Whether the pods' first interface is ours. */
  readonly primary: boolean;
  /** For ports and subnets that name none; WithOwner if absent. */
  readonly releasePolicy?: NonNullable<LogicalPortSpec['releasePolicy']>;
  /** Who opens the target of a migration; gate if absent. */
  readonly activation?: Activation;
  /** Whether KubeVirt is told of the binding plugin managedTap; not if absent. */
  readonly registerManagedTap?: boolean;
  /** Whether NetworkPolicies are served, for first interfaces that are ours; not if absent. */
  readonly networkPolicies?: boolean;
};

/** The switch between the VPCs' routers and the nodes, IPv4 first: at most one network of each family. */
export type JoinNetwork = readonly JoinFamily[];

/** In each family the default VPC's router is the first address, the gateway the second; nodes and other VPCs follow. */
export type JoinFamily = {
  readonly cidr: Cidr;
  readonly router: string;
  readonly gateway: string;
};

const MIN_ADDRESSES = 16n;

/** Reads the join network, "v4", "v6" or "v4,v6", large enough for some nodes. Problem: InvalidCIDR. */
export function planJoin(cidrBlock: string): Result<JoinNetwork> {
  const ranges = planRanges({ cidrBlock });
  if (!ranges.ok) return ranges;
  const families = ranges.value.map(({ cidr, gateway }) => {
    const format = (value: bigint) => formatAddress({ family: cidr.family, value });
    return { cidr, router: format(gateway), gateway: format(gateway + 1n) };
  });
  if (families.some(({ cidr }) => getLastAddress(cidr) - cidr.network + 1n < MIN_ADDRESSES)) {
    return { ok: false, problem: { reason: 'InvalidCIDR', message: `${cidrBlock} is too small to join nodes` } };
  }
  return succeed(families);
}

/** The addresses that nodes and routers of other VPCs may have on the join network. */
export function createJoinPool(join: JoinNetwork): Pool {
  return createPool(
    join.map(({ cidr }) => {
      const first = cidr.network;
      return { cidr, gateway: first + 1n, free: [{ first: first + 3n, last: getLastAddress(cidr) - 1n }] };
    }),
  );
}

/** First octet of MACs that are derived from a name: locally administered, unicast. */
const MAC_PREFIX = '0a';

/** The MAC of a port that has a fixed name: the same in every run and on every node. */
export function deriveMac(name: string, prefix: string = MAC_PREFIX): string {
  return [prefix, ...(formatDigest(name).slice(0, 10).match(/../g) ?? [])].join(':');
}
