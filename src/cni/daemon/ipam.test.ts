import { beforeEach, describe, expect, test } from 'vitest';
import type { LogicalPort, Subnet } from '../../api/types.gen.ts';
import { createFakeWorld, type FakeWorld } from './testing/fake-context.ts';
import { answer } from './verbs.ts';

const NAD = { ips: ['172.17.0.15'], ipamOnly: true };
const makePort = (spec: object = {}, nad = 'default/macvlan', ifname = 'net1'): LogicalPort =>
  ({
    metadata: { name: `web.${ifname}.pod`, namespace: 'shop', uid: 'lp1' },
    spec: {
      owner: { kind: 'Pod', name: 'web', uid: 'u1' },
      ...{ nic: ifname, subnet: 'macvlan', mac: '02:00:ac:11:00:0f', ...NAD },
      attachments: [{ podName: 'web', podUID: 'u1', node: 'n1', interface: ifname, nad, role: 'Source' }],
      ...spec,
    },
  }) as unknown as LogicalPort;
const SUBNET = {
  metadata: { name: 'macvlan' },
  spec: { cidrBlock: '172.17.0.0/16', gateway: '172.17.0.1', provider: 'macvlan.default' },
} as unknown as Subnet;
const IPAM = { type: 'mooring', provider: 'macvlan.default' };
const CONFIG = { cniVersion: '1.0.0', name: 'macvlan', type: 'macvlan', master: 'eth0', mode: 'bridge', ipam: IPAM };

let world: FakeWorld;
beforeEach(() => {
  world = createFakeWorld();
  world.port = makePort();
  world.subnet = SUBNET;
});

const call = async (command: string, env: Record<string, string> = {}, config: object = CONFIG) => {
  const all = {
    ...{ CNI_COMMAND: command, CNI_CONTAINERID: 'c1', CNI_IFNAME: 'net1', CNI_NETNS: '/run/netns/x' },
    CNI_ARGS: 'K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web;K8S_POD_UID=u1',
    ...env,
  };
  const request = { env: new Map(Object.entries(all)), stdin: JSON.stringify(config) };
  const { status, output } = await answer(world.context, request, new AbortController().signal);
  return { status, body: output === '' ? undefined : (JSON.parse(output) as Record<string, unknown>) };
};
const annotate = (annotations: Record<string, string>) =>
  world.pods.set('shop/web', { metadata: { namespace: 'shop', name: 'web', uid: 'u1', annotations } });

