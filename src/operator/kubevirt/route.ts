import type { KubeVirt } from '../../api/objects.ts';
import type { Change } from '../../kube/index.ts';
import { parsePluginNetworks } from '../../plan/requests/launcher-names.ts';
import type { Context } from '../context.ts';
import { formatWorkloadKey } from '../keys.ts';

type Inbox = { add(key: string): void };
type Means = Pick<Context, 'world' | 'settings'>;

/** The keys of all KubeVirt objects; none where nothing is asked of them. */
export function listKubevirtKeys({ world, settings }: Means): string[] {
  if (settings.registerManagedTap !== true) return [];
  return world.kubevirts.store.list().map(({ metadata }) => `kubevirt/${metadata.namespace ?? ''}/${metadata.name}`);
}

/**
 * Turns news of KubeVirt into work: who is the oldest may be another one now, and with other networks of binding plugins
 * a machine may be in order that was not, or the other way round.
 */
export function routeKubevirts(means: Means, inbox: Inbox): (() => void)[] {
  return [
    means.world.kubevirts.onNews((change) => {
      for (const key of listKubevirtKeys(means)) inbox.add(key);
      if (hasOtherNetworks(change)) for (const key of listMachineKeys(means)) inbox.add(key);
    }),
  ];
}

function hasOtherNetworks(change: Change<KubeVirt>): boolean {
  const before = change.type === 'updated' ? change.previous : undefined;
  const describe = (kubevirt: KubeVirt | undefined) => JSON.stringify([...parsePluginNetworks(kubevirt)].sort());
  return describe(change.object) !== describe(before);
}

function listMachineKeys({ world }: Means): Set<string> {
  const objects = [...world.vms.store.list(), ...world.vmis.store.list()];
  return new Set(objects.map(({ metadata }) => formatWorkloadKey('vm', metadata.namespace ?? '', metadata.name)));
}
