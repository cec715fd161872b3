import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SubnetSpec } from '../../api/types.gen.ts';
import type { KubeObject } from '../../kube/types.ts';
import { makeSubnet, planTestRows } from '../../plan/networks/testing/subnets.ts';
import { attach, PORTS, program } from './testing/berths.ts';
import { type CniOutcome, formatPodPort, startTestNode, type TestNode, type TestPod } from './testing/node.ts';

const SPEC: SubnetSpec = {
  cidrBlock: '10.16.0.0/16',
  gateway: '10.16.0.1',
  mtu: 1400,
  enableDHCP: true,
  dhcp: {
    leaseSeconds: 7200,
    dnsServers: ['10.96.0.10'],
    ntpServers: ['10.20.0.5'],
    domainName: 'example.org',
    routes: [{ dst: '192.0.2.0/24', gw: '10.16.0.9' }],
  },
};
const ADDRESS = { ip: '10.16.0.5', mac: '02:00:0a:10:00:05' };

let node: TestNode;
let launcher: TestPod;
let added: CniOutcome;

/** What the operator does for a NIC of a VM: its LogicalPort and its row, which the subnet's DHCP serves. */
async function berthGuest(pod: TestPod): Promise<void> {
  const port = formatPodPort(pod, ADDRESS) as KubeObject & { spec: object };
  const owner = { kind: 'VirtualMachine', name: 'db', uid: 'vm-uid' };
  const spec = { ...port.spec, owner, nic: 'default', binding: 'bridge' };
  const made = await node.put(PORTS, { ...port, spec } as KubeObject);
  const lsp = 'vm/default/db/default';
  await program(node, { lsp, addresses: `${ADDRESS.mac} ${ADDRESS.ip}`, uid: made.metadata?.uid ?? '' });
  const [wanted] = planTestRows([makeSubnet('default', SPEC)]).dhcpOptions;
  const columns = [...(wanted?.options ?? [])].map(([name, value]) => `options:${name}=${JSON.stringify(value)}`);
  const row = await node.ovn.nbctl('create', 'DHCP_Options', `cidr=${SPEC.cidrBlock}`, ...columns);
  await node.ovn.nbctl('lsp-set-dhcpv4-options', lsp, row.trim());
}

beforeAll(async () => {
  node = await startTestNode();
  await node.put('mooring.dev/v1alpha1/subnets', {
    apiVersion: 'mooring.dev/v1alpha1',
    kind: 'Subnet',
    metadata: { name: 'default' },
    spec: SPEC,
  } as KubeObject);
  await node.ovn.nbctl('ls-add', 'subnet/default');
  await node.startAgent();
  launcher = await node.addPod('launcher');
  await berthGuest(launcher);
  added = await node.cni({ command: 'ADD', pod: launcher });
});
afterAll(() => node.stop());

describe("a launcher whose guest OVN's DHCP serves", () => {
  test('has a link without address and route, and an answer with both', async () => {
    expect(added).toMatchObject({ exit: 0 });
    expect(JSON.parse(added.output)).toMatchObject({
      ips: [{ address: '10.16.0.5/16', gateway: '10.16.0.1', interface: 1 }],
      routes: [{ dst: '0.0.0.0/0', gw: '10.16.0.1' }],
    });
    const link = await node.exec(launcher.netns, 'ip', 'addr', 'show', 'dev', 'eth0');
    expect(link).toContain(`link/ether ${ADDRESS.mac}`);
    expect(link).toContain('state UP');
    expect(link).not.toMatch(/inet6? .*scope global/);
    expect(await node.exec(launcher.netns, 'ip', 'route', 'show')).toBe('');
  });

  test('passes CHECK, and a repeated ADD leaves it', async () => {
    const prevResult = JSON.parse(added.output) as object;
    const config = { cniVersion: '1.0.0', name: 'mooring', type: 'mooring', prevResult };
    const check = { command: 'CHECK', pod: launcher, config };
    expect(await node.cni(check)).toMatchObject({ exit: 0 });
    expect(await node.cni({ command: 'ADD', pod: launcher })).toMatchObject({ exit: 0, output: added.output });
  });

  test("is where the port's address, and all else that the subnet says, comes by DHCP", async () => {
    const hook = join(node.folder, 'hook');
    await writeFile(hook, '#!/bin/sh\n[ "$1" = bound ] && env\nexit 0\n', { mode: 0o755 });
    const asked = ['-O', 'mtu', '-O', 'ntpsrv', '-O', 'domain', '-O', 'staticroutes'];
    const client = ['busybox', 'udhcpc', '-f', '-n', '-q', '-t', '5', '-T', '1', '-i', 'eth0', '-s', hook, ...asked];
    const told = (await node.exec(launcher.netns, ...client)).split('\n');
    const expected = {
      ...{ ip: '10.16.0.5', mask: '16', router: '10.16.0.1', serverid: '10.16.0.1', lease: '7200', mtu: '1400' },
      ...{ dns: '10.96.0.10', ntpsrv: '10.20.0.5', domain: 'example.org' },
      staticroutes: '192.0.2.0/24 10.16.0.9 0.0.0.0/0 10.16.0.1',
    };
    expect(told).toEqual(expect.arrayContaining(Object.entries(expected).map(([key, value]) => `${key}=${value}`)));
  });
});

test('an ordinary pod on the same subnet has its address on its link', async () => {
  const { pod, outcome } = await attach(node, 'web', 20);
  expect(outcome).toMatchObject({ exit: 0 });
  expect(await node.exec(pod.netns, 'ip', 'addr', 'show', 'dev', 'eth0')).toContain('inet 10.16.0.20/16');
});
