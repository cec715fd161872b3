import { afterAll, beforeAll, expect, test } from 'vitest';
import type { KubeObject } from '../../kube/types.ts';
import { askStatus, codeOf, messageOf } from './testing/answers.ts';
import { attach, eventually, prepareSubnet } from './testing/berths.ts';
import { startTestNode, type TestNode } from './testing/node.ts';
import type { Stoppable } from './testing/ovn.ts';

const SUBNETS = 'mooring.dev/v1alpha1/subnets';

let node: TestNode;
const start = (...more: string[]) => node.startAgent('--secondary', '--ovn-run-dir', `${node.folder}/ovn`, ...more);
beforeAll(async () => {
  node = await startTestNode();
  await prepareSubnet(node);
  await start();
});
afterAll(() => node.stop());

/** Waits for the code; gives what STATUS says with it. */
async function expectCode(code: number): Promise<string> {
  let last = await askStatus(node);
  await eventually(`STATUS ${code}, not ${last.output}`, async () => {
    last = await askStatus(node);
    return codeOf(last) === code;
  });
  return code === 0 ? '' : messageOf(last);
}

/** How many addresses the operator says are free. */
async function setFree(free: number): Promise<void> {
  await node.remove(SUBNETS, 'default');
  const status = { v4availableIPs: free, v4usingIPs: 9 };
  const spec = { cidrBlock: '10.16.0.0/16', mtu: 1400 };
  await node.put(SUBNETS, { metadata: { name: 'default' }, spec, status } as KubeObject);
}

test('F19 STATUS says nothing where nothing is missing', async () => {
  await expectCode(0);
  expect(await askStatus(node)).toMatchObject({ exit: 0, output: '' });
});

test.each<[Stoppable, string]>([
  ['southbound', 'ovn-controller is not connected to the Southbound database'],
  ['controller', 'ovn-controller does not answer'],
  ['database', 'the local OVS database is not connected'],
])('F19 STATUS without the %s is 51, as present pods are affected, and heals by itself', async (program, words) => {
  await expectCode(0);
  const stopped = await node.ovn.stop(program);
  expect(await expectCode(51)).toContain(words);
  stopped.start();
  await expectCode(0);
});

test('F19 STATUS is 50 when the default subnet is full; who has an address is attached all the same', async () => {
  await setFree(0);
  expect(await expectCode(50)).toContain('Subnet default has no free IPv4 address');
  const { pod, outcome } = await attach(node, 'has-one', 81);
  expect(outcome).toMatchObject({ exit: 0 });
  await node.cni({ command: 'DEL', pod });
  expect(codeOf(await askStatus(node, { provider: 'lan.default.ovn' }))).toBe(0);
  await setFree(1);
  await expectCode(0);
});

test('F19 STATUS of a network that we only give addresses for goes by its own subnet', async () => {
  const ipam = { type: 'mooring', provider: 'lan.default' };
  expect(codeOf(await askStatus(node, { type: 'macvlan', ipam }))).toBe(0);
  const spec = { cidrBlock: '10.17.0.0/16', provider: 'lan.default' };
  await node.put(SUBNETS, { metadata: { name: 'lan' }, spec, status: { v4availableIPs: 0 } } as KubeObject);
  await eventually('full', async () => codeOf(await askStatus(node, { type: 'macvlan', ipam })) === 50);
  await node.remove(SUBNETS, 'lan');
});

test('F19 STATUS is 50 before the API was read, before the operator has set up the node, and without an agent', async () => {
  await node.stopAgent();
  expect(await expectCode(50)).toContain('look at the mooring-agent pod');
  await start('--api-server', 'http://127.0.0.1:9');
  expect(await expectCode(50)).toContain('the API server has not been read yet');
  await node.stopAgent();
  await node.startAgent('--ovn-run-dir', `${node.folder}/ovn`);
  await eventually('it asks for its Node', async () => messageOf(await askStatus(node)).includes('Node node-a'));
  expect(codeOf(await askStatus(node))).toBe(50);
});
