import { type ChildProcess, spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { waitFor } from '../command.ts';
import { ensureProgram } from './build.ts';
import { openRecording, type Recording } from './recording.ts';

/** A prober that runs: its records, and its end. */
export type Prober = AsyncDisposable & { readonly recording: Recording };

export type ProberOptions = {
  readonly cacheDir: string;
  /** Where its file goes: not on a disk, on which a real-time program would wait. */
  readonly dir: string;
  readonly name: string;
  readonly ipv4?: string;
  readonly ipv6?: string;
  /** Paths of the network namespaces that are probed from; their order makes the streams' places. */
  readonly netns: readonly string[];
  readonly intervalUs?: number;
  readonly tcpMs?: number;
  /** Where the guest listens, and where the prober listens for the guest. */
  readonly port?: number;
  readonly listen?: number;
};

const START_MS = 5000;

/** Starts the prober; it is ready when this resolves. Throws with what it said when it does not start. */
export async function startProber(options: ProberOptions): Promise<Prober> {
  const { cacheDir, dir, name, ipv4 = '-', ipv6 = '-', netns } = options;
  const { intervalUs = 1000, tcpMs = 50, port = 7, listen = 7007 } = options;
  const program = await ensureProgram(cacheDir, 'probe');
  const file = join(dir, `${name}.records`);
  rmSync(file, { force: true });
  const numbers = [intervalUs, tcpMs, port, listen].map(String);
  const child = startProgram(program, [file, ...numbers, ipv4, ipv6, ...netns]);
  const opened = await waitFor(
    async () => {
      if (child.failed() !== undefined) throw new Error(`the prober did not start: ${child.failed()}`);
      return tryOpen(file);
    },
    START_MS,
    20,
  );
  if (opened === undefined) throw new Error('the prober wrote nothing');
  return {
    recording: opened,
    [Symbol.asyncDispose]: async () => {
      await child.end();
      opened[Symbol.dispose]();
      rmSync(file, { force: true });
    },
  };
}

/** A recording only counts once it has a mark: then every socket is open. */
function tryOpen(file: string): Recording | undefined {
  let recording: Recording;
  try {
    recording = openRecording(file);
  } catch {
    return undefined; // not made yet
  }
  if (recording.writtenUntil() > 0) return recording;
  recording[Symbol.dispose]();
  return undefined;
}

export type TapOptions = {
  readonly cacheDir: string;
  readonly dir: string;
  /** Of its file; each that runs at the same time has its own. */
  readonly name: string;
  readonly netns: string;
  readonly link: string;
  readonly port?: number;
  readonly limit?: number;
};

/** Watches a guest's tap from before it exists; `end` gives the path of what was recorded. */
export async function startTap(options: TapOptions): Promise<{ end(): Promise<string> }> {
  const { cacheDir, dir, name, netns, link, port = 7, limit = 1_000_000 } = options;
  const program = await ensureProgram(cacheDir, 'tap');
  const file = join(dir, `${name}.tap`);
  rmSync(file, { force: true });
  const child = startProgram(program, [file, netns, link, String(port), String(limit)]);
  return {
    end: async () => {
      await child.end();
      return file;
    },
  };
}

type Program = { failed(): string | undefined; end(): Promise<void> };

function startProgram(program: string, args: readonly string[]): Program {
  const child: ChildProcess = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  let ended: string | undefined;
  const closed = new Promise<void>((done) => {
    child.once('error', (error) => {
      ended = error.message;
      done();
    });
    child.once('close', (code) => {
      if (code !== 0 && ended === undefined) ended = said.trim() || `exit ${code}`;
      done();
    });
  });
  const killWithUs = (): boolean => child.kill('SIGKILL');
  process.once('exit', killWithUs);
  return {
    failed: () => ended,
    end: async () => {
      child.kill('SIGTERM');
      await closed;
      process.off('exit', killWithUs);
    },
  };
}
