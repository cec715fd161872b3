import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { MEMORY_ENV, MEMORY_FLAGS } from '../../scripts/build/bundle.ts';
import { findProcessCpu, findResidentMb } from './process-stat.ts';

const LAST_LINES = 60;

/** A line of the operator's log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly msg: string; readonly time: number };

/** One real operator in a process of its own. */
export type OperatorProcess = {
  readonly name: string;
  readonly pid: number;
  /** When the process was started, in ms of `performance.now`. */
  readonly startedAt: number;
  /** Seconds of CPU used so far, user and system, all threads. */
  cpuSeconds(): number;
  /** Resident memory in MiB. */
  residentMb(): number;
  /** The first line with this message that came after `sinceMs` (of `performance.now`); waits for it. */
  whenLogged(message: string, sinceMs: number, timeoutMs?: number): Promise<LogLine>;
  /** How often the leader lost its lease because the API server, or itself, was too slow. */
  countLeasesLost(): number;
  kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<void>;
};

export type OperatorOptions = {
  readonly name: string;
  /** The program, bundled as it is in the image. */
  readonly program: string;
  readonly kubeconfig: string;
  readonly nb: string;
  readonly sb: string;
  /** Directory for a CPU profile, which is written when the process ends by SIGTERM. */
  readonly profileDir?: string | undefined;
};

type Logged = { readonly at: number; readonly line: LogLine };

/** Starts one; it dies with this process, however this process ends. */
export async function startOperator(options: OperatorOptions): Promise<OperatorProcess> {
  const port = await findFreePort();
  const startedAt = performance.now();
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', process.execPath, ...formatArguments(options, port)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...MEMORY_ENV, POD_NAME: options.name },
  });
  const log = followLog(child);
  const pid = child.pid;
  if (pid === undefined) throw new Error('the operator could not be started');
  return {
    name: options.name,
    pid,
    startedAt,
    cpuSeconds: () => findProcessCpu(pid),
    residentMb: () => findResidentMb(pid),
    whenLogged: (message, sinceMs, timeoutMs = 180_000) => whenLogged({ child, log }, message, { sinceMs, timeoutMs }),
    countLeasesLost: () => log.lines.filter(({ line }) => line.msg === LEASE_LOST).length,
    kill: async (signal) => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.kill(signal);
      await gone;
    },
  };
}

function formatArguments(options: OperatorOptions, port: number): string[] {
  const { program, kubeconfig, nb, sb, profileDir } = options;
  const profile = profileDir === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileDir}`];
  return [
    ...MEMORY_FLAGS,
    ...profile,
    program,
    `--kubeconfig=${kubeconfig}`,
    `--nb=${nb}`,
    `--sb=${sb}`,
    `--metrics-port=${port}`,
    '--lease-namespace=default',
    '--default-cidr=10.16.0.0/16',
  ];
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** The lines so far and the last raw ones, for the message when something goes wrong. */
type Log = { readonly lines: Logged[]; readonly last: string[] };

/** Messages that measurements wait for; the ten thousand others are not kept. */
const LEASE_LOST = 'the lease was not renewed in time';
const KEPT = new Set(['caches are complete', 'first pass done', LEASE_LOST]);

function followLog(child: ChildProcess): Log {
  const log: Log = { lines: [], last: [] };
  const take = (text: string) => {
    if (!text.includes('"msg":"address re')) log.last.push(text);
    if (log.last.length > LAST_LINES) log.last.shift();
    const line = parseLine(text);
    if (line !== undefined && KEPT.has(line.msg)) log.lines.push({ at: performance.now(), line });
  };
  for (const stream of [child.stdout, child.stderr]) {
    if (stream !== null) createInterface({ input: stream }).on('line', take);
  }
  return log;
}

function parseLine(text: string): LogLine | undefined {
  try {
    return JSON.parse(text) as LogLine;
  } catch {
    return undefined;
  }
}

type Running = { readonly child: ChildProcess; readonly log: Log };

async function whenLogged(
  { child, log }: Running,
  message: string,
  { sinceMs, timeoutMs }: { readonly sinceMs: number; readonly timeoutMs: number },
): Promise<LogLine> {
  const end = performance.now() + timeoutMs;
  while (performance.now() < end) {
    const found = log.lines.find(({ at, line }) => at >= sinceMs && line.msg === message);
    if (found !== undefined) return found.line;
    if (child.exitCode !== null || child.signalCode !== null) break;
    await delay(5);
  }
  throw new Error(`the operator did not say '${message}':\n${log.last.join('\n')}`);
}
