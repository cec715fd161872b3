import { describe, expect, test } from 'vitest';
import type { LogicalPort, Subnet } from '../../api/types.gen.ts';
import { CniError } from './errors.ts';
import { type AttachmentInput, planAttachment, planLink } from './plan-attachment.ts';

const subnet: Subnet = {
  apiVersion: 'mooring.dev/v1alpha1',
  kind: 'Subnet',
  metadata: { name: 'default' },
  spec: { cidrBlock: '10.16.0.0/16', gateway: '10.16.0.254', mtu: 1342 },
};
const port: LogicalPort = {
  apiVersion: 'mooring.dev/v1alpha1',
  kind: 'LogicalPort',
  metadata: { name: 'db.default.vm', namespace: 'shop', uid: 'lp-uid' },
  spec: {
    owner: { kind: 'VirtualMachine', name: 'db', uid: 'vm-uid' },
    nic: 'default',
    subnet: 'default',
    ips: ['10.16.0.5'],
    mac: '02:00:0A:10:00:05',
    binding: 'bridge',
    attachments: [{ podName: 'launcher', podUID: 'pod-uid', node: 'n1', interface: 'eth0', role: 'Source' }],
  },
};
const input: AttachmentInput = {
  key: { containerId: 'c1', ifname: 'eth0' },
  podUid: 'pod-uid',
  node: 'n1',
  port,
  subnet,
  defaultMtu: 1400,
};
const withPort = (spec: Partial<LogicalPort['spec']>): AttachmentInput => ({
  ...input,
  port: { ...port, spec: { ...port.spec, ...spec } },
});
const withSubnet = (spec: Partial<Subnet['spec']>): AttachmentInput => ({
  ...input,
  subnet: { ...subnet, spec: { ...subnet.spec, ...spec } },
});
const attachment = { podName: 'launcher', podUID: 'pod-uid', node: 'n1', interface: 'eth0', role: 'Target' } as const;

const failure = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof CniError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'accepted';
};

