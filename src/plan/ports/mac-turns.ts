import type { LogicalPort } from '../../api/types.gen.ts';

/** Whoever asks for a MAC, or has it. */
export type Sharer = {
  readonly namespace: string;
  readonly owner: Pick<LogicalPort['spec']['owner'], 'kind' | 'name'>;
  readonly ipamOnly?: boolean | undefined;
};

export const describeSharer = ({ metadata, spec }: Pick<LogicalPort, 'metadata' | 'spec'>): Sharer => ({
  namespace: metadata.namespace ?? '',
  owner: spec.owner,
  ipamOnly: spec.ipamOnly,
});

/**
 * True for two guests of one namespace, as a VM and its copy: they may be written with one MAC, and take turns with it. Of
 * another namespace's guest a MAC stays its own while it is stopped, a pod always runs, two NICs of a guest run together,
 * and of a NIC that another plugin makes nobody keeps the frames apart.
 */
export function sharesMac(a: Sharer, b: Sharer): boolean {
  const isGuest = ({ owner, ipamOnly }: Sharer) => owner.kind !== 'Pod' && ipamOnly !== true;
  return isGuest(a) && isGuest(b) && a.namespace === b.namespace && a.owner.name !== b.owner.name;
}

/** Who may have rows in OVN with the MAC of a port: those that were asked for, from before they are until they are gone. */
export type MacTurns = {
  /** The rows of this holder are about to be written. */
  begin(holder: string): void;
  /** They are gone, for sure. True when they may have been there. */
  end(holder: string): boolean;
  isBegun(holder: string): boolean;
};

/** Nobody has any yet: what an earlier leader wrote is in the database to be seen. */
export function createMacTurns(): MacTurns {
  const begun = new Set<string>();
  return {
    begin: (holder) => void begun.add(holder),
    end: (holder) => begun.delete(holder),
    isBegun: (holder) => begun.has(holder),
  };
}

/** Another port with the same MAC. */
export type MacPartner = {
  readonly name: string;
  /** It has rows, or they are on their way in or out. */
  readonly mayHaveRows: boolean;
  /** A launcher holds it. */
  readonly isHeld: boolean;
  /** By its status it waits for its own turn. */
  readonly isWaiting: boolean;
};

/** Why a port that shares its MAC has no rows: nobody holds it, or another one's guest runs with the MAC. */
export type MacStanding = { readonly kind: 'resting' | 'taken'; readonly other: string };

/**
 * Whether it is a port's turn with a MAC that others have as well; undefined when it is, or when there are no others. Rows
 * are for one of them only, while a launcher holds it; the first that is held has them until nobody holds it. After the
 * loss of all rows one that waited before leaves them to one that did not.
 */
export function judgeMac(
  own: Pick<MacPartner, 'isHeld' | 'isWaiting'>,
  partners: readonly MacPartner[],
): MacStanding | undefined {
  const [first] = partners;
  if (first === undefined) return undefined;
  if (!own.isHeld) return { kind: 'resting', other: first.name };
  const before = partners.find(
    ({ mayHaveRows, isHeld, isWaiting }) => mayHaveRows || (own.isWaiting && isHeld && !isWaiting),
  );
  return before && { kind: 'taken', other: before.name };
}

/** In words, for who reads the condition; both are of one namespace. */
export function explainMac({ spec }: Pick<LogicalPort, 'spec'>, { kind, other }: MacStanding): string {
  return kind === 'taken'
    ? `MAC ${spec.mac} is in use by LogicalPort ${other}, whose guest runs; this one gets it when that one is stopped`
    : `LogicalPort ${other} has MAC ${spec.mac}, too: whose guest starts first has it; rows come when a launcher holds the port`;
}
