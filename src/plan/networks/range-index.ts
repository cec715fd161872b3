import { type Cidr, getLastAddress } from '../../api/address.ts';

type Entry = { readonly first: bigint; readonly last: bigint; readonly name: string };

/** Networks that do not overlap each other, with whose they are; found in logarithmic time. */
export type RangeIndex = {
  /** The name of one that overlaps. */
  find(cidr: Cidr): string | undefined;
  /** Adds a network; the caller has looked that it overlaps none. */
  add(cidr: Cidr, name: string): void;
};

export function createRangeIndex(): RangeIndex {
  const families: Record<4 | 6, Entry[]> = { 4: [], 6: [] };
  return {
    find: (cidr) => {
      const entries = families[cidr.family];
      const entry = entries[findPosition(entries, cidr.network)];
      return entry !== undefined && entry.first <= getLastAddress(cidr) ? entry.name : undefined;
    },
    add: (cidr, name) => {
      const entries = families[cidr.family];
      const entry = { first: cidr.network, last: getLastAddress(cidr), name };
      entries.splice(findPosition(entries, cidr.network), 0, entry);
    },
  };
}

/** Position of the first entry that ends at or after the address. */
function findPosition(entries: readonly Entry[], address: bigint): number {
  let [low, high] = [0, entries.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const entry = entries[middle];
    if (entry !== undefined && entry.last < address) low = middle + 1;
    else high = middle;
  }
  return low;
}
