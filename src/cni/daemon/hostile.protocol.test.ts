import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { formatNodeLabel } from '../../api/names.ts';
import type { KubeObject } from '../../kube/types.ts';
import { attach, berth, eventually, listHostEnds, listOvsPorts, PORTS, prepareSubnet } from './testing/berths.ts';
import { type CniOutcome, NODE, startTestNode, type TestNode, type TestPod } from './testing/node.ts';
import { run } from './testing/processes.ts';

let node: TestNode;
beforeAll(async () => {
  node = await startTestNode();
  await prepareSubnet(node);
  await node.startAgent();
});
afterAll(() => node.stop());

const isEmpty = async () =>
  (await listOvsPorts(node)).length === 0 &&
  (await listHostEnds(node)).length === 0 &&
  (await readdir(join(node.folder, 'state/attachments'))).length === 0;
afterEach(() => eventually('nothing left', isEmpty));

const CONFIG = { cniVersion: '1.0.0', name: 'mooring', type: 'mooring' };
const refusal = ({ exit, output }: CniOutcome) => {
  const { code, msg } = JSON.parse(output) as { code: number; msg: string };
  return { exit, code, msg };
};
const formatArgs = (pod: TestPod, more = '') =>
  `K8S_POD_NAMESPACE=default;K8S_POD_NAME=${pod.name};K8S_POD_UID=${pod.uid}${more}`;
const ping = (pod: TestPod, ip: string) => node.exec(pod.netns, 'busybox', 'ping', '-c', '1', '-W', '3', ip);

describe('what a tenant can put into a call', () => {
  test("F54: a pod that asks for a VM's address is refused in every form, and the VM is undisturbed", async () => {
    const vm = await attach(node, 'vm', 71);
    const peer = await attach(node, 'peer', 72);
    const thief = await berth(node, await node.addPod('thief'), 73);
    const ask = (change: object, args = '') =>
      node.cni({
        command: 'ADD',
        pod: thief.pod,
        env: { CNI_ARGS: formatArgs(thief.pod, args) },
        config: { ...CONFIG, ...change },
      });
    const forms = [
      await ask({ runtimeConfig: { ips: [`${vm.ip}/16`] } }),
      await ask({ runtimeConfig: { IPs: [vm.ip] } }),
      await ask({ runtimeConfig: { mac: vm.mac } }),
      await ask({ args: { cni: { ips: [vm.ip] } } }),
      await ask({}, `;IP=${vm.ip}`),
      await ask({}, `;MAC=${vm.mac}`),
    ];
    for (const outcome of forms) expect(refusal(outcome)).toMatchObject({ exit: 1, code: 105 });
    expect(refusal(await ask({}, `;K8S_POD_UID=${vm.pod.uid}`))).toMatchObject({ exit: 1, code: 4 });
    expect(await listOvsPorts(node)).toHaveLength(2);
    await ping(vm.pod, peer.ip);
    for (const { pod } of [vm, peer]) await node.cni({ command: 'DEL', pod });
  });

  test("F55: marks of a VM on a pod, and another pod's UID, get nobody's port", async () => {
    const vm = await attach(node, 'victim', 74);
    const forger = await node.addPod('forger', {
      'ovn.kubernetes.io/allocated': 'true',
      'ovn.kubernetes.io/ip_address': vm.ip,
      'ovn.kubernetes.io/mac_address': vm.mac,
      'ovn.kubernetes.io/virtualmachine': 'victim',
      'mooring.dev/logical-port': 'victim.eth0.pod',
    });
    // Each waits for what the API does not have, and ends at its deadline.
    const [own, stolen] = await Promise.all([
      node.cni({ command: 'ADD', pod: forger }),
      node.cni({
        command: 'ADD',
        pod: { ...forger, containerId: 'other' },
        env: { CNI_ARGS: formatArgs({ ...forger, uid: vm.pod.uid }) },
      }),
    ]);
    expect(refusal(own)).toMatchObject({ code: 11, msg: expect.stringContaining('for its LogicalPort') });
    expect(refusal(stolen)).toMatchObject({ code: 11, msg: expect.stringContaining('for the pod to appear') });
    expect(await listOvsPorts(node)).toHaveLength(1);
    await node.cni({ command: 'DEL', pod: vm.pod });
  });

  test("F54: a launcher without a guest has its own addresses, whatever came with the call for its VM's", async () => {
    const vm = await attach(node, 'guest', 61);
    const owner = { apiVersion: 'kubevirt.io/v1', kind: 'VirtualMachineInstance', name: 'guest', uid: 'u' };
    const made = await node.addPod('ghost', { 'kubevirt.io/ephemeral-provisioning': 'true' });
    const ghost = await berth(node, made, 62);
    const add = () =>
      node.cni({
        command: 'ADD',
        pod: made,
        env: { CNI_ARGS: formatArgs(made, `;IP=${vm.ip}`) },
        config: { ...CONFIG, runtimeConfig: { mac: vm.mac } },
      });
    // The mark alone, on a pod of nobody, changes nothing.
    expect(refusal(await add())).toMatchObject({ exit: 1, code: 105 });
    const [before] = (await node.list('v1/pods')).filter(({ metadata }) => metadata?.name === 'ghost');
    const metadata = { ...before?.metadata, ownerReferences: [{ ...owner, controller: true }] };
    await node.put('v1/pods', { ...before, metadata });
    const seen = async () => (await add()).exit === 0;
    await eventually('the owner is known', seen);
    const links = await node.exec(made.netns, 'ip', '-br', 'link', 'show', 'eth0');
    expect(links).toContain(ghost.mac);
    expect(await node.exec(made.netns, 'ip', '-br', 'addr', 'show', 'eth0')).toContain(`${ghost.ip}/`);
    await ping(made, vm.ip);
    for (const pod of [vm.pod, made]) await node.cni({ command: 'DEL', pod });
  });

  test("F56: a configuration that names another namespace's network is refused, on ADD of either kind", async () => {
    const { pod } = await berth(node, await node.addPod('wanderer'), 75);
    const ours = await node.cni({ command: 'ADD', pod, config: { ...CONFIG, provider: 'secret.bank.ovn' } });
    expect(refusal(ours)).toMatchObject({ code: 105, msg: expect.stringContaining('it must be ovn') });
    const ipam = { type: 'mooring', provider: 'secret.bank' };
    const theirs = await node.cni({ command: 'ADD', pod, config: { ...CONFIG, type: 'macvlan', ipam } });
    expect(refusal(theirs)).toMatchObject({ code: 105, msg: expect.stringContaining('an interface of Mooring') });
  });

  test.each([
    ['a device', { deviceID: '0000:00:01.0' }],
    ['a GUID', { infinibandGUID: 'c2:11:22:33:44:55:66:77' }],
    ['ranges', { ipRanges: [[{ subnet: '10.16.0.0/24' }]] }],
    ['ports', { portMappings: [{ hostPort: 80, containerPort: 80, protocol: 'tcp' }] }],
    ['bandwidth', { Bandwidth: { IngressRate: 1000, IngressBurst: 1000 } }],
  ])('F63: %s that we cannot provide is refused by name and not left out silently', async (_cause, runtimeConfig) => {
    const pod = await node.addPod(`wish-${Object.keys(runtimeConfig)[0]?.toLowerCase()}`);
    await node.put(PORTS, port(pod, '10.16.0.76'));
    const outcome = refusal(await node.cni({ command: 'ADD', pod, config: { ...CONFIG, runtimeConfig } }));
    expect(outcome).toMatchObject({ exit: 1, code: 2 });
    expect(outcome.msg).toContain(`runtimeConfig.${Object.keys(runtimeConfig)[0]} is not supported`);
  });
});

