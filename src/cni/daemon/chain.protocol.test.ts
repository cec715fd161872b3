import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { KubeObject } from '../../kube/types.ts';
import { berth, eventually, listHostEnds, listOvsPorts, PORTS, prepareSubnet } from './testing/berths.ts';
import { startTestNode, type TestNode } from './testing/node.ts';
import { createLists, type ListCall, type Lists } from './testing/plugins.ts';

const BUILD_MS = 300_000;

let node: TestNode;
let lists: Lists;
beforeAll(async () => {
  node = await startTestNode();
  await prepareSubnet(node);
  await node.startAgent();
  lists = await createLists(node);
  await eventually('shim installed', async () => (await readdir(join(node.folder, 'cni-bin'))).includes('mooring'));
}, BUILD_MS);
afterAll(() => node.stop());
afterEach(async () => {
  expect(await listOvsPorts(node)).toEqual([]);
  expect(await listHostEnds(node)).toEqual([]);
  expect(await readdir(join(node.folder, 'state/attachments'))).toEqual([]);
});

const PORTMAP = { type: 'portmap', capabilities: { portMappings: true }, backend: 'nftables' };
const RUNTIME = {
  portMappings: [{ hostPort: 18080, containerPort: 8080, protocol: 'tcp' }],
  bandwidth: { ingressRate: 8_000_000, ingressBurst: 8_000_000, egressRate: 8_000_000, egressBurst: 8_000_000 },
  mac: '02:00:0a:10:00:63',
};
const rules = () => node.exec(undefined, 'nft', 'list', 'ruleset');

test.each([
  ['0.3.1', 50],
  ['0.4.0', 51],
  ['1.0.0', 52],
] as const)("%s: USAGE.md's list, with portmap behind us, opens the port and closes it", async (cniVersion, index) => {
  const { pod, ip } = await berth(node, await node.addPod(`web-${cniVersion.replaceAll('.', '-')}`), index);
  const call: ListCall = {
    ...{ pod, ifname: 'eth0', cniVersion, name: 'mooring', runtime: RUNTIME },
    plugins: [{ type: 'mooring' }, PORTMAP],
  };
  const result = await lists.add(call);
  expect(result).toMatchObject({
    interfaces: [{ name: expect.stringMatching(/^m/) }, { name: 'eth0', sandbox: `/run/netns/${pod.netns}` }],
    ips: [{ address: `${ip}/16`, interface: 1 }],
  });
  expect(await rules()).toMatch(new RegExp(`dport 18080 dnat (ip )?to ${ip}:8080`));
  if (cniVersion !== '0.3.1') await lists.each('CHECK', call, result);
  await lists.each('DEL', call, cniVersion === '0.3.1' ? undefined : result);
  expect(await rules()).not.toContain('18080');
  await lists.each('DEL', call);
});

test('CHECK and a repeated ADD after the MTU of the subnet has changed: the interface in use stays as it is', async () => {
  const { pod } = await berth(node, await node.addPod('older'), 58);
  const config = { cniVersion: '1.1.0', name: 'mooring', type: 'mooring' };
  expect(await node.cni({ command: 'ADD', pod, config })).toMatchObject({ exit: 0 });
  const hostEnds = await listHostEnds(node);
  const change = async (mtu: number) => {
    const spec = { cidrBlock: '10.16.0.0/16', mtu };
    const metadata = { name: 'default' };
    await node.put('mooring.dev/v1alpha1/subnets', { metadata, spec } as KubeObject);
  };
  await change(1300);
  const fresh = await berth(node, await node.addPod('newer'), 59);
  await eventually('the new MTU for new interfaces', async () => {
    const made = JSON.parse((await node.cni({ command: 'ADD', pod: fresh.pod, config })).output);
    if (made.interfaces[1].mtu !== 1300) await node.cni({ command: 'DEL', pod: fresh.pod });
    return made.interfaces[1].mtu === 1300;
  });
  expect(await node.cni({ command: 'CHECK', pod, config })).toMatchObject({ exit: 0 });
  const again = JSON.parse((await node.cni({ command: 'ADD', pod, config })).output);
  expect(again.interfaces[1]).toMatchObject({ name: 'eth0', mtu: 1400 });
  expect(await listHostEnds(node)).toEqual(expect.arrayContaining(hostEnds));
  for (const each of [pod, fresh.pod]) await node.cni({ command: 'DEL', pod: each });
  await change(1400);
});

