import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { codeOf, messageOf } from './testing/answers.ts';
import { attach, berth, eventually, listHostEnds, listOvsPorts, prepareSubnet } from './testing/berths.ts';
import { startTestNode, type TestNode, type TestPod } from './testing/node.ts';

let node: TestNode;
beforeAll(async () => {
  node = await startTestNode();
  await prepareSubnet(node);
  await node.startAgent('--reap-seconds', '600');
});
afterAll(() => node.stop());

const isEmpty = async () =>
  (await listOvsPorts(node)).length === 0 &&
  (await listHostEnds(node)).length === 0 &&
  (await readdir(join(node.folder, 'state/attachments'))).length === 0;
afterEach(() => eventually('nothing left', isEmpty));

const config = (cniVersion: string | undefined, more: object = {}) => ({
  ...(cniVersion === undefined ? {} : { cniVersion }),
  ...{ name: 'mooring', type: 'mooring' },
  ...more,
});

describe('results in older versions', () => {
  test.each([
    ['0.3.0', 41],
    ['0.3.1', 42],
    ['0.4.0', 43],
    ['1.0.0', 44],
    ['1.1.0', 45],
  ] as const)('F17 %s has the shape of that version, and its own verbs', async (cniVersion, index) => {
    const { pod, ip, mac } = await berth(node, await node.addPod(`shape-${index}`), index);
    const ask = (command: string) => node.cni({ command, pod, config: config(cniVersion) });
    const added = await ask('ADD');
    expect(added).toMatchObject({ exit: 0 });
    const isOld = cniVersion.startsWith('0.');
    const sandbox = `/run/netns/${pod.netns}`;
    expect(JSON.parse(added.output)).toEqual({
      cniVersion,
      interfaces: [
        { name: expect.stringMatching(/^m[0-9a-f]{14}$/) },
        { name: 'eth0', mac, sandbox, ...(cniVersion === '1.1.0' ? { mtu: 1400 } : {}) },
      ],
      ips: [{ ...(isOld ? { version: '4' } : {}), interface: 1, address: `${ip}/16`, gateway: '10.16.0.1' }],
      routes: [{ dst: '0.0.0.0/0', gw: '10.16.0.1' }],
      ...(isOld ? { dns: {} } : {}),
    });
    expect(codeOf(await ask('CHECK'))).toBe(cniVersion.startsWith('0.3.') ? 1 : 0);
    expect(await ask('DEL')).toMatchObject({ exit: 0, output: '' });
    expect(JSON.parse((await ask('VERSION')).output)).toMatchObject({ cniVersion });
  });

  test.each([['0.1.0'], ['0.2.0'], ['1.2.0'], ['latest'], [undefined]])(
    'F17 %s, which we do not speak, is refused by code 1 with those that we do, and makes nothing',
    async (cniVersion) => {
      const { pod } = await berth(node, await node.addPod('stranger'), 46);
      const outcome = await node.cni({ command: 'ADD', pod, config: config(cniVersion) });
      expect(codeOf(outcome)).toBe(1);
      expect(messageOf(outcome)).toContain('supported are 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0');
      expect(await isEmpty()).toBe(true);
    },
  );
});

describe('GC', () => {
  const gc = (pod: TestPod, valid: unknown, more: object = {}) => {
    const list = valid === undefined ? {} : { 'cni.dev/valid-attachments': valid };
    return node.cni({ command: 'GC', pod, config: config('1.1.0', { ...list, ...more }) });
  };
  const known = (pod: TestPod) => ({ containerID: pod.containerId, ifname: 'eth0' });

  test('F18 without a list, or with one that is malformed, removes nothing and says so', async () => {
    const { pod } = await attach(node, 'unlisted', 47);
    const lists = [undefined, null, 'all', {}, [known(pod), { containerID: 7, ifname: 'eth0' }], [null], [['eth0']]];
    for (const valid of lists) {
      const outcome = await gc(pod, valid);
      expect([valid, codeOf(outcome)]).toEqual([valid, 7]);
      expect(messageOf(outcome)).toContain('nothing was removed');
    }
    expect(await listOvsPorts(node)).toHaveLength(1);
    await node.cni({ command: 'DEL', pod });
  });

  test('F18 with an empty list removes all of its own network, and nothing of another', async () => {
    const first = await attach(node, 'mine', 48);
    const other = await berth(node, await node.addPod('other'), 49);
    const elsewhere = config('1.0.0', { name: 'elsewhere' });
    expect((await node.cni({ command: 'ADD', pod: other.pod, config: elsewhere })).exit).toBe(0);
    expect(await gc(first.pod, [], { name: 'unknown' })).toMatchObject({ exit: 0 });
    expect(await listOvsPorts(node)).toHaveLength(2);
    expect(await gc(first.pod, [])).toMatchObject({ exit: 0, output: '' });
    expect(await listOvsPorts(node)).toHaveLength(1);
    await node.exec(other.pod.netns, 'ip', 'link', 'show', 'eth0');
    await node.cni({ command: 'DEL', pod: other.pod });
  });

  test('F18 with ten thousand entries keeps those that it lists and removes the one that it does not', async () => {
    const [kept, stale] = [await attach(node, 'kept', 56), await attach(node, 'stale', 57)];
    const many = Array.from({ length: 10_000 }, (_, index) => ({ containerID: `c${index}`, ifname: 'eth0' }));
    expect(await gc(kept.pod, [...many, known(kept.pod)])).toMatchObject({ exit: 0, output: '' });
    expect(await listOvsPorts(node)).toHaveLength(1);
    await node.exec(kept.pod.netns, 'ip', 'link', 'show', 'eth0');
    await expect(node.exec(stale.pod.netns, 'ip', 'link', 'show', 'eth0')).rejects.toThrow();
    await node.cni({ command: 'DEL', pod: kept.pod });
  });

  test('F18 with a list of more than a megabyte is refused and removes nothing', async () => {
    const { pod } = await attach(node, 'endless', 58);
    const many = Array.from({ length: 30_000 }, (_, index) => ({ containerID: `container-${index}`, ifname: 'eth0' }));
    expect(codeOf(await gc(pod, many))).toBe(6);
    expect(await listOvsPorts(node)).toHaveLength(1);
    await node.cni({ command: 'DEL', pod });
  });
});
