import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CommandError, runCommand, tryCommand } from './command.ts';
import { LabError, type Progress } from './progress.ts';

const POLICY = '/usr/sbin/policy-rc.d';

/** Package names of a list: one a line, `#` begins a comment. */
export function parsePackages(text: string): string[] {
  return text.split('\n').flatMap((line) => line.replace(/#.*/, '').trim() || []);
}

/** Packages of `wanted` that are not installed, from the table of `dpkg -l`: status, name and perhaps architecture, version. */
export function listMissing(wanted: readonly string[], status: string): string[] {
  const installed = new Set(
    status.split('\n').flatMap((line) => (line.startsWith('ii') ? (line.split(/[\s:]+/)[1] ?? []) : [])),
  );
  return wanted.filter((name) => !installed.has(name));
}

/** apt's command: waits for a lock that somebody else holds, asks nothing, brings nothing that was only recommended. */
export function formatInstall(packages: readonly string[]): string[] {
  const options = ['-y', '-q', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=600', '-o', 'Acquire::Retries=3'];
  return ['apt-get', 'install', ...options, ...packages];
}

/** Installs what is missing of scripts/apt-packages.txt; asks for new package lists only when the old ones do not do. */
export async function ensurePackages(progress: Progress, places: { checkout: string; cache: string }): Promise<void> {
  const wanted = parsePackages(readFileSync(join(places.checkout, 'scripts/apt-packages.txt'), 'utf8'));
  const { stdout } = await tryCommand(['dpkg', '-l', ...wanted]);
  const missing = listMissing(wanted, stdout);
  if (missing.length === 0) return;
  progress.say(`installing with apt: ${missing.join(' ')}`);
  const log = join(places.cache, 'apt.log');
  const restore = holdServices();
  try {
    await install(missing, log);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new LabError('packages', 'apt-get failed', { log, todo: `install by hand: ${missing.join(' ')}` });
  } finally {
    restore();
  }
}

async function install(missing: readonly string[], log: string): Promise<void> {
  const options = { env: { DEBIAN_FRONTEND: 'noninteractive' }, log, timeoutMs: 900_000 };
  if ((await tryCommand(formatInstall(missing), options)).code === 0) return;
  await runCommand(['apt-get', 'update', '-q', '-o', 'DPkg::Lock::Timeout=600'], options);
  await runCommand(formatInstall(missing), options);
}

/** Keeps packages from starting their services (invoke-rc.d asks policy-rc.d): the lab runs its own. Returns the undo. */
function holdServices(): () => void {
  if (existsSync(POLICY)) return () => undefined;
  writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  return () => rmSync(POLICY, { force: true });
}
