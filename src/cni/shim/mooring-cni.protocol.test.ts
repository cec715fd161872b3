import { execFileSync, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createRequestReader, formatAnswer, parseRequest, type WireRequest } from '../protocol.ts';

let folder: string;
let shim: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shim-'));
  shim = join(folder, 'mooring-cni');
  const paths = `-DMOORING_SOCKET='"${folder}/cni.sock"' -DMOORING_SPOOL='"${folder}/spool"'`;
  execFileSync('make', ['-s', '-C', import.meta.dirname, `OUT=${shim}`, `DEFINES=${paths}`]);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

type Outcome = { exit: number | null; output: string };

function call(env: Record<string, string>, stdin: string | Buffer = '{}'): Promise<Outcome> {
  const child = spawn(shim, [], { env, stdio: ['pipe', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += String(chunk);
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(stdin);
  return new Promise((resolve) => child.once('close', (exit) => resolve({ exit, output })));
}

let server: Server;
let requests: WireRequest[];
/** What the agent does with a whole request. */
let serve: (socket: Socket) => void;

beforeEach(async () => {
  requests = [];
  serve = (socket) => socket.end(formatAnswer({ status: 0, output: 'fine\n' }));
  server = createServer((socket) => {
    const reader = createRequestReader();
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      const request = reader.push(Buffer.from(chunk));
      if (request === undefined) return;
      requests.push(request);
      serve(socket);
    });
  });
  await mkdir(join(folder, 'spool'), { recursive: true });
  await new Promise<void>((resolve) => server.listen(join(folder, 'cni.sock'), resolve));
});
afterEach(async () => {
  await new Promise<void>((resolve) => server.close(() => resolve()));
  await rm(join(folder, 'spool'), { recursive: true, force: true });
});
const stopServer = () => new Promise<void>((resolve) => server.close(() => resolve()));
const spooled = () => readdir(join(folder, 'spool'));
const codeOf = ({ output }: Outcome): number => (JSON.parse(output) as { code: number }).code;

describe('the program', () => {
  test('is static and well under 1 MB', async () => {
    expect((await stat(shim)).size).toBeLessThan(1_000_000);
    const header = execFileSync('readelf', ['-l', shim], { encoding: 'utf8' });
    expect(header).not.toContain('INTERP');
  });

  test('hands on CNI and trace variables and stdin, and nothing else of its environment', async () => {
    const env = { CNI_COMMAND: 'ADD', CNI_ARGS: 'A=b;C=d', TRACEPARENT: '00-1', SECRET: 'x', PATH: '/bin', CNIX: 'no' };
    expect(await call(env, '{"cniVersion":"1.0.0"}')).toEqual({ exit: 0, output: 'fine\n' });
    expect(requests).toHaveLength(1);
    expect(Object.fromEntries(requests[0]?.env ?? [])).toEqual({
      CNI_COMMAND: 'ADD',
      CNI_ARGS: 'A=b;C=d',
      TRACEPARENT: '00-1',
    });
    expect(requests[0]?.stdin).toBe('{"cniVersion":"1.0.0"}');
  });

  test('prints the answer and exits with its status', async () => {
    serve = (socket) => socket.end(formatAnswer({ status: 1, output: '{"code":7}\n' }));
    expect(await call({ CNI_COMMAND: 'ADD' })).toEqual({ exit: 1, output: '{"code":7}\n' });
  });

  test('takes a large configuration and a large answer', async () => {
    const large = 'ä'.repeat(400_000);
    serve = (socket) => socket.end(formatAnswer({ status: 0, output: large }));
    expect(await call({ CNI_COMMAND: 'ADD' }, large)).toEqual({ exit: 0, output: large });
    expect(requests[0]?.stdin).toBe(large);
  });

  test.each([
    ['no command', {}, '{}', 4],
    ['a configuration over 1 MiB', { CNI_COMMAND: 'ADD' }, Buffer.alloc(1024 * 1024 + 1, 32), 6],
    ['variables over 64 KiB', { CNI_COMMAND: 'ADD', CNI_ARGS: 'a'.repeat(70_000) }, '{}', 6],
  ])('refuses %s without asking the agent', async (_cause, env, stdin, code) => {
    const outcome = await call(env, stdin);
    expect(outcome.exit).toBe(1);
    expect(codeOf(outcome)).toBe(code);
    expect(requests).toEqual([]);
  });

  test.each([
    ['alone', 1024 * 1024 + 1],
    ['together with the variables', 1024 * 1024 - 1],
  ])('a DEL goes by its variables when its configuration is too large %s', async (_cause, size) => {
    const env = { CNI_COMMAND: 'DEL', CNI_CONTAINERID: 'c1', CNI_IFNAME: 'eth0' };
    expect(await call(env, Buffer.alloc(size, 32))).toEqual({ exit: 0, output: 'fine\n' });
    expect(Object.fromEntries(requests[0]?.env ?? [])).toEqual(env);
    expect(requests[0]?.stdin).toBe('');
  });

  test('a refusal that comes before all was read is still printed', async () => {
    await stopServer();
    server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.end(formatAnswer({ status: 1, output: 'refused' })));
    });
    await new Promise<void>((resolve) => server.listen(join(folder, 'cni.sock'), resolve));
    expect(await call({ CNI_COMMAND: 'ADD' }, 'x'.repeat(900_000))).toEqual({ exit: 1, output: 'refused' });
  });
});

