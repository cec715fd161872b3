import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { waitFor } from '../../command.ts';
import { startDetached } from './netns.ts';
import type { Process } from './record.ts';

const MAIN = join(import.meta.dirname, 'relay-main.ts');

/** Opens the target's end: a TCP port on the node's migration address that leads to `socket`. */
export async function startTargetRelay(options: {
  netns: string;
  address: string;
  socket: string;
  log: string;
}): Promise<Process & { port: number }> {
  const { netns, address, socket, log } = options;
  const relay = await start(netns, ['listen', address, socket], log);
  return { ...relay.pid, port: Number(relay.answer) };
}

/** Opens the source's end: a unix socket that leads to the target's address. */
export async function startSourceRelay(options: {
  netns: string;
  socket: string;
  address: string;
  port: number;
  log: string;
}): Promise<Process> {
  const { netns, socket, address, port, log } = options;
  await rm(socket, { force: true });
  return (await start(netns, ['dial', socket, address, String(port)], log)).pid;
}

async function start(netns: string, args: string[], log: string): Promise<{ pid: Process; answer: string }> {
  await rm(log, { force: true });
  const pid = await startDetached(['nsenter', `--net=${netns}`, '--', process.execPath, MAIN, ...args], log);
  const answer = await waitFor(async () => /^(\w+)\n/.exec(await readFile(log, 'utf8'))?.[1], 5000, 10);
  if (answer === undefined) throw new Error(`the relay does not start: ${await readFile(log, 'utf8')}`);
  return { pid, answer };
}
