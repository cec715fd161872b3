import { describe, expect, it } from 'vitest';
import type { VirtualMachine } from '../../api/objects.ts';
import { createBindingJudge, planBindings } from './plan.ts';
import {
  applyPatch,
  type ClusterOverrides,
  DEFAULTS,
  makeCluster,
  makeSpec,
  makeSubnet,
  makeVm,
  makeVmi,
  TAPPED,
} from './testing/cluster.ts';

const ALLOW = 'kubevirt.io/allow-pod-bridge-network-live-migration';
const KEY = 'mooring.dev/binding';
const ENFORCED = { 'mooring.dev/binding-enforced': 'true' };
const TAP = { name: 'managedtap' };

const QUESTION = { kind: 'VirtualMachine', operation: 'CREATE', namespace: 'web', oldObject: null } as const;
const ask = (object: unknown, over: ClusterOverrides = {}, kind = 'VirtualMachine') => {
  return planBindings({ ...QUESTION, kind, object }, makeCluster(over), DEFAULTS);
};

type Written = { spec: { template: { spec: { domain: { devices: { interfaces: unknown } } } } } };
type Interfaces = Parameters<typeof makeSpec>[0];

/** The interfaces of a VM after the patch, or why it is refused. */
const write = (interfaces: Interfaces, annotations = {}, over: ClusterOverrides = {}): unknown => {
  const vm = makeVm(makeSpec(interfaces), annotations);
  const { patch, denial } = ask(vm, over);
  if (denial !== undefined) return `${denial.reason}: ${denial.message}`;
  return (applyPatch(vm, patch) as Written).spec.template.spec.domain.devices.interfaces;
};
const nics = (table: object) => ({ 'mooring.dev/nics': JSON.stringify(table) });
const POD = [{ name: 'default' }];

describe('a binding by policy', () => {
  it.each<[string, object, ClusterOverrides, object]>([
    ['nobody', {}, {}, { name: 'default' }],
    ['the VM', { [KEY]: 'bridge' }, {}, { name: 'default', bridge: {} }],
    ['the VM, managedTap', { [KEY]: 'managedTap' }, { kubevirt: TAPPED }, { name: 'default', binding: TAP }],
    ['the Namespace', {}, { namespace: { [KEY]: 'masquerade' } }, { name: 'default', masquerade: {} }],
    ['the Subnet', {}, { subnets: [makeSubnet('default', {}, { [KEY]: 'bridge' })] }, { name: 'default', bridge: {} }],
    ['the NIC', nics({ default: { binding: 'bridge' } }), {}, { name: 'default', bridge: {} }],
    ['auto', { [KEY]: 'auto' }, { kubevirt: TAPPED }, { name: 'default', bridge: {} }],
  ])('of %s', (_cause, annotations, over, expected) => {
    expect(write(POD, annotations, over)).toEqual([expected]);
  });

  it('of the chart', () => {
    const vm = makeVm(makeSpec(POD));
    const question = { ...QUESTION, object: vm };
    const { patch } = planBindings(question, makeCluster(), { ...DEFAULTS, binding: 'masquerade' });
    expect(patch).toEqual([
      { op: 'add', path: '/spec/template/spec/domain/devices/interfaces/0/masquerade', value: {} },
    ]);
  });

  it('is the nearest: NIC, VM, Subnet, Namespace', () => {
    const over = { namespace: { [KEY]: 'masquerade' }, subnets: [makeSubnet('default', {}, { [KEY]: 'bridge' })] };
    expect(write(POD, {}, over)).toEqual([{ name: 'default', bridge: {} }]);
    expect(write(POD, { [KEY]: 'masquerade' }, over)).toEqual([{ name: 'default', masquerade: {} }]);
    const both = { [KEY]: 'masquerade', ...nics({ default: { binding: 'bridge' } }) };
    expect(write(POD, both, over)).toEqual([{ name: 'default', bridge: {} }]);
    expect(write(POD, { ...both, ...nics({ default: { binding: 'asIs' } }) }, over)).toEqual(POD);
  });

  it('is found by the subnet that a NIC asks for, also when that is in another VPC or the NIC has a pool', () => {
    const subnets = [makeSubnet('far', { vpc: 'other' }, { [KEY]: 'masquerade' })];
    const asked = nics({ default: { subnet: 'far', pool: 'some' } });
    expect(write(POD, asked, { subnets })).toEqual([{ name: 'default', masquerade: {} }]);
  });

  it('is of each NIC by itself', () => {
    const subnets = [makeSubnet('biz', { provider: 'biz.web.ovn', enableDHCP: true }, { [KEY]: 'auto' })];
    const over = { subnets, namespace: { [KEY]: 'masquerade' }, kubevirt: TAPPED };
    expect(write([{ name: 'default' }, { name: 'biz' }, { name: 'lan' }], {}, over)).toEqual([
      { name: 'default', masquerade: {} },
      { name: 'biz', binding: TAP },
      { name: 'lan' },
    ]);
  });
});

