import { describe, expect, it } from 'vitest';
import type { LogicalPort, Subnet } from '../../api/types.gen.ts';
import { audit, auditAlways, type Snapshot, type SwitchPort } from './audit.ts';

type PortOver = { spec?: Partial<LogicalPort['spec']>; status?: LogicalPort['status'] };

function port(name: string, ip: string, over: PortOver = {}): LogicalPort {
  return {
    apiVersion: 'mooring.dev/v1alpha1',
    kind: 'LogicalPort',
    metadata: { name: `${name}.eth0.pod`, namespace: 'a', uid: `uid-${name}` },
    spec: {
      owner: { kind: 'Pod', name, uid: `pod-${name}` },
      nic: 'eth0',
      subnet: 'default',
      ips: [ip],
      mac: `0a:00:00:00:00:${ip.slice(-2)}`,
      attachments: [{ podName: name, podUID: `pod-${name}`, node: 'n1', interface: 'eth0', role: 'Source' }],
      ...over.spec,
    },
    status: over.status ?? { phase: 'Bound' },
  };
}

function row(name: string, ip: string, over: Partial<SwitchPort> = {}): SwitchPort {
  return {
    switch: 'subnet/default',
    name: `pod/a/${name}/eth0`,
    type: '',
    addresses: [`0a:00:00:00:00:${ip.slice(-2)} ${ip}`],
    owner: `LogicalPort/a/${name}.eth0.pod`,
    cluster: 'test',
    chassis: 'n1',
    ...over,
  };
}

const subnet = (name: string, vpc: string, using: number): Subnet => ({
  apiVersion: 'mooring.dev/v1alpha1',
  kind: 'Subnet',
  metadata: { name },
  spec: { vpc, cidrBlock: '10.0.0.0/24' },
  status: { v4usingIPs: using },
});

const WELL: Snapshot = {
  cluster: 'test',
  ports: [port('one', '10.0.0.11'), port('two', '10.0.0.12')],
  subnets: [subnet('default', 'default', 2)],
  switchPorts: [
    row('one', '10.0.0.11'),
    row('two', '10.0.0.12'),
    row('router', '10.0.0.11', { type: 'router', owner: 'Subnet/default' }),
  ],
  owners: new Set(['pod-one', 'pod-two']),
  claims: new Set(),
};

