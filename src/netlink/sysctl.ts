import { readFileSync, writeFileSync } from 'node:fs';
import { fromErrno } from './errors.ts';
import { parseInterfaceName } from './names.ts';

/** Where a per-interface setting lives. */
export type SysctlFamily = 'ipv4' | 'ipv6';
/** Settings below `net/<family>/conf/<interface>/`, for instance `{ ipv6: { accept_ra: 0 } }`. */
export type InterfaceSysctls = { [family in SysctlFamily]?: Record<string, number> };

const ROOT = '/proc/sys/net';

/**
 * Writes one setting of the calling thread's namespace, `path` below /proc/sys/net. Says false when the kernel has no
 * such setting (IPv6 switched off at boot). Throws EACCES, EINVAL.
 */
export function writeSysctl(path: string, value: number): boolean {
  try {
    writeFileSync(`${ROOT}/${path}`, String(value));
    return true;
  } catch (error) {
    const system = error as NodeJS.ErrnoException;
    if (system.code === 'ENOENT') return false;
    throw fromErrno(Math.abs(system.errno ?? 0), `write ${path}`);
  }
}

/** Reads one setting as a number, undefined when the kernel has none. */
export function readSysctl(path: string): number | undefined {
  try {
    return Number(readFileSync(`${ROOT}/${path}`, 'utf8'));
  } catch (error) {
    const system = error as NodeJS.ErrnoException;
    if (system.code === 'ENOENT') return undefined;
    throw fromErrno(Math.abs(system.errno ?? 0), `read ${path}`);
  }
}

/** Writes settings of one interface in the calling thread's namespace. Settings that the kernel lacks are skipped. */
export function writeInterfaceSysctls(name: string, settings: InterfaceSysctls): void {
  parseInterfaceName(name);
  for (const [family, entries] of Object.entries(settings)) {
    for (const [key, value] of Object.entries(entries)) writeSysctl(`${family}/conf/${name}/${key}`, value);
  }
}
