import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type CommandResult, tryCommand } from '../../command.ts';
import { SCRIPT } from './daemon-set.ts';

let dir: string;
let ready: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'virt-handler-'));
  ready = join(dir, 'ready');
});
afterEach(() => rmSync(dir, { recursive: true }));

/** Runs a virt-handler's program for a second in a network namespace of its own that `links` has set up. */
function start(links: string): Promise<CommandResult> {
  const line = `${links} exec timeout 1 /bin/busybox sh -c "$0"`;
  return tryCommand(['unshare', '--net', '--', '/bin/sh', '-c', line, SCRIPT], { env: { READY: ready } });
}

const LINK = 'ip link add migration0 type veth peer name other; ip link set migration0 up;';
const ADDRESS = 'ip addr add 172.31.7.2/24 dev migration0;';

it.each([
  ['without link migration0', ''],
  ['with an address on it', `${LINK} ${ADDRESS}`],
])('a virt-handler %s comes up', async (_, links) => {
  await start(links);
  expect(existsSync(ready)).toBe(true);
});

it('a virt-handler whose migration0 has no address ends, as KubeVirt panics', async () => {
  expect(await start(LINK)).toMatchObject({ code: 2, stdout: 'panic: migration0 has no usable address\n' });
  expect(existsSync(ready)).toBe(false);
});
