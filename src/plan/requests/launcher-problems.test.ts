import { describe, expect, it } from 'vitest';
import type { VmiSpec } from '../../api/objects.ts';
import { parsePluginNetworks } from './launcher-names.ts';
import { addLauncherProblems, type LauncherFacts } from './launcher-problems.ts';
import { planVmRequests } from './requests.ts';
import { makeRequestContext, show, vmWith } from './testing/requests.ts';

const plugins = parsePluginNetworks({
  spec: { configuration: { network: { binding: { passt: { networkAttachmentDefinition: 'kubevirt/passt' } } } } },
});
const NETWORKS = 'k8s.v1.cni.cncf.io/networks';
const PASST = { binding: { name: 'passt' } };
const TOO_LONG = { annotationBytes: 300_000 };
const [ALONE, BOTH] = [{ default: 'pod' }, { default: 'pod', biz: 'default/attachnet' }];

const plan = (spec: VmiSpec, over: Partial<LauncherFacts> = {}) =>
  addLauncherProblems(planVmRequests(spec, [], makeRequestContext()), {
    annotations: {},
    spec,
    namespace: 'default',
    plugins,
    annotationBytes: 0,
    ...over,
  });
const mixed = (first: object, second: object): VmiSpec => {
  const spec = vmWith(BOTH);
  const interfaces = [
    { name: 'default', ...first },
    { name: 'biz', ...second },
  ];
  return { ...spec, domain: { devices: { interfaces } } };
};

const NO_NIC: VmiSpec = { domain: { devices: { autoattachPodInterface: false } } };
const FINE = ['default=eth0 default bridge', 'biz=pod9bdd85331e7 attachnet default/attachnet bridge'];

describe('a launcher that KubeVirt could not cope with', () => {
  it.each<[string, VmiSpec, Partial<LauncherFacts>, string[], number]>([
    ['none of it', vmWith(BOTH), {}, FINE, 0],
    [
      'a plugin that takes the place of another network',
      mixed(PASST, { bridge: {} }),
      {},
      ['biz=pod9bdd85331e7 attachnet default/attachnet bridge', 'default! InvalidRequest'],
      0,
    ],
    ['such a plugin beside nothing', vmWith(ALONE, PASST), {}, ['default=eth0 default'], 1],
    [
      'such a plugin on a NIC that goes',
      mixed({ bridge: {} }, { ...PASST, state: 'absent' }),
      {},
      ['default=eth0 default bridge', 'biz=pod9bdd85331e7 attachnet default/attachnet absent'],
      1,
    ],
    ['an annotation with a name of that kind', vmWith(BOTH), { annotations: { [NETWORKS]: 'a@net1' } }, FINE, 1],
    ['two of them', vmWith(BOTH), { annotations: { [NETWORKS]: 'a,b' } }, FINE, 2],
    ['more annotations than fit', vmWith(BOTH), TOO_LONG, ['default! InvalidRequest', 'biz! InvalidRequest'], 0],
    ['more annotations than fit, and no NIC', NO_NIC, { ...TOO_LONG, annotations: { [NETWORKS]: 'a' } }, [], 1],
  ])('%s', (_cause, ...[spec, over, expected, notes]) => {
    const planned = plan(spec, over);
    expect(show(planned)).toEqual(expected);
    expect(planned.notes ?? []).toHaveLength(notes);
  });

  it('leaves what is wrong with a NIC anyway as it is', () => {
    const spec = mixed(PASST, { bridge: {} });
    const broken = { ...spec, networks: [{ name: 'default', multus: { networkName: 'default/none' } }] };
    const { problems, notes } = plan({ ...broken, networks: [...broken.networks, ...(spec.networks ?? []).slice(1)] });
    expect(problems.map(({ nic, problem }) => `${nic} ${problem.reason}`)).toEqual([
      'default NetworkAttachmentNotFound',
    ]);
    expect(notes?.map(({ reason }) => reason)).toEqual(['InvalidRequest']);
  });

  it('keeps what else the plan says', () => {
    const context = makeRequestContext();
    const before = { ...planVmRequests(vmWith(BOTH), [], context), others: ['x'], notes: [] };
    const facts = { annotations: {}, spec: vmWith(BOTH), namespace: 'default', plugins, annotationBytes: 0 };
    expect(addLauncherProblems(before, facts)).toBe(before);
    expect(addLauncherProblems(before, { ...facts, ...TOO_LONG })).toMatchObject({ others: ['x'], requests: [] });
  });
});
