import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { formatNodeLabel } from '../../api/names.ts';
import type { KubeObject } from '../../kube/types.ts';
import { eventually, listHostEnds, listOvsPorts, PORTS } from './testing/berths.ts';
import { NODE, startTestNode, type TestNode, type TestPod } from './testing/node.ts';
import { createLists, type ListCall, type Lists } from './testing/plugins.ts';

/** Building the reference plugins for the first time takes a while. */
const BUILD_MS = 300_000;
const SUBNETS = 'mooring.dev/v1alpha1/subnets';

let node: TestNode;
let lists: Lists;
beforeAll(async () => {
  node = await startTestNode();
  // The physical network that macvlan sits on: `up0` is the node's uplink, the gateway is beyond it.
  await node.exec(undefined, 'ip', 'link', 'add', 'up0', 'type', 'veth', 'peer', 'name', 'beyond');
  for (const end of ['up0', 'beyond']) await node.exec(undefined, 'ip', 'link', 'set', end, 'up');
  await node.exec(undefined, 'ip', 'addr', 'add', '172.17.0.1/16', 'dev', 'beyond');
  await node.put(SUBNETS, {
    apiVersion: 'mooring.dev/v1alpha1',
    kind: 'Subnet',
    metadata: { name: 'macvlan' },
    spec: {
      ...{ protocol: 'Dual', provider: 'macvlan.default', cidrBlock: '172.17.0.0/16,fd17::/64' },
      ...{ gateway: '172.17.0.1,fd17::1', excludeIps: ['172.17.0.0..172.17.0.10'] },
    },
  } as KubeObject);
  await node.startAgent();
  lists = await createLists(node);
  await eventually('shim installed', async () => (await readdir(join(node.folder, 'cni-bin'))).includes('mooring'));
}, BUILD_MS);
afterAll(() => node.stop());

const listJournal = () => readdir(join(node.folder, 'state/attachments'));
const show = (pod: TestPod, ...args: string[]) => node.exec(pod.netns, 'ip', ...args);

afterEach(async () => {
  expect(await listJournal()).toEqual([]);
  expect(await listOvsPorts(node)).toEqual([]);
  expect(await listHostEnds(node)).toEqual([]);
  expect(await node.exec(undefined, 'ip', '-br', 'link', 'show', 'type', 'macvlan')).toBe('');
});

type Wish = { readonly ifname: string; readonly ips: readonly string[]; readonly spec?: object };

/** What the operator makes for an interface of another plugin: a LogicalPort, and no row in NB. */
async function prepare(name: string, { ifname, ips, spec = {} }: Wish): Promise<TestPod> {
  const pod = await node.addPod(name);
  const attachment = { podName: pod.name, podUID: pod.uid, node: NODE, interface: ifname, role: 'Source' };
  await node.put(PORTS, {
    apiVersion: 'mooring.dev/v1alpha1',
    kind: 'LogicalPort',
    metadata: { name: `${name}.${ifname}.pod`, namespace: 'default', labels: { [formatNodeLabel(NODE)]: '' } },
    spec: {
      owner: { kind: 'Pod', name, uid: pod.uid },
      ...{ nic: ifname, subnet: 'macvlan', ips, mac: '', ipamOnly: true },
      attachments: [{ ...attachment, nad: 'default/macvlan' }],
      ...spec,
    },
  } as KubeObject);
  return pod;
}

/** USAGE.md's NAD, word for word but for the uplink's name. */
const NAD = { type: 'macvlan', master: 'up0', mode: 'bridge', ipam: { type: 'mooring', provider: 'macvlan.default' } };
const makeCall = (pod: TestPod, ifname: string, more: Partial<ListCall> = {}): ListCall => ({
  ...{ pod, ifname, cniVersion: '0.3.0', name: 'macvlan', plugins: [NAD] },
  ...more,
});

