/** A queue of different values, from which any can be taken out. All of it takes constant time, amortised. */
export type Fifo = {
  /** Puts a value at the end, if it is not in the queue. */
  add(value: bigint): void;
  /** True when it was in the queue. */
  delete(value: bigint): boolean;
  has(value: bigint): boolean;
  /** The value that was added first of those that are left. */
  first(): bigint | undefined;
  size(): number;
  /** In order. */
  list(): bigint[];
};

const MIN_HOLES = 64;

/**
 * An empty queue. Not just a Set: reading the first element of one steps over all that were deleted before it, which at
 * tens of thousands of elements costs more than everything else here.
 */
export function createFifo(): Fifo {
  const positions = new Map<bigint, number>();
  let items: (bigint | undefined)[] = [];
  let head = 0;
  const compact = () => {
    if (items.length - positions.size < positions.size + MIN_HOLES) return;
    items = items.filter((item) => item !== undefined);
    head = 0;
    for (const [position, item] of items.entries()) if (item !== undefined) positions.set(item, position);
  };
  return {
    add: (value) => {
      if (positions.has(value)) return;
      positions.set(value, items.length);
      items.push(value);
    },
    delete: (value) => {
      const position = positions.get(value);
      if (position === undefined) return false;
      positions.delete(value);
      items[position] = undefined;
      compact();
      return true;
    },
    has: (value) => positions.has(value),
    first: () => {
      while (head < items.length && items[head] === undefined) head += 1;
      return items[head];
    },
    size: () => positions.size,
    list: () => items.filter((item) => item !== undefined),
  };
}