describe('what a user wrote', () => {
  it.each<[object]>([
    [{ bridge: {} }],
    [{ masquerade: {} }],
    [{ binding: TAP }],
    [{ sriov: {} }],
    [{ passtBinding: {} }],
    [{ macvtap: {} }],
    [{ binding: { name: 'other' } }],
    [{ someday: {} }],
  ])('%j stays under a policy', (written) => {
    const over = { kubevirt: TAPPED };
    for (const policy of ['bridge', 'masquerade', 'managedTap', 'auto', 'asIs']) {
      const interfaces = [{ name: 'default', ...written }];
      expect(write(interfaces, { [KEY]: policy }, over)).toEqual(interfaces);
    }
  });

  it.each<[string, object, object]>([
    ['bridge', { masquerade: {} }, { bridge: {} }],
    ['bridge', { binding: TAP }, { bridge: {} }],
    ['masquerade', { bridge: {}, macAddress: '2:0:0:0:0:a' }, { masquerade: {}, macAddress: '2:0:0:0:0:a' }],
    ['managedTap', { bridge: {}, masquerade: {} }, { binding: TAP }],
    ['bridge', { bridge: {}, masquerade: {} }, { bridge: {} }],
    ['bridge', { bridge: null }, { bridge: {} }],
    ['auto', { masquerade: {} }, { bridge: {} }],
    ['asIs', { masquerade: {} }, { masquerade: {} }],
    ['bridge', { sriov: {} }, { sriov: {} }],
    ['bridge', { passtBinding: {} }, { passtBinding: {} }],
    ['bridge', { binding: { name: 'macvtap' } }, { binding: { name: 'macvtap' } }],
  ])('becomes %s where that is enforced: %j', (policy, written, expected) => {
    const namespace = { [KEY]: policy, ...ENFORCED };
    const interfaces = [{ name: 'default', ...written }];
    expect(write(interfaces, {}, { namespace, kubevirt: TAPPED })).toEqual([{ name: 'default', ...expected }]);
  });

  it('is refused where it names one binding of ours and one that is none, and one is enforced', () => {
    const namespace = { [KEY]: 'bridge', ...ENFORCED };
    expect(write([{ name: 'default', bridge: {}, sriov: {} }], {}, { namespace })).toBe(
      'InvalidRequest: NIC "default" names two bindings, Namespace web enforces bridge; take out "sriov"',
    );
  });

  it('is refused where it has a field that is not known, and one is enforced', () => {
    const namespace = { [KEY]: 'bridge', ...ENFORCED };
    expect(write([{ name: 'default', someday: {} }], {}, { namespace })).toBe(
      'InvalidRequest: NIC "default": Namespace web enforces bridge; take out "someday", which is not known',
    );
  });

  it('is warned of where it cannot be replaced', () => {
    const { warnings } = ask(makeVm(makeSpec([{ name: 'default', sriov: {} }])), {
      namespace: { [KEY]: 'bridge', ...ENFORCED },
    });
    expect(warnings).toEqual([
      'NIC "default": Namespace web asks for bridge, left as it is: ' +
        'the interface has the binding "sriov", which is never replaced',
    ]);
  });
});

