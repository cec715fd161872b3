/** Who holds an address: `<namespace>/<LogicalPort name>`, or a word of ours for what is no LogicalPort. */
export type Holder = string;

/** Who holds what. Nearly everything has one holder, so that a set is only made for a second one. */
export type Holders<K> = Map<K, Holder | Set<Holder>>;

/** Marks what a holder is about to get, and what it is about to leave: no name of an object begins like these. */
const RESERVED = '+';
const LEAVING = '-';
const LEFT_OVER = '~';

/** The holder under which a lease is kept that its owner's LogicalPort does not have yet. */
export const markReserved = (owner: Holder): Holder => RESERVED + owner;

/** The holder under which the old lease of a changing owner is kept. */
export const markLeaving = (owner: Holder): Holder => LEAVING + owner;

/** The holder under which is kept what OVN still has of an owner although its LogicalPort says something else. */
export const markLeftOver = (owner: Holder): Holder => LEFT_OVER + owner;

export const isReserved = (holder: Holder): boolean => holder.startsWith(RESERVED);

/** The owner whose lease it is, whatever the stage. */
export const getOwner = (holder: Holder): Holder => holder.replace(/^[+~-]/, '');

/** True when nobody held the key before. */
export function addHolder<K>(holders: Holders<K>, key: K, holder: Holder): boolean {
  const known = holders.get(key);
  if (known === undefined) {
    holders.set(key, holder);
    return true;
  }
  if (known instanceof Set) known.add(holder);
  else if (known !== holder) holders.set(key, new Set([known, holder]));
  return false;
}

/** True when the holder was the last one. */
export function removeHolder<K>(holders: Holders<K>, key: K, holder: Holder): boolean {
  const known = holders.get(key);
  if (known === holder) return holders.delete(key);
  if (!(known instanceof Set)) return false;
  known.delete(holder);
  const [last] = known;
  if (known.size === 1 && last !== undefined) holders.set(key, last);
  return false;
}

/** All holders of the key. */
export function listHolders<K>(holders: Holders<K>, key: K): readonly Holder[] {
  const known = holders.get(key);
  if (known === undefined) return [];
  return known instanceof Set ? [...known] : [known];
}

/** Somebody of another owner who holds the key; `heirOf` are owners who hand theirs over. */
export function findOther<K>(
  holders: Holders<K>,
  key: K,
  owner: Holder,
  heirOf: readonly Holder[] = [],
): Holder | undefined {
  return listHolders(holders, key).find((holder) => getOwner(holder) !== owner && !heirOf.includes(getOwner(holder)));
}
