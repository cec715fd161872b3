import { describe, expect, it } from 'vitest';
import { formatNodeLabel } from '../../api/names.ts';
import type { LogicalPort, LogicalPortStatus } from '../../api/types.gen.ts';
import type { MigrationState } from '../../migration/input.ts';
import { planSubnets } from '../networks/subnet.ts';
import { planJoin, type Settings } from '../settings.ts';
import { makeLogicalPort, planAttachments, planPortChange, UNATTACHED } from './logical-port.ts';
import { planLsp } from './lsp.ts';
import { derivePortStatus, type PortFacts } from './status.ts';

const owner = { kind: 'VirtualMachine' as const, name: 'db', uid: 'v1' };
const launcher = (uid: string, node: string) => ({ uid, name: uid, vmiUid: 'i', node, deleting: false, final: false });
const settled = (node: string, over: Partial<MigrationState> = {}): MigrationState => ({
  phase: 'settled',
  node,
  requestedChassis: [node],
  holds: [{ launcher: launcher('p1', node), role: 'Source' }],
  unsupported: false,
  ...over,
});
const prepared: MigrationState = {
  phase: 'prepared',
  uid: 'm1',
  source: 'n1',
  target: 'n2',
  node: 'n1',
  requestedChassis: ['n1', 'n2'],
  holds: [
    { launcher: launcher('p1', 'n1'), role: 'Source' },
    { launcher: launcher('p2', 'n2'), role: 'Target' },
  ],
  unsupported: false,
};

const makePort = (status?: LogicalPortStatus): LogicalPort => ({
  ...makeLogicalPort({
    namespace: 'a',
    owner,
    request: { nic: 'default', interface: 'eth0', subnet: 'default', absent: false, binding: 'bridge' },
    lease: { ips: ['10.0.0.2'], mac: '0a:00:00:00:00:01' },
    attachments: [],
  }),
  ...(status === undefined ? {} : { status }),
});

const facts = (over: Partial<PortFacts> = {}): PortFacts => ({
  state: settled('n1'),
  programming: { ok: true },
  rivals: [],
  ...over,
});
const at = (second: number) => ({ now: `2026-01-01T00:00:0${second}Z`, generation: 1 });
const show = (status: LogicalPortStatus): string =>
  [
    status.phase,
    status.node,
    ...(status.conditions?.map(({ type, status: is, reason }) => `${type}=${is}/${reason}`) ?? []),
  ]
    .filter(Boolean)
    .join(' ');

