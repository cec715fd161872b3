import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { KubeObject } from '../../kube/types.ts';
import {
  attach,
  berth,
  eventually,
  listHostEnds,
  listOvsPorts,
  PORTS,
  prepareSubnet,
  program,
} from './testing/berths.ts';
import { formatPodPort, NODE, startTestNode, type TestNode, type TestPod } from './testing/node.ts';

let node: TestNode;
beforeAll(async () => {
  node = await startTestNode();
  await prepareSubnet(node);
  await node.startAgent();
});
afterAll(() => node.stop());

const expectNothingLeft = async () => {
  expect(await listOvsPorts(node)).toEqual([]);
  expect(await listHostEnds(node)).toEqual([]);
  expect(await readdir(join(node.folder, 'state/attachments'))).toEqual([]);
};
const messageOf = (outcome: { output: string }): string => (JSON.parse(outcome.output) as { msg: string }).msg;
const codeOf = (outcome: { output: string }): number => (JSON.parse(outcome.output) as { code: number }).code;

/** An ADD that has done all its work and waits for OVN in vain: the port has no row in NB. */
async function startUnbound(pod: TestPod, index: number) {
  await node.put(PORTS, formatPodPort(pod, { ip: `10.16.0.${index}`, mac: `02:00:0a:10:01:${index}` }));
  const call = node.startCni({ command: 'ADD', pod });
  await eventually('port in OVS', async () => (await listOvsPorts(node)).length === 1);
  return call;
}

afterEach(expectNothingLeft);

