import { describe, expect, it } from 'vitest';
import type { KubeVirt } from '../../api/objects.ts';
import { applyPatch } from '../binding/testing/cluster.ts';
import { createSidecarJudge, planSidecar } from './plan.ts';

const IMAGE = { image: 'r/mooring:2', pullPolicy: 'IfNotPresent' };
const KEY = 'hooks.kubevirt.io/hookSidecars';
const ASKED = { 'mooring.dev/configure-guest': 'true' };
const VOLUME = { name: 'seed', cloudInitNoCloud: { userData: '#cloud-config' } };
const DISK = { name: 'root', containerDisk: { image: 'i' } };
const USERS = [{ image: 'u/hook:1' }];

const makeKubevirt = (developerConfiguration?: object): KubeVirt => ({
  metadata: { name: 'kubevirt' },
  spec: { configuration: developerConfiguration === undefined ? {} : { developerConfiguration } },
});
const GATED = makeKubevirt({ featureGates: ['LiveMigration', 'Sidecar'] });

type Guest = {
  readonly annotations?: object;
  readonly volumes?: unknown;
  readonly interfaces?: unknown;
  readonly outer?: object;
};

const makeSpec = ({ volumes = [DISK, VOLUME], interfaces = [{ name: 'default', bridge: {} }] }: Guest) => ({
  domain: { devices: { interfaces } },
  volumes,
});
const makeVm = (guest: Guest = {}) => ({
  metadata: { name: 'db', ...(guest.outer === undefined ? {} : { annotations: guest.outer }) },
  spec: { template: { metadata: { annotations: guest.annotations ?? ASKED }, spec: makeSpec(guest) } },
});
const makeVmi = (guest: Guest = {}) => ({
  metadata: { name: 'db', annotations: guest.annotations ?? ASKED },
  spec: makeSpec(guest),
});

type Written = { metadata: Meta; spec: { template: { metadata: Meta } } };
type Meta = { annotations: Record<string, string> };

const plan = (object: unknown, kubevirt: KubeVirt | undefined = GATED, kind = 'VirtualMachine') =>
  planSidecar({ kind, operation: 'CREATE', object }, { findKubevirt: () => kubevirt }, IMAGE);
const listOf = ({ annotations }: Meta) => (annotations[KEY] === undefined ? undefined : JSON.parse(annotations[KEY]));

/** The list that the template has then; planning once more must change nothing. */
function inject(guest: Guest, kubevirt = GATED): unknown {
  const vm = makeVm(guest);
  const once = applyPatch(vm, plan(vm, kubevirt).patch);
  expect(plan(once, kubevirt).patch).toEqual([]);
  return listOf((once as Written).spec.template.metadata);
}

const OURS = {
  image: 'r/mooring:2',
  imagePullPolicy: 'IfNotPresent',
  command: ['/usr/local/bin/mooring-hook'],
  args: ['sidecar', '--configure-guest'],
};
const WITH_OURS = { ...ASKED, [KEY]: JSON.stringify([OURS]) };
const WITH_BOTH = { ...ASKED, [KEY]: JSON.stringify([...USERS, OURS]) };

