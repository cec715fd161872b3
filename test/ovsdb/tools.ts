import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A program and what to put before its arguments. */
type Program = { readonly command: string; readonly prefix: readonly string[] };

const DIRS = ['usr/sbin', 'usr/bin', 'sbin', 'bin'];

/** The root file system to take OVS from (`MOORING_OVN_ROOT`); without it the host's own programs are used. */
function ovnRoot(): string | undefined {
  const root = process.env.MOORING_OVN_ROOT;
  return root === undefined || root === '' ? undefined : root;
}

function findProgram(name: string): Program {
  const root = ovnRoot();
  const places =
    root === undefined
      ? ['/usr/sbin', '/usr/bin', ...(process.env.PATH ?? '').split(':')].map((dir) => join(dir, name))
      : DIRS.map((dir) => join(root, dir, name));
  const path = places.find((place) => existsSync(place));
  if (path === undefined) throw new Error(`${name} not found: install Open vSwitch or set MOORING_OVN_ROOT`);
  return root === undefined ? { command: path, prefix: [] } : throughLoader(root, path);
}

/** Runs a program of another root file system with that root's own C library, outside of any chroot. */
function throughLoader(root: string, path: string): Program {
  const libraries = ['usr/lib/x86_64-linux-gnu', 'lib/x86_64-linux-gnu'].map((dir) => join(root, dir)).join(':');
  return { command: join(root, 'lib64/ld-linux-x86-64.so.2'), prefix: ['--library-path', libraries, path] };
}

/** A schema that comes with the programs, e.g. `ovn/ovn-nb.ovsschema`. */
export function findSchema(name: string): string {
  const path = join(ovnRoot() ?? '/', 'usr/share', name);
  if (!existsSync(path)) throw new Error(`${path} not found: install OVN or set MOORING_OVN_ROOT`);
  return path;
}

/** Runs one of the OVS programs to its end and returns what it printed. */
export async function runTool(name: string, args: readonly string[]): Promise<string> {
  const { command, prefix } = findProgram(name);
  const { stdout } = await run(command, [...prefix, ...args], { timeout: 20_000 });
  return stdout;
}

const running = new Set<ChildProcess>();

/** Nothing outlives the test run, also when a test was cut off before it could clean up. */
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Starts a server program in the foreground. */
export function spawnTool(name: string, args: readonly string[], cwd: string): ChildProcess {
  const { command, prefix } = findProgram(name);
  const child = spawn(command, [...prefix, ...args], { cwd, stdio: 'ignore' });
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}
