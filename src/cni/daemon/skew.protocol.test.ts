import { copyFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { codeOf, messageOf } from './testing/answers.ts';
import { attach, berth, eventually, listHostEnds, listOvsPorts, prepareSubnet } from './testing/berths.ts';
import { buildShim, startTestNode, type TestNode } from './testing/node.ts';
import { run } from './testing/processes.ts';

let node: TestNode;
/** A shim of a release whose wire is another one. */
let other: string;
beforeAll(async () => {
  node = await startTestNode();
  await prepareSubnet(node);
  other = await buildShim(node.folder, '2');
  await node.startAgent();
});
afterAll(() => node.stop());

const isEmpty = async () =>
  (await listOvsPorts(node)).length === 0 &&
  (await listHostEnds(node)).length === 0 &&
  (await readdir(join(node.folder, 'state/attachments'))).length === 0;
afterEach(() => eventually('nothing left', isEmpty));

test('F65 an ADD by a shim of another version makes nothing, and says by its own code that it has to be repeated', async () => {
  const { pod } = await berth(node, await node.addPod('skewed'), 71);
  const outcome = await node.cni({ command: 'ADD', pod, shim: other });
  expect(codeOf(outcome)).toBe(106);
  expect(messageOf(outcome)).toContain(
    'the shim speaks version 2, this agent speaks 1; the agent installs its own shim',
  );
  expect(await isEmpty()).toBe(true);
});

test('F65 a DEL by a shim of another version fails and is not lost: the right one carries it out', async () => {
  const { pod } = await attach(node, 'undeleted', 72);
  expect(codeOf(await node.cni({ command: 'DEL', pod, shim: other }))).toBe(106);
  expect(await listOvsPorts(node)).toHaveLength(1);
  expect(await node.cni({ command: 'DEL', pod })).toMatchObject({ exit: 0, output: '' });
});

test('F65 an agent puts its own shim in the place of another one before it takes calls', async () => {
  await node.stopAgent();
  const installed = join(node.folder, 'cni-bin/mooring');
  await copyFile(other, `${installed}.new`);
  await run(['mv', `${installed}.new`, installed]);
  await node.startAgent();
  const { pod } = await berth(node, await node.addPod('upgraded'), 73);
  expect(await node.cni({ command: 'ADD', pod, shim: installed })).toMatchObject({ exit: 0 });
  expect(await node.cni({ command: 'DEL', pod, shim: installed })).toMatchObject({ exit: 0 });
});

test('F65 a DEL that another version has spooled is put aside, and what it meant goes with its pod', async () => {
  const { pod } = await attach(node, 'spooled', 74);
  await node.stopAgent();
  expect(await node.cni({ command: 'DEL', pod, shim: other })).toMatchObject({ exit: 0, output: '' });
  await node.startAgent();
  expect(await readdir(join(node.folder, 'state/quarantine'))).toEqual([expect.stringMatching(/^spool-.*\.del\.bad$/)]);
  expect(await listOvsPorts(node)).toHaveLength(1);
  await node.remove('v1/pods', 'default/spooled');
  await eventually('reaped', isEmpty);
});

test('F65 agents are replaced one after the other while ADDs and DELs come: none is lost', async () => {
  const pods = await Promise.all(
    [75, 76, 77, 78].map(async (at) => berth(node, await node.addPod(`rolling-${at}`), at)),
  );
  const calls = pods.map(async ({ pod }) => {
    const added = await node.cni({ command: 'ADD', pod });
    return { pod, added };
  });
  for (const _times of [1, 2]) {
    await node.stopAgent('SIGTERM');
    await node.startAgent();
  }
  for (const { pod, added } of await Promise.all(calls)) {
    // An ADD that was cut off is repeated by the runtime, after a DEL.
    if (added.exit !== 0) expect([11, 104]).toContain(codeOf(added));
    expect(await node.cni({ command: 'DEL', pod })).toMatchObject({ exit: 0 });
  }
});