describe('an enforced policy', () => {
  const subnets = [makeSubnet('default', {}, { [KEY]: 'bridge', ...ENFORCED })];

  it("is the Subnet's before the Namespace's, and both before what VM and NIC say", () => {
    const namespace = { [KEY]: 'masquerade', ...ENFORCED };
    expect(write(POD, { [KEY]: 'masquerade' }, { subnets, namespace })).toEqual([{ name: 'default', bridge: {} }]);
    expect(write(POD, { [KEY]: 'bridge' }, { namespace })).toEqual([{ name: 'default', masquerade: {} }]);
  });

  it("refuses a NIC's entry that wants another one, as the controller would refuse the port", () => {
    expect(write(POD, nics({ default: { binding: 'masquerade' } }), { subnets })).toBe(
      'RequestDisagreement: NIC "default": Subnet default enforces bridge; take masquerade out of mooring.dev/nics',
    );
    expect(write(POD, nics({ default: { binding: 'asIs' } }), { subnets })).toEqual([{ name: 'default', bridge: {} }]);
  });

  it('is nothing without a binding, and only with the word true', () => {
    expect(write([{ name: 'default', masquerade: {} }], {}, { namespace: ENFORCED })).toEqual([
      { name: 'default', masquerade: {} },
    ]);
    const namespace = { [KEY]: 'bridge', 'mooring.dev/binding-enforced': 'yes' };
    const interfaces = [{ name: 'default', masquerade: {} }];
    expect(write(interfaces, {}, { namespace })).toEqual(interfaces);
  });

  it('cannot be had by a VM for itself', () => {
    const own = { [KEY]: 'bridge', ...ENFORCED };
    expect(write([{ name: 'default', masquerade: {} }], own)).toEqual([{ name: 'default', masquerade: {} }]);
  });
});

describe('what cannot be done', () => {
  const WAY_OUT = 'give this NIC its own binding in mooring.dev/nics';
  const NO_TAP = 'KubeVirt knows no binding plugin managedTap; register it there (docs/bindings.md), or choose bridge';
  const MACS =
    'macvlan lets no frames through for a guest behind bridge or managedTap; use macvtap with its own binding';
  const REFUSED: [string, Interfaces, object, ClusterOverrides, string][] = [
    [
      'masquerade on a further NIC, asked for by the VM',
      [{ name: 'default' }, { name: 'biz' }],
      { [KEY]: 'masquerade' },
      {},
      `NIC "biz": the VM asks for masquerade: masquerade is possible on the pod network only; ${WAY_OUT}`,
    ],
    [
      'masquerade enforced on a further NIC',
      [{ name: 'biz' }],
      {},
      { namespace: { [KEY]: 'masquerade', ...ENFORCED } },
      `NIC "biz": Namespace web asks for masquerade: masquerade is possible on the pod network only; ${WAY_OUT}`,
    ],
    [
      'a plugin that is not registered',
      POD,
      {},
      { namespace: { [KEY]: 'managedTap' } },
      `NIC "default": Namespace web asks for managedTap: ${NO_TAP}`,
    ],
    [
      'bridge that KubeVirt does not permit',
      POD,
      { [KEY]: 'bridge' },
      {
        kubevirt: {
          metadata: { name: 'kubevirt' },
          spec: { configuration: { network: { permitBridgeInterfaceOnPodNetwork: false } } },
        },
      },
      'NIC "default": the VM asks for bridge: ' +
        'KubeVirt does not permit bridge on the pod network (permitBridgeInterfaceOnPodNetwork)',
    ],
    ['bridge on macvlan', [{ name: 'mac' }], { [KEY]: 'bridge' }, {}, `NIC "mac": the VM asks for bridge: ${MACS}`],
    [
      'a word that is none',
      POD,
      { [KEY]: 'brigde' },
      {},
      'the VM: mooring.dev/binding: "brigde" is not one of asIs, bridge, masquerade, managedTap, auto',
    ],
  ];
  it.each(REFUSED.map(([cause, ...row]) => ({ cause, row })))('refuses $cause', ({ row }) => {
    const [interfaces, annotations, over, expected] = row;
    expect(write(interfaces, annotations, over)).toBe(`InvalidRequest: ${expected}`);
  });

  it('refuses a VM and a template that disagree', () => {
    const vm = {
      metadata: { name: 'db', annotations: { [KEY]: 'bridge' } },
      spec: { template: { metadata: { annotations: { [KEY]: 'auto' } }, spec: makeSpec(POD) } },
    };
    expect(ask(vm).denial).toEqual({
      reason: 'RequestDisagreement',
      message: "mooring.dev/binding: the VM asks for bridge, but the VM's template asks for auto",
    });
  });

  it('refuses two NICs with masquerade', () => {
    const spec = {
      domain: { devices: { interfaces: [{ name: 'a' }, { name: 'b' }] } },
      networks: [
        { name: 'a', pod: {} },
        { name: 'b', pod: {} },
      ],
    };
    expect(ask(makeVm(spec, { [KEY]: 'masquerade' })).denial?.message).toBe(
      '2 NICs have the binding masquerade; a guest can have one',
    );
  });

  it('is left alone where a whole namespace is spoken of, or auto has no answer', () => {
    expect(write([{ name: 'mac' }], {}, { namespace: { [KEY]: 'bridge' } })).toEqual([{ name: 'mac' }]);
    expect(write([{ name: 'vf' }], {}, { namespace: { [KEY]: 'bridge' } })).toEqual([{ name: 'vf' }]);
    const { warnings } = ask(makeVm(makeSpec([{ name: 'mac' }]), { [KEY]: 'auto' }));
    expect(warnings).toEqual([`NIC "mac": the VM asks for auto, left as it is: ${MACS}`]);
  });

  it('is ignored, and said, where it stands on a Namespace or Subnet', () => {
    const { denial, warnings, patch } = ask(makeVm(makeSpec(POD)), { namespace: { [KEY]: 'tap' } });
    expect({ denial, patch }).toEqual({ denial: undefined, patch: [] });
    expect(warnings[0]).toMatch(/^Namespace web: mooring.dev\/binding: "tap" is not one of .*; it is ignored$/);
  });
});

