import { Agent, type Dispatcher, request as send } from 'undici';
import type { Clock, Timer } from './clock.ts';
import type { ApiEndpoint } from './config.ts';
import { ApiError, parseApiError } from './errors.ts';
import { readBody, splitLines } from './lines.ts';

/** Query parameters; undefined ones are left out. */
export type Query = Record<string, string | number | boolean | undefined>;

/** One call. `path` begins with `/`; `timeoutMs` covers the whole call (default 30 s). */
export type ApiRequest = {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  path: string;
  query?: Query;
  body?: unknown;
  contentType?: string;
  signal?: AbortSignal | undefined;
  timeoutMs?: number;
};

/**
 * A long answer read line by line. `idleMs`: the most time without a byte before the connection counts as dead;
 * `onOpen` is called when the server has accepted.
 */
export type StreamRequest = {
  path: string;
  query?: Query;
  signal?: AbortSignal | undefined;
  idleMs?: number;
  onOpen?: () => void;
};

/** Calls to one API server. Every failure is an `ApiError`, except an abort by the caller: that is the signal's reason. */
export type Transport = {
  request(request: ApiRequest): Promise<unknown>;
  stream(request: StreamRequest): AsyncIterable<string>;
  close(): Promise<void>;
};

/** What `createTransport` needs; limits have defaults fit for an operator. */
export type TransportOptions = {
  endpoint: ApiEndpoint;
  clock: Clock;
  /** Connections for requests; watches have their own, or sixteen of them would leave none for requests. */
  connections?: number;
  maxBodyBytes?: number;
  maxLineBytes?: number;
  userAgent?: string;
};

const DEFAULT_TIMEOUT_MS = 30_000;
const CONNECT_TIMEOUT_MS = 10_000;

/** An API server behind kept connections. */
export function createTransport(options: TransportOptions): Transport {
  const agents = { calls: createAgent(options, options.connections ?? 16), watches: createAgent(options, null) };
  return {
    request: (request) => call(options, agents.calls, request),
    stream: (request) => streamLines(options, agents.watches, request),
    close: async () => {
      await Promise.all([agents.calls.destroy(), agents.watches.destroy()]);
    },
  };
}

function createAgent(options: TransportOptions, connections: number | null): Agent {
  const { tls } = options.endpoint;
  return new Agent({
    connections,
    pipelining: 1,
    allowH2: false,
    keepAliveTimeout: 30_000,
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: { timeout: CONNECT_TIMEOUT_MS, keepAlive: true, ...tls },
  });
}

/** The URL of a path under the server's address, which may itself have a path. */
export function formatUrl(server: string, path: string, query: Query = {}): URL {
  const url = new URL(server.replace(/\/+$/, '') + path);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) url.searchParams.set(name, String(value));
  }
  return url;
}

async function call(options: TransportOptions, agent: Agent, request: ApiRequest): Promise<unknown> {
  const guard = createGuard(options.clock, request.signal);
  guard.expectWithin(request.timeoutMs ?? DEFAULT_TIMEOUT_MS);
  try {
    const answer = await dispatch(options, agent, request, guard.signal);
    const text = await readBody(answer.body, options.maxBodyBytes ?? 256 * 1024 * 1024);
    if (answer.statusCode >= 400) throw parseApiError(answer.statusCode, parseJson(text), retryAfter(answer));
    return text === '' ? undefined : requireJson(text);
  } catch (error) {
    throw guard.explain(error);
  } finally {
    guard.end();
  }
}

async function* streamLines(options: TransportOptions, agent: Agent, request: StreamRequest): AsyncGenerator<string> {
  const guard = createGuard(options.clock, request.signal);
  guard.expectWithin(DEFAULT_TIMEOUT_MS);
  try {
    const answer = await dispatch(options, agent, request, guard.signal);
    if (answer.statusCode !== 200) {
      const text = await readBody(answer.body, 1024 * 1024);
      throw parseApiError(answer.statusCode, parseJson(text), retryAfter(answer));
    }
    request.onOpen?.();
    guard.expectWithin(request.idleMs, 'Idle');
    const chunks = withSignOfLife(answer.body, () => guard.expectWithin(request.idleMs, 'Idle'));
    yield* splitLines(chunks, options.maxLineBytes ?? 16 * 1024 * 1024);
  } catch (error) {
    throw guard.explain(error);
  } finally {
    guard.end();
  }
}

async function* withSignOfLife(chunks: AsyncIterable<Uint8Array>, report: () => void): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    report();
    yield chunk;
  }
}

async function dispatch(
  options: TransportOptions,
  agent: Agent,
  request: ApiRequest,
  signal: AbortSignal,
): Promise<Dispatcher.ResponseData> {
  const headers: Record<string, string> = { accept: 'application/json', 'user-agent': options.userAgent ?? 'mooring' };
  const authorization = await options.endpoint.authorization();
  if (authorization !== undefined) headers.authorization = authorization;
  if (request.body !== undefined) headers['content-type'] = request.contentType ?? 'application/json';
  return send(formatUrl(options.endpoint.server, request.path, request.query), {
    method: request.method ?? 'GET',
    headers,
    body: request.body === undefined ? null : JSON.stringify(request.body),
    dispatcher: agent,
    signal,
  });
}

function retryAfter(answer: Dispatcher.ResponseData): string | undefined {
  const header = answer.headers['retry-after'];
  return typeof header === 'string' ? header : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return { message: text.slice(0, 500) };
  }
}

function requireJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ApiError({ status: 0, reason: 'NotJson', message: 'the answer is not JSON', class: 'retry', cause });
  }
}

/** One abort for everything that can end a call: the caller, the deadline, the end of the call itself. */
type Guard = {
  signal: AbortSignal;
  expectWithin(ms: number | undefined, reason?: string): void;
  explain(error: unknown): unknown;
  end(): void;
};

function createGuard(clock: Clock, outer: AbortSignal | undefined): Guard {
  const controller = new AbortController();
  let timer: Timer | undefined;
  let late: ApiError | undefined;
  const expire = (ms: number, reason: string) => {
    late = new ApiError({ status: 0, reason, message: `no byte within ${ms} ms`, class: 'retry' });
    controller.abort(late);
  };
  const onAbort = () => controller.abort(outer?.reason);
  if (outer?.aborted) onAbort();
  outer?.addEventListener('abort', onAbort, { once: true });
  return {
    signal: controller.signal,
    expectWithin: (ms, reason = 'Timeout') => {
      timer?.cancel();
      timer = ms === undefined ? undefined : clock.schedule(ms, () => expire(ms, reason));
    },
    explain: (error) => (outer?.aborted ? outer.reason : (late ?? asApiError(error))),
    end: () => {
      timer?.cancel();
      outer?.removeEventListener('abort', onAbort);
      controller.abort();
    },
  };
}

function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const message = error instanceof Error ? error.message || error.name : String(error);
  return new ApiError({ status: 0, reason: 'Network', message, class: 'retry', cause: error });
}