describe("an ADD for another plugin's interface", () => {
  test.each(['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'])(
    '%s: answers the addresses, makes nothing',
    async (cniVersion) => {
      const { status, body } = await call('ADD', {}, { ...CONFIG, cniVersion });
      expect(status).toBe(0);
      const old = cniVersion.startsWith('0.');
      expect(body).toEqual({
        cniVersion,
        ips: [{ ...(old ? { version: '4' } : {}), address: '172.17.0.15/16', gateway: '172.17.0.1' }],
        routes: [],
        ...(old ? { dns: {} } : {}),
      });
      expect([...world.ports.keys(), ...world.links]).toEqual([]);
    },
  );

  test('as the first interface has the default route', async () => {
    world.port = makePort({}, 'kube-system/macvlan', 'eth0');
    const provider = 'macvlan.kube-system';
    const config = { ...CONFIG, ipam: { ...IPAM, provider } };
    const { body } = await call('ADD', { CNI_IFNAME: 'eth0' }, config);
    expect(body?.routes).toEqual([{ dst: '0.0.0.0/0', gw: '172.17.0.1' }]);
  });

  test('has the routes that were asked for', async () => {
    world.port = makePort({ routes: [{ dst: '192.168.0.0/24', gw: '172.17.0.254' }] });
    expect((await call('ADD')).body?.routes).toEqual([{ dst: '192.168.0.0/24', gw: '172.17.0.254' }]);
  });

  test('needs neither OVS nor OVN', async () => {
    world.live = false;
    world.installs = false;
    expect((await call('ADD')).status).toBe(0);
  });

  test('gives the same answer again, also behind its own result', async () => {
    const first = await call('ADD');
    const again = await call('ADD', {}, { ...CONFIG, prevResult: { cniVersion: '1.0.0', ...first.body } });
    expect(again).toEqual(first);
  });

  test.each([
    ["another NAD's provider", CONFIG, { nad: 'default/other' }, 105, 'it must be other.default'],
    [
      'a port that is ours to make',
      { ...CONFIG },
      { spec: { ipamOnly: undefined }, nad: 'a/b' },
      105,
      'an interface of Mooring',
    ],
    [
      'an address that the port does not have',
      { ...CONFIG, runtimeConfig: { ips: ['172.17.0.16'] } },
      {},
      105,
      'asks for',
    ],
    ['ranges', { ...CONFIG, runtimeConfig: { ipRanges: [[{ subnet: 'x' }]] } }, {}, 2, 'runtimeConfig.ipRanges'],
  ])('is refused for %s', async (...row) => {
    const [, config, facts, code, words] = row;
    const { spec = {}, nad } = facts as { spec?: object; nad?: string };
    world.port = makePort(spec, nad);
    expect(await call('ADD', {}, config)).toMatchObject({
      status: 1,
      body: { code, msg: expect.stringContaining(words) },
    });
    expect(world.entries.size).toBe(0);
  });

  test('with a port that has no address fails fast for a reason that stays', async () => {
    world.port = makePort({ ips: [], mac: '' });
    const condition = { type: 'Allocated', status: 'False', reason: 'PoolFull', message: 'pool web: all 3 are held' };
    world.port = { ...world.port, status: { phase: 'Pending', conditions: [condition] } } as unknown as LogicalPort;
    expect(await call('ADD')).toMatchObject({
      status: 1,
      body: { code: 101, msg: expect.stringContaining('all 3 are held') },
    });
  });

  test('that still waits is ended by the DEL of its sandbox', async () => {
    world.port = makePort({ ips: [], mac: '' });
    const added = call('ADD');
    expect(await call('DEL')).toEqual({ status: 0, body: undefined });
    expect(await added).toMatchObject({ status: 1, body: { code: 104 } });
    expect(world.entries.size).toBe(0);
  });

  test('that the disk does not take fails, and nothing is remembered', async () => {
    world.fault = (step) => {
      if (step === 'journal.put') throw new Error('ENOSPC: no space left on device');
    };
    expect(await call('ADD')).toMatchObject({
      status: 1,
      body: { code: 5, msg: expect.stringContaining('journal: ENOSPC') },
    });
    expect(world.entries.size).toBe(0);
  });

  test('waits for a port that has no address yet', async () => {
    world.port = makePort({ ips: [], mac: '' });
    const added = call('ADD');
    world.port = makePort();
    world.change();
    expect((await added).status).toBe(0);
  });
});

describe('a fixed MAC', () => {
  const MAC = '02:00:00:53:6b:b6';
  const fixed = { 'macvlan.default.kubernetes.io/mac_address': MAC.toUpperCase() };
  beforeEach(() => {
    world.port = makePort({ mac: MAC });
  });

  test('that the outer plugin is told comes about', async () => {
    annotate(fixed);
    const args = `K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web;K8S_POD_UID=u1;MAC=${MAC}`;
    expect((await call('ADD', { CNI_ARGS: args })).status).toBe(0);
    expect((await call('ADD', {}, { ...CONFIG, runtimeConfig: { mac: MAC } })).status).toBe(0);
  });

  test.each([
    ['the outer plugin is not told', fixed, CONFIG, 'was not told: put it as "mac"'],
    [
      'the outer plugin cannot give',
      fixed,
      { ...CONFIG, type: 'ipvlan', runtimeConfig: { mac: MAC } },
      'ipvlan cannot give',
    ],
    [
      'the network selection asks for and the plugin cannot give',
      { 'k8s.v1.cni.cncf.io/networks': `[{"name":"macvlan","mac":"${MAC}"}]` },
      { ...CONFIG, type: 'ipvlan' },
      'ipvlan cannot give',
    ],
  ])('that %s is an error, not a surprise', async (_cause, annotations, config, words) => {
    annotate(annotations as Record<string, string>);
    expect(await call('ADD', {}, config)).toMatchObject({
      status: 1,
      body: { code: 2, msg: expect.stringContaining(words) },
    });
  });

  test('that the VM of a launcher without a guest asks for is not the launcher’s', async () => {
    const owner = { apiVersion: 'kubevirt.io/v1', kind: 'VirtualMachineInstance', name: 'db', uid: 'u' };
    const annotations = { ...fixed, 'kubevirt.io/ephemeral-provisioning': 'true' };
    const metadata = { namespace: 'shop', name: 'web', uid: 'u1', annotations };
    world.pods.set('shop/web', { metadata: { ...metadata, ownerReferences: [{ ...owner, controller: true }] } });
    expect((await call('ADD')).status).toBe(0);
    const other = { ...CONFIG, runtimeConfig: { mac: '02:00:00:00:00:aa', ips: ['172.17.0.99/16'] } };
    expect((await call('ADD', {}, other)).body).toMatchObject({ ips: [{ address: '172.17.0.15/16' }] });
    world.port = makePort({ mac: MAC, owner: { kind: 'VirtualMachine', name: 'db', uid: 'v' } });
    expect((await call('ADD', {}, other)).status).toBe(1);
  });

  test('that nobody asked for is nobody’s business', async () => {
    expect((await call('ADD', {}, { ...CONFIG, type: 'ipvlan' })).status).toBe(0);
  });
});

