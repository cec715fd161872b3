import { describe, expect, it } from 'vitest';
import { planPodRequests, planVmRequests } from './requests.ts';
import { type ContextOverrides, makePool, makeRequestContext, podWith, tell, vmWith } from './testing/requests.ts';
import type { RequestPlan } from './types.ts';

const NETWORKS = 'k8s.v1.cni.cncf.io/networks';
const DEFAULT = 'v1.multus-cni.io/default-network';
const LIST = { kind: 'list', candidates: [['10.0.0.15'], ['10.0.0.16'], ['10.0.0.17']] };

type Annotations = Record<string, string>;

const onPod = (annotations: Annotations, over: ContextOverrides = {}): RequestPlan =>
  planPodRequests(podWith(annotations), makeRequestContext(over));

/** The same on a VM whose first NIC is on the pod network and whose second is on `nad`. */
const onVm = (
  annotations: Annotations,
  nad = 'default/attachnet',
  from: 'the VM' | 'template' = 'the VM',
): RequestPlan =>
  planVmRequests(
    vmWith({ default: 'pod', biz: nad }, { masquerade: {} }),
    [{ from, annotations }],
    makeRequestContext(),
  );

const find = ({ requests }: RequestPlan, nic: string) => requests.find((request) => request.nic === nic);

describe('the keys of the primary network', () => {
  it.each<[string, Annotations, object]>([
    ['ip_address', { 'ovn.kubernetes.io/ip_address': '10.0.0.15' }, { ips: ['10.0.0.15'] }],
    [
      'ip_address, dual stack',
      { 'ovn.kubernetes.io/ip_address': '10.0.0.15,fd00::15' },
      { ips: ['10.0.0.15', 'fd00::15'] },
    ],
    ['mac_address', { 'ovn.kubernetes.io/mac_address': '00:00:00:53:6B:B6' }, { mac: '00:00:00:53:6b:b6' }],
    ['ip_pool, a list', { 'ovn.kubernetes.io/ip_pool': '10.0.0.15,10.0.0.16,10.0.0.17' }, { pool: LIST }],
    [
      'ip_pool, dual stack',
      { 'ovn.kubernetes.io/ip_pool': '10.0.0.15,fd00::15;10.0.0.16,fd00::16' },
      {
        pool: {
          kind: 'list',
          candidates: [
            ['10.0.0.15', 'fd00::15'],
            ['10.0.0.16', 'fd00::16'],
          ],
        },
      },
    ],
    ['release policy', { 'mooring.dev/release-policy': 'Retain' }, { releasePolicy: 'Retain' }],
    ['adoption', { 'mooring.dev/adopt': 'true' }, { adopt: true }],
    [
      'routes, the default one stays',
      { 'ovn.kubernetes.io/routes': '[{"dst":"192.168.0.0/24","gw":"10.0.0.9"}]' },
      {
        routes: [
          { dst: '0.0.0.0/0', gw: '10.0.0.1' },
          { dst: '192.168.0.0/24', gw: '10.0.0.9' },
        ],
      },
    ],
  ])('%s: pod, VM and template alike', (_cause, annotations, expected) => {
    const all = [
      find(onPod(annotations), 'eth0'),
      find(onVm(annotations), 'default'),
      find(onVm(annotations, 'default/attachnet', 'template'), 'default'),
    ];
    for (const request of all) expect(request).toMatchObject({ subnet: 'default', interface: 'eth0', ...expected });
  });

  it('logical_switch chooses the subnet', () => {
    const chosen = onPod({ 'ovn.kubernetes.io/logical_switch': 'net1' }, { namespace: 'ns1' });
    expect(find(chosen, 'eth0')).toMatchObject({ subnet: 'net1' });
  });

  it('ip_pool names an IPPool of the right subnet and namespace', () => {
    const ask = (pool: string) =>
      onPod({ 'ovn.kubernetes.io/ip_pool': pool }, { pools: [makePool('web'), makePool('net1', { subnet: 'net1' })] });
    expect(find(ask('web'), 'eth0')).toMatchObject({ pool: { kind: 'named', name: 'web' } });
    expect([tell(ask('net1'), 'eth0'), tell(ask('x'), 'eth0')]).toEqual([
      expect.stringMatching(/^PoolNotAllowed: /),
      expect.stringMatching(/^PoolNotFound: /),
    ]);
  });

  it('do nothing for a NIC that they do not speak for', () => {
    const request = find(onVm({ 'ovn.kubernetes.io/ip_address': '10.0.0.15' }), 'biz');
    expect(request).toEqual({
      nic: 'biz',
      interface: 'pod9bdd85331e7',
      absent: false,
      subnet: 'attachnet',
      nad: 'default/attachnet',
      binding: 'masquerade',
    });
  });
});