describe('live migration with bridge on the pod network', () => {
  const patchOf = (vm: object, over: ClusterOverrides = {}) =>
    ask(vm, over).patch.filter(({ path }) => /annotations|metadata/.test(path));
  const spec = makeSpec(POD);

  it('makes what is not there of the metadata', () => {
    expect(patchOf(makeVm(spec, { [KEY]: 'bridge' }))).toEqual([
      { op: 'add', path: '/spec/template/metadata', value: { annotations: { [ALLOW]: '' } } },
    ]);
    const labelled = { metadata: {}, spec: { template: { metadata: { labels: {} }, spec } } };
    expect(patchOf(labelled, { namespace: { [KEY]: 'bridge' } })).toEqual([
      { op: 'add', path: '/spec/template/metadata/annotations', value: { [ALLOW]: '' } },
    ]);
  });

  it('leaves other annotations, and one that is there', () => {
    const make = (annotations: object) => ({ metadata: {}, spec: { template: { metadata: { annotations }, spec } } });
    expect(patchOf(make({ a: 'b' }), { namespace: { [KEY]: 'bridge' } })).toEqual([
      {
        op: 'add',
        path: '/spec/template/metadata/annotations/kubevirt.io~1allow-pod-bridge-network-live-migration',
        value: '',
      },
    ]);
    expect(patchOf(make({ [ALLOW]: 'x' }), { namespace: { [KEY]: 'bridge' } })).toEqual([]);
  });

  it('is for a bridge that the user wrote, too, unless the policy is asIs', () => {
    const written = makeSpec([{ name: 'default', bridge: {} }]);
    expect(patchOf(makeVm(written, { [KEY]: 'auto' }))).toHaveLength(1);
    expect(patchOf(makeVm(written))).toEqual([]);
  });

  it('is neither for further NICs nor for other bindings', () => {
    expect(patchOf(makeVm(makeSpec([{ name: 'biz' }]), { [KEY]: 'bridge' }))).toEqual([]);
    expect(patchOf(makeVm(spec, { [KEY]: 'masquerade' }))).toEqual([]);
  });

  it("is not for another CNI's pod network, where the guest would keep an address that the target has not", () => {
    const object = makeVm(spec, { [KEY]: 'bridge' });
    const plan = planBindings({ ...QUESTION, object }, makeCluster(), { ...DEFAULTS, primary: false });
    expect(plan.patch.map(({ path }) => path)).toEqual(['/spec/template/spec/domain/devices/interfaces/0/bridge']);
    expect(plan.warnings.join()).toMatch(/no live migration that keeps the address/);
  });
});

