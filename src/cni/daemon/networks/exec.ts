import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { DeadlineError } from '../deadline.ts';
import { CniError, type CodeName } from '../errors.ts';
import { asText, getOwn, type Json, parseJson } from './json.ts';

export type PluginCall = {
  readonly binDir: string;
  readonly plugin: Json;
  readonly env: Readonly<Record<string, string>>;
};

const MAX_OUTPUT = 1024 * 1024;
const MAX_WORDS = 800;
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Runs somebody else's plugin: configuration on stdin, environment of the call and nothing of ours, no shell. When the
 * signal ends, the plugin and all that it has started are killed. Resolves with what it printed; undefined for nothing.
 * Throws CniError with the plugin's own words.
 */
export async function runPlugin(call: PluginCall, signal: AbortSignal): Promise<Json | undefined> {
  const type = asText(getOwn(call.plugin, 'type')) ?? '';
  signal.throwIfAborted();
  const { output, problem } = await execute(call, type, signal);
  if (signal.aborted) throw describeAbort(type, signal.reason);
  const answer = parseJson(output);
  if (problem === undefined) {
    if (answer === undefined && output.trim() !== '')
      throw new CniError('decoding', `plugin ${type}: its answer is no JSON`);
    return answer;
  }
  const message = asText(getOwn(answer, 'msg'));
  const details = asText(getOwn(answer, 'details'));
  const words = message === undefined ? problem : [message, details].filter(Boolean).join('; ');
  const code: CodeName = getOwn(answer, 'code') === 11 ? 'tryAgain' : 'io';
  throw new CniError(code, `plugin ${type}: ${words.slice(0, MAX_WORDS)}`);
}

function describeAbort(type: string, reason: unknown): unknown {
  if (!(reason instanceof DeadlineError)) return reason;
  const seconds = Math.round(reason.afterMs / 1000);
  return new CniError('tryAgain', `plugin ${type}: no answer within ${seconds} s, it was stopped`, { cause: reason });
}

type Ended = { readonly output: string; readonly problem: string | undefined };

function execute(call: PluginCall, type: string, signal: AbortSignal): Promise<Ended> {
  return new Promise((resolve) => {
    const env = { PATH, CNI_PATH: call.binDir, ...call.env };
    // A group of its own, so that the IPAM plugin that it may wait for ends with it.
    const child = spawn(join(call.binDir, type), [], {
      env,
      cwd: '/',
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const chunks: { out: Buffer[]; err: Buffer[] } = { out: [], err: [] };
    let size = 0;
    let problem: string | undefined;
    const kill = (why: string) => {
      problem ??= why;
      killGroup(child.pid);
      // A daemon that it left in a session of its own keeps the pipes open; nobody waits for that one.
      child.stdout.destroy();
      child.stderr.destroy();
    };
    const onAbort = () => kill('it was stopped at its deadline');
    const collect = (into: Buffer[]) => (chunk: Buffer) => {
      size += chunk.length;
      if (size > MAX_OUTPUT) kill('it printed too much');
      else into.push(chunk);
    };
    const finish = (why: string | undefined) => {
      signal.removeEventListener('abort', onAbort);
      const said = Buffer.concat(chunks.err).toString('utf8').trim();
      const words = why === undefined ? undefined : [why, said].filter((part) => part !== '').join(': ');
      resolve({ output: Buffer.concat(chunks.out).toString('utf8'), problem: words });
    };
    signal.addEventListener('abort', onAbort, { once: true });
    child.stdout.on('data', collect(chunks.out));
    child.stderr.on('data', collect(chunks.err));
    child.stdin.on('error', () => undefined);
    child.once('error', (error) => finish(`it cannot be run: ${error.message}`));
    child.once('close', (exit, name) => finish(problem ?? describeEnd(exit, name)));
    child.stdin.end(JSON.stringify(call.plugin));
  });
}

function describeEnd(exit: number | null, signal: string | null): string | undefined {
  if (exit === 0) return undefined;
  return exit === null ? `it died by ${signal}` : `it ended with ${exit}`;
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended by itself meanwhile.
  }
}
