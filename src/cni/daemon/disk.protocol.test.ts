import { mkdir, readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { KubeObject } from '../../kube/types.ts';
import { KEPT } from './aside.ts';
import { codeOf, messageOf } from './testing/answers.ts';
import { attach, berth, eventually, listHostEnds, listOvsPorts, prepareSubnet } from './testing/berths.ts';
import { NODE, startTestNode, type TestNode } from './testing/node.ts';
import { run } from './testing/processes.ts';

let node: TestNode;
const state = () => join(node.folder, 'state');
const attachments = () => readdir(join(state(), 'attachments'));
const isEmpty = async () =>
  (await listOvsPorts(node)).length === 0 &&
  (await listHostEnds(node)).length === 0 &&
  (await attachments()).length === 0;

beforeAll(async () => {
  node = await startTestNode();
  await prepareSubnet(node);
  await node.put('v1/nodes', { apiVersion: 'v1', kind: 'Node', metadata: { name: NODE } } as KubeObject);
  await mkdir(state());
  await run(['mount', '-t', 'tmpfs', '-o', 'size=512k,mode=700', 'mooring-test', state()]);
});
afterAll(async () => {
  await node.stopAgent();
  await run(['umount', '-l', state()]);
  await node.stop();
});
beforeEach(() => node.startAgent());
afterEach(async () => {
  await eventually('nothing left', isEmpty);
  await node.stopAgent();
});

/** Takes all the room there is. */
const fill = () => run(['sh', '-c', `dd if=/dev/zero of="$0/fill" bs=4k 2>/dev/null || true`, state()]);
const remount = (how: 'ro' | 'rw') => run(['mount', '-o', `remount,${how}`, state()]);

describe('a disk that takes nothing', () => {
  test('F61 full: an ADD fails and leaves nothing, a DEL works, and both do when there is room again', async () => {
    const before = await attach(node, 'before', 81);
    const after = await berth(node, await node.addPod('after'), 82);
    await fill();
    const outcome = await node.cni({ command: 'ADD', pod: after.pod });
    expect(codeOf(outcome)).toBe(5);
    expect(messageOf(outcome)).toMatch(/journal: ENOSPC/);
    expect([await listOvsPorts(node), await attachments()].map(({ length }) => length)).toEqual([1, 1]);
    await expect(node.exec(after.pod.netns, 'ip', 'link', 'show', 'eth0')).rejects.toThrow();
    expect(await node.cni({ command: 'DEL', pod: before.pod })).toMatchObject({ exit: 0, output: '' });
    expect(await isEmpty()).toBe(true);
    await run(['rm', join(state(), 'fill')]);
    expect(await node.cni({ command: 'ADD', pod: after.pod })).toMatchObject({ exit: 0 });
    expect(await node.cni({ command: 'DEL', pod: after.pod })).toMatchObject({ exit: 0 });
  });

  test('F61 read-only: an ADD fails and leaves nothing, a DEL works, and its note goes when that can be written', async () => {
    const before = await attach(node, 'kept', 83);
    const after = await berth(node, await node.addPod('refused'), 84);
    await remount('ro');
    const outcome = await node.cni({ command: 'ADD', pod: after.pod });
    expect(codeOf(outcome)).toBe(5);
    expect(messageOf(outcome)).toMatch(/journal: EROFS/);
    expect(await listOvsPorts(node)).toHaveLength(1);
    expect(await node.cni({ command: 'DEL', pod: before.pod })).toMatchObject({ exit: 0, output: '' });
    expect([await listOvsPorts(node), await listHostEnds(node)]).toEqual([[], []]);
    expect(await attachments()).toHaveLength(1);
    await remount('rw');
    await eventually('the note is gone', isEmpty);
  });

  test('F61 read-only and no agent: a DEL that cannot be spooled fails, so that the runtime asks again', async () => {
    const { pod } = await attach(node, 'unspooled', 85);
    await node.stopAgent();
    await remount('ro');
    expect(codeOf(await node.cni({ command: 'DEL', pod }))).toBe(5);
    await remount('rw');
    expect(await node.cni({ command: 'DEL', pod })).toMatchObject({ exit: 0, output: '' });
    await node.startAgent();
  });
});

describe('files that are not what was written', () => {
  const findEvents = async () =>
    (await node.list('events.k8s.io/v1/events')).filter((event) => JSON.stringify(event).includes('StateUnreadable'));

  test('F61 a corrupt journal and a corrupt spool keep no agent from starting; they are put aside and told of', async () => {
    const { pod } = await attach(node, 'corrupt', 86);
    await node.stopAgent();
    const [name = ''] = await attachments();
    const path = join(state(), 'attachments', name);
    await truncate(path, (await readFile(path)).length - 20);
    await mkdir(join(state(), 'attachments/folder.json'));
    await writeFile(join(state(), 'spool/1.del'), 'no request');
    await node.startAgent();
    const aside = ['attachments-folder.json.bad', `attachments-${name}.bad`, 'spool-1.del.bad'].toSorted();
    expect((await readdir(join(state(), 'quarantine'))).toSorted()).toEqual(aside);
    await eventually('an event of the node', async () => (await findEvents()).length === 1);
    const [event] = await findEvents();
    expect(event).toMatchObject({ regarding: { kind: 'Node', name: NODE }, reason: 'StateUnreadable' });
    expect(JSON.stringify(event)).toContain('spool-1.del.bad');
    // Its port is known to OVS: DEL finds it as ever.
    expect(await node.cni({ command: 'DEL', pod })).toMatchObject({ exit: 0 });
    expect(await isEmpty()).toBe(true);
  });

  test('F61 an attachment whose entry was unreadable is reaped with its pod, without any DEL', async () => {
    await attach(node, 'unread', 87);
    await node.stopAgent();
    const [name = ''] = await attachments();
    await writeFile(join(state(), 'attachments', name), '');
    await node.startAgent();
    expect(await listOvsPorts(node)).toHaveLength(1);
    await node.remove('v1/pods', 'default/unread');
    await eventually('reaped', isEmpty);
  });

  test('F61 more of them than anybody would look at do not fill the disk', async () => {
    await node.stopAgent();
    for (let index = 0; index < KEPT.files + 8; index += 1) {
      await writeFile(join(state(), `spool/${index}.del`), `garbage ${index}`);
    }
    await node.startAgent();
    await eventually('bounded', async () => (await readdir(join(state(), 'quarantine'))).length === KEPT.files);
    expect((await readdir(join(state(), 'spool'))).filter((name) => name.endsWith('.del'))).toEqual([]);
  });
});