describe('ADD and DEL through the real shim into real OVS and OVN', () => {
  test('two pods attached by ADD reach each other; DEL leaves nothing', async () => {
    const a = await attach(node, 'ping-a', 11);
    const b = await attach(node, 'ping-b', 12);
    expect(a.outcome).toMatchObject({ exit: 0 });
    expect(JSON.parse(a.outcome.output)).toMatchObject({
      cniVersion: '1.0.0',
      interfaces: [
        { name: expect.stringMatching(/^m/) },
        { name: 'eth0', mac: a.mac, sandbox: `/run/netns/${a.pod.netns}` },
      ],
      ips: [{ address: '10.16.0.11/16', gateway: '10.16.0.1', interface: 1 }],
      routes: [{ dst: '0.0.0.0/0', gw: '10.16.0.1' }],
    });
    expect(b.outcome).toMatchObject({ exit: 0 });
    await node.exec(a.pod.netns, 'busybox', 'ping', '-c', '3', '-W', '2', b.ip);
    for (const { pod } of [a, b])
      expect(await node.cni({ command: 'DEL', pod })).toMatchObject({ exit: 0, output: '' });
  });

  test('the OVS interface says whose it is', async () => {
    const { pod, lsp, mac } = await attach(node, 'marks', 13);
    const [name = ''] = await listOvsPorts(node);
    const ids = await node.ovn.vsctl('get', 'Interface', name, 'external_ids');
    const port = (await node.list(PORTS)).find((object) => object.metadata?.name === 'marks.eth0.pod');
    for (const part of [lsp, mac, pod.containerId, pod.uid, port?.metadata?.uid ?? '?']) expect(ids).toContain(part);
    expect(await node.ovn.vsctl('get', 'Port', name, 'other_config')).toContain('transient="true"');
    await node.cni({ command: 'DEL', pod });
  });

  test('F07 a repeated ADD gives the same answer', async () => {
    const { pod, outcome } = await attach(node, 'again', 14);
    const second = await node.cni({ command: 'ADD', pod });
    expect(second).toMatchObject({ exit: 0, output: outcome.output });
    const both = await Promise.all([node.cni({ command: 'ADD', pod }), node.cni({ command: 'ADD', pod })]);
    expect(both.map(({ output }) => output)).toEqual([outcome.output, outcome.output]);
    expect(await listOvsPorts(node)).toHaveLength(1);
    await node.cni({ command: 'DEL', pod });
  });

  test('an ADD waits for a LogicalPort that comes late, and for its row in NB', async () => {
    const pod = await node.addPod('late');
    const { done } = node.startCni({ command: 'ADD', pod });
    const port = await node.put(PORTS, formatPodPort(pod, { ip: '10.16.0.15', mac: '02:00:0a:10:00:0f' }));
    await eventually('port in OVS', async () => (await listOvsPorts(node)).length === 1);
    const row = {
      lsp: 'pod/default/late/eth0',
      addresses: '02:00:0a:10:00:0f 10.16.0.15',
      uid: port.metadata?.uid ?? '',
    };
    await program(node, row);
    expect(await done).toMatchObject({ exit: 0 });
    await node.cni({ command: 'DEL', pod });
  });

  test('without a LogicalPort an ADD fails at its deadline, names the stage, and tells the pod', async () => {
    const pod = await node.addPod('forgotten');
    const outcome = await node.cni({ command: 'ADD', pod });
    expect(outcome.exit).toBe(1);
    expect(codeOf(outcome)).toBe(11);
    expect(messageOf(outcome)).toContain('pod default/forgotten interface eth0: waited 8 s for its LogicalPort');
    await eventually('event', async () =>
      (await node.list('events.k8s.io/v1/events')).some((event) => JSON.stringify(event).includes('AttachFailed')),
    );
  });

  test('a port that OVN does not install fails with its own code and leaves nothing', async () => {
    const pod = await node.addPod('unbound');
    await node.put(PORTS, formatPodPort(pod, { ip: '10.16.0.16', mac: '02:00:0a:10:00:10' }));
    const outcome = await node.cni({ command: 'ADD', pod });
    expect(codeOf(outcome)).toBe(103);
    expect(messageOf(outcome)).toContain('waited 8 s for OVN to install its port');
  });

  test("a port in conflict fails at once, in the operator's words", async () => {
    const pod = await node.addPod('conflict');
    const port = formatPodPort(pod, { ip: '10.16.0.17', mac: '02:00:0a:10:00:11' });
    const condition = { type: 'Allocated', status: 'False', reason: 'AddressConflict', message: 'held by other/vm' };
    await node.put(PORTS, { ...port, status: { phase: 'Conflict', conditions: [condition] } } as KubeObject);
    const outcome = await node.cni({ command: 'ADD', pod });
    expect(codeOf(outcome)).toBe(100);
    expect(messageOf(outcome)).toContain('LogicalPort default/conflict.eth0.pod: AddressConflict: held by other/vm');
  });

  test('a pod that is deleted while its ADD waits fails it at once', async () => {
    const pod = await node.addPod('vanishing');
    const { done } = await startUnbound(pod, 17);
    await node.remove('v1/pods', 'default/vanishing');
    expect(codeOf(await done)).toBe(104);
  });

  test("the node's own namespace is refused, and its links stay", async () => {
    const made = await berth(node, await node.addPod('host'), 18);
    const before = await node.exec(undefined, 'ip', '-br', 'link');
    const host = (await node.exec(undefined, 'ip', 'netns', 'identify')).trim();
    const outcome = await node.cni({ command: 'ADD', pod: { ...made.pod, netns: host } });
    expect(codeOf(outcome)).toBe(8);
    expect(await node.exec(undefined, 'ip', '-br', 'link')).toBe(before);
  });

  test('F16 an interface name that the pod has already is refused and not touched', async () => {
    const made = await berth(node, await node.addPod('taken'), 19);
    await node.exec(made.pod.netns, 'ip', 'link', 'add', 'eth0', 'type', 'bridge');
    const outcome = await node.cni({ command: 'ADD', pod: made.pod });
    expect(outcome.exit).toBe(1);
    expect(messageOf(outcome)).toContain('EEXIST');
    expect(await node.exec(made.pod.netns, 'ip', '-d', 'link', 'show', 'eth0')).toContain('bridge');
  });

  test('VERSION, CHECK and GC', async () => {
    const { pod } = await attach(node, 'verbs', 20);
    const version = await node.cni({ command: 'VERSION', pod });
    expect(JSON.parse(version.output)).toMatchObject({ supportedVersions: expect.arrayContaining(['0.3.1', '1.1.0']) });
    expect(await node.cni({ command: 'CHECK', pod })).toMatchObject({ exit: 0, output: '' });
    const config = { cniVersion: '1.1.0', name: 'mooring', type: 'mooring' };
    const valid = [{ containerID: pod.containerId, ifname: 'eth0' }];
    await node.cni({ command: 'GC', pod, config: { ...config, 'cni.dev/valid-attachments': valid } });
    expect(await listOvsPorts(node)).toHaveLength(1);
    expect(codeOf(await node.cni({ command: 'GC', pod, config }))).toBe(7);
    await node.cni({ command: 'GC', pod, config: { ...config, name: 'other', 'cni.dev/valid-attachments': [] } });
    expect(await listOvsPorts(node)).toHaveLength(1);
    await node.exec(pod.netns, 'ip', 'addr', 'flush', 'dev', 'eth0');
    expect(messageOf(await node.cni({ command: 'CHECK', pod }))).toContain('10.16.0.20/16');
    await node.cni({ command: 'GC', pod, config: { ...config, 'cni.dev/valid-attachments': [] } });
  });
});

