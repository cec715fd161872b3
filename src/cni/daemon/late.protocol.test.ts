import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { formatNodeLabel } from '../../api/names.ts';
import type { KubeObject } from '../../kube/types.ts';
import { codeOf, messageOf } from './testing/answers.ts';
import {
  attach,
  type Berth,
  berth,
  eventually,
  listHostEnds,
  listOvsPorts,
  PORTS,
  prepareSubnet,
} from './testing/berths.ts';
import { startTestNode, type TestNode, type TestPod } from './testing/node.ts';
import { run } from './testing/processes.ts';

let node: TestNode;
let peer: Berth;
beforeAll(async () => {
  node = await startTestNode();
  await prepareSubnet(node);
  // Nothing is reaped while a test looks: a late DEL finds what it is about.
  await node.startAgent('--reap-seconds', '600');
  peer = await attach(node, 'peer', 90);
});
afterAll(() => node.stop());

const reachesPeer = (pod: TestPod) => node.exec(pod.netns, 'busybox', 'ping', '-c', '2', '-W', '3', peer.ip);
/** What the operator keeps; `up` is northd's. */
const readRows = () => node.ovn.nbctl('--columns=name,addresses,options,port_security', 'list', 'Logical_Switch_Port');
const readApi = async () => JSON.stringify([await node.list(PORTS), await node.list('v1/pods')]);

/** The VM goes on elsewhere: its LogicalPort and its row name another node. */
async function moveAway({ pod, lsp }: Berth): Promise<void> {
  const port = (await node.list(PORTS)).find(({ metadata }) => metadata?.name === `${pod.name}.eth0.pod`);
  const spec = (port as unknown as { spec: object }).spec;
  const attachments = [{ podName: 'next', podUID: 'next', node: 'node-b', interface: 'eth0', role: 'Source' }];
  const metadata = { ...port?.metadata, labels: { [formatNodeLabel('node-b')]: '' } };
  await node.put(PORTS, { ...port, metadata, spec: { ...spec, attachments } } as KubeObject);
  await node.ovn.nbctl('lsp-set-options', lsp, 'requested-chassis=node-b', 'iface-id-ver=next');
}

describe('a late DEL of an old sandbox', () => {
  test('F11 of a VM that has moved to another node takes its own port here, and nothing of OVN or the API', async () => {
    const moved = await attach(node, 'moved', 91);
    await moveAway(moved);
    const before = [await readRows(), await readApi()];
    expect(await node.cni({ command: 'DEL', pod: moved.pod })).toMatchObject({ exit: 0, output: '' });
    expect(await listOvsPorts(node)).toHaveLength(1);
    expect([await readRows(), await readApi()]).toEqual(before);
    await reachesPeer(peer.pod);
  });

  test('F11 of a sandbox of another node, whatever its port is called, touches nothing', async () => {
    const here = await attach(node, 'here', 92);
    const before = [await readRows(), await readApi(), await listOvsPorts(node), await listHostEnds(node)];
    const elsewhere = { ...here.pod, containerId: 'of-node-b' };
    expect(await node.cni({ command: 'DEL', pod: elsewhere })).toMatchObject({ exit: 0, output: '' });
    expect([await readRows(), await readApi(), await listOvsPorts(node), await listHostEnds(node)]).toEqual(before);
    await reachesPeer(here.pod);
    await node.cni({ command: 'DEL', pod: here.pod });
  });
});

describe('a path that another pod’s namespace has taken', () => {
  /** A pod whose namespace has gone, and another one whose namespace is where that was. */
  async function replace(name: string, index: number): Promise<{ old: Berth; next: Berth }> {
    const old = await attach(node, name, index);
    await run(['ip', 'netns', 'delete', old.pod.netns]);
    await run(['ip', 'netns', 'add', old.pod.netns]);
    const pod = { ...(await node.addPod(`${name}-next`)), netns: old.pod.netns };
    const next = await berth(node, pod, index + 1);
    expect(await node.cni({ command: 'ADD', pod })).toMatchObject({ exit: 0 });
    return { old, next };
  }

  test('F15 a late DEL of the old pod leaves the new one’s interface alone', async () => {
    const { old, next } = await replace('late', 93);
    expect(await node.cni({ command: 'DEL', pod: old.pod })).toMatchObject({ exit: 0, output: '' });
    expect(await listOvsPorts(node)).toHaveLength(2);
    await reachesPeer(next.pod);
    await node.cni({ command: 'DEL', pod: next.pod });
    expect(await listOvsPorts(node)).toHaveLength(1);
  });

  test('F15 CHECK and a repeated ADD of the old pod fail, and leave the new one’s interface alone', async () => {
    const { old, next } = await replace('again', 95);
    expect((await node.cni({ command: 'CHECK', pod: old.pod })).exit).toBe(1);
    expect((await node.cni({ command: 'ADD', pod: old.pod })).exit).toBe(1);
    await reachesPeer(next.pod);
    expect(await node.exec(next.pod.netns, 'ip', '-br', 'addr', 'show', 'eth0')).toContain(`${next.ip}/`);
    for (const { pod } of [old, next]) await node.cni({ command: 'DEL', pod });
  });

  test('F15 a file that is no namespace any more is named as such, and nothing is left', async () => {
    const { pod } = await berth(node, await node.addPod('stale'), 97);
    const stale = `${pod.netns}-stale`;
    await writeFile(`/run/netns/${stale}`, '');
    try {
      const outcome = await node.cni({ command: 'ADD', pod: { ...pod, netns: stale } });
      expect(codeOf(outcome)).toBe(8);
      expect(messageOf(outcome)).toContain('is not a network namespace (any more)');
      expect(await listOvsPorts(node)).toHaveLength(1);
      expect(await node.cni({ command: 'DEL', pod: { ...pod, netns: stale } })).toMatchObject({ exit: 0 });
    } finally {
      await run(['rm', `/run/netns/${stale}`]);
    }
    await eventually('one port', async () => (await listOvsPorts(node)).length === 1);
  });
});