test('tuning, bandwidth and sbr behind us find what they need, and CHECK takes their changes', async () => {
  const { pod } = await berth(node, await node.addPod('tuned'), 53);
  const call: ListCall = {
    ...{ pod, ifname: 'eth0', cniVersion: '1.0.0', name: 'mooring', runtime: RUNTIME },
    plugins: [
      { type: 'mooring' },
      { type: 'tuning', capabilities: { mac: true }, mtu: 1300, promisc: true },
      { type: 'bandwidth', capabilities: { bandwidth: true } },
      { type: 'sbr' },
    ],
  };
  const result = await lists.add(call);
  expect(await node.exec(pod.netns, 'ip', 'link', 'show', 'eth0')).toMatch(/mtu 1300/);
  const [host = ''] = await listHostEnds(node);
  expect(await node.exec(undefined, 'tc', 'qdisc', 'show', 'dev', host)).toContain('tbf');
  expect(await node.exec(pod.netns, 'ip', 'route', 'show', 'table', '100')).toContain('default via 10.16.0.1');
  const own = { ...call, plugins: [{ type: 'mooring' }] };
  await lists.each('CHECK', own, result);
  await node.exec(pod.netns, 'ip', 'route', 'flush', 'table', '100');
  await expect(lists.each('CHECK', own, result)).rejects.toThrow('eth0 lacks route 0.0.0.0/0 via 10.16.0.1');
  await lists.each('DEL', call, result);
});

test('routes of the LogicalPort are in the pod and in the result, of both families, with no wait for the address', async () => {
  const pod = await node.addPod('routed');
  const { mac, lsp } = await berth(node, pod, 54);
  await node.put('mooring.dev/v1alpha1/subnets', {
    apiVersion: 'mooring.dev/v1alpha1',
    kind: 'Subnet',
    metadata: { name: 'dual' },
    spec: {
      cidrBlock: '10.16.0.0/16,fd16::/64',
      gateway: '10.16.0.1,fd16::1',
      mtu: 1400,
      dhcp: { dnsServers: ['10.96.0.10'] },
    },
  } as KubeObject);
  const routes = [
    { dst: '0.0.0.0/0', gw: '10.16.0.2' },
    { dst: '192.168.0.101/24', gw: '10.16.0.254' },
    { dst: 'fd99::/64', gw: 'fd16::2' },
  ];
  const port = (await node.list(PORTS)).find((object) => object.metadata?.name === 'routed.eth0.pod');
  const spec = {
    ...(port as unknown as { spec: object }).spec,
    subnet: 'dual',
    ips: ['10.16.0.54', 'fd16::54'],
    routes,
  };
  await node.put(PORTS, { ...port, spec } as KubeObject);
  await node.ovn.nbctl('lsp-set-addresses', lsp, `${mac} 10.16.0.54 fd16::54`);
  const call: ListCall = { pod, ifname: 'eth0', cniVersion: '1.1.0', name: 'mooring', plugins: [{ type: 'mooring' }] };
  const result = await lists.add(call);
  expect(result).toMatchObject({
    interfaces: [{}, { name: 'eth0', mtu: 1400 }],
    ips: [{ address: '10.16.0.54/16' }, { address: 'fd16::54/64', gateway: 'fd16::1', interface: 1 }],
    routes: [routes[0], { dst: '192.168.0.0/24', gw: '10.16.0.254' }, routes[2]],
    dns: { nameservers: ['10.96.0.10'] },
  });
  expect(await node.exec(pod.netns, 'ip', '-6', 'addr', 'show', 'dev', 'eth0')).not.toContain('tentative');
  const shown = await node.exec(pod.netns, 'ip', 'route');
  for (const line of ['default via 10.16.0.2', '192.168.0.0/24 via 10.16.0.254']) expect(shown).toContain(line);
  expect(await node.exec(pod.netns, 'ip', '-6', 'route')).toContain('fd99::/64 via fd16::2');
  await lists.each('CHECK', call, result);
  await node.exec(pod.netns, 'ip', '-6', 'route', 'del', 'fd99::/64');
  await expect(lists.each('CHECK', call, result)).rejects.toThrow('eth0 lacks route fd99::/64 via fd16::2');
  await lists.each('DEL', call, result);
});

test('behind a plugin that has made the interface we refuse and say where we belong', async () => {
  const { pod } = await berth(node, await node.addPod('behind'), 55);
  const prevResult = { cniVersion: '1.0.0', interfaces: [{ name: 'eth0', sandbox: `/run/netns/${pod.netns}` }] };
  const call: ListCall = {
    ...{ pod, ifname: 'eth0', cniVersion: '1.0.0', name: 'mooring' },
    plugins: [{ type: 'mooring', prevResult }],
  };
  await expect(lists.add(call)).rejects.toThrow('must come before that plugin');
  await lists.each('DEL', call);
});
