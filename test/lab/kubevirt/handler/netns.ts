import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../../command.ts';
import { findStartTime } from '../../process.ts';
import { formatUdhcpd, type Resolver } from './dhcp.ts';
import { parseLinks, parseRoutes } from './links.ts';
import type { NicPlan, Process } from './record.ts';
import { deriveSetUp, namesOf, type PodNetwork } from './wiring.ts';

export function findProcess(pid: number): Process | undefined {
  const start = findStartTime(pid);
  return start === undefined ? undefined : { pid, start };
}

export function isAlive(process: Process | undefined): boolean {
  return process !== undefined && findStartTime(process.pid) === process.start;
}

export function kill(known: Process | undefined, signal: NodeJS.Signals = 'SIGKILL'): void {
  if (known !== undefined && isAlive(known)) process.kill(known.pid, signal);
}

function inside(netns: string, argv: readonly string[]): string[] {
  return ['nsenter', `--net=${netns}`, '--', ...argv];
}

/** Links and IPv4 routes as the CNI left them. */
export async function readPodNetwork(netns: string): Promise<PodNetwork> {
  const [links, routes] = await Promise.all([
    runCommand(inside(netns, ['ip', '-j', 'addr', 'show'])),
    runCommand(inside(netns, ['ip', '-j', '-4', 'route', 'show'])),
  ]);
  return { links: parseLinks(links), routes: parseRoutes(routes) };
}

/** Does phase 1 for all NICs at once. Throws CommandError when the kernel refuses a step. */
export async function setUpNetwork(netns: string, nics: readonly NicPlan[]): Promise<void> {
  const setUp = deriveSetUp(
    nics,
    nics.map(() => randomMac()),
  );
  await runCommand(inside(netns, ['ip', '-batch', '-']), { input: `${setUp.links.join('\n')}\n` });
  if (setUp.bridge.length > 0) {
    await runCommand(inside(netns, ['bridge', '-batch', '-']), { input: `${setUp.bridge.join('\n')}\n` });
  }
  if (setUp.sysctls.length > 0) await runCommand(inside(netns, ['sysctl', '-qw', ...setUp.sysctls]));
  if (setUp.nft !== '') await runCommand(inside(netns, ['nft', '-f', '-']), { input: setUp.nft });
}

/** True when every link that phase 1 makes is there: a node half that was stopped in the middle may go on. */
export async function isSetUp(netns: string, nics: readonly NicPlan[]): Promise<boolean> {
  const present = new Set((await readPodNetwork(netns)).links.map((link) => link.name));
  return nics.every((nic) => present.has(namesOf(nic).tap) && present.has(namesOf(nic).pod));
}

/** A locally administered unicast MAC. */
function randomMac(): string {
  const bytes = randomBytes(6);
  bytes[0] = ((bytes[0] ?? 0) & 0xfc) | 0x02;
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

export type DhcpOptions = { netns: string; dir: string; hostname: string; resolver: Resolver };

/** Starts the launcher's DHCP servers, one per NIC that KubeVirt serves. */
export async function startDhcp(nics: readonly NicPlan[], options: DhcpOptions): Promise<Process[]> {
  const started = await Promise.all(nics.map((nic) => startServer(nic, options)));
  return started.flatMap((pid) => pid ?? []);
}

async function startServer(nic: NicPlan, { netns, ...options }: DhcpOptions): Promise<Process | undefined> {
  const config = formatUdhcpd(nic, options);
  if (config === undefined) return undefined;
  const path = join(options.dir, `udhcpd.${nic.index}.conf`);
  await writeFile(path, config);
  await writeFile(join(options.dir, `leases.${nic.index}`), '');
  const argv = inside(netns, ['/bin/busybox', 'udhcpd', '-f', '-S', path]);
  return startDetached(argv, join(options.dir, `udhcpd.${nic.index}.log`));
}

/** Starts a program that outlives us, with its output in `log`. */
export async function startDetached([file = '', ...args]: readonly string[], log: string): Promise<Process> {
  const out = openSync(log, 'a');
  const child = spawn(file, args, { detached: true, stdio: ['ignore', out, out], cwd: '/' });
  closeSync(out);
  const pid = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('spawn', () => resolve(child.pid ?? 0));
  });
  child.unref();
  return { pid, start: findStartTime(pid) ?? '' };
}
