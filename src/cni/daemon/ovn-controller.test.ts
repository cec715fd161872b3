import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createController } from './ovn-controller.ts';

let folder: string;
let server: Server;
/** What ovn-controller says; undefined: nothing, as when it hangs. */
let says: string | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'controller-'));
  says = 'connected';
  server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      const { id, method } = JSON.parse(String(chunk)) as { id: unknown; method: string };
      if (says === undefined || method !== 'connection-status') return;
      socket.write(JSON.stringify({ id, result: says, error: null }));
    });
  });
  await new Promise<void>((resolve) => server.listen(join(folder, 'ovn-controller.77.ctl'), resolve));
  await writeFile(join(folder, 'ovn-controller.pid'), '77\n');
});
afterEach(async () => {
  server.close();
  await rm(folder, { recursive: true, force: true });
});
const find = () => createController(folder, 500).findProblem();

test('an ovn-controller with a Southbound database is no problem', async () => {
  expect(await find()).toBeUndefined();
});

test('one without says so', async () => {
  says = 'not connected';
  expect(await find()).toContain('ovn-controller is not connected to the Southbound database; look at');
});

test('one that has gone, was never there, or hangs is a problem', async () => {
  says = undefined;
  expect(await find()).toMatch(/^ovn-controller does not answer/);
  await new Promise((resolve) => server.close(resolve));
  expect(await find()).toMatch(/^ovn-controller does not answer/);
  await rm(join(folder, 'ovn-controller.pid'));
  expect(await find()).toMatch(/^ovn-controller does not answer/);
});

test.each(['', '../../x', '7 7', '1'.repeat(2000)])('a pid file with %j leads to no other socket', async (text) => {
  await writeFile(join(folder, 'ovn-controller.pid'), text);
  expect(await find()).toMatch(/no process id|does not answer/);
});
