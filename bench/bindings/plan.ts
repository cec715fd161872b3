/** How a guest meets the network; `macvtap` is not Mooring's, but what a guest has without any network of pods. */
export const GUEST_BINDINGS = ['bridge', 'masquerade', 'managedTap', 'macvtap'] as const;
export type GuestBinding = (typeof GUEST_BINDINGS)[number];
/** With the baselines: a pod on our network, and one with a macvlan interface, which is the network that macvtap is on. */
export const BINDINGS = ['pod', ...GUEST_BINDINGS, 'macvlanPod'] as const;
export type Binding = (typeof BINDINGS)[number];

export const PLACEMENTS = ['sameNode', 'twoNodes'] as const;
export type Placement = (typeof PLACEMENTS)[number];
export const PATHS = ['podToPod', 'podToGuest', 'guestToGuest'] as const;
export type Path = (typeof PATHS)[number];

/** What is measured: from whom, in which placement, to somebody with that binding. */
export type Case = { readonly binding: Binding; readonly placement: Placement; readonly path: Path };

const isGuest = (binding: Binding): binding is GuestBinding => GUEST_BINDINGS.some((one) => one === binding);

/** The bindings of a run: what was asked for between its baselines; macvlan pods only where they explain something. */
export function planBindings(asked: readonly GuestBinding[]): Binding[] {
  const wanted = new Set<Binding>(['pod', ...asked, ...(asked.includes('macvtap') ? (['macvlanPod'] as const) : [])]);
  return BINDINGS.filter((binding) => wanted.has(binding));
}

/** The rows of a binding, in the order in which they are told. */
export function planCases(binding: Binding): Case[] {
  const paths: Path[] = isGuest(binding) ? ['podToGuest', 'guestToGuest'] : ['podToPod'];
  return paths.flatMap((path) => PLACEMENTS.map((placement) => ({ binding, placement, path })));
}

/** `bridge,macvtap` as bindings; throws for a name that is none, or none at all. */
export function parseBindings(text: string): GuestBinding[] {
  const names = text.split(',').map((name) => name.trim());
  const found = names.map((name) => {
    const binding = GUEST_BINDINGS.find((one) => one === name);
    if (binding === undefined)
      throw new Error(`--bindings: there is no ${name || 'binding without a name'}, only ${GUEST_BINDINGS.join(', ')}`);
    return binding;
  });
  return GUEST_BINDINGS.filter((binding) => found.includes(binding));
}
