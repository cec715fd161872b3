import { type Cidr, formatAddress } from '../api/address.ts';
import { formatDigest } from '../api/names.ts';
import { type Result, succeed } from '../api/problem.ts';
import { createPool, type Pool } from '../ipam/pool.ts';
import { planRanges } from '../ipam/ranges.ts';

/** What holds for the whole cluster, from the operator's flags. */
export type Settings = {
  /** Our id in OVN: every row of ours carries it. */
  readonly cluster: string;
  readonly join: JoinNetwork;
  /** Bytes, for subnets that name none. */
  readonly mtu: number;
  readonly defaultVpc: string;
  readonly defaultSubnet: string;
  /** Whether the pods' first interface is ours. */
  readonly primary: boolean;
};

/** The switch between the default VPC's router and the nodes: router first, gateway second, then the nodes. */
export type JoinNetwork = {
  readonly cidr: Cidr;
  readonly router: string;
  readonly gateway: string;
};

/** Reads the join network: IPv4, large enough for some nodes. Problem: InvalidCIDR. */
export function planJoin(cidrBlock: string): Result<JoinNetwork> {
  const ranges = planRanges({ cidrBlock, protocol: 'IPv4' });
  if (!ranges.ok) return ranges;
  const [range] = ranges.value;
  if (range === undefined || range.cidr.prefix > 28) {
    return { ok: false, problem: { reason: 'InvalidCIDR', message: `${cidrBlock} is too small to join nodes` } };
  }
  const format = (value: bigint) => formatAddress({ family: 4, value });
  return succeed({ cidr: range.cidr, router: format(range.gateway), gateway: format(range.gateway + 1n) });
}

/** The addresses that nodes may have on the join network. */
export function createJoinPool(join: JoinNetwork): Pool {
  const first = join.cidr.network;
  const last = first + (1n << BigInt(32 - join.cidr.prefix)) - 1n;
  return createPool([{ cidr: join.cidr, gateway: first + 1n, free: [{ first: first + 3n, last: last - 1n }] }]);
}

/** The MAC of a port that has a fixed name: the same in every run and on every node, locally administered. */
export function deriveMac(name: string): string {
  return ['0a', ...(formatDigest(name).slice(0, 10).match(/../g) ?? [])].join(':');
}