describe('derivePortStatus', () => {
  it.each<[string, PortFacts, string]>([
    [
      'stopped',
      facts({ state: UNATTACHED }),
      'Ready Allocated=True/Allocated Programmed=True/Programmed Bound=False/NotAttached Migrating=False/NotMigrating',
    ],
    [
      'asked for',
      facts(),
      'Ready Allocated=True/Allocated Programmed=True/Programmed Bound=False/WaitingForChassis Migrating=False/NotMigrating',
    ],
    [
      'bound',
      facts({ boundTo: 'n1' }),
      'Bound n1 Allocated=True/Allocated Programmed=True/Programmed Bound=True/Bound Migrating=False/NotMigrating',
    ],
    [
      'migrated, while the source still has the port',
      facts({ state: settled('n2', { requestedChassis: ['n2', 'n1'], source: 'n1', target: 'n2' }), boundTo: 'n1' }),
      'Ready n1 Allocated=True/Allocated Programmed=True/Programmed Bound=False/WaitingForChassis Migrating=False/NotMigrating',
    ],
    [
      'bound to a node that was not asked for',
      facts({ boundTo: 'n9' }),
      'Ready n9 Allocated=True/Allocated Programmed=True/Programmed Bound=False/WaitingForChassis Migrating=False/NotMigrating',
    ],
    [
      'migrating',
      facts({ state: prepared, boundTo: 'n1' }),
      'Migrating n1 Allocated=True/Allocated Programmed=True/Programmed Bound=True/Bound Migrating=True/MigrationPrepared',
    ],
    [
      'in conflict',
      facts({ rivals: ['a/other'] }),
      'Conflict Allocated=False/AddressConflict Programmed=False/AddressConflict Bound=False/WaitingForChassis Migrating=False/NotMigrating',
    ],
    [
      'OVN away',
      facts({ programming: { ok: false, problem: { reason: 'OVNUnavailable', message: 'x' } } }),
      'Pending Allocated=True/Allocated Programmed=False/OVNUnavailable Bound=False/WaitingForChassis Migrating=False/NotMigrating',
    ],
    [
      'across clusters',
      facts({ state: settled('n1', { unsupported: true }) }),
      'Ready Allocated=True/Allocated Programmed=True/Programmed Bound=False/WaitingForChassis Migrating=False/MigrationNotSupported',
    ],
  ])('%s', (_cause, given, expected) => {
    expect(show(derivePortStatus(makePort(), given, at(0)))).toBe(expected);
  });

  it('changes nothing when the same is true later: no write follows (I9)', () => {
    const first = derivePortStatus(makePort(), facts({ state: prepared }), at(0));
    expect(derivePortStatus(makePort(first), facts({ state: prepared }), at(5))).toEqual(first);
  });

  it('takes no step of a migration while OVN is away, and each with its own time when it is back', () => {
    const away = { ok: false as const, problem: { reason: 'OVNUnavailable' as const, message: 'x' } };
    const before = derivePortStatus(makePort(), facts({ state: prepared }), at(0));
    const state = settled('n1', { phase: 'rolledBack', uid: 'm1', source: 'n1', target: 'n2' });
    const during = derivePortStatus(makePort(before), facts({ state, programming: away }), at(1));
    expect(during.migration).toEqual(before.migration);
    const after = derivePortStatus(makePort(during), facts({ state }), at(2));
    expect(after.migration).toMatchObject({ phase: 'RolledBack', settledAt: '2026-01-01T00:00:02Z' });
  });

  /** Feeds states one after the other, a second apart, and shows the migration after each. */
  function walk(...states: MigrationState[]): string[] {
    let status: LogicalPortStatus | undefined;
    return states.map((state, second) => {
      status = derivePortStatus(makePort(status), facts({ state }), at(second));
      const { uid, phase, preparedAt, activatedAt, settledAt } = status.migration ?? {};
      const times = [preparedAt, activatedAt, settledAt].map((time) => time?.slice(-2, -1) ?? '-');
      return `${uid ?? 'none'} ${phase ?? ''} ${times.join('')}`;
    });
  }
  const activated: MigrationState = { ...prepared, phase: 'activated', node: 'n2', requestedChassis: ['n2'] };
  const moved = settled('n2', { uid: 'm1', source: 'n1', target: 'n2' });

  it.each<[string, MigrationState[], string[]]>([
    [
      'a migration that succeeds',
      [settled('n1'), prepared, activated, moved, moved],
      ['none  ---', 'm1 Prepared 1--', 'm1 Activated 12-', 'm1 Settled 123', 'm1 Settled 123'],
    ],
    ['one that is coalesced', [prepared, moved], ['m1 Prepared 0--', 'm1 Settled 0-1']],
    [
      'one that the VMI says has failed',
      [prepared, { ...settled('n1', { uid: 'm1', source: 'n1', target: 'n2' }), phase: 'rolledBack' }],
      ['m1 Prepared 0--', 'm1 RolledBack 0-1'],
    ],
    [
      'one that vanishes before the hand-off',
      [prepared, settled('n1'), settled('n1')],
      ['m1 Prepared 0--', 'm1 RolledBack 0-1', 'm1 RolledBack 0-1'],
    ],
    ['a VM that stops in the midst', [prepared, UNATTACHED], ['m1 Prepared 0--', 'm1 RolledBack 0-1']],
    [
      'the next one',
      [moved, { ...prepared, uid: 'm2', source: 'n2', target: 'n3' }],
      ['m1 Settled 0-0', 'm2 Prepared 1--'],
    ],
    [
      'one that vanishes while the VMI still tells of the last',
      [moved, { ...prepared, uid: 'm2', source: 'n2', target: 'n3' }, moved],
      ['m1 Settled 0-0', 'm2 Prepared 1--', 'm2 RolledBack 1-2'],
    ],
  ])('%s', (_cause, states, expected) => {
    expect(walk(...states)).toEqual(expected);
  });
});

describe('LogicalPort objects', () => {
  it('is held by a finalizer and found through its owner, which it never blocks', () => {
    expect(makePort()).toMatchObject({
      metadata: {
        name: 'db.default.vm',
        finalizers: ['mooring.dev/release'],
        ownerReferences: [{ kind: 'VirtualMachine', uid: 'v1', blockOwnerDeletion: false, controller: false }],
      },
      spec: { owner, ips: ['10.0.0.2'], mac: '0a:00:00:00:00:01', binding: 'bridge' },
    });
  });

  it('has an attachment for each launcher that holds it', () => {
    expect(planAttachments(prepared, { interface: 'pod1', nad: 'x/y' })).toEqual([
      { podName: 'p1', podUID: 'p1', node: 'n1', interface: 'pod1', nad: 'x/y', role: 'Source' },
      { podName: 'p2', podUID: 'p2', node: 'n2', interface: 'pod1', nad: 'x/y', role: 'Target' },
    ]);
  });

  it('bears the label of each node that holds it, and loses those of nodes that let go', () => {
    const before = { ...makePort(), metadata: { ...makePort().metadata, labels: { [formatNodeLabel('n1')]: 'true' } } };
    const change = planPortChange(before, {
      owner,
      attachments: planAttachments(settled('n2'), { interface: 'eth0' }),
    });
    expect(change.metadata.labels).toEqual({
      'mooring.dev/owner-uid': 'v1',
      [formatNodeLabel('n1')]: null,
      [formatNodeLabel('n2')]: 'true',
    });
    expect(change.metadata.ownerReferences).toBeUndefined();
  });

  it('gets a new owner reference only when it is adopted: else an orphaning delete would be undone (K2)', () => {
    const change = planPortChange(makePort(), { owner: { ...owner, uid: 'v2' }, attachments: [] });
    expect(change.spec.owner?.uid).toBe('v2');
    expect(change.metadata.ownerReferences?.map(({ uid }) => uid)).toEqual(['v2']);
  });
});