describe('the keys of a secondary NIC of ours', () => {
  const key = 'attachnet.default.ovn.kubernetes.io/';

  it.each<[string, Annotations, object]>([
    ['ip_address', { [`${key}ip_address`]: '172.17.0.20' }, { ips: ['172.17.0.20'] }],
    ['mac_address', { [`${key}mac_address`]: '02:00:00:00:00:09' }, { mac: '02:00:00:00:00:09' }],
    ['ip_pool', { [`${key}ip_pool`]: '172.17.0.20' }, { pool: { kind: 'list', candidates: [['172.17.0.20']] } }],
    ['logical_switch, which wins over the provider', { [`${key}logical_switch`]: 'default' }, { subnet: 'default' }],
    [
      "the guide's routes",
      { [`${key}routes`]: '[{"dst":"192.168.0.101/24","gw":"172.17.0.254"},{"gw":"172.17.0.254"}]' },
      {
        routes: [
          { dst: '192.168.0.0/24', gw: '172.17.0.254' },
          { dst: '0.0.0.0/0', gw: '172.17.0.254' },
        ],
      },
    ],
  ])('%s: pod and VM alike', (_cause, annotations, expected) => {
    const pod = onPod({ [NETWORKS]: 'default/attachnet', ...annotations });
    expect(find(pod, 'net1')).toMatchObject({ subnet: 'attachnet', nad: 'default/attachnet', ...expected });
    expect(find(onVm(annotations), 'biz')).toMatchObject({
      subnet: 'attachnet',
      nad: 'default/attachnet',
      ...expected,
    });
  });

  it('a route without dst takes the default route from the first interface', () => {
    const plan = onPod({ [NETWORKS]: 'attachnet', [`${key}routes`]: '[{"gw":"172.17.0.254"}]' });
    expect(find(plan, 'eth0')?.routes).toEqual([]);
  });

  it('a next hop outside the subnet is refused', () => {
    const plan = onPod({ [NETWORKS]: 'attachnet', [`${key}routes`]: '[{"gw":"10.0.0.254"}]' });
    expect(tell(plan, 'net1')).toBe('InvalidRequest: the gateway "10.0.0.254" is not inside subnet attachnet');
    expect(find(plan, 'eth0')?.routes).toBeUndefined();
  });
});