describe('the sidecar of a guest that is to be configured', () => {
  it('is put into the template of a VM', () => expect(inject({})).toEqual([OURS]));
  it('comes after those of the user', () => {
    expect(inject({ annotations: { ...ASKED, [KEY]: JSON.stringify(USERS) } })).toEqual([...USERS, OURS]);
  });
  it('is put in for a config drive, too', () => {
    expect(inject({ volumes: [{ name: 'seed', cloudInitConfigDrive: {} }] })).toEqual([OURS]);
  });

  it('is put into a VMI when it is made, and never later', () => {
    const vmi = makeVmi();
    const { patch } = plan(vmi, GATED, 'VirtualMachineInstance');
    expect(listOf((applyPatch(vmi, patch) as Written).metadata)).toEqual([OURS]);
    const question = { kind: 'VirtualMachineInstance', operation: 'UPDATE', object: vmi } as const;
    expect(planSidecar(question, { findKubevirt: () => GATED }, IMAGE)).toEqual({ patch: [], warnings: [] });
  });

  it('changes nothing of the object that was asked about', () => {
    const vm = makeVm();
    const before = JSON.stringify(vm);
    plan(vm);
    expect(JSON.stringify(vm)).toBe(before);
  });

  it.each<[string, Guest, KubeVirt, string]>([
    ['no cloud-init volume', { volumes: [DISK] }, GATED, 'has no volume'],
    ['volumes that are none', { volumes: 'x' }, GATED, 'has no volume'],
    ['no feature gate', {}, makeKubevirt({ featureGates: [] }), 'feature gate Sidecar'],
    ['no configuration', {}, makeKubevirt(), 'feature gate Sidecar'],
    ['gates that are none', {}, makeKubevirt({ featureGates: 'Sidecar' }), 'feature gate Sidecar'],
    [
      'a gate that is disabled',
      {},
      makeKubevirt({ featureGates: ['Sidecar'], disabledFeatureGates: ['Sidecar'] }),
      'feature gate Sidecar',
    ],
    [
      'network data of the user',
      { volumes: [{ name: 'seed', cloudInitNoCloud: { networkDataSecretRef: { name: 's' } } }] },
      GATED,
      'network data of its own',
    ],
  ])('is not put in, and taken out, with a warning: %s', (_cause, guest, kubevirt, words) => {
    expect(inject(guest, kubevirt)).toBeUndefined();
    expect(inject({ ...guest, annotations: WITH_OURS }, kubevirt)).toBeUndefined();
    expect(inject({ ...guest, annotations: WITH_BOTH }, kubevirt)).toEqual(USERS);
    const { warnings } = plan(makeVm(guest), kubevirt);
    expect(warnings).toEqual([expect.stringContaining(words)]);
    expect(warnings.every((line) => line.length <= 256)).toBe(true);
  });

  it('stays as it is, with a warning, where no KubeVirt object can be seen', () => {
    const ask = (annotations: object) =>
      planSidecar(
        { kind: 'VirtualMachine', operation: 'UPDATE', object: makeVm({ annotations }) },
        { findKubevirt: () => undefined },
        IMAGE,
      );
    for (const annotations of [ASKED, WITH_OURS]) {
      expect(ask(annotations)).toEqual({ patch: [], warnings: [expect.stringContaining('no KubeVirt object')] });
    }
  });

  it.each<[string, object, unknown]>([
    ['nobody asks', { [KEY]: JSON.stringify([OURS]) }, undefined],
    ['it is switched off', { ...WITH_BOTH, 'mooring.dev/configure-guest': 'false' }, USERS],
  ])('is taken out without a word when %s', (_cause, annotations, expected) => {
    expect(inject({ annotations })).toEqual(expected);
    expect(plan(makeVm({ annotations })).warnings).toEqual([]);
  });

  it('is not put in for a list that cannot be read, with a warning', () => {
    const { patch, warnings } = plan(makeVm({ annotations: { ...ASKED, [KEY]: '{' } }));
    expect(patch).toEqual([]);
    expect(warnings).toEqual([expect.stringContaining('no list of objects')]);
  });
});

describe('who is told', () => {
  it.each<[string, Guest, string]>([
    ['the annotation is on the VM itself', { annotations: {}, outer: ASKED }, 'counts on the template'],
    ['its value is another one', { annotations: { 'mooring.dev/configure-guest': 'yes' } }, 'is not "true"'],
    ['a NIC under masquerade has no MAC', { interfaces: [{ name: 'default', masquerade: {} }] }, '"default"'],
    ['a NIC of passt has no MAC', { interfaces: [{ name: 'p', passtBinding: {}, macAddress: '' }] }, '"p"'],
  ])('%s', (_cause, guest, words) => {
    expect(plan(makeVm(guest)).warnings).toEqual([expect.stringContaining(words)]);
  });

  it.each<[string, Guest]>([
    ['everything is well', {}],
    [
      'a NIC under masquerade has a MAC',
      { interfaces: [{ name: 'd', masquerade: {}, macAddress: '02:00:5e:00:00:01' }] },
    ],
    ['a NIC under masquerade goes', { interfaces: [{ name: 'd', masquerade: {}, state: 'absent' }] }],
    ['nobody asks', { annotations: {} }],
  ])('nobody when %s', (_cause, guest) => {
    expect(plan(makeVm(guest)).warnings).toEqual([]);
  });

  it('of many NICs only the first, in words that the API server passes on', () => {
    const interfaces = Array.from({ length: 20 }, (_, index) => ({
      name: `${'n'.repeat(300)}${index}`,
      masquerade: {},
    }));
    const { warnings } = plan(makeVm({ interfaces }));
    expect(warnings).toHaveLength(4);
    expect(warnings.every((line) => line.length <= 256)).toBe(true);
  });
});

describe('an object that may be anything', () => {
  it.each<unknown>([
    undefined,
    null,
    7,
    [],
    {},
    { metadata: 1 },
    { metadata: {}, spec: { template: [] } },
    { metadata: { annotations: ['x'] }, spec: { template: { metadata: { annotations: ASKED }, spec: [] } } },
    makeVm({ volumes: [null, 1, { cloudInitNoCloud: 'x' }], interfaces: [null, { masquerade: {} }, 3] }),
    { ...makeVm(), metadata: { deletionTimestamp: '2026-11-22T00:00:00Z' } },
  ])('gets nothing written: %j', (object) => {
    const judge = createSidecarJudge({ findKubevirt: () => GATED }, IMAGE);
    for (const kind of ['VirtualMachine', 'VirtualMachineInstance', 'Pod']) {
      const question = { uid: 'u', kind, namespace: 'a', name: 'db', object, oldObject: null, dryRun: false } as const;
      const verdict = judge({ ...question, operation: 'CREATE', user: { name: 'u', groups: [] } });
      expect(verdict).toMatchObject({ allowed: true, patch: [] });
    }
  });
});
