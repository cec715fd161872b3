/** One element of a list of networks; `interface` is the asked name, or that of its place where it asks for none. */
export type Listed = {
  readonly namespace: string;
  readonly name: string;
  readonly interface: string;
  /** The interface was named in the list. */
  readonly explicit: boolean;
};

/** An interface that a pod has already; `nad` is `<namespace>/<name>`. */
export type Present = { readonly ifname: string; readonly nad: string };

export type Match<S extends Listed, P extends Present> = {
  /** In the order of the list, under the names that they have or are to get. */
  readonly wanted: readonly { readonly selected: S; readonly present?: P }[];
  readonly detach: readonly P[];
};

const formatNad = ({ namespace, name }: Listed): string => `${namespace}/${name}`;

/**
 * Finds for each network of the list the interface that serves it already. A network that names its interface is served
 * by that interface only. One that does not is served by any interface of its NAD that nobody else names, so that an
 * element taken out of the middle renames nobody; a new one takes the name of its place, or the next free one. The agent
 * goes by what it has attached, the operator by LogicalPorts: both must come to the same names.
 */
export function matchNetworks<S extends Listed, P extends Present>(
  selections: readonly S[],
  present: readonly P[],
): Match<S, P> {
  const free = new Set(present);
  const served = new Map<S, P>();
  const take = (selected: S, fits: (candidate: P) => boolean) => {
    const found = [...free].find((candidate) => candidate.nad === formatNad(selected) && fits(candidate));
    if (found === undefined) return;
    served.set(selected, found);
    free.delete(found);
  };
  const unnamed = selections.filter(({ explicit }) => !explicit);
  for (const selected of selections) {
    if (selected.explicit) take(selected, ({ ifname }) => ifname === selected.interface);
  }
  // Who still stands at its old place stays there; the others of that NAD follow in order.
  for (const selected of unnamed) take(selected, ({ ifname }) => ifname === selected.interface);
  for (const selected of unnamed) if (!served.has(selected)) take(selected, () => true);
  const used = new Set<string>([...served.values()].map(({ ifname }) => ifname));
  for (const { explicit, interface: name } of selections) if (explicit) used.add(name);
  const wanted = selections.map((selected) => {
    const found = served.get(selected);
    if (found !== undefined) return { selected: { ...selected, interface: found.ifname }, present: found };
    return { selected: { ...selected, interface: chooseName(selected, used) } };
  });
  return { wanted, detach: [...free] };
}

/** The asked name, or the first `net<n>` that nobody has. */
function chooseName(selected: Listed, used: Set<string>): string {
  let name = selected.interface;
  for (let number = 1; !selected.explicit && used.has(name); number += 1) name = `net${number}`;
  used.add(name);
  return name;
}