describe("the keys of another plugin's NIC", () => {
  const key = 'macvlan.default.kubernetes.io/';

  it.each<[string, Annotations, object]>([
    ['ip_address', { [`${key}ip_address`]: '172.18.0.20' }, { ips: ['172.18.0.20'], subnet: 'macvlan' }],
    ['mac_address', { [`${key}mac_address`]: '02:00:00:00:00:09' }, { mac: '02:00:00:00:00:09' }],
    ['ip_pool', { [`${key}ip_pool`]: '172.18.0.20' }, { pool: { kind: 'list', candidates: [['172.18.0.20']] } }],
    ['logical_switch of a subnet of ours', { [`${key}logical_switch`]: 'default' }, { subnet: 'default' }],
    ['routes', { [`${key}routes`]: '[{"dst":"10.9.0.0/16"}]' }, { routes: [{ dst: '10.9.0.0/16', gw: '172.18.0.1' }] }],
  ])('%s: pod and VM alike', (_cause, annotations, expected) => {
    const pod = onPod({ [NETWORKS]: 'default/macvlan', ...annotations });
    expect(find(pod, 'net1')).toMatchObject({ ipamOnly: true, nad: 'default/macvlan', ...expected });
    expect(find(onVm(annotations, 'default/macvlan'), 'biz')).toMatchObject({ ipamOnly: true, ...expected });
  });

  it('as the primary network, from its own subnet', () => {
    const plan = onPod({ [DEFAULT]: 'default/macvlan', [`${key}ip_address`]: '172.18.0.20' });
    expect(plan).toEqual({
      requests: [
        {
          nic: 'eth0',
          interface: 'eth0',
          absent: false,
          subnet: 'macvlan',
          nad: 'default/macvlan',
          ips: ['172.18.0.20'],
          ipamOnly: true,
        },
      ],
      problems: [],
    });
  });

  it('as the primary network, never from a subnet of ours', () => {
    const plan = onPod({ [DEFAULT]: 'default/macvlan', [`${key}logical_switch`]: 'default' });
    expect(tell(plan, 'eth0')).toMatch(/^SubnetNotAllowed: subnet default serves other plugins' NICs, but not/);
  });

  it('is told when something is asked for a NIC that takes its address elsewhere', () => {
    const plan = onPod({ [NETWORKS]: 'default/foreign', 'foreign.default.kubernetes.io/ip_address': '172.18.0.20' });
    expect(tell(plan, 'net1')).toMatch(
      /NetworkAttachmentDefinition default\/foreign has neither our type nor our ipam\.type/,
    );
  });
});

describe('the two spellings', () => {
  it.each([
    [
      'attachnet',
      'attachnet.default.kubernetes.io/ip_address',
      /is for NICs of other plugins; use attachnet\.default\.ovn\.kubernetes\.io\/ip_address$/,
    ],
    [
      'macvlan',
      'macvlan.default.ovn.kubernetes.io/ip_address',
      /is for our NICs; use macvlan\.default\.kubernetes\.io\/ip_address$/,
    ],
  ])('for %s: the wrong one alone, and both, are errors that say which applies', (nad, wrong, expected) => {
    const right = wrong.includes('.ovn.')
      ? wrong.replace('.ovn.', '.')
      : wrong.replace('.kubernetes', '.ovn.kubernetes');
    for (const annotations of [{ [wrong]: '172.17.0.20' }, { [wrong]: '172.17.0.20', [right]: '172.17.0.20' }]) {
      const plan = onPod({ [NETWORKS]: nad, ...annotations });
      expect(tell(plan, 'net1')).toMatch(/^RequestDisagreement: /);
      expect(tell(plan, 'net1')).toMatch(expected);
    }
  });

  it('the primary keys on a pod whose primary network is replaced', () => {
    const plan = onPod({ [DEFAULT]: 'default/attachnet', 'ovn.kubernetes.io/mac_address': '02:00:00:00:00:09' });
    expect(tell(plan, 'eth0')).toMatch(/is replaced; use attachnet\.default\.ovn\.kubernetes\.io\/mac_address$/);
  });
});

describe('one NAD used twice', () => {
  const spec = vmWith({ biz: 'default/attachnet', biz2: 'default/attachnet' });
  const plan = (annotations: Annotations) =>
    planVmRequests(spec, [{ from: 'the VM', annotations }], makeRequestContext());

  it('each NIC by its name or its interface', () => {
    const planned = plan({
      'attachnet.default.ovn.biz.kubernetes.io/ip_address': '172.17.0.20',
      'attachnet.default.ovn.pod4b24a216797.kubernetes.io/ip_address': '172.17.0.21',
    });
    expect(planned.requests.map(({ nic, ips }) => [nic, ips])).toEqual([
      ['biz', ['172.17.0.20']],
      ['biz2', ['172.17.0.21']],
    ]);
  });

  it('each NIC in mooring.dev/nics', () => {
    const planned = plan({ 'mooring.dev/nics': '{"biz":{"ips":["172.17.0.20"]},"biz2":{"ips":["172.17.0.21"]}}' });
    expect(planned.requests.map(({ ips }) => ips)).toEqual([['172.17.0.20'], ['172.17.0.21']]);
  });

  it("each NIC of a pod by its interface, also another plugin's", () => {
    const planned = onPod({
      [NETWORKS]: 'macvlan,macvlan@two',
      'macvlan.default.net1.kubernetes.io/ip_address': '172.18.0.20',
      'macvlan.default.two.kubernetes.io/ip_address': '172.18.0.21',
    });
    expect([find(planned, 'net1')?.ips, find(planned, 'two')?.ips]).toEqual([['172.18.0.20'], ['172.18.0.21']]);
  });

  it.each(['ip_address', 'mac_address'])('a fixed %s for both is a clear error', (key) => {
    const value = key === 'ip_address' ? '172.17.0.20' : '02:00:00:00:00:09';
    const planned = plan({ [`attachnet.default.ovn.kubernetes.io/${key}`]: value });
    expect(planned.requests).toEqual([]);
    expect(tell(planned, 'biz')).toMatch(
      /speaks for two NICs; use attachnet\.default\.ovn\.pod9bdd85331e7\.kubernetes\.io\/ for this one, or mooring\.dev\/nics$/,
    );
    expect(tell(planned, 'biz2')).toMatch(/speaks for two NICs/);
  });

  it('a list is shared: each takes another', () => {
    const planned = plan({ 'attachnet.default.ovn.kubernetes.io/ip_pool': '172.17.0.20,172.17.0.21' });
    expect(planned.requests.map(({ pool }) => pool?.kind)).toEqual(['list', 'list']);
  });

  it('a NIC on its way out counts no more', () => {
    const leaving = structuredClone(spec);
    const [, second] = leaving.domain?.devices?.interfaces ?? [];
    if (second !== undefined) second.state = 'absent';
    const annotations = { 'attachnet.default.ovn.kubernetes.io/ip_address': '172.17.0.20' };
    expect(planVmRequests(leaving, [{ from: 'the VM', annotations }], makeRequestContext()).problems).toEqual([]);
  });
});

describe('traps', () => {
  it.each([
    [
      'a NAD with an empty spec',
      'default/broken',
      'NetworkAttachmentInvalid',
      /spec\.config is empty, no subnet can be tied to it/,
    ],
    ['a NAD that is not there', 'default/none', 'NetworkAttachmentNotFound', /default\/none does not exist/],
    ["another namespace's network", 'prod/secret', 'SubnetNotAllowed', /namespace default may not use subnet secret/],
  ])('%s', (_cause, nad, reason, expected) => {
    const message = tell(onVm({}, nad), 'biz');
    expect(message.startsWith(`${reason}: `)).toBe(true);
    expect(message).toMatch(expected);
    expect(tell(onPod({ [NETWORKS]: nad }), 'net1')).toBe(message);
  });

  it.each(['macvlan', 'foreign'])('%s under the binding bridge', (nad) => {
    const plan = planVmRequests(vmWith({ biz: nad }), [], makeRequestContext());
    expect(tell(plan, 'biz')).toMatch(
      /macvlan lets no frames through .* use a macvtap network with its own binding, or a network of Mooring$/,
    );
  });

  it('macvlan under masquerade is fine', () => {
    expect(find(onVm({}, 'macvlan'), 'biz')).toMatchObject({ ipamOnly: true });
  });

  it('another CNI first: a NAD of ours that names no provider stands for our primary network, keys included', () => {
    const annotations = { [NETWORKS]: 'lonely', 'ovn.kubernetes.io/ip_address': '10.0.0.15' };
    expect(onPod(annotations, { primary: false })).toMatchObject({
      requests: [{ nic: 'net1', subnet: 'default', ips: ['10.0.0.15'] }],
      problems: [],
    });
    expect(tell(onPod({ [NETWORKS]: 'lonely' }), 'net1')).toBe(
      'SubnetNotFound: no subnet has the provider lonely.default.ovn',
    );
  });
});
