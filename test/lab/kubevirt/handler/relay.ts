import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { waitFor } from '../../command.ts';
import { startDetached } from './netns.ts';
import type { HandlerPod } from './pod.ts';
import type { Process } from './record.ts';

const MAIN = join(import.meta.dirname, 'relay-main.ts');

/** Whose relay it is: it runs in that pod's network namespace and ends with that pod's process. */
type Owner = Pick<HandlerPod, 'process' | 'netns' | 'address'>;
type Ends = { socket: string; log: string };

/** Opens the target's end: a TCP port at the virt-handler's address that leads to `socket`. */
export async function startTargetRelay(owner: Owner, { socket, log }: Ends): Promise<Process & { port: number }> {
  const relay = await start(owner, ['listen', owner.address, socket], log);
  return { ...relay.pid, port: Number(relay.answer) };
}

/** Opens the source's end: a unix socket that leads to the target's virt-handler. */
export async function startSourceRelay(
  owner: Owner,
  { socket, log }: Ends,
  target: { address: string; port: number },
): Promise<Process> {
  await rm(socket, { force: true });
  return (await start(owner, ['dial', socket, target.address, String(target.port)], log)).pid;
}

async function start(owner: Owner, args: string[], log: string): Promise<{ pid: Process; answer: string }> {
  await rm(log, { force: true });
  const { pid, start: since } = owner.process;
  const program = [process.execPath, MAIN, String(pid), since, ...args];
  const relay = await startDetached(['nsenter', `--net=${owner.netns}`, '--', ...program], log);
  const answer = await waitFor(async () => /^(\w+)\n/.exec(await readFile(log, 'utf8'))?.[1], 5000, 10);
  if (answer === undefined) throw new Error(`the relay does not start: ${await readFile(log, 'utf8')}`);
  return { pid: relay, answer };
}
