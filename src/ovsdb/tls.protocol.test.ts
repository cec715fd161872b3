import { copyFileSync } from 'node:fs';
import net from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Authority, type CertificateFiles, makeAuthority, readMaterial } from '../../test/ovsdb/certificates.ts';
import { columnOf, liveTimes, openClient, type TestClient } from '../../test/ovsdb/client.ts';
import { makeTempDir, startServer, type TestServer, until } from '../../test/ovsdb/server.ts';
import { insertOp, materialFromFiles, type TlsOptions } from './index.ts';

const dir = makeTempDir();
let ours: Authority;
let theirs: Authority;
let server: TestServer & AsyncDisposable;
let remote: string;
let user: CertificateFiles;

/** A port that was free a moment ago: ovsdb-server cannot tell which one it got. */
async function findPort(): Promise<number> {
  const listener = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => listener.once('listening', resolve));
  const address = listener.address();
  await new Promise((resolve) => listener.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

beforeAll(async () => {
  ours = await makeAuthority(dir.path, 'ours');
  theirs = await makeAuthority(dir.path, 'theirs');
  const files = await ours.issue('server');
  user = await ours.issue('user');
  const port = await findPort();
  const args = [`--private-key=${files.key}`, `--certificate=${files.cert}`, `--ca-cert=${files.ca}`];
  server = await startServer({ args: [...args, `--remote=pssl:${port}:127.0.0.1`] });
  remote = `ssl:127.0.0.1:${port}`;
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  dir.remove();
});

/** Why the first connection failed. */
async function failureOf(client: TestClient): Promise<string> {
  const event = await until('a connection failed', () => client.events.find((e) => e.state === 'backoff'));
  expect(client.events.some((e) => e.state === 'live')).toBe(false);
  return event.reason?.message ?? '';
}

describe('over TLS, both sides with certificates that have no subjectAltName', () => {
  it.each<[string, TlsOptions['identity']]>([
    ['any name', 'any'],
    ['the expected common name', { commonName: 'server' }],
  ])('connects to a server of our CA with %s', async (_name, identity) => {
    await using client = openClient([remote], { tls: { material: readMaterial(user), identity } });
    await client.whenLive();
    await client.transactAndSync([insertOp('Note', { text: 'secret' })]);
    expect(columnOf(client, 'Note', 'text')).toContain('secret');
  });

  it('refuses a server with another common name', async () => {
    const identity = { commonName: 'somebody' };
    await using client = openClient([remote], { tls: { material: readMaterial(user), identity } });
    expect(await failureOf(client)).toMatch(/is for server, expected somebody/);
  });

  it('refuses a server without the host name when host names are asked for', async () => {
    await using client = openClient([remote], { tls: { material: readMaterial(user), identity: 'hostname' } });
    expect(await failureOf(client)).toMatch(/does not match|altnames/i);
  });

  it('refuses a server of another CA, whatever the name rule', async () => {
    const material = { ...readMaterial(user), ca: readMaterial({ ...user, ca: theirs.ca }).ca };
    await using client = openClient([remote], { tls: { material, identity: 'any' } });
    expect(await failureOf(client)).toMatch(/certificate/);
  });

  it('is refused by the server when its own certificate is of another CA', async () => {
    const foreign = await theirs.issue('user');
    const material = { ...readMaterial(foreign), ca: readMaterial(user).ca };
    await using client = openClient([remote], { tls: { material, identity: 'any' } });
    expect(await failureOf(client)).not.toBe('');
  });

  it('takes new key material at the next connection', async () => {
    const files = await theirs.issue('rotating');
    const material = materialFromFiles({ ...files, ca: ours.ca });
    await using client = openClient([remote], { tls: { material, identity: 'any' } });
    await failureOf(client);
    copyFileSync(user.cert, files.cert);
    copyFileSync(user.key, files.key);
    await liveTimes(client, 1);
  });

  it('does not start without key material', async () => {
    await using client = openClient([remote]);
    expect(await failureOf(client)).toMatch(/needs TLS options/);
  });
});

describe('over TCP', () => {
  it('connects', async () => {
    const port = await findPort();
    await using plain = await startServer({ args: [`--remote=ptcp:${port}:127.0.0.1`] });
    await using client = openClient([`tcp:127.0.0.1:${port}`]);
    await client.whenLive();
    expect(plain.running).toBe(true);
  });
});