describe("after an ADD for another plugin's interface", () => {
  beforeEach(async () => {
    await call('ADD');
  });

  test('the journal has it, and a DEL takes it out; again and again', async () => {
    expect([...world.entries.values()]).toMatchObject([{ ipam: true, state: 'attached', hostInterface: '' }]);
    for (let times = 0; times < 3; times += 1) {
      expect(await call('DEL', { CNI_NETNS: '' })).toEqual({ status: 0, body: undefined });
      expect(world.entries.size).toBe(0);
    }
  });

  test('a DEL asks nobody but the disk', async () => {
    world.live = false;
    world.fault = (step) => {
      if (!step.startsWith('journal')) throw new Error(`touched ${step}`);
    };
    expect(await call('DEL', { CNI_ARGS: '' })).toEqual({ status: 0, body: undefined });
  });

  test('a DEL succeeds on a disk that takes no change, as there is nothing but the note of it', async () => {
    world.fault = () => {
      throw new Error('EROFS: read-only file system');
    };
    expect(await call('DEL')).toEqual({ status: 0, body: undefined });
    expect(world.entries.size).toBe(1);
  });

  test.each([
    ['as it was', { ips: [{ address: '172.17.0.15/16', interface: 0 }] }, 0],
    ['without a result', undefined, 0],
    ['made without our address', { ips: [{ address: '172.17.0.99/16' }] }, 1],
  ])('CHECK of an interface %s', async (_cause, prevResult, status) => {
    expect((await call('CHECK', {}, { ...CONFIG, prevResult })).status).toBe(status);
  });

  test('CHECK after DEL is an error', async () => {
    await call('DEL');
    expect((await call('CHECK')).status).toBe(1);
  });

  test('an ADD that makes the interface itself starts from nothing', async () => {
    world.port = makePort({ ipamOnly: undefined }, 'default/attachnet');
    world.subnet = { ...SUBNET, spec: { ...SUBNET.spec, provider: 'attachnet.default.ovn' } };
    const { status } = await call('ADD', {}, { cniVersion: '1.0.0', name: 'attachnet', type: 'mooring' });
    expect(status).toBe(0);
    expect([...world.entries.values()]).toMatchObject([
      { state: 'attached', hostInterface: expect.stringMatching(/^m/) },
    ]);
    expect([...world.entries.values()][0]?.ipam).toBeUndefined();
  });

  test('and the other way round', async () => {
    world.port = makePort({ ipamOnly: undefined }, 'default/attachnet');
    await call('ADD', {}, { cniVersion: '1.0.0', name: 'attachnet', type: 'mooring' });
    world.port = makePort();
    expect((await call('ADD')).status).toBe(0);
    expect([...world.ports.keys(), ...world.links]).toEqual([]);
  });
});

test('STATUS of another plugin is answered', async () => {
  const env = { CNI_CONTAINERID: '', CNI_IFNAME: '', CNI_NETNS: '', CNI_ARGS: '' };
  expect(await call('STATUS', env, { ...CONFIG, cniVersion: '1.1.0' })).toEqual({ status: 0, body: undefined });
  world.obstacle = 'what only a node with interfaces of ours needs';
  expect(await call('STATUS', env, { ...CONFIG, cniVersion: '1.1.0' })).toEqual({ status: 0, body: undefined });
  world.synced = false;
  const asked = await call('STATUS', env, { ...CONFIG, cniVersion: '1.1.0' });
  expect(asked).toMatchObject({ status: 1, body: { code: 50 } });
});
