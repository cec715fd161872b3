import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConnectionError, ProtocolError, RequestError, StoppedError, TimeoutError } from './errors.ts';
import { Rpc, type RpcOptions } from './rpc.ts';
import { connect } from './transport.ts';

type Json = Record<string, unknown>;

let dir: string;
let server: net.Server;
let peer: net.Socket;
let silent: net.Server | undefined;
const opened: Rpc[] = [];

/** Opens a connection to a peer that does only what the test tells it to. */
async function open(options: Partial<RpcOptions> = {}): Promise<Rpc> {
  const path = join(dir, 'sock');
  const [socket] = await Promise.all([
    connect({ scheme: 'unix', path }, { timeoutMs: 5000 }),
    once(server, 'connection').then(([accepted]) => {
      peer = accepted;
    }),
  ]);
  const rpc = new Rpc(socket, { onNotification: () => undefined, probeIntervalMs: 60_000, ...options });
  opened.push(rpc);
  return rpc;
}

/** A TCP port where connections are accepted and nothing is said. */
async function listen(): Promise<number> {
  silent = net.createServer((socket) => socket.on('error', () => undefined)).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const address = silent.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

async function receive(): Promise<Json> {
  const [data] = await once(peer, 'data');
  return JSON.parse(String(data));
}

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'rpc-'));
  server = net.createServer().listen(join(dir, 'sock'));
  await once(server, 'listening');
});

afterEach(() => {
  for (const rpc of opened.splice(0)) rpc.close(new StoppedError());
  peer.destroy();
  server.close();
  silent?.close();
  rmSync(dir, { recursive: true });
});

describe('Rpc', () => {
  it('gives each answer to its own request, in whatever order they come', async () => {
    const rpc = await open();
    const answers = Promise.all([rpc.request('a', [], 5000), rpc.request('b', [1n], 5000)]);
    peer.write('{"id":2,"result":"two","error":null}{"id":1,"res');
    peer.write('ult":"one","error":null}');
    expect(await answers).toEqual(['one', 'two']);
  });

  it.each<[string, string, string, string]>([
    ['as RFC 7047 has it', '{"error":"unknown database","details":"no x"}', 'unknown database', 'no x'],
    ['as a bare word', '"canceled"', 'canceled', ''],
  ])('throws the error of an answer, %s', async (_name, error, word, details) => {
    const rpc = await open();
    const answer = rpc.request('get_schema', ['x'], 5000);
    peer.write(`{"id":1,"result":null,"error":${error}}`);
    await expect(answer).rejects.toBeInstanceOf(RequestError);
    await expect(answer).rejects.toMatchObject({ error: word, details });
  });

  it('gives up a request in time, ignores its late answer and goes on', async () => {
    const rpc = await open();
    await expect(rpc.request('slow', [], 5)).rejects.toBeInstanceOf(TimeoutError);
    const next = rpc.request('next', [], 5000);
    peer.write('{"id":1,"result":"late"}{"id":2,"result":"ok"}{"id":77,"result":"never asked"}');
    expect(await next).toBe('ok');
  });

  it("answers the peer's echo, and refuses other requests", async () => {
    await open();
    peer.write('{"id":"probe","method":"echo","params":[1,"x"]}');
    expect(await receive()).toEqual({ id: 'probe', result: [1, 'x'], error: null });
    peer.write('{"id":5,"method":"transact","params":[]}');
    expect(await receive()).toMatchObject({ id: 5, result: null, error: { error: 'unknown method' } });
  });

  it('hands on notifications in order', async () => {
    const seen: unknown[] = [];
    const rpc = await open({ onNotification: (method, params) => seen.push([method, params]) });
    const answer = rpc.request('x', [], 5000);
    peer.write(
      '{"id":null,"method":"update","params":[1]}{"id":null,"method":"update","params":[2]}{"id":1,"result":0}',
    );
    await answer;
    expect(seen).toEqual([
      ['update', [1]],
      ['update', [2]],
    ]);
  });

  it('asks a silent peer for an echo and stays as long as it answers', async () => {
    const rpc = await open({ probeIntervalMs: 20 });
    for (let i = 0; i < 3; i++) {
      const probe = await receive();
      expect(probe).toMatchObject({ method: 'echo' });
      peer.write(JSON.stringify({ id: probe.id, result: [], error: null }));
    }
    expect(rpc.failure).toBeUndefined();
  });

  it('ends the connection when the peer stays silent', async () => {
    const rpc = await open({ probeIntervalMs: 10 });
    const answer = rpc.request('x', [], 60_000);
    await expect(answer).rejects.toThrow(/silent/);
    expect(await rpc.closed).toBeInstanceOf(ConnectionError);
  });

  it.each([
    ['no JSON', '{a}'],
    ['no object', '[]'],
    ['nesting without end', '{"a":'.repeat(100)],
  ])('ends the connection over a message that is %s', async (_name, text) => {
    const rpc = await open();
    const answer = rpc.request('x', [], 60_000);
    peer.write(text);
    await expect(answer).rejects.toBeInstanceOf(ProtocolError);
  });

  it('ends the connection when a notification cannot be applied, and delivers none after it', async () => {
    let calls = 0;
    const fail = (): never => {
      calls++;
      throw new ProtocolError('bad update');
    };
    const rpc = await open({ onNotification: fail });
    peer.write('{"id":null,"method":"update","params":[]}{"id":null,"method":"update","params":[]}');
    expect(await rpc.closed).toMatchObject({ message: 'bad update' });
    expect(calls).toBe(1);
  });

  it('fails every request, waiting or later, with the reason of the end', async () => {
    const rpc = await open();
    const waiting = rpc.request('x', [], 60_000);
    peer.destroy();
    await expect(waiting).rejects.toBeInstanceOf(ConnectionError);
    rpc.close(new StoppedError());
    await expect(rpc.request('y', [], 60_000)).rejects.toBeInstanceOf(ConnectionError);
  });
});

describe('connect', () => {
  it('says that nobody listens', async () => {
    await open();
    await expect(connect({ scheme: 'unix', path: join(dir, 'other') }, { timeoutMs: 5000 })).rejects.toMatchObject({
      code: 'connection-lost',
      ambiguous: false,
    });
  });

  it.each([
    ['in time', { timeoutMs: 20 }, /within 20 ms/],
    ['when told to', { timeoutMs: 60_000, signal: AbortSignal.abort() }, /given up/],
  ])('gives up %s when the other side of a handshake says nothing', async (_name, options, reason) => {
    await open();
    const port = await listen();
    const tls = { material: { ca: '', cert: '', key: '' }, identity: 'any' } as const;
    const attempt = connect({ scheme: 'ssl', host: '127.0.0.1', port }, { ...options, tls });
    await expect(attempt).rejects.toThrow(reason);
  });
});