function makeSettings(): Settings {
  const join = planJoin('100.64.0.0/16');
  if (!join.ok) throw new Error('fixture');
  return { cluster: 'c', join: join.value, mtu: 1400, defaultVpc: 'default', defaultSubnet: 'default', primary: true };
}

const subnetOf = (spec: object) => ({
  apiVersion: 'mooring.dev/v1alpha1' as const,
  kind: 'Subnet' as const,
  metadata: { name: 'default' },
  spec: { cidrBlock: '10.0.0.0/24,fd00::/64', ...spec },
});

function planOf(spec: object) {
  const plan = planSubnets([subnetOf(spec)], makeSettings(), new Set()).get('default');
  if (plan === undefined) throw new Error('fixture');
  return plan;
}

describe('planLsp', () => {
  const lsp = (spec: object, state: MigrationState) => {
    const port = makePort();
    return planLsp({ ...port, metadata: { ...port.metadata, uid: 'lp1' } }, planOf(spec), state, makeSettings());
  };

  it('always asks for a chassis and binds the interface to this very port', () => {
    expect(lsp({}, UNATTACHED)).toMatchObject({
      switch: 'subnet/default',
      name: 'vm/a/db/default',
      type: '',
      addresses: ['0a:00:00:00:00:01 10.0.0.2'],
      portSecurity: ['0a:00:00:00:00:01 10.0.0.2'],
      options: new Map([
        ['requested-chassis', 'mooring/unattached'],
        ['iface-id-ver', 'lp1'],
      ]),
    });
    expect(lsp({}, prepared).options.get('requested-chassis')).toBe('n1,n2');
    expect(lsp({}, prepared).dhcpv4).toBeUndefined();
  });

  it("with OVN's own strategy has it only until the guest has moved, and never where frames are masqueraded", () => {
    const strategyOf = (
      binding: 'bridge' | 'masquerade',
      state: MigrationState,
      activation: 'gate' | 'rarp' = 'rarp',
    ) => {
      const port = makePort();
      const own = { ...port, metadata: { ...port.metadata, uid: 'lp1' }, spec: { ...port.spec, binding } };
      return planLsp(own, planOf({}), state, { ...makeSettings(), activation }).options.get('activation-strategy');
    };
    const handOver: MigrationState = { ...prepared, phase: 'activated', node: 'n2', requestedChassis: ['n2', 'n1'] };
    expect(strategyOf('bridge', prepared)).toBe('rarp');
    expect(strategyOf('bridge', { ...prepared, phase: 'activated' })).toBe('rarp');
    expect(strategyOf('bridge', prepared, 'gate')).toBeUndefined();
    expect(strategyOf('masquerade', prepared)).toBeUndefined();
    expect(strategyOf('bridge', settled('n1'))).toBeUndefined();
    expect(strategyOf('bridge', handOver)).toBeUndefined();
  });

  it('says which migration has landed, so that every chassis looks at it again', () => {
    expect(lsp({}, settled('n2', { uid: 'm1', landed: 'm1' })).options.get('mooring-landed')).toBe('m1');
    expect(lsp({}, settled('n2', { uid: 'm1' })).options.has('mooring-landed')).toBe(false);
  });

  it('has the DHCP options of its subnet, for the families that it has, also while the subnet cannot be used', () => {
    expect(lsp({ enableDHCP: true }, UNATTACHED).dhcpv4).toBe('subnet/default/v4');
    expect(lsp({ enableDHCP: true }, UNATTACHED).dhcpv6).toBeUndefined();
    expect(lsp({ enableDHCP: true, cidrBlock: 'x' }, UNATTACHED).dhcpv4).toBe('subnet/default/v4');
  });

  it.each([
    ['bridge', undefined],
    ['managedTap', 'subnet/default/v4'],
    [undefined, 'subnet/default/v4'],
  ] as const)(
    "where bridged guests are left to KubeVirt's server, %s has %s and the options of IPv6",
    (binding, dhcpv4) => {
      const { spec, ...port } = makePort();
      const { binding: _binding, ...own } = spec;
      const ips = ['10.0.0.2', 'fd00::2'];
      const lp = { ...port, spec: { ...own, ips, ...(binding === undefined ? {} : { binding }) } };
      const plan = planOf({ enableDHCP: true, dhcp: { server: 'KubeVirt' } });
      const row = planLsp(lp, plan, UNATTACHED, makeSettings());
      expect([row.dhcpv4, row.dhcpv6]).toEqual([dhcpv4, 'subnet/default/v6']);
    },
  );
});
