import { copyFile, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { MULTUS_DEFAULT_NETWORK, MULTUS_NETWORKS, NETWORK_STATUS } from '../../api/annotations.ts';
import { formatNodeLabel } from '../../api/names.ts';
import type { KubeObject } from '../../kube/types.ts';
import { CONFLIST_NAME, formatConflist } from './install.ts';
import { berth, listHostEnds, listOvsPorts, PORTS, prepareSubnet } from './testing/berths.ts';
import { NODE, startTestNode, type TestNode, type TestPod } from './testing/node.ts';
import { ensurePlugins } from './testing/plugins.ts';

const BUILD_MS = 300_000;
const NAD = { cniVersion: '0.3.0', type: 'macvlan', master: 'up0', mode: 'bridge' };

let node: TestNode;
beforeAll(async () => {
  const plugins = await ensurePlugins();
  node = await startTestNode();
  await node.exec(undefined, 'ip', 'link', 'add', 'up0', 'type', 'veth', 'peer', 'name', 'beyond');
  for (const end of ['up0', 'beyond']) await node.exec(undefined, 'ip', 'link', 'set', end, 'up');
  await node.exec(undefined, 'ip', 'addr', 'add', '172.17.0.1/16', 'dev', 'beyond');
  await prepareSubnet(node);
  const spec = { cidrBlock: '172.17.0.0/16', gateway: '172.17.0.1', provider: 'macvlan.default' };
  await node.put('mooring.dev/v1alpha1/subnets', { metadata: { name: 'macvlan' }, spec } as KubeObject);
  const config = JSON.stringify({ ...NAD, ipam: { type: 'mooring', provider: 'macvlan.default' } });
  await node.put('k8s.cni.cncf.io/v1/network-attachment-definitions', {
    metadata: { name: 'macvlan', namespace: 'default' },
    spec: { config },
  } as KubeObject);
  for (const folder of ['cni-bin', 'cni-conf']) await mkdir(join(node.folder, folder), { recursive: true });
  await copyFile(join(plugins, 'macvlan'), join(node.folder, 'cni-bin/macvlan'));
  await node.startAgent();
  await writeFile(join(node.folder, 'cni-conf', CONFLIST_NAME), formatConflist());
}, BUILD_MS);
afterAll(() => node.stop());
afterEach(async () => {
  expect(await listOvsPorts(node)).toEqual([]);
  expect(await listHostEnds(node)).toEqual([]);
  for (const folder of ['attachments', 'networks']) {
    const files = await readdir(join(node.folder, 'state', folder));
    expect(files.filter((name) => name.endsWith('.json'))).toEqual([]);
  }
});

const show = (pod: TestPod, ...args: string[]) => node.exec(pod.netns, 'ip', ...args);

/** What the operator makes for the macvlan interface of a pod. */
async function reserve(pod: TestPod, ifname: string, address: { ip: string; mac: string }): Promise<void> {
  const held = { podName: pod.name, podUID: pod.uid, node: NODE, interface: ifname, role: 'Source' };
  await node.put(PORTS, {
    metadata: { name: `${pod.name}.${ifname}.pod`, namespace: 'default', labels: { [formatNodeLabel(NODE)]: '' } },
    spec: {
      owner: { kind: 'Pod', name: pod.name, uid: pod.uid },
      ...{ nic: ifname, subnet: 'macvlan', ips: [address.ip], mac: address.mac, ipamOnly: true },
      attachments: [{ ...held, nad: 'default/macvlan' }],
    },
  } as KubeObject);
}

test('without Multus: a macvlan network beside ours, with the MAC of an annotation of Kube-OVN', async () => {
  const mac = '02:00:00:53:6b:b6';
  const pod = await node.addPod('beside', {
    [MULTUS_NETWORKS]: 'default/macvlan',
    'macvlan.default.kubernetes.io/mac_address': mac.toUpperCase(),
  });
  await berth(node, pod, 60);
  await reserve(pod, 'net1', { ip: '172.17.0.60', mac });
  for (let times = 0; times < 2; times += 1) {
    expect(await node.cni({ command: 'ADD', pod })).toMatchObject({ exit: 0 });
    expect(await show(pod, '-d', 'link', 'show', 'net1')).toMatch(new RegExp(`${mac}[\\s\\S]*macvlan mode bridge`));
    expect(await show(pod, 'addr', 'show', 'net1')).toContain('172.17.0.60/16');
    expect(await show(pod, 'route', 'show', 'default')).toContain('default via 10.16.0.1 dev eth0');
    await node.exec(pod.netns, 'busybox', 'ping', '-c', '1', '-W', '3', '172.17.0.1');
    const stored = (await node.list('v1/pods')).find(({ metadata }) => metadata?.uid === pod.uid);
    expect(JSON.parse(stored?.metadata?.annotations?.[NETWORK_STATUS] ?? '[]')).toMatchObject([
      { interface: 'eth0', default: true },
      { name: 'default/macvlan', interface: 'net1', ips: ['172.17.0.60'], mac },
    ]);
    expect(await node.cni({ command: 'DEL', pod })).toMatchObject({ exit: 0, output: '' });
    expect(await show(pod, '-br', 'link')).not.toContain('net1');
  }
});

test('without Multus: macvlan as the first interface, its default route towards the physical gateway', async () => {
  const mac = '02:00:00:53:6b:b7';
  const pod = await node.addPod('instead', {
    [MULTUS_DEFAULT_NETWORK]: 'default/macvlan',
    'macvlan.default.kubernetes.io/mac_address': mac,
  });
  await reserve(pod, 'eth0', { ip: '172.17.0.61', mac });
  const outcome = await node.cni({ command: 'ADD', pod });
  expect(outcome).toMatchObject({ exit: 0 });
  expect(JSON.parse(outcome.output)).toMatchObject({
    cniVersion: '1.0.0',
    interfaces: [{ name: 'eth0', mac, sandbox: `/run/netns/${pod.netns}` }],
    ips: [{ address: '172.17.0.61/16', gateway: '172.17.0.1', interface: 0 }],
    routes: [{ dst: '0.0.0.0/0', gw: '172.17.0.1' }],
  });
  expect(await show(pod, 'route', 'show', 'default')).toContain('default via 172.17.0.1 dev eth0');
  await node.exec(pod.netns, 'busybox', 'ping', '-c', '1', '-W', '3', '172.17.0.1');
  expect(await listOvsPorts(node)).toEqual([]);
  expect(await node.cni({ command: 'DEL', pod })).toMatchObject({ exit: 0, output: '' });
  expect(await show(pod, '-br', 'link')).not.toContain('eth0');
});
