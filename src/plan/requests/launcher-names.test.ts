import { describe, expect, it } from 'vitest';
import type { VmiSpec } from '../../api/objects.ts';
import { listNameTraps, parsePluginNetworks } from './launcher-names.ts';
import { vmWith } from './testing/requests.ts';

const NETWORKS = 'k8s.v1.cni.cncf.io/networks';
const kubevirt = (binding: unknown) => ({ spec: { configuration: { network: { binding } } } });
const PASST = kubevirt({
  passt: { networkAttachmentDefinition: 'kubevirt/passt' },
  managedTap: { domainAttachmentType: 'managedTap' },
});

const show = (spec: VmiSpec | undefined, annotations: Record<string, string> = {}, plugins: unknown = PASST) =>
  listNameTraps({ annotations, spec, namespace: 'ns1', plugins: parsePluginNetworks(plugins) }).map(
    ({ problem, nic, isCertain }) => `${nic ?? '-'} ${problem.reason} ${isCertain ? 'certain' : 'perhaps'}`,
  );

describe('what gives a launcher an interface net<N>', () => {
  it.each<[string, string, string[]]>([
    ['a network without a name for its interface', 'attachnet', ['- InvalidRequest certain']],
    ['a network that asks for such a name', 'attachnet@net7', ['- InvalidRequest certain']],
    ['two of them', '[{"name":"a"},{"name":"b"}]', ['- InvalidRequest certain', '- InvalidRequest certain']],
    ['a list that cannot be read', '[{', ['- InvalidRequest certain']],
    ['nothing with a name of its own', 'attachnet@biz', []],
    ['nothing with a name that only begins like it', 'attachnet@net1x, b@network1', []],
    ['nothing without a list', '', []],
  ])('%s', (_cause, text, expected) => {
    expect(show(vmWith({ default: 'pod' }), { [NETWORKS]: text })).toEqual(expected);
  });

  it.each<[string, VmiSpec, string[]]>([
    [
      'a plugin with a network of its own beside another network',
      vmWith({ default: 'pod', biz: 'a' }, { binding: { name: 'passt' } }),
      ['default InvalidRequest certain', 'biz InvalidRequest certain'],
    ],
    [
      'such a plugin under another spelling',
      vmWith({ default: 'pod', biz: 'a' }, { binding: { name: 'PASST' } }),
      ['default InvalidRequest certain', 'biz InvalidRequest certain'],
    ],
    [
      'perhaps such a plugin alone',
      vmWith({ default: 'pod' }, { binding: { name: 'passt' } }),
      ['default InvalidRequest perhaps'],
    ],
    ['no plugin without a network', vmWith({ default: 'pod', biz: 'a' }, { binding: { name: 'managedTap' } }), []],
    ['no plugin that is not known', vmWith({ default: 'pod', biz: 'a' }, { binding: { name: 'other' } }), []],
    ['no binding of KubeVirt', vmWith({ default: 'pod', biz: 'a' }), []],
  ])('%s', (_cause, spec, expected) => {
    expect(show(spec)).toEqual(expected);
  });

  it.each([
    [undefined],
    [null],
    [7],
    [{ spec: null }],
    [kubevirt([])],
    [kubevirt({ passt: null })],
    [kubevirt({ passt: { networkAttachmentDefinition: 7 } })],
  ])('no plugin of a KubeVirt object %j', (object) => {
    expect(parsePluginNetworks(object).size).toBe(0);
  });

  it('nothing of interfaces that are none', () => {
    const spec = {
      domain: { devices: { interfaces: [null, 7, { name: 7, binding: { name: 'passt' } }, { binding: 'passt' }] } },
    };
    expect(show(spec as unknown as VmiSpec)).toEqual([]);
  });
});
