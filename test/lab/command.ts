import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';

export type CommandOptions = {
  readonly input?: string;
  readonly cwd?: string;
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Ends the program after so long; default 120 s. */
  readonly timeoutMs?: number;
  /** Where output goes instead of the result: for long builds whose log is read when they fail. */
  readonly log?: string;
};

export type CommandResult = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** A program of the lab failed; `message` has the command and the end of what it said. */
export class CommandError extends Error {
  readonly code: number;
  readonly stderr: string;
  constructor(argv: readonly string[], result: CommandResult, log: string | undefined) {
    const said = log === undefined ? (result.stderr || result.stdout).trim().slice(-1500) : `see ${log}`;
    super(`${argv.join(' ').slice(0, 300)} exited with ${result.code}: ${said}`);
    this.name = 'CommandError';
    this.code = result.code;
    this.stderr = result.stderr;
  }
}

/** The environment of every program the lab starts: system directories are on the path, the locale is fixed. */
export function buildEnvironment(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  const path = `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`;
  const kept = Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return { ...Object.fromEntries(kept), PATH: path, LC_ALL: 'C.UTF-8', ...extra };
}

/** Runs a program to its end and returns whatever came of it; throws only when it cannot be started. */
export function tryCommand(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const log = options.log === undefined ? undefined : openSync(options.log, 'a');
  const child = startCommand(argv, options, log ?? 'pipe');
  if (log !== undefined) closeSync(log);
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
    });
  }
  child.stdin?.on('error', () => undefined); // the program may end before it has read its input; its exit code tells
  child.stdin?.end(options.input ?? '');
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? 137, ...output }));
  });
}

function startCommand(argv: readonly string[], options: CommandOptions, out: number | 'pipe'): ChildProcess {
  const [file = '', ...rest] = argv;
  return spawn(file, rest, {
    stdio: ['pipe', out, out],
    env: buildEnvironment(options.env),
    timeout: options.timeoutMs ?? 120_000,
    killSignal: 'SIGKILL',
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
}

/** Runs a program and returns its standard output; throws CommandError when it fails. */
export async function runCommand(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
  const result = await tryCommand(argv, options);
  if (result.code !== 0) throw new CommandError(argv, result, options.log);
  return result.stdout;
}

/** Awaits `check` until it returns a value; undefined after `timeoutMs`. Polls, as the parts have no common event. */
export async function waitFor<T>(
  check: () => Promise<T | undefined>,
  timeoutMs: number,
  everyMs = 100,
): Promise<T | undefined> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const value = await check();
    if (value !== undefined || performance.now() > end) return value;
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
