import { ConnectionError, OvsdbError, ProtocolError, RequestError, TimeoutError } from './errors.ts';
import { formatJson, parseJson } from './json.ts';
import { DEFAULT_LIMITS, Framer, type FramerLimits } from './stream.ts';
import type { Connection } from './transport.ts';

export type RpcOptions = {
  /** Called for every notification, in the order of arrival. A throw ends the connection. */
  readonly onNotification: (method: string, params: readonly unknown[]) => void;
  /** Silence after which the peer is asked for an echo; the same time again without a byte ends the connection. */
  readonly probeIntervalMs: number;
  readonly limits?: FramerLimits;
};

type Pending = {
  readonly method: string;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: OvsdbError) => void;
  readonly timer: NodeJS.Timeout;
};

type Json = Readonly<Record<string, unknown>>;

/**
 * JSON-RPC 1.0 over one connection (RFC 7047 section 4): requests with a time limit each, notifications, and echo in
 * both directions. A connection that fails stays failed.
 */
export class Rpc {
  readonly #socket: Connection;
  readonly #options: RpcOptions;
  readonly #framer: Framer;
  readonly #pending = new Map<number, Pending>();
  readonly #closed = Promise.withResolvers<OvsdbError>();
  readonly #probe: NodeJS.Timeout;
  #failure: OvsdbError | undefined;
  #nextId = 1;
  #heard = true;
  #probing = false;

  constructor(socket: Connection, options: RpcOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#framer = new Framer(options.limits ?? DEFAULT_LIMITS);
    this.#probe = setInterval(() => this.#checkAlive(), options.probeIntervalMs);
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', (cause) => this.close(new ConnectionError(`connection failed: ${cause.message}`, { cause })));
    socket.on('close', () => this.close(new ConnectionError('the server closed the connection')));
  }

  /** Resolves, with the reason, when the connection is over. */
  get closed(): Promise<OvsdbError> {
    return this.#closed.promise;
  }

  /** Why the connection is over, or undefined while it works. */
  get failure(): OvsdbError | undefined {
    return this.#failure;
  }

  /**
   * Sends a request and returns its result. Throws RequestError when the server answers with an error, TimeoutError,
   * or the connection's own error. A request given up is forgotten; a late answer is ignored.
   */
  request(method: string, params: readonly unknown[], timeoutMs: number): Promise<unknown> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const timer = setTimeout(() => {
      this.#pending.delete(id);
      reject(new TimeoutError(`${method}: no answer within ${timeoutMs} ms`));
    }, timeoutMs);
    this.#pending.set(id, { method, resolve, reject, timer });
    this.#send({ id, method, params });
    return promise;
  }

  /** Ends the connection; every request in flight fails with `reason`. Later calls change nothing. */
  close(reason: OvsdbError): void {
    if (this.#failure !== undefined) return;
    this.#failure = reason;
    clearInterval(this.#probe);
    this.#socket.destroy();
    for (const pending of this.#pending.values()) {
      clearTimeout(pending.timer);
      pending.reject(reason);
    }
    this.#pending.clear();
    this.#closed.resolve(reason);
  }

  #send(message: Json): void {
    this.#socket.write(formatJson(message));
  }

  #receive(chunk: Buffer): void {
    this.#heard = true;
    try {
      for (const text of this.#framer.push(chunk)) {
        if (this.#failure === undefined) this.#dispatch(parseMessage(text));
      }
    } catch (cause) {
      this.close(cause instanceof OvsdbError ? cause : new ProtocolError(`cannot handle message: ${cause}`, { cause }));
    }
  }

  #dispatch(message: Json): void {
    const { id, method } = message;
    if (typeof method !== 'string') {
      this.#settle(message);
      return;
    }
    const params = Array.isArray(message.params) ? message.params : [];
    if (id === null || id === undefined) this.#options.onNotification(method, params);
    else if (method === 'echo') this.#send({ id, result: params, error: null });
    else this.#send({ id, result: null, error: { error: 'unknown method', details: method } });
  }

  #settle(message: Json): void {
    const id = message.id;
    const pending = typeof id === 'number' ? this.#pending.get(id) : undefined;
    if (pending === undefined || typeof id !== 'number') return;
    this.#pending.delete(id);
    clearTimeout(pending.timer);
    if (message.error === null || message.error === undefined) pending.resolve(message.result);
    else pending.reject(makeRequestError(pending.method, message.error));
  }

  #checkAlive(): void {
    if (this.#heard) {
      this.#heard = false;
      this.#probing = false;
    } else if (this.#probing) {
      this.close(new ConnectionError(`the server is silent for ${2 * this.#options.probeIntervalMs} ms`));
    } else {
      this.#probing = true;
      this.#send({ id: 'echo', method: 'echo', params: [] });
    }
  }
}

function parseMessage(text: string): Json {
  const message = parseJson(text);
  if (typeof message === 'object' && message !== null && !Array.isArray(message)) return message as Json;
  throw new ProtocolError('a message must be an object');
}

function makeRequestError(method: string, error: unknown): RequestError {
  if (typeof error !== 'object' || error === null) return new RequestError(method, String(error), '');
  const { error: word, details } = error as Json;
  return new RequestError(method, String(word ?? 'error'), typeof details === 'string' ? details : '');
}