describe('DEL of what is not there', () => {
  test.each([
    ['a container nobody knows', {}],
    ['with an empty netns', { CNI_NETNS: '' }],
    ['with a netns that has vanished', { CNI_NETNS: '/run/netns/vanished' }],
    ["with the node's own netns", { CNI_NETNS: '/proc/1/ns/net' }],
    ['without arguments', { CNI_ARGS: '' }],
  ])('%s is a success and touches nothing', async (_cause, env) => {
    const pod = { name: 'never', uid: 'never', containerId: 'never', netns: 'never' };
    const before = await node.exec(undefined, 'ip', '-br', 'link');
    expect(await node.cni({ command: 'DEL', pod, env })).toMatchObject({ exit: 0, output: '' });
    expect(await node.exec(undefined, 'ip', '-br', 'link')).toBe(before);
  });

  test('F09 needs neither netns nor arguments nor a configuration', async () => {
    const { pod } = await attach(node, 'bare', 21);
    const env = { CNI_NETNS: '', CNI_ARGS: '' };
    expect(await node.cni({ command: 'DEL', pod, env, config: [] })).toMatchObject({ exit: 0 });
  });

  test('is repeated as often as a runtime likes', async () => {
    const { pod } = await attach(node, 'thrice', 22);
    for (let times = 0; times < 3; times += 1) expect((await node.cni({ command: 'DEL', pod })).exit).toBe(0);
  });
});

describe('two sandboxes of one port', () => {
  test('F10 the newer one takes it; the late DEL of the older one leaves the newer alone', async () => {
    const first = await attach(node, 'restarted', 23);
    const peer = await attach(node, 'peer', 24);
    const again = await node.addPod('restarted-2');
    const port = (await node.list(PORTS)).find((object) => object.metadata?.name === 'restarted.eth0.pod');
    const next = formatPodPort({ ...again, name: 'restarted' }, { ip: first.ip, mac: first.mac });
    const attachments = [{ podName: again.name, podUID: again.uid, node: NODE, interface: 'eth0', role: 'Source' }];
    const spec = { ...(next as unknown as { spec: object }).spec, attachments };
    await node.put(PORTS, { ...next, metadata: { ...next.metadata, uid: port?.metadata?.uid }, spec } as KubeObject);
    expect(await node.cni({ command: 'ADD', pod: again })).toMatchObject({ exit: 0 });
    const ports = await listOvsPorts(node);
    expect(ports).toHaveLength(2);
    expect(await node.cni({ command: 'DEL', pod: first.pod })).toMatchObject({ exit: 0 });
    expect(await listOvsPorts(node)).toEqual(ports);
    await node.exec(again.netns, 'busybox', 'ping', '-c', '2', '-W', '2', peer.ip);
    for (const pod of [again, peer.pod]) await node.cni({ command: 'DEL', pod });
  });

  test('a DEL ends the ADD of the same sandbox that still waits', async () => {
    const pod = await node.addPod('overtaken');
    const { done } = await startUnbound(pod, 25);
    expect(await node.cni({ command: 'DEL', pod })).toMatchObject({ exit: 0 });
    expect(codeOf(await done)).toBe(104);
  });
});
