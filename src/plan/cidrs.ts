import { type Cidr, overlaps } from '../api/address.ts';

const BITS = { 4: 32, 6: 128 } as const;

/** All addresses of a family. */
export const everything = (family: 4 | 6): Cidr => ({ family, network: 0n, prefix: 0 });

/**
 * What is left of `block` without `except`, as CIDRs in the order of their addresses; at most as many as the exceptions
 * have bits together. OVN could say it as a chain of `!=`, which multiplies instead of adding up.
 */
export function subtractCidrs(block: Cidr, except: readonly Cidr[]): Cidr[] {
  const inside = except.filter((one) => overlaps(block, one));
  if (inside.length === 0) return [block];
  if (inside.some(({ prefix }) => prefix <= block.prefix)) return [];
  return halve(block).flatMap((half) => subtractCidrs(half, inside));
}

function halve({ family, network, prefix }: Cidr): [Cidr, Cidr] {
  const size = 1n << BigInt(BITS[family] - prefix - 1);
  const half = { family, network, prefix: prefix + 1 };
  return [half, { ...half, network: network + size }];
}
