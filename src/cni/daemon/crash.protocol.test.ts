import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { attach, berth, eventually, listHostEnds, listOvsPorts, prepareSubnet } from './testing/berths.ts';
import { startTestNode, type TestNode } from './testing/node.ts';
import { run } from './testing/processes.ts';

let node: TestNode;
beforeAll(async () => {
  node = await startTestNode();
  await prepareSubnet(node);
});
afterAll(() => node.stop());
beforeEach(() => node.startAgent());
afterEach(() => node.stopAgent());

const isEmpty = async () =>
  (await listOvsPorts(node)).length === 0 &&
  (await listHostEnds(node)).length === 0 &&
  (await readdir(join(node.folder, 'state/attachments'))).length === 0;
/** True when the journal holds a finished attachment. */
const hasAttached = async () => {
  const folder = join(node.folder, 'state/attachments');
  const texts = await Promise.all(
    (await readdir(folder)).map((name) => readFile(join(folder, name), 'utf8').catch(() => '')),
  );
  return texts.some((text) => /"state":\s*"attached"/.test(text.replaceAll('\\"', '"')));
};
const spooled = async () => (await readdir(join(node.folder, 'state/spool'))).filter((name) => name.endsWith('.del'));

describe('without an agent', () => {
  test('F08 DEL is spooled and counts as done; the next agent carries it out', async () => {
    const { pod } = await attach(node, 'spooled', 31);
    await eventually('spool folder', async () => (await readdir(join(node.folder, 'state'))).includes('spool'));
    await node.stopAgent();
    expect(await node.cni({ command: 'DEL', pod })).toMatchObject({ exit: 0, output: '' });
    expect(await spooled()).toHaveLength(1);
    expect(await listOvsPorts(node)).toHaveLength(1);
    await node.startAgent();
    await eventually('spool carried out', async () => (await spooled()).length === 0 && isEmpty());
  });

  test('ADD fails with "try again" after ten seconds, STATUS at once, VERSION answers', async () => {
    await node.stopAgent();
    const pod = await node.addPod('alone');
    const outcome = await node.cni({ command: 'ADD', pod });
    expect(JSON.parse(outcome.output)).toMatchObject({ code: 11, msg: expect.stringContaining('mooring-agent') });
    expect(JSON.parse((await node.cni({ command: 'STATUS', pod })).output)).toMatchObject({ code: 50 });
    const version = JSON.parse((await node.cni({ command: 'VERSION', pod })).output) as { supportedVersions: string[] };
    expect(version.supportedVersions).toContain('1.0.0');
  });

  test('what runs goes on running, and an ADD waits for the agent that comes', async () => {
    const a = await attach(node, 'runs', 32);
    const b = await berth(node, await node.addPod('comes'), 33);
    await node.stopAgent();
    const { done } = node.startCni({ command: 'ADD', pod: b.pod });
    await node.startAgent();
    expect(await done).toMatchObject({ exit: 0 });
    await node.exec(a.pod.netns, 'busybox', 'ping', '-c', '2', '-W', '2', b.ip);
    for (const { pod } of [a, b]) await node.cni({ command: 'DEL', pod });
    expect(await isEmpty()).toBe(true);
  });
});

