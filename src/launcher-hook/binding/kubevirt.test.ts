import { describe, expect, it } from 'vitest';
import type { KubeVirt } from '../../api/objects.ts';
import { readKubevirt } from './kubevirt.ts';

const read = (network: unknown) =>
  readKubevirt({ metadata: { name: 'kubevirt' }, spec: { configuration: { network } } } as KubeVirt);
const plugin = (more: object = {}) => ({ domainAttachmentType: 'managedTap', ...more });

describe('readKubevirt', () => {
  it.each<[string, unknown, object]>([
    ['nothing', undefined, { bridgeOnPod: true }],
    ['an empty configuration', {}, { bridgeOnPod: true }],
    ['bridge permitted', { permitBridgeInterfaceOnPodNetwork: true }, { bridgeOnPod: true }],
    ['bridge forbidden', { permitBridgeInterfaceOnPodNetwork: false }, { bridgeOnPod: false }],
    ['no object', 7, { bridgeOnPod: true }],
    ['plugins that are no object', { binding: ['managedtap'] }, { bridgeOnPod: true }],
    ['a plugin that is no object', { binding: { managedtap: 'managedTap' } }, { bridgeOnPod: true }],
    ['a plugin of that name with another attachment', { binding: { managedtap: {} } }, { bridgeOnPod: true }],
    ['a plugin of another name', { binding: { mine: plugin() } }, { bridgeOnPod: true }],
    [
      'a plugin without migration',
      { binding: { managedtap: plugin() } },
      { bridgeOnPod: true, managedTap: { name: 'managedtap', migrates: false } },
    ],
    [
      'a plugin with migration',
      { binding: { managedTap: plugin({ migration: {} }) } },
      { bridgeOnPod: true, managedTap: { name: 'managedTap', migrates: true } },
    ],
    [
      'two spellings, of which one migrates',
      { binding: { managedtap: plugin(), managedTap: plugin({ migration: { method: 'link-refresh' } }) } },
      { bridgeOnPod: true, managedTap: { name: 'managedTap', migrates: true } },
    ],
    [
      'two spellings alike',
      { binding: { managedTap: plugin(), managedtap: plugin() } },
      { bridgeOnPod: true, managedTap: { name: 'managedtap', migrates: false } },
    ],
  ])('%s', (_cause, network, expected) => {
    expect(read(network)).toEqual(expected);
  });

  it('takes no KubeVirt object for one that registers nothing', () => {
    expect(readKubevirt(undefined)).toEqual({ bridgeOnPod: true });
  });
});
