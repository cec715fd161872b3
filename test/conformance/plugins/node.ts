import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../../src/cni/daemon/testing/processes.ts';

/** A node of its own for a plugin that needs nothing but the kernel: a namespace with a way out, and a folder. */
export type PlainNode = { readonly netns: string; readonly folder: string; stop(): Promise<void> };

let counter = 0;

/** The device that the node's traffic goes out by; nobody is behind it. */
export const UPLINK = 'up0';

export async function startPlainNode(): Promise<PlainNode> {
  counter += 1;
  const netns = `mcf-node-${process.pid}-${counter}`;
  const folder = await mkdtemp(join(tmpdir(), 'mcf-node-'));
  const ip = (...args: string[]) => run(['ip', '-n', netns, ...args]);
  await run(['ip', 'netns', 'add', netns]);
  await ip('link', 'set', 'lo', 'up');
  await ip('link', 'add', UPLINK, 'type', 'veth', 'peer', 'name', 'beyond');
  await ip('link', 'set', 'beyond', 'up');
  await ip('address', 'add', '203.0.113.2/24', 'dev', UPLINK);
  await ip('link', 'set', UPLINK, 'up');
  await ip('route', 'add', 'default', 'via', '203.0.113.1');
  return {
    netns,
    folder,
    stop: async () => {
      await run(['ip', 'netns', 'delete', netns]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
