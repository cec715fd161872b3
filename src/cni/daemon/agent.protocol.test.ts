import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { KubeObject } from '../../kube/types.ts';
import { formatPodPort, NODE, startTestNode, type TestNode, type TestPod } from './testing/node.ts';

const PORTS = 'mooring.dev/v1alpha1/logicalports';

let node: TestNode;

beforeAll(async () => {
  node = await startTestNode();
  await node.put('mooring.dev/v1alpha1/subnets', {
    apiVersion: 'mooring.dev/v1alpha1',
    kind: 'Subnet',
    metadata: { name: 'default' },
    spec: { cidrBlock: '10.16.0.0/16', mtu: 1400 },
  } as KubeObject);
  await node.ovn.nbctl('ls-add', 'subnet/default');
  await node.startAgent();
});
afterAll(async () => {
  await node.stop();
});

/** What the operator would do for a pod: a LogicalPort, and its row in NB. */
async function berth(pod: TestPod, index: number): Promise<{ ip: string; mac: string; lsp: string }> {
  const address = { ip: `10.16.0.${index}`, mac: `02:00:0a:10:00:${index.toString(16).padStart(2, '0')}` };
  const port = await node.put(PORTS, formatPodPort(pod, address));
  const lsp = `pod/default/${pod.name}/eth0`;
  await node.ovn.nbctl(
    ...['lsp-add', 'subnet/default', lsp, '--', 'lsp-set-addresses', lsp, `${address.mac} ${address.ip}`, '--'],
    ...['lsp-set-port-security', lsp, `${address.mac} ${address.ip}`, '--'],
    ...['lsp-set-options', lsp, `requested-chassis=${NODE}`, `iface-id-ver=${port.metadata?.uid}`],
  );
  return { ...address, lsp };
}

async function attach(name: string, index: number) {
  const pod = await node.addPod(name);
  const address = await berth(pod, index);
  return { pod, ...address, outcome: await node.cni({ command: 'ADD', pod }) };
}

const listPorts = async () =>
  (await node.ovn.vsctl('--bare', '--columns=name', 'find', 'Interface', 'external_ids:mooring-kind=pod'))
    .split('\n')
    .filter((line) => line !== '');

describe('the real agent, shim, OVS and OVN', () => {
  test('two pods attached by ADD reach each other; DEL leaves nothing', async () => {
    const a = await attach('ping-a', 11);
    const b = await attach('ping-b', 12);
    expect(a.outcome).toMatchObject({ exit: 0 });
    expect(JSON.parse(a.outcome.output)).toMatchObject({
      cniVersion: '1.0.0',
      ips: [{ address: '10.16.0.11/16', gateway: '10.16.0.1', interface: 1 }],
      routes: [{ dst: '0.0.0.0/0', gw: '10.16.0.1' }],
    });
    expect(b.outcome).toMatchObject({ exit: 0 });
    await node.exec(a.pod.netns, 'busybox', 'ping', '-c', '3', '-W', '2', b.ip);
    for (const { pod } of [a, b])
      expect(await node.cni({ command: 'DEL', pod })).toMatchObject({ exit: 0, output: '' });
    expect(await listPorts()).toEqual([]);
    expect(await node.exec(undefined, 'ip', '-br', 'link')).not.toMatch(/^m[0-9a-f]{14}/m);
    expect(await readdir(join(node.folder, 'state/attachments'))).toEqual([]);
  });
});
