import { describe, expect, it } from 'vitest';
import type { Admission } from '../admission.ts';
import {
  ATTACHED,
  makeAdmission,
  makeCluster,
  makePort,
  makeVm,
  makeVmi,
  type State,
} from '../checks/testing/cluster.ts';
import { createChangeJudge, listChanges } from './judge.ts';
import { TABLE } from './table.ts';

type Nic = { readonly name: string; readonly on?: string; readonly isFirst?: true } & Record<string, unknown>;

/** NICs on the pod network, or on the NAD that `on` names. */
function makeSpec(nics: readonly Nic[]): object {
  const interfaces = nics.map(({ on: _, isFirst: __, ...rest }) => rest);
  const networks = nics.map(({ name, on, isFirst }) =>
    on === undefined ? { name, pod: {} } : { name, multus: { networkName: on, ...(isFirst && { default: true }) } },
  );
  return { domain: { devices: { interfaces } }, networks };
}

type Vm = { readonly nics: readonly Nic[]; readonly nicsAnnotation?: object };
const toVm = ({ nics, nicsAnnotation }: Vm) =>
  makeVm({
    spec: makeSpec(nics) as never,
    annotations: nicsAnnotation === undefined ? {} : { 'mooring.dev/nics': JSON.stringify(nicsAnnotation) },
  });
const toVmi = (nics: readonly Nic[], more: object = {}) => ({
  ...makeVmi({ spec: makeSpec(nics) as never, metadata: { name: 'db', namespace: 'default', uid: 'u1' } }),
  status: { phase: 'Running' },
  ...more,
});

const POD: Nic = { name: 'default', masquerade: {} };
const BIZ: Nic = { name: 'biz', on: 'attachnet', bridge: {} };
const BOTH = [POD, BIZ];

type Question = { readonly from: Vm; readonly to: Vm; readonly running?: readonly Nic[]; readonly state?: State };

const pose = ({ from, to }: Pick<Question, 'from' | 'to'>, over: Partial<Admission> = {}) =>
  makeAdmission(toVm(to), { operation: 'UPDATE', oldObject: toVm(from), ...over });
const makeState = ({ running, from, state }: Question): State => ({ vmis: [toVmi(running ?? from.nics)], ...state });

/** One word per change: the NIC, what is changed and what that needs. */
const ask = (question: Question): string[] =>
  listChanges(pose(question), makeCluster(makeState(question))).map(
    ({ nic, what, detail }) => `${nic} ${what}${detail === '' ? '' : ` ${detail}`}: ${TABLE[what].way}`,
  );
const change = (from: readonly Nic[], to: readonly Nic[], running?: readonly Nic[]) =>
  ask({ from: { nics: from }, to: { nics: to }, ...(running === undefined ? {} : { running }) });

describe('an interface of a running VM', () => {
  const biz = (more: object) => [POD, { ...BIZ, ...more }];
  const { bridge: _, ...unbound } = BIZ;
  it.each<[string, readonly Nic[], readonly Nic[], string[]]>([
    ['whose link goes down', BOTH, biz({ state: 'down' }), ['biz linkState down: now']],
    ['whose link comes up', biz({ state: 'down' }), BOTH, ['biz linkState up: now']],
    ['whose link is said to be up', BOTH, biz({ state: 'up' }), []],
    [
      'of SR-IOV whose link goes down',
      [POD, { ...unbound, sriov: {} }],
      [POD, { ...unbound, sriov: {}, state: 'down' }],
      ['biz linkStateOfDevice: never'],
    ],
    ['that is unplugged', BOTH, biz({ state: 'absent' }), ['biz unplugged: plug']],
    ['that is left out', BOTH, [POD], ['biz removed: restart']],
    ['with another MAC', BOTH, biz({ macAddress: '02:00:00:00:00:09' }), ['biz mac: restart']],
    ['with another model', BOTH, biz({ model: 'e1000' }), ['biz fields model: restart']],
    ['with another binding', BOTH, [{ name: 'default', bridge: {} }, BIZ], ['default fields binding: restart']],
    [
      'with a binding plugin',
      BOTH,
      [{ name: 'default', binding: { name: 'managedtap' } }, BIZ],
      ['default fields binding: restart'],
    ],
    ['with ports', BOTH, [{ ...POD, ports: [{ port: 80 }] }, BIZ], ['default fields ports: restart']],
    [
      'with MAC, model and link',
      BOTH,
      biz({ macAddress: '02:00:00:00:00:09', model: 'e1000', state: 'down' }),
      ['biz linkState down: now', 'biz mac: restart', 'biz fields model: restart'],
    ],
    [
      'with more than is worth telling',
      BOTH,
      biz({ a: 1, b: 1, c: 1, d: 1, e: 1, f: 1 }),
      ['biz fields a, b, c, d and 2 more: restart'],
    ],
    ['on another NAD', BOTH, biz({ on: 'dual' }), ['biz networkUnmoved default/dual: restart']],
    ['on the same NAD in other words', BOTH, biz({ on: 'default/attachnet' }), []],
    ['on the pod network now', [BIZ], [{ name: 'biz', bridge: {} }], ['biz networkKind: restart']],
    [
      'in the place of the pod network, on another NAD',
      [{ ...BIZ, isFirst: true }],
      [{ ...BIZ, isFirst: true, on: 'dual' }],
      ['biz networkKind: restart'],
    ],
    ['of another order', BOTH, BOTH.toReversed(), []],
  ])('%s', (_cause, from, to, expected) => {
    expect(change(from, to)).toEqual(expected);
  });

  it.each<[string, readonly Nic[], readonly Nic[], readonly Nic[], string[]]>([
    ['that is changed back to what it runs with', biz({ model: 'e1000' }), BOTH, BOTH, []],
    [
      'that is changed once more',
      biz({ model: 'e1000' }),
      biz({ model: 'rtl8139' }),
      BOTH,
      ['biz fields model: restart'],
    ],
    ['that KubeVirt has filled in', BOTH, biz({ model: 'virtio' }), biz({ model: 'virtio' }), []],
    [
      'that was changed before and is not now',
      biz({ model: 'x' }),
      [{ ...POD, ports: [] }, ...biz({ model: 'x' }).slice(1)],
      BOTH,
      ['default fields ports: restart'],
    ],
    ['that KubeVirt takes out after it was unplugged', biz({ state: 'absent' }), [POD], biz({ state: 'absent' }), []],
    ['that is wanted again while it goes', biz({ state: 'absent' }), BOTH, biz({ state: 'absent' }), []],
    ['that was left out and comes back as it was', [POD], BOTH, BOTH, []],
    ['that never came in, and is left out again', BOTH, [POD], [POD], []],
    ['that never came in, and is to be absent', BOTH, biz({ state: 'absent' }), [POD], []],
  ])('%s', (_cause, ...[from, to, running, expected]) => {
    expect(change(from, to, running)).toEqual(expected);
  });
});