test('F20: after a reboot leftovers are swept, and the new sandbox has the address of the old one', async () => {
  const { pod, ip, mac } = await attach(node, 'rebooted', 77);
  await node.stopAgent();
  await run(['ip', 'netns', 'delete', pod.netns]);
  await node.ovn.restartSwitch();
  await node.startAgent();
  await eventually('swept', isEmpty);
  const netns = `${pod.netns}-n`;
  await run(['ip', 'netns', 'add', netns]);
  const next: TestPod = { ...pod, containerId: `${pod.containerId}-new`, netns };
  try {
    const outcome = await node.cni({ command: 'ADD', pod: next });
    expect(outcome).toMatchObject({ exit: 0 });
    expect(JSON.parse(outcome.output)).toMatchObject({
      interfaces: [{}, { name: 'eth0', mac }],
      ips: [{ address: `${ip}/16` }],
    });
    // The runtime's late DEL of the sandbox of the past: no namespace, and a result that names the old path.
    const prevResult = { cniVersion: '1.0.0', interfaces: [{ name: 'eth0', sandbox: `/run/netns/${pod.netns}` }] };
    const late = { command: 'DEL', pod, env: { CNI_NETNS: '' }, config: { ...CONFIG, prevResult } };
    expect(await node.cni(late)).toMatchObject({ exit: 0, output: '' });
    expect(await listOvsPorts(node)).toHaveLength(1);
    expect(await node.cni({ command: 'DEL', pod: next })).toMatchObject({ exit: 0 });
  } finally {
    await run(['ip', 'netns', 'delete', netns]);
  }
});

describe('a LogicalPort without an address', () => {
  const status = (reason: string, message: string) => ({
    phase: 'Pending',
    conditions: [{ type: 'Allocated', status: 'False', reason, message }],
  });

  test('F31: fails the ADD at once with the reason, when that will not pass by itself', async () => {
    const pod = await node.addPod('full');
    await node.put(PORTS, port(pod, undefined, status('PoolFull', 'IPPool web: all 3 addresses are held')));
    const outcome = await node.cni({ command: 'ADD', pod });
    expect(refusal(outcome)).toMatchObject({ code: 101, msg: expect.stringContaining('all 3 addresses are held') });
  });

  test('is waited for when it may get one, and served as soon as it has', async () => {
    const pod = await node.addPod('soon');
    await node.put(PORTS, port(pod, undefined, status('SubnetNotReady', 'being made')));
    const { done } = node.startCni({ command: 'ADD', pod });
    await berth(node, pod, 78);
    expect(await done).toMatchObject({ exit: 0 });
    await node.cni({ command: 'DEL', pod });
  });
});

/** A LogicalPort as the operator makes it, with an address or still without. */
function port(pod: TestPod, ip?: string, status?: object): KubeObject {
  const held = { podName: pod.name, podUID: pod.uid, node: NODE, interface: 'eth0', role: 'Source' };
  const given = ip === undefined ? { ips: [], mac: '' } : { ips: [ip], mac: '02:00:0a:10:00:4c' };
  return {
    metadata: { name: `${pod.name}.eth0.pod`, namespace: 'default', labels: { [formatNodeLabel(NODE)]: '' } },
    spec: {
      ...{ owner: { kind: 'Pod', name: pod.name, uid: pod.uid }, nic: 'eth0', subnet: 'default', ...given },
      attachments: [held],
    },
    ...(status === undefined ? {} : { status }),
  } as KubeObject;
}
