import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/**
 * `npm ci` of npm 11 refuses a lock file that lacks optional packages of other platforms, and `npm install` leaves them
 * out when the registry it asks does not carry them. This adds them by name and version, so that `npm ci` of any npm
 * works; they are never fetched, as their platform is not ours. Run after each change of dependencies: `make lock`.
 */
type Entry = {
  version: string;
  optional?: boolean;
  dev?: boolean;
  os?: string[];
  cpu?: string[];
  libc?: string[];
  optionalDependencies?: Record<string, string>;
};
export type Lock = { packages: Record<string, Entry> };

const OS = ['android', 'darwin', 'linux', 'win32', 'freebsd', 'openbsd', 'netbsd', 'sunos', 'aix', 'openharmony'];
const CPU = ['arm64', 'x64', 'ia32', 'arm', 'riscv64', 'ppc64', 's390x', 'loong64', 'mips64el', 'wasm32'];

/** The platform in a package's name, as `os`, `cpu` and `libc` of npm; undefined when the name tells none. */
export function parsePlatform(name: string): Pick<Entry, 'os' | 'cpu' | 'libc'> | undefined {
  const words = name.split(/[-/.]/);
  const os = OS.filter((word) => words.includes(word) || (word === 'win32' && words.includes('windows')));
  const cpu = CPU.filter((word) => words.includes(word));
  if (os.length === 0 && cpu.length === 0) return undefined;
  const libc = words.some((word) => word.startsWith('musl')) ? ['musl'] : words.includes('gnu') ? ['glibc'] : undefined;
  return {
    ...(os.length > 0 ? { os } : {}),
    ...(cpu.length > 0 ? { cpu } : {}),
    ...(libc === undefined ? {} : { libc }),
  };
}

/** Adds what is missing; returns the names that were added. */
export function completeLock(lock: Lock): string[] {
  const added: string[] = [];
  for (const [path, entry] of Object.entries(lock.packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      const known = [`${path}/node_modules/${name}`, `node_modules/${name}`].some((key) => key in lock.packages);
      const platform = parsePlatform(name);
      if (known || platform === undefined || !/^\d/.test(version)) continue;
      lock.packages[`node_modules/${name}`] = {
        version,
        ...(entry.dev ? { dev: true } : {}),
        optional: true,
        ...platform,
      };
      added.push(name);
    }
  }
  lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
  return added;
}

function main(root: string): void {
  const path = join(root, 'package-lock.json');
  const lock = JSON.parse(readFileSync(path, 'utf8')) as Lock;
  const added = completeLock(lock);
  writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
  console.log(added.length === 0 ? 'the lock file was complete' : `added to the lock file: ${added.join(', ')}`);
}

if (import.meta.main) main(resolve(import.meta.dirname, '../..'));