describe('a NIC that is new to a running VM', () => {
  const { bridge: _, ...unbound } = BIZ;
  it.each<[string, Nic, string]>([
    ['with bridge', BIZ, 'biz added: plug'],
    ['with SR-IOV', { ...unbound, sriov: {} }, 'biz added: plug'],
    ['with a binding plugin', { ...unbound, binding: { name: 'managedtap' } }, 'biz addedOther: restart'],
    ['without a binding', unbound, 'biz addedOther: restart'],
    ['on the pod network', { name: 'biz', masquerade: {} }, 'biz addedPrimary: restart'],
    ['in the place of the pod network', { ...BIZ, isFirst: true }, 'biz addedPrimary: restart'],
  ])('%s', (_cause, nic, expected) => {
    expect(change([POD], [POD, nic])).toEqual([expected]);
  });
});

describe('another NAD', () => {
  const state = (kubevirt: object): State => ({ vmis: [toVmi(BOTH)], kubevirt });
  const gated = (...featureGates: unknown[]) => ({
    spec: { configuration: { developerConfiguration: { featureGates } } },
  });
  const version = (observedKubeVirtVersion: unknown) => ({ status: { observedKubeVirtVersion } });
  it.each<[string, object, string]>([
    ['from KubeVirt 1.9 on', version('v1.9.0'), 'migration'],
    ['with a later one', version('v1.10.2'), 'migration'],
    ['with one far ahead', version('2.0.0'), 'migration'],
    ['with its gate before', { ...version('v1.8.4'), ...gated('Sidecar', 'LiveUpdateNADRef') }, 'migration'],
    ['without its gate before', { ...version('v1.8.4'), ...gated('Sidecar') }, 'restart'],
    ['with a version that is none', version(19), 'restart'],
    [
      'with gates that are none',
      { spec: { configuration: { developerConfiguration: { featureGates: 'LiveUpdateNADRef' } } } },
      'restart',
    ],
  ])('%s', (_cause, kubevirt, way) => {
    const to = { nics: [POD, { ...BIZ, on: 'dual' }] };
    const [found] = ask({ from: { nics: BOTH }, to, state: state(kubevirt) });
    expect(found).toMatch(new RegExp(`^biz network(Unmoved)? default/dual: ${way}$`));
  });
});

