import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../../kube/testing/eventually.ts';
import { createFakeClock } from '../../kube/testing/fake-clock.ts';
import { createRecordingLogger } from '../../kube/testing/recording-logger.ts';
import { formatRequest, LIMITS, parseAnswer, type WireAnswer, type WireRequest } from '../protocol.ts';
import { createCniServer, type Server } from './server.ts';

let folder: string;
let server: Server;
let clock: ReturnType<typeof createFakeClock>;
let reply: (request: WireRequest, caller: AbortSignal) => Promise<WireAnswer>;
const path = () => join(folder, 'run/cni.sock');

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'server-'));
  clock = createFakeClock();
  reply = async (request) => ({ status: 0, output: `hello ${request.env.get('CNI_COMMAND')}` });
  server = createCniServer({
    path: path(),
    clock,
    log: createRecordingLogger(),
    answer: (request, caller) => reply(request, caller),
    refuse: (error) => ({ status: 1, output: error.kind }),
    maxConnections: 20,
  });
  await server.start();
});
afterEach(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

const request = formatRequest({ env: new Map([['CNI_COMMAND', 'ADD']]), stdin: '{}' });

function open(): { socket: Socket; answer: Promise<WireAnswer | undefined> } {
  const socket = connect(path());
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(Buffer.from(chunk)));
  socket.on('error', () => undefined);
  const answer = new Promise<WireAnswer | undefined>((resolve) => {
    socket.once('close', () => resolve(parseAnswer(Buffer.concat(chunks))));
  });
  return { socket, answer };
}

describe('the socket', () => {
  test('is for root alone: the folder is the fence', async () => {
    expect((await stat(join(folder, 'run'))).mode & 0o777).toBe(0o700);
    expect((await stat(path())).mode & 0o777).toBe(0o600);
  });

  test('takes the place of what a killed agent has left', async () => {
    await server.stop();
    await writeFile(path(), 'left over');
    await server.start();
    const { socket, answer } = open();
    socket.write(request);
    expect(await answer).toEqual({ status: 0, output: 'hello ADD' });
  });

  test('answers a request that comes byte by byte', async () => {
    const { socket, answer } = open();
    for (const byte of request) socket.write(Buffer.from([byte]));
    expect(await answer).toEqual({ status: 0, output: 'hello ADD' });
  });

  test('serves many at a time', async () => {
    const gate = Promise.withResolvers<void>();
    reply = async () => {
      await gate.promise;
      return { status: 0, output: 'late' };
    };
    const all = Array.from({ length: 15 }, open);
    for (const { socket } of all) socket.write(request);
    gate.resolve();
    for (const { answer } of all) expect(await answer).toEqual({ status: 0, output: 'late' });
  });

  test.each([
    ['garbage', Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'Malformed'],
    ['another version', Buffer.from('MOORING_SHIM=9\0MOORING_STDIN=0\0\0'), 'Skew'],
    [
      'a header without end',
      Buffer.concat([Buffer.from('MOORING_SHIM=1\0A='), Buffer.alloc(LIMITS.headerBytes, 97)]),
      'Malformed',
    ],
  ])('refuses %s and lives on', async (_cause, bytes, kind) => {
    const bad = open();
    bad.socket.write(bytes);
    expect(await bad.answer).toEqual({ status: 1, output: kind });
    const good = open();
    good.socket.write(request);
    expect((await good.answer)?.status).toBe(0);
  });

  test('gives up on a caller that does not finish its request', async () => {
    const { socket, answer } = open();
    const sent = new Promise<void>((resolve) => socket.write(request.subarray(0, 20), () => resolve()));
    await sent;
    await eventually('accepted', () => clock.pending().length === 1);
    clock.advance(LIMITS.readMs);
    expect(await answer).toEqual({ status: 1, output: 'Malformed' });
  });

  test('tells the call when its caller has gone away', async () => {
    const gone = Promise.withResolvers<unknown>();
    const begun = Promise.withResolvers<void>();
    reply = async (_request, caller) => {
      caller.addEventListener('abort', () => gone.resolve(caller.reason));
      begun.resolve();
      await gone.promise;
      return { status: 1, output: '' };
    };
    const { socket } = open();
    socket.write(request);
    await begun.promise;
    socket.destroy();
    expect(String(await gone.promise)).toContain('the caller has gone away');
  });

  test('stopping ends open connections', async () => {
    reply = () => new Promise(() => undefined);
    const { socket, answer } = open();
    await new Promise<void>((resolve) => socket.write(request, () => resolve()));
    await server.stop();
    expect(await answer).toBeUndefined();
    await server.start();
  });
});
