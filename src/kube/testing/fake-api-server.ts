import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ApiEndpoint } from '../config.ts';
import type { KubeObject } from '../types.ts';
import { createFakeStorage, type FakeStorage, StatusError, type Stored } from './fake-storage.ts';
import { type FakeWatch, isInScope, type Mangle, openFakeWatch } from './fake-watch.ts';
import { parseFieldSelector, parseLabelSelector } from './selectors.ts';

/** What kind of request it is, for aiming faults. */
export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete';

/** A request as faults and tests see it. */
export type SeenRequest = {
  verb: Verb;
  collection: string;
  key: string;
  query: URLSearchParams;
  contentType: string;
  authorization: string | undefined;
  body: unknown;
};

/** What goes wrong with one request. `lostAnswer`: it is carried out, then the connection breaks. */
export type Fault =
  | { status: number; reason?: string; message?: string; retryAfter?: number }
  | { raw: string }
  | 'reset'
  | 'lostAnswer'
  | 'silence';

/** An API server in this process, over real HTTP on a loopback port, that fails on demand. */
export type FakeApiServer = {
  endpoint: ApiEndpoint;
  storage: FakeStorage;
  requests: SeenRequest[];
  /** Asked for each request; gives the fault to inject or undefined. */
  fault: ((request: SeenRequest) => Fault | undefined) | undefined;
  /** Asked for each watch event. */
  mangle: Mangle | undefined;
  watches: ReadonlySet<FakeWatch>;
  /** Connections accepted so far. */
  connections(): number;
  /** Stops listening and breaks every connection; the content stays. */
  stop(): Promise<void>;
  /** Listens again on the same port. */
  restart(): Promise<void>;
};

type State = { server: FakeApiServer; watches: Set<FakeWatch>; snapshots: Map<string, Stored[]> };

/** Starts a server with nothing in it. Any group, version and plural is served. */
export async function startFakeApiServer(): Promise<FakeApiServer> {
  const watches = new Set<FakeWatch>();
  let connections = 0;
  let http: Server | undefined;
  const listen = async (port: number) => {
    http = createServer((request, response) => {
      handle(state, request, response).catch((error: unknown) => sendError(response, error));
    });
    http.on('connection', () => {
      connections += 1;
    });
    await new Promise<void>((resolve) => http?.listen(port, '127.0.0.1', resolve));
    return (http.address() as AddressInfo).port;
  };
  const port = await listen(0);
  const server: FakeApiServer = {
    endpoint: {
      server: `http://127.0.0.1:${port}`,
      tls: {},
      authorization: async () => 'Bearer t',
      namespace: 'default',
    },
    storage: createFakeStorage(),
    requests: [],
    fault: undefined,
    mangle: undefined,
    watches,
    connections: () => connections,
    stop: async () => {
      http?.closeAllConnections();
      await new Promise((resolve) => http?.close(resolve));
    },
    restart: async () => {
      await listen(port);
    },
  };
  const state: State = { server, watches, snapshots: new Map() };
  return server;
}

type Call = SeenRequest & { namespace: string | undefined; part: 'status' | undefined };

