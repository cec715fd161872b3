import type { Bindings } from '../ovn/bindings.ts';
import { deriveMtu, USUAL_MTU } from '../plan/networks/mtu.ts';
import type { Settings } from '../plan/settings.ts';
import type { Inbox } from './routing.ts';
import type { World } from './world.ts';

/**
 * Settings whose `mtu` follows the nodes' uplinks where none is configured (0). What was known last stays while the
 * Southbound database is away.
 */
export function followMtu(settings: Settings, bindings: Bindings, world: World): Settings {
  if (settings.mtu !== 0) return settings;
  let known: number | undefined;
  let isStale = true;
  bindings.onChassisChange(() => {
    isStale = true;
  });
  world.nodes.onChange(({ type }) => {
    if (type !== 'updated') isStale = true;
  });
  return {
    ...settings,
    get mtu() {
      if (isStale)
        known = deriveMtu(bindings.listChassis(), (node) => world.nodes.store.get(node) !== undefined) ?? known;
      isStale = false;
      return known ?? USUAL_MTU;
    },
  };
}

/** Brings up everything that shows the MTU when a chassis changes it. Gives the function that ends it. */
export function routeMtu(
  { settings, bindings, world }: { settings: Settings; bindings: Bindings; world: World },
  inbox: Inbox,
): () => void {
  let last = settings.mtu;
  return bindings.onChassisChange(() => {
    if (settings.mtu === last) return;
    last = settings.mtu;
    for (const { metadata } of world.subnets.store.list()) inbox.add(`subnet/${metadata.name}`);
    for (const { metadata } of world.nodes.store.list()) inbox.add(`node/${metadata.name}`);
  });
}
