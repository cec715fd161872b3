import { describe, expect, it } from 'vitest';
import { planBindings } from './plan.ts';
import {
  type ClusterOverrides,
  DEFAULTS,
  makeCluster,
  makeSpec,
  makeSubnet,
  makeVm,
  TAPPED,
} from './testing/cluster.ts';
import { limitWarnings } from './warnings.ts';

const KEY = 'mooring.dev/binding';
type Nic = { name: string } & Record<string, unknown>;
const warn = (nic: Nic, policy?: string, over: ClusterOverrides = {}) => {
  const object = makeVm(makeSpec([nic]), policy === undefined ? {} : { [KEY]: policy });
  const question = { kind: 'VirtualMachine', operation: 'CREATE' as const, namespace: 'web', object, oldObject: null };
  const { warnings } = planBindings(question, makeCluster(over), DEFAULTS);
  return warnings.map((line) => line.replace(/^NIC "[a-z]+": /, ''));
};
const subnet = (spec: object) => ({ subnets: [makeSubnet('default', spec)] });
const OWN = "the guest has the port's own address";
const REACHED = 'Services and probes reach the guest, a mesh sidecar sees none of its traffic';
const ALLOW = 'kubevirt.io/allow-pod-bridge-network-live-migration';
const STUCK = {
  metadata: { name: 'kubevirt' },
  spec: { configuration: { network: { binding: { managedTap: { domainAttachmentType: 'managedTap' } } } } },
};

describe('what is said of a binding that was written', () => {
  it('bridge', () => {
    expect(warn({ name: 'default' }, 'bridge')).toEqual([
      `bridge (the VM): ${OWN}; ${REACHED}`,
      `live migration by the template's annotation ${ALLOW}`,
    ]);
  });

  it('masquerade', () => {
    expect(warn({ name: 'default' }, 'masquerade')).toEqual([
      "masquerade (the VM): the guest has an address behind KubeVirt's NAT, the port's is outside; " +
        'Services, probes and meshes reach the ports that the interface lists, or all if it lists none',
    ]);
  });

  it('managedTap with the DHCP of the subnet', () => {
    const over = { kubevirt: TAPPED, ...subnet({ enableDHCP: true }) };
    expect(warn({ name: 'default' }, 'managedTap', over)).toEqual([`managedTap (the VM): ${OWN}; ${REACHED}`]);
  });

  it('a further NIC, which neither Services nor probes look for', () => {
    expect(warn({ name: 'biz' }, 'bridge')).toEqual([`bridge (the VM): ${OWN}`]);
  });
});

describe('what surprises', () => {
  it.each<[string, Nic, ClusterOverrides, string]>([
    [
      'managedTap without DHCP',
      { name: 'default', binding: { name: 'managedtap' } },
      { kubevirt: TAPPED },
      'no DHCP: set enableDHCP on Subnet default, or configure the guest by cloud-init',
    ],
    [
      "managedTap on another plugin's NIC",
      { name: 'lan', binding: { name: 'managedtap' } },
      { kubevirt: TAPPED },
      'no DHCP of KubeVirt or Mooring: configure the guest by cloud-init',
    ],
    [
      'managedTap that stops migration',
      { name: 'default', binding: { name: 'managedTap' } },
      { kubevirt: STUCK, ...subnet({ enableDHCP: true }) },
      'no live migration: KubeVirt has the plugin managedTap without "migration: {}", or not at all',
    ],
    [
      'managedTap on a further NIC',
      { name: 'biz', binding: { name: 'managedtap' } },
      { kubevirt: TAPPED },
      'KubeVirt can plug it neither into nor out of a running VM; only bridge can be',
    ],
    [
      'bridge without the annotation',
      { name: 'default', bridge: {} },
      {},
      `no live migration: the template lacks the annotation ${ALLOW}`,
    ],
    [
      'bridge with IPv6',
      { name: 'default', bridge: {} },
      subnet({ cidrBlock: '10.0.0.0/24,fd00::/64' }),
      'no IPv6 is served to the guest: set enableDHCP and enableIPv6RA on Subnet default, or use cloud-init',
    ],
  ])('%s, also where the user wrote it', (_cause, nic, over, expected) => {
    expect(warn(nic, undefined, over)).toContain(expected);
  });

  it.each<[string, Nic, string?]>([
    ['that we wrote', { name: 'default' }, 'bridge'],
    ['that the user wrote', { name: 'default', bridge: {} }],
  ])('where the VMI shows no address behind a bridge %s', (_cause, nic, policy) => {
    expect(warn(nic, policy, subnet({ enableDHCP: true }))).toContain(
      "the guest's DHCP is the one on Subnet default: the VMI shows the address only with a guest agent, under managedTap, or with dhcp.server: KubeVirt; the LogicalPort always does",
    );
    const left = subnet({ enableDHCP: true, dhcp: { server: 'KubeVirt' } });
    expect(warn(nic, policy, left).join()).not.toContain('shows the address');
    expect(warn(nic, policy).join()).not.toContain('shows the address');
  });

  it.each<[string, Nic]>([
    ['masquerade', { name: 'default', masquerade: {} }],
    ['bridge on a further NIC', { name: 'biz', bridge: {} }],
    ['SR-IOV', { name: 'vf', sriov: {} }],
  ])('is nothing about %s', (_cause, nic) => {
    expect(warn(nic)).toEqual([]);
  });
});

describe('limitWarnings', () => {
  it('passes what the API server passes on', () => {
    const lines = limitWarnings(Array.from({ length: 40 }, (_, index) => `${index} ${'x'.repeat(400)}`));
    expect(lines).toHaveLength(17);
    expect(lines.at(-1)).toBe('24 more warnings about bindings');
    expect(Math.max(...lines.map((line) => line.length))).toBe(250);
    expect(lines.join('').length).toBeLessThan(4096 + 32);
  });

  it('says everything once', () => expect(limitWarnings(['a', 'b', 'a'])).toEqual(['a', 'b']));
});