describe('a guest that lists no NIC', () => {
  it.each<[string, object]>([
    ['no devices', { domain: {} }],
    ['devices without interfaces', { domain: { devices: { rng: {} } } }],
    ['empty lists', { domain: { devices: { interfaces: [] } }, networks: [] }],
  ])('gets the one that KubeVirt gives it, with its binding: %s', (_cause, spec) => {
    const vm = makeVm(spec, { [KEY]: 'masquerade' });
    const { spec: after } = applyPatch(vm, ask(vm).patch) as { spec: { template: { spec: object } } };
    expect(after.template.spec).toMatchObject({
      domain: { devices: { interfaces: [{ name: 'default', masquerade: {} }] } },
      networks: [{ name: 'default', pod: {} }],
    });
  });

  it.each<[string, object, object, object]>([
    ['asIs', {}, { domain: {} }, {}],
    ['no NIC is wanted', { [KEY]: 'bridge' }, { domain: { devices: { autoattachPodInterface: false } } }, {}],
    ['a preference may say that', { [KEY]: 'bridge' }, { domain: {} }, { preference: { name: 'p' } }],
    ['no domain', { [KEY]: 'bridge' }, {}, {}],
  ])('gets none: %s', (_cause, annotations, spec, more) => {
    const vm = { metadata: { annotations }, spec: { ...more, template: { spec } } };
    expect(ask(vm)).toEqual({ patch: [], warnings: [] });
  });
});

describe('a VMI', () => {
  const spec = makeSpec(POD);
  const vm: VirtualMachine = { metadata: { name: 'db', uid: 'u1', annotations: { [KEY]: 'masquerade' } } };
  const owned = (uid: string) => ({
    ownerReferences: [{ apiVersion: 'kubevirt.io/v1', kind: 'VirtualMachine', name: 'db', uid, controller: true }],
  });

  it('has its annotations beside its spec', () => {
    expect(ask(makeVmi(spec, { annotations: { [KEY]: 'bridge' } }), {}, 'VirtualMachineInstance').patch).toEqual([
      { op: 'add', path: '/spec/domain/devices/interfaces/0/bridge', value: {} },
      { op: 'add', path: '/metadata/annotations/kubevirt.io~1allow-pod-bridge-network-live-migration', value: '' },
    ]);
  });

  it("has its VM's policy, as when the webhook was away at the VM's own admission", () => {
    const plan = ask(makeVmi(spec, owned('u1')), { vms: [vm] }, 'VirtualMachineInstance');
    expect(plan.patch).toEqual([{ op: 'add', path: '/spec/domain/devices/interfaces/0/masquerade', value: {} }]);
  });

  it('has no policy of a VM that it only claims', () => {
    expect(ask(makeVmi(spec, owned('u2')), { vms: [vm] }, 'VirtualMachineInstance').patch).toEqual([]);
  });

  it('of a VM starts when a policy has become impossible since, and says so', () => {
    const over = { vms: [vm], namespace: { [KEY]: 'managedTap' } };
    const other = { metadata: { name: 'db', uid: 'u1' } };
    const plan = ask(makeVmi(spec, owned('u1')), { ...over, vms: [other] }, 'VirtualMachineInstance');
    expect(plan.denial).toBeUndefined();
    expect(plan.patch).toEqual([]);
    expect(plan.warnings[0]).toMatch(/knows no binding plugin managedTap/);
  });

  it('evades no enforced policy by an owner', () => {
    const over = { vms: [vm], namespace: { [KEY]: 'managedTap', ...ENFORCED } };
    expect(ask(makeVmi(spec, owned('u1')), over, 'VirtualMachineInstance').denial?.reason).toBe('InvalidRequest');
  });

  it('is left alone once it is there, as KubeVirt lets nobody change it', () => {
    const object = makeVmi(spec, { annotations: { [KEY]: 'bridge' } });
    const question = { kind: 'VirtualMachineInstance', namespace: 'web', object, oldObject: makeVmi(spec) };
    expect(planBindings({ ...question, operation: 'UPDATE' }, makeCluster(), DEFAULTS).patch).toEqual([]);
  });
});

