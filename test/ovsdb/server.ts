import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { TEST_SCHEMA } from './schema.ts';
import { runTool, spawnTool } from './tools.ts';

/** Waits until `condition` gives something other than undefined or false; throws after `timeoutMs`. */
export async function until<T>(
  what: string,
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  timeoutMs = 20_000,
): Promise<T> {
  const end = Date.now() + timeoutMs;
  while (Date.now() < end) {
    const value = await condition();
    if (value !== undefined && value !== false) return value;
    await delay(10);
  }
  throw new Error(`waited ${timeoutMs} ms in vain: ${what}`);
}

/** An ovsdb-server process with its own directory. */
export class TestServer {
  readonly dir: string;
  readonly database: string;
  readonly socket: string;
  readonly #file: string;
  readonly #args: readonly string[];
  #process: ChildProcess | undefined;

  constructor(dir: string, database: string, args: readonly string[]) {
    this.dir = dir;
    this.database = database;
    this.socket = join(dir, 'db.sock');
    this.#file = join(dir, 'db');
    this.#args = args;
  }

  /** What a client connects to. */
  get remote(): string {
    return `unix:${this.socket}`;
  }

  get pid(): number {
    const pid = this.#process?.pid;
    if (pid === undefined) throw new Error('the server does not run');
    return pid;
  }

  get running(): boolean {
    return this.#process !== undefined && this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** Starts the process and waits until it accepts connections. */
  async start(): Promise<void> {
    const control = join(this.dir, 'ctl');
    for (const path of [this.socket, control]) rmSync(path, { force: true });
    const args = [
      this.#file,
      `--remote=punix:${this.socket}`,
      `--unixctl=${control}`,
      `--log-file=${join(this.dir, 'log')}`,
      '-vconsole:off',
      ...this.#args,
    ];
    this.#process = spawnTool('ovsdb-server', args, this.dir);
    await until('ovsdb-server listens', async () => {
      if (!this.running) throw new Error(`ovsdb-server ended; see ${join(this.dir, 'log')}`);
      return (await accepts(this.socket)) && (await accepts(control));
    });
  }

  /** Sends a command to the server itself, as ovs-appctl(8) does. */
  async control(...args: string[]): Promise<string> {
    return await runTool('ovs-appctl', ['-t', join(this.dir, 'ctl'), ...args]);
  }

  /** SIGSTOP: it accepts connections and says nothing. */
  suspend(): void {
    process.kill(this.pid, 'SIGSTOP');
  }

  resume(): void {
    process.kill(this.pid, 'SIGCONT');
  }

  /** Ends the process with a signal and waits until it is gone. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#process;
    if (child === undefined || !this.running) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }

  /** Waits until the process has ended by itself. */
  async exited(): Promise<void> {
    if (this.running && this.#process !== undefined) await once(this.#process, 'exit');
  }
}

function accepts(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(path);
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

/** A directory for one test, gone with `remove`. */
export function makeTempDir(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'ovsdb-test-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

export type ServerOptions = {
  /** Path of an .ovsschema file; default is the small test schema. */
  readonly schemaPath?: string;
  readonly database?: string;
  /** More arguments for ovsdb-server. */
  readonly args?: readonly string[];
};

/** Starts a standalone server on a new database. Disposing kills it and removes its directory. */
export async function startServer(options: ServerOptions = {}): Promise<TestServer & AsyncDisposable> {
  await using cleanup = new AsyncDisposableStack();
  const dir = makeTempDir();
  cleanup.defer(() => dir.remove());
  const schema = options.schemaPath ?? writeTestSchema(dir.path);
  await runTool('ovsdb-tool', ['create', join(dir.path, 'db'), schema]);
  const server = new TestServer(dir.path, options.database ?? TEST_SCHEMA.name, options.args ?? []);
  cleanup.defer(() => server.kill());
  await server.start();
  const owned = cleanup.move();
  return Object.assign(server, { [Symbol.asyncDispose]: () => owned.disposeAsync() });
}

/** Writes the small test schema as a file into `dir` and returns its path. */
export function writeTestSchema(dir: string): string {
  const path = join(dir, 'test.ovsschema');
  writeFileSync(path, JSON.stringify(TEST_SCHEMA));
  return path;
}
