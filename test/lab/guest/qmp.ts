import { EventEmitter } from 'node:events';
import { connect, type Socket } from 'node:net';

/** A command that QEMU refused; `kind` is QMP's error class (docs/interop/qmp-spec.txt, section 2.4.2). */
export class QmpError extends Error {
  readonly kind: string;
  constructor(kind: string, message: string) {
    super(message);
    this.name = 'QmpError';
    this.kind = kind;
  }
}

/** `at`: when QEMU raised it, ms since the epoch with fractions. */
export type QmpEvent = { event: string; data: Record<string, unknown>; at: number };
type Answer = { resolve: (value: unknown) => void; reject: (error: Error) => void };
type Message = {
  QMP?: unknown;
  return?: unknown;
  error?: { class: string; desc: string };
  event?: string;
  data?: Record<string, unknown>;
  timestamp?: { seconds: number; microseconds: number };
  id?: number;
};

/**
 * Client of QEMU's monitor on a unix socket. Emits `event` (QmpEvent) and `close`. A monitor serves one client at a
 * time: a second connection waits until the first goes.
 */
export class Qmp extends EventEmitter<{ event: [QmpEvent]; close: [] }> {
  readonly #socket: Socket;
  readonly #waiting = new Map<number, Answer>();
  #next = 1;
  #rest = '';
  #closed = false;

  constructor(socket: Socket) {
    super();
    this.#socket = socket;
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => this.#read(text));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#end());
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Runs one command. Throws QmpError when QEMU refuses it, Error when the monitor closes or stays silent. */
  async execute(command: string, args?: Record<string, unknown>, timeoutMs = 10_000): Promise<unknown> {
    if (this.#closed) throw new Error(`QMP ${command}: monitor is closed`);
    const id = this.#next++;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#waiting.set(id, { resolve, reject });
    const timer = setTimeout(
      () => this.#settle(id, new Error(`QMP ${command}: no answer in ${timeoutMs} ms`)),
      timeoutMs,
    );
    this.#socket.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
    return promise.finally(() => clearTimeout(timer));
  }

  close(): void {
    this.#socket.destroy();
  }

  #settle(id: number, error: Error): void {
    this.#waiting.get(id)?.reject(error);
    this.#waiting.delete(id);
  }

  #end(): void {
    this.#closed = true;
    for (const id of [...this.#waiting.keys()]) this.#settle(id, new Error('QMP: monitor closed'));
    this.emit('close');
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) if (line.trim() !== '') this.#take(JSON.parse(line) as Message);
  }

  #take(message: Message): void {
    const { seconds = 0, microseconds = 0 } = message.timestamp ?? {};
    const at = seconds * 1000 + microseconds / 1000;
    if (message.event !== undefined) this.emit('event', { event: message.event, data: message.data ?? {}, at });
    if (message.id === undefined) return;
    const answer = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (message.error === undefined) answer?.resolve(message.return);
    else answer?.reject(new QmpError(message.error.class, message.error.desc));
  }
}

const RETRY_MS = 20;

/** Connects to the monitor at `path` and leaves negotiation mode; waits for the socket to appear until `timeoutMs`. */
export async function connectQmp(path: string, timeoutMs = 5_000): Promise<Qmp> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const left = Math.max(1, end - performance.now());
    try {
      return await tryConnect(path, left);
    } catch (error) {
      if (left <= RETRY_MS) throw new Error(`QMP at ${path}: ${error instanceof Error ? error.message : error}`);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

/** The socket's own listeners stay for its whole life: an error without one would end the process. */
async function tryConnect(path: string, timeoutMs: number): Promise<Qmp> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = connect(path, resolve);
  socket.on('error', reject);
  const qmp = new Qmp(socket);
  try {
    await promise;
    await qmp.execute('qmp_capabilities', undefined, timeoutMs);
    return qmp;
  } catch (error) {
    qmp.close();
    throw error;
  }
}
