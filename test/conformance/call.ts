import { spawn } from 'node:child_process';
import type { Outcome } from './model.ts';

export type PluginCall = {
  readonly binary: string;
  /** The namespace that the plugin is executed in. */
  readonly netns: string;
  /** All variables that the plugin sees. */
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: string;
};

/** Longer than any plugin may take; one that hangs is ended and has failed. */
const LIMIT_MS = 45_000;

/** Where a plugin finds the programs that it starts. */
export const PROGRAMS = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Executes a plugin as a runtime does (specification, section 2). Throws only when it cannot be executed. */
export function callPlugin({ binary, netns, env, stdin }: PluginCall): Promise<Outcome> {
  return execute(['nsenter', `--net=/run/netns/${netns}`, binary], env, stdin);
}

/** Runs a program to its end, whatever that is. Throws only when it cannot be executed. */
export function execute(
  [program = '', ...args]: readonly string[],
  env: Readonly<Record<string, string>>,
  stdin = '',
): Promise<Outcome> {
  const child = spawn(program, args, { env, stdio: 'pipe' });
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      said[name] += text;
    });
  }
  // A plugin may end before it has read its input; its answer tells.
  child.stdin.on('error', () => undefined);
  child.stdin.end(stdin);
  const limit = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exit, signal) => {
      clearTimeout(limit);
      resolve({ exit, signal, ...said });
    });
  });
}