describe('the real macvlan plugin with addresses from us', () => {
  test.each(['0.3.0', '0.3.1', '0.4.0', '1.0.0'])(
    '%s: fixed addresses of both families, twice over',
    async (cniVersion) => {
      const pod = await prepare(`fixed-${cniVersion.replaceAll('.', '-')}`, {
        ifname: 'net1',
        ips: ['172.17.0.15', 'fd17::15'],
      });
      const call = makeCall(pod, 'net1', { cniVersion });
      for (let times = 0; times < 2; times += 1) {
        const result = await lists.add(call);
        expect(result).toMatchObject({
          cniVersion,
          interfaces: [{ name: 'net1', sandbox: `/run/netns/${pod.netns}` }],
          ips: [
            { address: '172.17.0.15/16', gateway: '172.17.0.1', interface: 0 },
            { address: 'fd17::15/64', gateway: 'fd17::1', interface: 0 },
          ],
        });
        expect(await show(pod, '-d', 'link', 'show', 'net1')).toContain('macvlan mode bridge');
        const addresses = await show(pod, 'addr', 'show', 'net1');
        for (const address of ['172.17.0.15/16', 'fd17::15/64']) expect(addresses).toContain(address);
        expect(await show(pod, 'route', 'show', 'default')).toBe('');
        await node.exec(pod.netns, 'busybox', 'ping', '-c', '1', '-W', '3', '172.17.0.1');
        expect(await listJournal()).toHaveLength(1);
        if (cniVersion >= '0.4.0') await lists.each('CHECK', call, result);
        await lists.each('DEL', call, cniVersion >= '0.4.0' ? result : undefined);
        expect(await show(pod, '-br', 'link', 'show')).not.toContain('net1');
        expect(await listJournal()).toEqual([]);
        await lists.each('DEL', call);
      }
    },
  );

  test('as the first interface: the default route leads to the gateway', async () => {
    const pod = await prepare('primary', { ifname: 'eth0', ips: ['172.17.0.20'] });
    const call = makeCall(pod, 'eth0', { cniVersion: '1.0.0' });
    const result = await lists.add(call);
    expect(result).toMatchObject({ routes: [{ dst: '0.0.0.0/0', gw: '172.17.0.1' }] });
    expect(await show(pod, 'route', 'show', 'default')).toContain('default via 172.17.0.1 dev eth0');
    await node.exec(undefined, 'ip', 'addr', 'add', '192.0.2.1/32', 'dev', 'beyond');
    await node.exec(pod.netns, 'busybox', 'ping', '-c', '1', '-W', '3', '192.0.2.1');
    await lists.each('DEL', call, result);
  });

  test('replicas with addresses of a pool reach each other, and each keeps its own route', async () => {
    const routes = [{ dst: '192.168.0.0/24', gw: '172.17.0.254' }];
    const pods = await Promise.all(
      ['172.17.0.31', '172.17.0.32', '172.17.0.33'].map((ip, index) =>
        prepare(`replica-${index}`, { ifname: 'net1', ips: [ip], spec: { pool: 'web', routes } }),
      ),
    );
    const results = await Promise.all(pods.map((pod) => lists.add(makeCall(pod, 'net1'))));
    const [first, , third] = pods as [TestPod, TestPod, TestPod];
    await node.exec(first.netns, 'busybox', 'ping', '-c', '1', '-W', '3', '172.17.0.33');
    expect(await show(third, 'route', 'show')).toContain('192.168.0.0/24 via 172.17.0.254 dev net1');
    for (const [index, pod] of pods.entries()) await lists.each('DEL', makeCall(pod, 'net1'), results[index]);
  });

  test('a fixed MAC that comes with the call is the one of the interface', async () => {
    const mac = '02:00:00:53:6b:b6';
    const pod = await prepare('fixed-mac', { ifname: 'net1', ips: ['172.17.0.40'], spec: { mac } });
    const call = makeCall(pod, 'net1', { args: `MAC=${mac}` });
    await lists.add(call);
    expect(await show(pod, 'link', 'show', 'net1')).toContain(mac);
    await lists.each('DEL', call);
  });

  test("another NAD's provider, or an address of somebody else, gets no interface", async () => {
    const pod = await prepare('thief', { ifname: 'net1', ips: ['172.17.0.41'] });
    const stolen = makeCall(pod, 'net1', {
      plugins: [{ ...NAD, ipam: { ...NAD.ipam, provider: 'macvlan.victim' } }],
    });
    await expect(lists.add(stolen)).rejects.toThrow('must be macvlan.default');
    await lists.each('DEL', stolen);
    const other = makeCall(pod, 'net1', { args: 'IP=172.17.0.15' });
    await expect(lists.add(other)).rejects.toThrow('asks for 172.17.0.15');
    await lists.each('DEL', other);
    expect(await show(pod, '-br', 'link', 'show')).not.toContain('net1');
  });

  test('F08: a DEL that comes while no agent is there lets macvlan go on, and is carried out later', async () => {
    const pod = await prepare('spooled', { ifname: 'net1', ips: ['172.17.0.43'] });
    const call = makeCall(pod, 'net1', { cniVersion: '1.0.0' });
    const result = await lists.add(call);
    await node.stopAgent();
    await lists.each('DEL', call, result);
    expect(await show(pod, '-br', 'link', 'show')).not.toContain('net1');
    expect(await listJournal()).toHaveLength(1);
    await node.startAgent();
    await eventually('journal empty', async () => (await listJournal()).length === 0);
  });

  test('a pod that goes without a DEL is forgotten', async () => {
    const pod = await prepare('lost', { ifname: 'net1', ips: ['172.17.0.42'] });
    await lists.add(makeCall(pod, 'net1'));
    await node.exec(pod.netns, 'ip', 'link', 'delete', 'net1');
    await node.remove('v1/pods', 'default/lost');
    await eventually('journal empty', async () => (await listJournal()).length === 0);
  });
});

test('the real bridge plugin, which removes its link before it asks us', async () => {
  const pod = await prepare('bridged', { ifname: 'net1', ips: ['172.17.0.50'] });
  const plugins = [{ type: 'bridge', bridge: 'br-test', ipam: NAD.ipam }];
  const call = makeCall(pod, 'net1', { cniVersion: '1.0.0', plugins });
  const result = await lists.add(call);
  expect(await show(pod, 'addr', 'show', 'net1')).toContain('172.17.0.50/16');
  await lists.each('DEL', { ...call, pod: { ...pod, netns: 'vanished' } }, result);
  expect(await listJournal()).toEqual([]);
  await lists.each('DEL', call);
  await node.exec(undefined, 'ip', 'link', 'delete', 'br-test');
});
