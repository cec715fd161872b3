/** One state of a switch port as both databases showed it, and when; milliseconds since the epoch. */
export type PortView = {
  readonly at: number;
  /** Northbound's `requested-chassis`. */
  readonly requested: readonly string[];
  /** Southbound's `chassis` and `additional_chassis`. */
  readonly chassis?: string;
  readonly additional: readonly string[];
};

/** When the target's chassis had the port, of the views since `from`; undefined when it never did. */
export function findCommit(history: readonly PortView[], target: string, from: number): number | undefined {
  return history.find(({ at, chassis }) => at >= from && chassis === target)?.at;
}

/** True when the port belongs to this node alone, wanted and in fact. */
export function isAlone(view: PortView | undefined, node: string): boolean {
  return (
    view?.chassis === node && view.additional.length === 0 && view.requested.length === 1 && view.requested[0] === node
  );
}

/**
 * When the port was back with the source alone and stayed there until the end of the history; undefined when it is not.
 * A port that was so before the event is told with the time at which it became so.
 */
export function findReturn(history: readonly PortView[], source: string): number | undefined {
  const last = history.findLastIndex((view) => !isAlone(view, source));
  return history[last + 1]?.at;
}