describe('another address', () => {
  const port = makePort({ at: 'default/db' }, { ips: ['10.0.0.50'], mac: '02:00:00:00:00:50', ...ATTACHED });
  const state: State = { ports: [port], vmis: [toVmi([POD])] };
  const asks = (ips: string[]): Vm => ({ nics: [POD], nicsAnnotation: { default: { ips } } });
  const none: Vm = { nics: [POD] };

  it.each<[string, Vm, Vm, State, string[]]>([
    ['of a port that a launcher holds', none, asks(['10.0.0.51']), state, ['default address ips 10.0.0.51: restart']],
    ['that is its own', none, asks(['10.0.0.50']), state, []],
    [
      'that was asked for before',
      asks(['10.0.0.51']),
      { ...asks(['10.0.0.51']), nics: [{ ...POD, state: 'up' }] },
      state,
      [],
    ],
    [
      'of a port that nobody holds',
      none,
      asks(['10.0.0.51']),
      { ...state, ports: [{ ...port, spec: { ...port.spec, attachments: [] } }] },
      [],
    ],
    ['of a NIC without a port', none, asks(['10.0.0.51']), { ...state, ports: [] }, []],
    [
      'beside a link that goes down',
      none,
      { ...asks(['10.0.0.51']), nics: [{ ...POD, state: 'down' }] },
      state,
      ['default linkState down: now', 'default address ips 10.0.0.51: restart'],
    ],
    [
      'beside a MAC, of which is told already',
      none,
      { nics: [{ ...POD, macAddress: '02:00:00:00:00:09' }] },
      state,
      ['default mac: restart'],
    ],
  ])('%s', (_cause, ...[from, to, over, expected]) => {
    expect(ask({ from, to, state: over })).toEqual(expected);
  });
});

describe('nothing is said', () => {
  const question = { from: { nics: BOTH }, to: { nics: [POD] } };
  it.each<[string, Partial<Admission>, State]>([
    ['of a VM that does not run', {}, {}],
    ['of a VM whose guest has ended', {}, { vmis: [toVmi(BOTH, { status: { phase: 'Succeeded' } })] }],
    [
      'of a VM whose guest is on its way out',
      {},
      { vmis: [{ ...toVmi(BOTH), metadata: { ...toVmi(BOTH).metadata, deletionTimestamp: 'now' } }] },
    ],
    ['of a new VM', { operation: 'CREATE', oldObject: null }, { vmis: [toVmi(BOTH)] }],
    ['of a VM that is deleted', { operation: 'DELETE', object: null }, { vmis: [toVmi(BOTH)] }],
    ['of a VMI', { kind: 'VirtualMachineInstance' }, { vmis: [toVmi(BOTH)] }],
    ['of a VM in another namespace', { namespace: 'ns1' }, { vmis: [toVmi(BOTH)] }],
    ['of what is no VM', { object: 7 }, { vmis: [toVmi(BOTH)] }],
    ['of a VM that was none', { oldObject: [] }, { vmis: [toVmi(BOTH)] }],
    ['of a VM whose VMI has no spec', {}, { vmis: [{ ...toVmi(BOTH), spec: null }] }],
  ])('%s', (_cause, over, state) => {
    expect(listChanges(pose(question, over), makeCluster(state))).toEqual([]);
  });
});

describe('what the user reads', () => {
  const read = (from: readonly Nic[], to: readonly Nic[]) =>
    createChangeJudge(makeCluster({ vmis: [toVmi(from)] }))(pose({ from: { nics: from }, to: { nics: to } }));

  it('names NIC, change and what it needs, and denies nothing', () => {
    const to = [
      { name: 'default', bridge: {} },
      { ...BIZ, state: 'down' },
    ];
    expect(read(BOTH, to)).toEqual({
      allowed: true,
      patch: [],
      warnings: [
        'NIC "default": binding: a restart is needed, the running guest keeps what it has',
        'NIC "biz": link down at once, in the running guest; port and address stay as they are',
      ],
    });
  });

  it('is nothing where nothing is changed', () => {
    expect(read(BOTH, BOTH)).toEqual({ allowed: true, patch: [], warnings: [] });
  });

  it('fits what the API server passes on, whatever a tenant writes', () => {
    const nics = Array.from({ length: 20 }, (_, index) => ({ ...BIZ, name: `nic${index}` }));
    const long = (nic: Nic) => ({ ...nic, [`\u001b[2J${'x'.repeat(5000)}`]: 1, on: 'y'.repeat(5000) });
    const { warnings } = read(nics, nics.map(long));
    expect(warnings).toHaveLength(9);
    expect(warnings.at(-1)).toBe("32 more changes of the running VM's NICs");
    expect(Math.max(...warnings.map((line) => line.length))).toBeLessThanOrEqual(250);
    expect(warnings.join('')).not.toMatch(/\p{Cc}/u);
  });

  it.each(Object.entries(TABLE))('says of %s what it needs', (what, { way, say }) => {
    const WORDS = {
      now: /at once/,
      plug: /in place .* live migration/,
      migration: /live migration/,
      restart: /restart|stopped/,
      never: /no /,
    };
    expect(say('x')).toMatch(WORDS[way]);
    expect(say('').length, what).toBeLessThan(160);
  });
});

it('names of JavaScript are names like any other', () => {
  const nics = [{ ...BIZ, name: '__proto__' }];
  expect(change(nics, [{ ...BIZ, name: '__proto__', model: 'x' }])).toEqual(['__proto__ fields model: restart']);
});