describe('an ADD that is cut off', () => {
  test('F13 leaves nothing when its caller is killed', async () => {
    const pod = await node.addPod('cut');
    const made = await berth(node, pod, 34);
    // No row in NB: the ADD gets as far as it can and waits for OVN.
    await node.ovn.nbctl('lsp-del', made.lsp);
    const { child, done } = node.startCni({ command: 'ADD', pod });
    await eventually('port in OVS', async () => (await listOvsPorts(node)).length === 1);
    child.kill('SIGKILL');
    await done;
    await eventually('undone', isEmpty);
  });

  test('F14 leaves nothing when the agent is killed, whenever that is', async () => {
    const pod = await node.addPod('killed');
    await berth(node, pod, 35);
    for (const delayMs of [0, 2, 4, 6, 8, 10, 15, 20, 25, 30, 40]) {
      const { done } = node.startCni({ command: 'ADD', pod: { ...pod, containerId: `killed-${delayMs}` } });
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      await node.stopAgent();
      const { exit } = await done;
      await node.startAgent();
      // Killed between the last step and the answer, all is attached: then only the runtime's DEL after a failed ADD tells.
      if (exit === 0 || (await hasAttached())) {
        await node.cni({ command: 'DEL', pod: { ...pod, containerId: `killed-${delayMs}` } });
      }
      await eventually(`nothing left after ${delayMs} ms`, isEmpty);
    }
  });

  test('leaves nothing when the agent is asked to stop', async () => {
    const pod = await node.addPod('stopped');
    const made = await berth(node, pod, 36);
    await node.ovn.nbctl('lsp-del', made.lsp);
    const { done } = node.startCni({ command: 'ADD', pod });
    await eventually('port in OVS', async () => (await listOvsPorts(node)).length === 1);
    await node.stopAgent('SIGTERM');
    expect((await done).exit).toBe(1);
    expect(await isEmpty()).toBe(true);
  });
});

describe('what the agent has installed', () => {
  const list = async () =>
    (await Promise.all(['cni-bin', 'cni-conf'].map((name) => readdir(join(node.folder, name)).catch(() => [])))).flat();

  test('stays when the agent ends, so that the node stays Ready, and goes when it is to be uninstalled', async () => {
    await mkdir(join(node.folder, 'cni-conf'), { recursive: true });
    await writeFile(join(node.folder, 'cni-conf/10-mooring.conflist'), '{}');
    await node.stopAgent('SIGTERM');
    expect(await list()).toEqual(['mooring', '10-mooring.conflist']);
    await node.startAgent('--uninstall');
    await node.stopAgent('SIGKILL');
    expect(await list()).toEqual(['mooring', '10-mooring.conflist']);
    await node.startAgent('--uninstall');
    await node.stopAgent('SIGTERM');
    expect(await list()).toEqual([]);
  });
});

describe('a DEL that never comes', () => {
  test('F12 the sandbox is gone: the reaper removes its port, and only that', async () => {
    const lost = await attach(node, 'lost', 37);
    const kept = await attach(node, 'kept', 38);
    await run(['ip', 'netns', 'delete', lost.pod.netns]);
    await eventually('reaped', async () => (await listOvsPorts(node)).length === 1);
    await run(['ip', 'netns', 'add', lost.pod.netns]);
    await node.exec(kept.pod.netns, 'ip', 'link', 'show', 'eth0');
    await node.cni({ command: 'DEL', pod: kept.pod });
    expect(await isEmpty()).toBe(true);
  });

  test('the pod is gone: the reaper removes its port', async () => {
    await attach(node, 'deleted', 39);
    await node.remove('v1/pods', 'default/deleted');
    await eventually('reaped', isEmpty);
  });

  test('the journal is destroyed: OVS still knows whose the port is', async () => {
    await attach(node, 'forgotten', 40);
    await node.stopAgent();
    await run(['sh', '-c', `for f in ${node.folder}/state/attachments/*; do echo junk > "$f"; done`]);
    await node.startAgent();
    expect(await listOvsPorts(node)).toHaveLength(1);
    await node.remove('v1/pods', 'default/forgotten');
    await eventually('reaped', isEmpty);
    expect(await readdir(join(node.folder, 'state/quarantine'))).toHaveLength(1);
  });

  test('OVS is away at DEL: the DEL succeeds and is finished later', async () => {
    const { pod } = await attach(node, 'deferred', 41);
    const server = await node.ovn.suspendDatabase();
    expect(await node.cni({ command: 'DEL', pod })).toMatchObject({ exit: 0, output: '' });
    server.resume();
    await eventually('finished', isEmpty);
  });
});
