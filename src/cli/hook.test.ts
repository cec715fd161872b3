import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { request } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FakeApiServer, startFakeApiServer } from '../kube/testing/fake-api-server.ts';
import { parseSecret, type Secret } from '../launcher-hook/server/certificates/secret.ts';
import { callHook, formatQuestion } from '../launcher-hook/server/testing.ts';

const NAMESPACE = 'mooring-system';
const LONG_MS = 60_000;
const PROGRAM = join(import.meta.dirname, 'hook.ts');

let server: FakeApiServer;
let dir: string;
let children: ChildProcess[];
beforeEach(async () => {
  server = await startFakeApiServer();
  dir = mkdtempSync(join(tmpdir(), 'mooring-hook-'));
  children = [];
});
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  await server.stop();
  rmSync(dir, { recursive: true });
});

function run(...args: string[]) {
  const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  const parts: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part: Buffer) => parts.push(part));
  const ended = once(child, 'close').then(([code]) => ({
    code: code as number,
    text: Buffer.concat(parts).toString(),
  }));
  return { child, ended };
}

function writeKubeconfig(): string {
  const path = join(dir, 'kubeconfig');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server: server.endpoint.server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'u', user: { token: 't' } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u', namespace: NAMESPACE } }],
    'current-context': 'x',
  };
  writeFileSync(path, JSON.stringify(config));
  return path;
}

async function findPort(): Promise<number> {
  const socket = createServer().listen(0);
  await once(socket, 'listening');
  const address = socket.address();
  socket.close();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Asks until the answer has that status; throws when the program ends before. */
async function whenStatus(child: ChildProcess, url: string, status: number): Promise<void> {
  const ask = async () => {
    if (child.exitCode !== null) throw new Error('the program has ended');
    const { statusCode, body } = await request(url);
    await body.dump();
    return statusCode;
  };
  for (let seen = 0; seen !== status; ) {
    seen = await ask().catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ECONNREFUSED') throw error;
      return 0;
    });
    await setTimeout(20);
  }
}

describe('mooring-hook serve', { timeout: 2 * LONG_MS }, () => {
  it('answers with its judges once it has a certificate, and ends in order', async () => {
    const [port, metrics] = [await findPort(), await findPort()];
    const flags = [
      `--port=${port}`,
      `--metrics-port=${metrics}`,
      '--linger-seconds=0',
      '--binding=bridge',
      '--policies=mooring-node,mooring-agent',
    ];
    const { child, ended } = run('serve', `--kubeconfig=${writeKubeconfig()}`, ...flags);
    await whenStatus(child, `http://127.0.0.1:${metrics}/healthz`, 200);
    await whenStatus(child, `http://127.0.0.1:${metrics}/readyz`, 503);
    const metadata = { name: 'mooring-hook-certificates', namespace: NAMESPACE };
    server.storage.create('v1/secrets', { apiVersion: 'v1', kind: 'Secret', metadata });
    await whenStatus(child, `http://127.0.0.1:${metrics}/readyz`, 200);

    const stored = server.storage.get('v1/secrets', `${NAMESPACE}/mooring-hook-certificates`) as unknown as Secret;
    const ca = parseSecret(stored).authorities[0]?.cert ?? '';
    const object = {
      metadata: { name: 'web', namespace: 'team' },
      spec: {
        template: {
          spec: {
            domain: { devices: { interfaces: [{ name: 'default' }] } },
            networks: [{ name: 'default', pod: {} }],
          },
        },
      },
    };
    const call = { port, ca, servername: `mooring-hook.${NAMESPACE}.svc`, body: formatQuestion({ object }) };
    const { status, text } = await callHook(call);
    expect(status).toBe(200);
    const { patch } = (JSON.parse(text) as { response: { patch: string } }).response;
    expect(Buffer.from(patch, 'base64').toString()).toContain('bridge');
    const told = await (await request(`http://127.0.0.1:${metrics}/metrics`)).body.text();
    expect(told).toMatch(/^mooring_hook_admission_verdicts\{.*verdict="changed".*\} 1$/m);
    expect(told).toContain('mooring_hook_admission_ms_bucket');

    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ code: 0, text: expect.stringContaining('"stopped"') });
  });

  it.each([
    ['a port that is none', ['serve', '--port=99999'], '--port'],
    ['a binding that is none', ['serve', '--binding=macvtap'], '--binding'],
    ['a pull policy that is none', ['serve', '--sidecar-pull-policy=Sometimes'], '--sidecar-pull-policy'],
    ['a flag that is none', ['serve', '--nb=x'], '--nb'],
    ['a command that is none', ['watch'], 'Usage'],
    ['no command', [], 'Usage'],
  ])('ends with 1 for %s, and says so', async (_cause, args, words) => {
    const { ended } = run(...args);
    expect(await ended).toMatchObject({ code: 1, text: expect.stringContaining(words) });
  });

  it.each([
    [['--help'], 'COMMAND'],
    [['serve', '--help'], '--metrics-port'],
  ])('%j helps', async (args, words) => {
    const { ended } = run(...args);
    expect(await ended).toMatchObject({ code: 0, text: expect.stringContaining(words) });
  });
});