describe('the audit', () => {
  it('finds nothing where all is well', () => {
    expect(audit(WELL)).toEqual([]);
  });

  it.each<[string, Partial<Snapshot>, RegExp]>([
    ['an IP twice', { ports: [port('one', '10.0.0.11'), port('two', '10.0.0.11')] }, /both have 10\.0\.0\.11 in vpc/],
    [
      'a MAC twice in one switch',
      {
        switchPorts: [row('one', '10.0.0.11'), row('two', '10.0.0.12', { addresses: ['0a:00:00:00:00:11 10.0.0.12'] })],
      },
      /both have 0a:00:00:00:00:11 in subnet\/default/,
    ],
    [
      "a neighbour of another system with one's IP",
      { switchPorts: [row('one', '10.0.0.11'), row('x', '10.0.0.11', { cluster: undefined })] },
      /switch ports .* both have/,
    ],
    ['a port without its row', { switchPorts: [row('one', '10.0.0.11')] }, /two\/eth0 .* is not there/],
    ['a row without its port', { ports: [port('one', '10.0.0.11')] }, /two\/eth0 belongs to nobody/],
    [
      'a row with an older address',
      { ports: [port('one', '10.0.0.13'), port('two', '10.0.0.12')] },
      /has .*11 instead of .*13/,
    ],
    [
      'a row on another switch',
      { switchPorts: [row('one', '10.0.0.11'), row('two', '10.0.0.12', { switch: 'subnet/b' })] },
      /is on subnet\/b/,
    ],
    [
      'a chassis where nobody is',
      { switchPorts: [row('one', '10.0.0.11', { chassis: 'n1,n2' }), row('two', '10.0.0.12')] },
      /chassis "n2"/,
    ],
    [
      'a row of a released port',
      { ports: [port('one', '10.0.0.11'), port('two', '10.0.0.12', { status: { phase: 'Released' } })] },
      /two\/eth0 belongs to nobody/,
    ],
    ['a port without an owner', { owners: new Set(['pod-one']) }, /two\.eth0\.pod has no owner/],
    [
      'an address that is counted and nobody has',
      { subnets: [subnet('default', 'default', 3)] },
      /counts 3 of IPv4, its ports have 2/,
    ],
  ])('finds %s', (_cause, over, expected) => {
    expect(audit({ ...WELL, ...over }).join('\n')).toMatch(expected);
  });

  it('knows that another VPC is another world', () => {
    const subnets = [subnet('default', 'default', 1), subnet('b', 'other', 1)];
    const ports = [port('one', '10.0.0.11'), port('two', '10.0.0.11', { spec: { subnet: 'b' } })];
    const switchPorts = [row('one', '10.0.0.11'), row('two', '10.0.0.11', { switch: 'subnet/b' })];
    expect(audit({ ...WELL, subnets, ports, switchPorts })).toEqual([]);
  });

  it.each<[string, PortOver, Partial<Snapshot>]>([
    ['a policy keeps', { status: { phase: 'Released' } }, {}],
    ['a claim keeps', { spec: { ipamClaim: 'c' }, status: { phase: 'Released' } }, { claims: new Set(['a/c']) }],
  ])('leaves alone a port that %s', (_cause, over, more) => {
    const ports = [port('one', '10.0.0.11'), port('two', '10.0.0.12', over)];
    const owners = new Set(['pod-one']);
    expect(audit({ ...WELL, ports, owners, switchPorts: [row('one', '10.0.0.11')], ...more })).toEqual([]);
  });

  describe('of guests with one MAC', () => {
    const MAC = '02:00:00:00:00:07';
    const guest = (name: string, ip: string, over: PortOver = {}) =>
      port(name, ip, {
        ...over,
        spec: { owner: { kind: 'VirtualMachine', name, uid: `pod-${name}` }, mac: MAC, ...over.spec },
      });
    const guestRow = (name: string, ip: string) =>
      row(name, ip, { name: `vm/a/${name}/eth0`, addresses: [`${MAC} ${ip}`] });
    const condition = { type: 'Programmed', status: 'False' as const, reason: 'NotAttached', message: '' };
    const resting = { status: { phase: 'Ready' as const, conditions: [{ ...condition, lastTransitionTime: '' }] } };

    it('wants one row, of the one whose turn it is', () => {
      const ports = [guest('one', '10.0.0.11'), guest('two', '10.0.0.12', resting)];
      expect(audit({ ...WELL, ports, switchPorts: [guestRow('one', '10.0.0.11')] })).toEqual([]);
      const both = [guestRow('one', '10.0.0.11'), guestRow('two', '10.0.0.12')];
      expect(auditAlways({ ...WELL, ports, switchPorts: both }).join()).toMatch(/switch ports .* both have 02:/);
    });

    it('finds two that may not share it', () => {
      const other = guest('two', '10.0.0.12', { spec: { owner: { kind: 'Pod', name: 'two', uid: 'pod-two' } } });
      const third = guest('three', '10.0.0.13');
      const found = auditAlways({ ...WELL, ports: [guest('one', '10.0.0.11'), third, other], switchPorts: [] });
      expect(found.join()).toMatch(/^LogicalPorts .* both have 02:/);
      expect(found).toHaveLength(1);
    });
  });

  it('asks of a moment only what must hold at every moment', () => {
    expect(auditAlways({ ...WELL, switchPorts: [], owners: new Set() })).toEqual([]);
    expect(auditAlways({ ...WELL, ports: [port('one', '10.0.0.11'), port('two', '10.0.0.11')] })).toHaveLength(2);
  });
});