const VERBS: Record<string, Verb> = { POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' };

const PATH = /^\/(?:api|apis\/([^/]+))\/([^/]+)(?:\/namespaces\/([^/]+))?\/([^/]+)(?:\/([^/]+))?(?:\/(status))?$/;

type Path = Pick<Call, 'collection' | 'namespace' | 'part' | 'key'> & { named: boolean };

function parsePath(pathname: string): Path {
  const match = PATH.exec(pathname);
  if (match === null) throw new StatusError(404, 'NotFound', `no such path: ${pathname}`);
  const [, group, version, namespace, plural, name = '', part] = match.map((one) => one && decodeURIComponent(one));
  return {
    collection: [group, version, plural].filter((word) => word !== undefined).join('/'),
    namespace,
    key: namespace === undefined ? name : `${namespace}/${name}`,
    part: part === undefined ? undefined : 'status',
    named: name !== '',
  };
}

async function parseCall(request: IncomingMessage): Promise<Call> {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const { named, ...path } = parsePath(url.pathname);
  const listVerb = url.searchParams.get('watch') === 'true' ? 'watch' : 'list';
  return {
    ...path,
    verb: VERBS[request.method ?? ''] ?? (named ? 'get' : listVerb),
    query: url.searchParams,
    contentType: request.headers['content-type'] ?? '',
    authorization: request.headers.authorization,
    body: await readJson(request),
  };
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  const text = Buffer.concat(parts).toString('utf8');
  return text === '' ? undefined : JSON.parse(text);
}

async function handle(state: State, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const call = await parseCall(request);
  state.server.requests.push(call);
  const fault = state.server.fault?.(call);
  if (fault === 'silence') return;
  if (fault === 'reset') return void response.socket?.resetAndDestroy();
  if (typeof fault === 'object') return sendFault(response, fault);
  if (call.verb === 'watch') return openWatch(state, call, response);
  const answer = answerCall(state, call);
  if (fault === 'lostAnswer') return void response.socket?.resetAndDestroy();
  sendJson(response, call.verb === 'create' ? 201 : 200, answer);
}

function openWatch(state: State, call: Call, response: ServerResponse): void {
  const scope = { ...scopeOf(call), after: Number(call.query.get('resourceVersion') ?? 0) };
  const watch: FakeWatch = openFakeWatch(state.server.storage, scope, {
    response,
    mangle: () => state.server.mangle,
    onClose: () => state.watches.delete(watch),
  });
  state.watches.add(watch);
}

function scopeOf(call: Call) {
  const labels = parseLabelSelector(call.query.get('labelSelector'));
  const fields = parseFieldSelector(call.query.get('fieldSelector'));
  const matches = (object: KubeObject) => labels(object) && fields(object);
  return { collection: call.collection, namespace: call.namespace, matches };
}

function answerCall(state: State, call: Call): object {
  const { storage } = state.server;
  const { verb, collection, key, part } = call;
  const body = (call.body ?? {}) as Stored & { preconditions?: { uid?: string; resourceVersion?: string } };
  if (verb === 'list') return answerList(state, call);
  if (verb === 'get') return storage.get(collection, key);
  if (verb === 'create') return storage.create(collection, body);
  if (verb === 'update') return storage.replace(collection, body, part);
  if (verb === 'delete') return storage.remove(collection, key, body.preconditions);
  return answerPatch(storage, call, body);
}

/** Applying creates what is absent; field ownership is not modelled here (the protocol test has the real one). */
function answerPatch(storage: FakeStorage, call: Call, body: Stored): object {
  const { collection, key, part } = call;
  const exists = storage.list(collection).some((one) => keyIn(one) === key);
  if (!exists && call.contentType.startsWith('application/apply-patch')) return storage.create(collection, body);
  return storage.patch(collection, key, { patch: body, part });
}

function keyIn(object: Stored): string {
  const { name = '', namespace } = object.metadata;
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/** Pages are cut from the snapshot of the first one; a compaction in between makes the token expire. */
function answerList(state: State, call: Call): object {
  const token = parseToken(state, call.query.get('continue'));
  const limit = Number(call.query.get('limit') ?? 0) || Number.POSITIVE_INFINITY;
  const all = state.snapshots.get(token.snapshot) ?? takeSnapshot(state, call);
  const end = token.start + limit;
  if (end < all.length) state.snapshots.set(token.snapshot, all);
  const next = end < all.length ? `${token.version}.${token.snapshot}.${end}` : undefined;
  const metadata = { resourceVersion: token.version, continue: next };
  return { kind: 'List', metadata, items: all.slice(token.start, end) };
}

function parseToken(state: State, token: string | null): { version: string; snapshot: string; start: number } {
  const { storage } = state.server;
  if (token === null) return { version: String(storage.version()), snapshot: `s${state.snapshots.size}`, start: 0 };
  const [version = '', snapshot = '', start = ''] = token.split('.');
  if (Number(version) < storage.compacted()) throw new StatusError(410, 'Expired', 'the continue token is too old');
  return { version, snapshot, start: Number(start) };
}

function takeSnapshot(state: State, call: Call): Stored[] {
  const scope = scopeOf(call);
  return state.server.storage.list(call.collection).filter((object) => isInScope(scope, object));
}

function sendFault(response: ServerResponse, fault: Exclude<Fault, string>): void {
  if ('raw' in fault) return void response.writeHead(200).end(fault.raw);
  if (fault.retryAfter !== undefined) response.setHeader('Retry-After', String(fault.retryAfter));
  const reason = fault.reason ?? 'Injected';
  const message = fault.message ?? 'an injected fault';
  sendJson(response, fault.status, { kind: 'Status', code: fault.status, reason, message });
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function sendError(response: ServerResponse, error: unknown): void {
  const known = error instanceof StatusError ? error : new StatusError(500, 'InternalError', String(error));
  if (response.headersSent) return void response.destroy();
  sendJson(response, known.code, { kind: 'Status', code: known.code, reason: known.reason, message: known.message });
}