describe('an update', () => {
  const update = (object: unknown, oldObject: unknown, over: ClusterOverrides = {}) => {
    const question = { kind: 'VirtualMachine', operation: 'UPDATE' as const, namespace: 'web', object, oldObject };
    return planBindings(question, makeCluster(over), DEFAULTS);
  };

  it('that changes nothing of it is not answered, whatever has been said since', () => {
    const vm = makeVm(makeSpec(POD)) as { spec: object };
    const over = { namespace: { [KEY]: 'managedTap' } };
    const halted = { ...vm, spec: { ...vm.spec, runStrategy: 'Halted' } };
    expect(update(halted, vm, over)).toEqual({ patch: [], warnings: [] });
  });

  it('is not refused for what was wrong before', () => {
    const over = { namespace: { [KEY]: 'managedTap' } };
    const vm = makeVm(makeSpec(POD));
    const { denial, patch, warnings } = update(makeVm(makeSpec(POD), { touched: 'yes' }), vm, over);
    expect({ denial, patch }).toEqual({ denial: undefined, patch: [] });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/^NIC "default": Namespace web asks for managedTap: KubeVirt knows/);
    const more = makeVm(makeSpec([{ name: 'biz' }, { name: 'default' }]));
    expect(update(more, vm, over).denial?.message).toMatch(/^NIC "biz"/);
  });

  it('of a VM that is being deleted goes through', () => {
    const metadata = { deletionTimestamp: 'now', annotations: { [KEY]: 'x' } };
    const vm = { metadata, spec: { template: { spec: makeSpec(POD) } } };
    expect(update(vm, null)).toEqual({ patch: [], warnings: [] });
  });

  it('that brings a NIC into a running VM gets a binding that can be plugged', () => {
    const subnets = [makeSubnet('biz', { provider: 'biz.web.ovn', enableDHCP: true })];
    const vm = makeVm(makeSpec([{ name: 'default', bridge: {} }, { name: 'biz' }]), { [KEY]: 'auto' });
    const paths = (running: string[]) =>
      update(vm, makeVm({}), { subnets, kubevirt: TAPPED, running }).patch.map(({ path }) => path);
    expect(paths(['default'])).toContain('/spec/template/spec/domain/devices/interfaces/1/bridge');
    expect(paths(['default', 'biz'])).toContain('/spec/template/spec/domain/devices/interfaces/1/binding');
  });

  it('leaves a NIC that is on its way out', () => {
    const vm = makeVm(makeSpec([{ name: 'biz', state: 'absent', bridge: {} }]));
    expect(update(vm, null, { namespace: { [KEY]: 'masquerade', ...ENFORCED } })).toEqual({ patch: [], warnings: [] });
  });
});

describe('the judge', () => {
  const judge = createBindingJudge(makeCluster(), DEFAULTS);
  const question = {
    uid: '1',
    operation: 'CREATE' as const,
    kind: 'VirtualMachine',
    namespace: 'web',
    name: 'db',
    oldObject: null,
    dryRun: false,
    user: { name: 'u', groups: [] },
  };

  it('says the reason with the refusal, and patches nothing then', () => {
    const verdict = judge({ ...question, object: makeVm(makeSpec(POD), { [KEY]: 'managedTap' }) });
    expect(verdict).toMatchObject({ allowed: false, patch: [] });
    expect(verdict.message).toMatch(/^InvalidRequest: NIC "default": the VM asks for managedTap: /);
  });

  it('passes what has no policy', () => {
    expect(judge({ ...question, object: makeVm(makeSpec(POD)) })).toEqual({ allowed: true, warnings: [], patch: [] });
  });
});