describe('plan of an attachment', () => {
  test('a VM NIC on its node', () => {
    expect(planAttachment(input)).toEqual({
      hostInterface: expect.stringMatching(/^m[0-9a-f]{14}$/),
      podInterface: 'eth0',
      mac: '02:00:0a:10:00:05',
      mtu: 1342,
      ips: [{ cidr: '10.16.0.5/16', gateway: '10.16.0.254' }],
      routes: [{ dst: '0.0.0.0/0', gw: '10.16.0.254' }],
      dns: {},
      ifaceId: 'vm/shop/db/default',
      ifaceIdVer: 'lp-uid',
    });
  });

  test('a subnet without gateway and MTU: the first address, and the default', () => {
    const plan = planAttachment({ ...input, subnet: { ...subnet, spec: { cidrBlock: '10.16.0.0/16' } } });
    expect(plan).toMatchObject({ mtu: 1400, ips: [{ gateway: '10.16.0.1' }] });
  });

  test('both families have their own prefix, gateway and default route', () => {
    const dual = withSubnet({ cidrBlock: '10.16.0.0/16,fd00:10::/64', gateway: '10.16.0.1,fd00:10::1' });
    const plan = planAttachment({ ...dual, port: withPort({ ips: ['10.16.0.5', 'fd00:10::5'] }).port });
    expect(plan.ips).toEqual([
      { cidr: '10.16.0.5/16', gateway: '10.16.0.1' },
      { cidr: 'fd00:10::5/64', gateway: 'fd00:10::1' },
    ]);
    expect(plan.routes).toEqual([
      { dst: '0.0.0.0/0', gw: '10.16.0.1' },
      { dst: '::/0', gw: 'fd00:10::1' },
    ]);
  });

  test('a secondary interface has no default route', () => {
    const key = { containerId: 'c1', ifname: 'net1' };
    const plan = planAttachment({ ...withPort({ attachments: [{ ...attachment, interface: 'net1' }] }), key });
    expect(plan.routes).toEqual([]);
    expect(plan.ips[0]?.gateway).toBe('10.16.0.254');
  });

  test.each(['bridge', 'masquerade', 'managedTap'] as const)(
    'the target of a migration gets the gate of %s',
    (binding) => {
      expect(planAttachment(withPort({ attachments: [attachment], binding })).gate).toBe(binding);
    },
  );

  test.each([
    ['bridge', undefined],
    ['managedTap', undefined],
    ['masquerade', 'masquerade'],
  ] as const)("where OVN's strategy opens the target, %s has the gate %s", (binding, gate) => {
    const input = { ...withPort({ attachments: [attachment], binding }), activation: 'rarp' as const };
    expect(planAttachment(input).gate).toBe(gate);
  });

  test.each([
    ['masquerade', true],
    ['bridge', undefined],
  ] as const)('a launcher that is left by its %s guest must not reset its connections', (binding, liberal) => {
    expect(planAttachment(withPort({ attachments: [attachment], binding })).trackForMigration).toBe(liberal);
  });

  test.each([
    ['bridge', true],
    ['managedTap', undefined],
    ['masquerade', undefined],
  ] as const)("where OVN's DHCP serves the guests, the link under %s is bare: %s", (binding, bare) => {
    const input = { ...withPort({ binding }), ...withSubnet({ enableDHCP: true }), port: withPort({ binding }).port };
    const plan = planAttachment(input);
    expect(plan.bare).toBe(bare);
    // What the runtime, and through it the pod's status, is told does not depend on it.
    expect(plan).toMatchObject({
      ips: [{ cidr: '10.16.0.5/16', gateway: '10.16.0.254' }],
      routes: [{ dst: '0.0.0.0/0', gw: '10.16.0.254' }],
    });
    const usual = { addresses: ['10.16.0.5/16'], routes: plan.routes };
    expect(planLink(plan)).toEqual(bare === true ? { addresses: [], routes: [] } : usual);
  });

  test('a pod on the same subnet has its address on the link', () => {
    const pod = withPort({ owner: { kind: 'Pod', name: 'web', uid: 'u' }, nic: 'eth0' }).port;
    const { binding: _binding, ...spec } = pod.spec;
    const plan = planAttachment({ ...withSubnet({ enableDHCP: true }), port: { ...pod, spec } });
    expect(planLink(plan).addresses).toEqual(['10.16.0.5/16']);
  });

  test.each<[string, Partial<LogicalPort['spec']>, object[]]>([
    [
      "KubeVirt's server reads off the link",
      { binding: 'bridge' },
      [
        { dst: '0.0.0.0/0', gw: '10.16.0.254' },
        { dst: '192.0.2.0/24', gw: '10.16.0.9' },
      ],
    ],
    ['nobody reads under managedTap', { binding: 'managedTap' }, [{ dst: '0.0.0.0/0', gw: '10.16.0.254' }]],
    ["the NIC's own routes replace", { binding: 'bridge', routes: [] }, []],
  ])("the subnet's dhcp.routes, as far as a link can have them, that %s", (_who, spec, expected) => {
    const routes = [
      { dst: '192.0.2.0/24', gw: '10.16.0.9' },
      { dst: '192.0.3.0/24', gw: '10.99.0.9' },
      { dst: '192.0.4.1/24', gw: '10.16.0.9' },
      { dst: 'fd00::/64', gw: 'fd00:10::9' },
      { dst: 'nonsense', gw: '10.16.0.9' },
    ];
    const input = { ...withSubnet({ dhcp: { routes } }), port: withPort(spec).port };
    expect(planAttachment(input).routes).toEqual(expected);
  });

  test("a default route among the subnet's dhcp.routes takes the place of the gateway's", () => {
    const input = withSubnet({ dhcp: { routes: [{ dst: '0.0.0.0/0', gw: '10.16.0.9' }] } });
    expect(planAttachment(input).routes).toEqual([{ dst: '0.0.0.0/0', gw: '10.16.0.9' }]);
  });

  test('a link in use is judged by how it was made, whatever the subnet says since', () => {
    const [now, before] = [planAttachment(withSubnet({ enableDHCP: true })), planAttachment(input)];
    expect(planLink(now, { bare: undefined }).addresses).toEqual(['10.16.0.5/16']);
    expect(planLink(before, { bare: true })).toEqual({ addresses: [], routes: [] });
  });

  test('a pod has its own kind of name, and two interfaces have two host ends', () => {
    const pod = withPort({ owner: { kind: 'Pod', name: 'web', uid: 'u' }, nic: 'eth0' });
    expect(planAttachment(pod).ifaceId).toBe('pod/shop/web/eth0');
    const other = { ...input, key: { containerId: 'c2', ifname: 'eth0' } };
    expect(planAttachment(other).hostInterface).not.toBe(planAttachment(input).hostInterface);
  });

  test.each([
    ['of another pod', { ...input, podUid: 'other' }, 'fenced'],
    ['of another node', { ...input, node: 'n2' }, 'fenced'],
    ['of another interface', { ...input, key: { containerId: 'c1', ifname: 'net1' } }, 'fenced'],
    ['without attachments', withPort({ attachments: [] }), 'fenced'],
    [
      'with an address outside the subnet',
      withPort({ ips: ['10.99.0.5'] }),
      'conflict: LogicalPort shop/db.default.vm: address 10.99.0.5',
    ],
    ['with an address that is none', withPort({ ips: ['nonsense'] }), 'conflict'],
    ['with an address of the other family', withPort({ ips: ['fd00::1'] }), 'conflict'],
    ['without address', withPort({ ips: [] }), 'invalidConfig'],
    ['with a multicast MAC', withPort({ mac: '01:00:5e:00:00:01' }), 'invalidConfig'],
    ['in a subnet that is none', withSubnet({ cidrBlock: 'nonsense' }), 'invalidConfig'],
  ])('a port %s is refused', (_cause, wrong, message) => {
    expect(failure(() => planAttachment(wrong))).toContain(message);
  });

  test('a port without UID is refused: nothing would fence it', () => {
    const { uid: _uid, ...metadata } = port.metadata;
    expect(failure(() => planAttachment({ ...input, port: { ...port, metadata } }))).toContain('has no UID');
  });
});