describe('without an answer', () => {
  test.each([
    ['ADD', 11],
    ['CHECK', 11],
    ['GC', 11],
    ['STATUS', 50],
  ])('%s fails when the agent dies in the middle', async (command, code) => {
    serve = (socket) => socket.destroy();
    const outcome = await call({ CNI_COMMAND: command });
    expect(outcome.exit).toBe(1);
    expect(codeOf(outcome)).toBe(code);
    expect(await spooled()).toEqual([]);
  });

  test('DEL is spooled whole when the agent dies in the middle', async () => {
    serve = (socket) => socket.destroy();
    const env = { CNI_COMMAND: 'DEL', CNI_CONTAINERID: 'c1', CNI_IFNAME: 'eth0' };
    expect(await call(env, '{"name":"n"}')).toEqual({ exit: 0, output: '' });
    const [name = ''] = await spooled();
    expect(name).toMatch(/\.del$/);
    const request = parseRequest(await readFile(join(folder, 'spool', name)));
    expect(Object.fromEntries(request.env)).toEqual(env);
    expect(request.stdin).toBe('{"name":"n"}');
    expect((await stat(join(folder, 'spool', name))).mode & 0o777).toBe(0o600);
  });

  test('two DELs at a time do not share a file', async () => {
    await stopServer();
    const env = { CNI_COMMAND: 'DEL', CNI_CONTAINERID: 'c1', CNI_IFNAME: 'eth0' };
    await Promise.all(Array.from({ length: 5 }, () => call(env)));
    expect(await spooled()).toHaveLength(5);
    server.listen(join(folder, 'cni.sock'));
  });

  test('a DEL that can neither be delivered nor spooled fails, so that the runtime asks again', async () => {
    await stopServer();
    await rm(join(folder, 'spool'), { recursive: true });
    const outcome = await call({ CNI_COMMAND: 'DEL' });
    expect(outcome.exit).toBe(1);
    expect(codeOf(outcome)).toBe(5);
    server.listen(join(folder, 'cni.sock'));
  });

  test('VERSION is answered all the same', async () => {
    await stopServer();
    const outcome = await call({ CNI_COMMAND: 'VERSION' });
    expect(outcome.exit).toBe(0);
    const versions = ['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'];
    expect(JSON.parse(outcome.output)).toMatchObject({ supportedVersions: versions });
    server.listen(join(folder, 'cni.sock'));
  });

  test('a socket that is not ready yet is waited for', async () => {
    await stopServer();
    const outcome = call({ CNI_COMMAND: 'ADD' });
    await new Promise((resolve) => setTimeout(resolve, 300));
    server.listen(join(folder, 'cni.sock'));
    expect(await outcome).toEqual({ exit: 0, output: 'fine\n' });
  });
});
