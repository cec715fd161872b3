import { describe, expect, it } from 'vitest';
import type { KubeVirt } from '../../api/objects.ts';
import type { Context } from '../context.ts';
import { listKubevirtKeys, routeKubevirts } from './route.ts';

const make = (binding?: object, name = 'kubevirt'): KubeVirt =>
  ({
    metadata: { name, namespace: 'kubevirt' },
    ...(binding === undefined ? {} : { spec: { configuration: { network: { binding } } } }),
  }) as KubeVirt;
const PASST = { passt: { networkAttachmentDefinition: 'a/b' } };
const TAP = { managedtap: { domainAttachmentType: 'managedTap', migration: {} } };

/** The keys that a change of KubeVirt brings, where `kubevirts` are all of them. */
function route(change: object, { kubevirts = [make()], registerManagedTap = true } = {}): string[] {
  let tell: ((change: object) => void) | undefined;
  const machine = (name: string) => ({ metadata: { namespace: 'a', name } });
  const watch = (objects: readonly object[]) => ({
    store: { list: () => objects },
    onNews: (handler: (change: object) => void) => {
      tell = handler;
      return () => {};
    },
  });
  const world = {
    vms: watch([machine('db'), machine('web')]),
    vmis: watch([machine('db'), machine('bare')]),
    kubevirts: watch(kubevirts),
  };
  const keys: string[] = [];
  const context = { world, settings: { registerManagedTap } } as unknown as Context;
  routeKubevirts(context, { add: (key) => void keys.push(key) });
  tell?.(change);
  return keys.sort();
}

const MACHINES = ['vm/a/bare', 'vm/a/db', 'vm/a/web'];
const KEY = 'kubevirt/kubevirt/kubevirt';

describe('news of KubeVirt', () => {
  it.each<[string, object, string[]]>([
    ['that it is there', { type: 'added', object: make() }, [KEY]],
    ['that it is there with a plugin that has a network', { type: 'added', object: make(PASST) }, [KEY, ...MACHINES]],
    ['of a plugin with a network', { type: 'updated', previous: make(TAP), object: make(PASST) }, [KEY, ...MACHINES]],
    ['of a plugin without one', { type: 'updated', previous: make(PASST), object: make({ ...PASST, ...TAP }) }, [KEY]],
    ['that it is gone', { type: 'deleted', object: make(PASST) }, [KEY, ...MACHINES]],
  ])('%s', (_cause, change, expected) => {
    expect(route(change)).toEqual(expected);
  });

  it('brings every one of them, as another may be the oldest now', () => {
    const kubevirts = [make(), make(undefined, 'other')];
    expect(route({ type: 'deleted', object: make() }, { kubevirts })).toEqual([KEY, 'kubevirt/kubevirt/other']);
  });

  it('brings none where nothing is asked of it', () => {
    const settings = { registerManagedTap: false };
    expect(route({ type: 'added', object: make(PASST) }, settings)).toEqual(MACHINES);
    const context = { settings: {}, world: { kubevirts: { store: { list: () => [make()] } } } };
    expect(listKubevirtKeys(context as unknown as Context)).toEqual([]);
  });
});
