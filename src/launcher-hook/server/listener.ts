import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type Clock, type Logger, type Metrics, sleep } from '../../kube/index.ts';
import { type Admission, ALLOWED, type Judge, type Verdict } from '../admission.ts';
import { BadRequest, readJsonBody } from './body.ts';
import type { KeyPair } from './certificates/x509.ts';
import { formatReview, parseReview } from './review.ts';

export type Route = { readonly judge: Judge; readonly mayPatch: boolean };

export type ListenerOptions = {
  /** By path: `/mutate`, `/validate`. */
  readonly routes: ReadonlyMap<string, Route>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** After this time since a request came nobody is asked any more: the API server will not wait for the answer. */
  readonly answerMs: number;
};

/** The HTTPS server that the API server calls. */
export type Listener = {
  /** Shows this certificate on new connections; those that are open go on. Throws when it cannot be used. */
  show(pair: KeyPair): void;
  /** Returns the port. Rejects when it is taken. */
  listen(port: number): Promise<number>;
  /** From now on asks every client not to come back on the same connection. */
  beginDrain(): void;
  /** Takes no new connection and finishes what is there, for at most `mostMs`. */
  close(mostMs: number): Promise<void>;
};

/** Longer than the API server keeps idle connections (90 s), so that ours never ends one just as it is used. */
const KEEP_ALIVE_MS = 120_000;
/** A client that sends slower than this has given up long ago. */
const REQUEST_MS = 5000;
const MOST_HEADERS = 64;
const LATE_MS = 250;
/** Others are counted together: who can reach the port could name any. */
const KINDS: readonly string[] = ['VirtualMachine', 'VirtualMachineInstance'];

export function createListener(options: ListenerOptions): Listener {
  let draining = false;
  const server = createServer({ minVersion: 'TLSv1.2', keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: REQUEST_MS });
  server.maxHeadersCount = MOST_HEADERS;
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    if (draining) response.setHeader('connection', 'close');
    void handle(options, request, response);
  });
  server.on('tlsClientError', (error) => options.log.debug({ err: error }, 'no TLS connection came about'));
  return {
    show: ({ cert, key }) => server.setSecureContext({ cert, key, minVersion: 'TLSv1.2' }),
    listen: async (port) => {
      server.listen(port);
      await once(server, 'listening');
      return (server.address() as AddressInfo).port;
    },
    beginDrain: () => {
      draining = true;
    },
    close: (mostMs) => close(server, options.clock, mostMs),
  };
}

async function close(server: Server, clock: Clock, mostMs: number): Promise<void> {
  const limit = clock.schedule(mostMs, () => server.closeAllConnections());
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
  });
  limit.cancel();
}

async function handle(options: ListenerOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { clock, log } = options;
  const receivedAt = clock.now();
  try {
    const path = request.url?.split('?')[0] ?? '';
    const route = options.routes.get(path);
    if (route === undefined) throw new BadRequest(404, 'no such path');
    const read = parseReview(await readJsonBody(request));
    if (!read.ok) throw new BadRequest(400, read.message);
    const verdict = await judge(options, route, { admission: read.admission, receivedAt });
    const body = formatReview(read.admission.uid, verdict, route.mayPatch);
    response.writeHead(200, { 'content-type': 'application/json' }).end(body);
    measure(options, path, { admission: read.admission, verdict, ms: clock.now() - receivedAt });
  } catch (error) {
    const status = error instanceof BadRequest ? error.status : 400;
    options.metrics.count('admission_refused', { status: String(status) });
    log.debug({ err: error, status }, 'a request that gets no verdict');
    // What of the body is still to come is not waited for.
    response.writeHead(status, { 'content-type': 'text/plain', connection: 'close' });
    response.end(error instanceof BadRequest ? `${error.message}\n` : 'the request broke off\n');
  }
}

type Question = { readonly admission: Admission; readonly receivedAt: number };

async function judge(options: ListenerOptions, route: Route, { admission, receivedAt }: Question): Promise<Verdict> {
  const { clock, log, answerMs } = options;
  const waitedMs = clock.now() - receivedAt;
  if (waitedMs <= answerMs) {
    const verdict = route.judge(admission);
    if (verdict.allowed || verdict.isPerhapsLate !== true) return verdict;
    const countLeft = () => answerMs - (clock.now() - receivedAt);
    if (countLeft() < LATE_MS) return verdict;
    // One `kubectl apply` makes the network and the VM: a watch is that much behind.
    await sleep(clock, LATE_MS);
    // A process that was held up meanwhile has its answer, and no time for another one.
    return countLeft() < 0 ? verdict : route.judge(admission);
  }
  const { kind, namespace, name } = admission;
  log.warn({ kind, namespace, name, waitedMs }, 'no time was left to look at the object');
  return { ...ALLOWED, warnings: ['Mooring had no time to look at this; it is checked again later'] };
}

type Answered = { readonly admission: Admission; readonly verdict: Verdict; readonly ms: number };

function measure({ metrics }: ListenerOptions, path: string, { admission, verdict, ms }: Answered): void {
  const kind = KINDS.includes(admission.kind) ? admission.kind : 'other';
  const labels = { path, kind, verdict: nameVerdict(verdict) };
  metrics.observe('admission_ms', ms, { path });
  metrics.count('admission_verdicts', labels);
}

function nameVerdict({ allowed, warnings, patch }: Verdict): string {
  if (!allowed) return 'denied';
  if (patch.length > 0) return 'changed';
  return warnings.length > 0 ? 'warned' : 'allowed';
}
