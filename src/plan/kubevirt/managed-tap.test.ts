import { describe, expect, it } from 'vitest';
import type { KubeVirt } from '../../api/objects.ts';
import { planManagedTap } from './managed-tap.ts';

const PLUGIN = { domainAttachmentType: 'managedTap', migration: {} };
const make = (binding?: unknown): KubeVirt =>
  ({
    metadata: { name: 'kubevirt', namespace: 'kubevirt' },
    spec: { configuration: { network: { permitBridgeInterfaceOnPodNetwork: false, ...(binding ? { binding } : {}) } } },
  }) as KubeVirt;
const bare = (spec: unknown): KubeVirt =>
  ({ metadata: { name: 'kubevirt', namespace: 'kubevirt' }, spec }) as unknown as KubeVirt;

const ADD = { spec: { configuration: { network: { binding: { managedtap: PLUGIN } } } } };

const plan = (kubevirt: KubeVirt) => {
  const planned = planManagedTap(kubevirt);
  return planned.ok ? planned.value : `${planned.problem.reason}: ${planned.problem.message}`;
};

describe('planManagedTap', () => {
  it.each<[string, KubeVirt]>([
    ['that says nothing', bare(undefined)],
    ['without a configuration', bare({})],
    ['whose configuration is none', bare({ configuration: 7 })],
    ['without plugins', make()],
    ['with other plugins', make({ passt: { networkAttachmentDefinition: 'a/b' } })],
    ['whose plugins are a list', make([PLUGIN])],
    ['whose entry is nothing', make({ managedtap: null })],
    ['with another plugin under another spelling', make({ managedTap: { domainAttachmentType: 'tap' } })],
    ['with names out of JavaScript', make(JSON.parse('{"__proto__":{"domainAttachmentType":"managedTap"}}'))],
  ])('adds the plugin to a KubeVirt %s, and nothing else', (_cause, kubevirt) => {
    expect(plan(kubevirt)).toEqual(ADD);
  });

  it.each<[string, unknown]>([
    ['as we write it', { managedtap: PLUGIN }],
    ['with a way to migrate', { managedtap: { ...PLUGIN, migration: { method: 'link-refresh' } } }],
    ['with memory of its own', { managedtap: { ...PLUGIN, computeResourceOverhead: { requests: { memory: '1Mi' } } } }],
    ['under another spelling', { managedTap: PLUGIN }],
    ['under another spelling beside one that does not fit', { managedTap: PLUGIN, managedtap: { sidecarImage: 'x' } }],
  ])('leaves a KubeVirt alone that knows it %s', (_cause, binding) => {
    expect(plan(make(binding))).toBeUndefined();
  });

  it('has nothing more to do once its patch is written', () => {
    expect(plan(bare(ADD.spec))).toBeUndefined();
  });

  it.each<[string, object, string]>([
    [
      'another kind of plugin',
      { domainAttachmentType: 'tap', migration: {} },
      'domainAttachmentType is not managedTap',
    ],
    ['one that cannot migrate', { domainAttachmentType: 'managedTap' }, 'it has no "migration: {}"'],
    ['one that never may', { domainAttachmentType: 'managedTap', migration: null }, 'it has no "migration: {}"'],
    ['one with a network', { ...PLUGIN, networkAttachmentDefinition: 'a/b' }, 'the field networkAttachmentDefinition'],
    ['one with a sidecar', { ...PLUGIN, sidecarImage: 'x' }, 'the field sidecarImage'],
    ['nothing that is known', {}, 'domainAttachmentType is not managedTap'],
  ])('never overwrites what somebody else has written: %s', (_cause, entry, expected) => {
    const said = plan(make({ managedtap: entry }));
    expect(said).toMatch(
      /^PluginSetByUser: network\.binding\.managedtap of KubeVirt kubevirt\/kubevirt is somebody else's/,
    );
    expect(said).toContain(expected);
  });
});
