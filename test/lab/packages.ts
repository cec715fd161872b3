import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { CommandError, runCommand, tryCommand } from './command.ts';
import { LabError, type Progress } from './progress.ts';

/** Debian packages of the lab, each with a file that shows it is there. The guest's ones are here too, to ask apt once. */
export const PACKAGES: Readonly<Record<string, string>> = {
  'etcd-server': '/usr/bin/etcd',
  containerd: '/usr/bin/containerd',
  runc: '/usr/sbin/runc',
  mmdebstrap: '/usr/bin/mmdebstrap',
  'qemu-system-x86': '/usr/bin/qemu-system-x86_64',
  'busybox-static': '/bin/busybox',
  ethtool: '/usr/sbin/ethtool',
  nftables: '/usr/sbin/nft',
  conntrack: '/usr/sbin/conntrack',
  iproute2: '/usr/sbin/ip',
  openssl: '/usr/bin/openssl',
  cpio: '/usr/bin/cpio',
  procps: '/usr/bin/pgrep',
  gcc: '/usr/bin/gcc',
  'libc6-dev': '/usr/include/stdio.h',
  'util-linux': '/usr/bin/nsenter',
};

const POLICY = '/usr/sbin/policy-rc.d';

/** Packages whose file is not there. */
export function listMissing(exists: (path: string) => boolean): string[] {
  return Object.entries(PACKAGES).flatMap(([name, file]) => (exists(file) ? [] : [name]));
}

/** apt's command: waits for a lock that somebody else holds, asks nothing, brings nothing that was only recommended. */
export function formatInstall(packages: readonly string[]): string[] {
  const options = ['-y', '-q', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=300', '-o', 'Acquire::Retries=3'];
  return ['apt-get', 'install', ...options, ...packages];
}

/** Installs what is missing; asks for new package lists only when the old ones do not do. */
export async function ensurePackages(progress: Progress, log: string): Promise<void> {
  const missing = listMissing(existsSync);
  if (missing.length === 0) return;
  progress.say(`installing with apt: ${missing.join(' ')}`);
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
  await runCommand(['apt-get', 'update', '-q', '-o', 'DPkg::Lock::Timeout=300'], options);
  await runCommand(formatInstall(missing), options);
}

/** Keeps packages from starting their services (invoke-rc.d asks policy-rc.d): the lab runs its own. Returns the undo. */
function holdServices(): () => void {
  if (existsSync(POLICY)) return () => undefined;
  writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  return () => rmSync(POLICY, { force: true });
}
