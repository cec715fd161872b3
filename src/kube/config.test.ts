import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTokenFile, loadEndpoint } from './config.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'mooring-config-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function kubeconfig(user: object, cluster: object = {}): string {
  const path = join(dir, 'config');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server: 'https://198.18.0.1:6443', ...cluster } }],
    users: [{ name: 'u', user }],
    contexts: [
      { name: 'one', context: { cluster: 'c', user: 'u', namespace: 'a' } },
      { name: 'two', context: { cluster: 'c', user: 'u' } },
    ],
    'current-context': 'one',
  };
  writeFileSync(path, JSON.stringify(config));
  return path;
}

const load = (user: object, cluster?: object) =>
  loadEndpoint({ source: { kind: 'kubeconfig', path: kubeconfig(user, cluster) } });

describe('loadEndpoint from a kubeconfig', () => {
  it.each([
    ['a token', { token: 'secret' }, 'Bearer secret'],
    ['a password', { username: 'me', password: 'pw' }, `Basic ${Buffer.from('me:pw').toString('base64')}`],
    ['nothing', {}, undefined],
  ])('authorizes with %s', async (_, user, header) => {
    expect(await (await load(user)).authorization()).toBe(header);
  });

  it('takes certificates from files beside it and from data inside it', async () => {
    writeFileSync(join(dir, 'ca.crt'), 'the CA');
    const data = (text: string) => Buffer.from(text).toString('base64');
    const user = { 'client-certificate-data': data('the certificate'), 'client-key-data': data('the key') };
    const { tls } = await load(user, { 'certificate-authority': 'ca.crt' });
    expect([String(tls.ca), String(tls.cert), String(tls.key)]).toEqual(['the CA', 'the certificate', 'the key']);
  });

  it('reads a token file beside it', async () => {
    writeFileSync(join(dir, 'token'), 'from-file\n');
    expect(await (await load({ tokenFile: 'token' })).authorization()).toBe('Bearer from-file');
  });

  it('runs the login program that it names', async () => {
    const status = {
      apiVersion: 'client.authentication.k8s.io/v1',
      kind: 'ExecCredential',
      status: { token: 'from-program' },
    };
    const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: 'echo', args: [JSON.stringify(status)] };
    expect(await (await load({ exec })).authorization()).toBe('Bearer from-program');
  });

  it('uses another address when told to, and still checks the name of the certificate', async () => {
    const source = { kind: 'kubeconfig', path: kubeconfig({}, { 'tls-server-name': 'kubernetes' }) } as const;
    const endpoint = await loadEndpoint({ source, server: 'https://198.18.0.9:6443' });
    expect([endpoint.server, endpoint.tls.servername]).toEqual(['https://198.18.0.9:6443', 'kubernetes']);
    expect((await loadEndpoint({ source, tlsServerName: 'other' })).tls.servername).toBe('other');
  });

  it('takes the namespace of the context, of another when told to', async () => {
    const path = kubeconfig({});
    expect((await loadEndpoint({ source: { kind: 'kubeconfig', path } })).namespace).toBe('a');
    expect((await loadEndpoint({ source: { kind: 'kubeconfig', path, context: 'two' } })).namespace).toBe('default');
  });

  it('fails for a file or a context that is not there', async () => {
    await expect(loadEndpoint({ source: { kind: 'kubeconfig', path: join(dir, 'none') } })).rejects.toThrow('ENOENT');
    const source = { kind: 'kubeconfig', path: kubeconfig({}), context: 'three' } as const;
    await expect(loadEndpoint({ source })).rejects.toThrow('no current cluster');
  });
});

describe('loadEndpoint in a pod', () => {
  it('takes address, CA, token and namespace of the service account', async () => {
    const account = join(dir, 'var/run/secrets/kubernetes.io/serviceaccount');
    mkdirSync(account, { recursive: true });
    writeFileSync(join(account, 'ca.crt'), 'the CA');
    writeFileSync(join(account, 'token'), 'first');
    writeFileSync(join(account, 'namespace'), 'mooring-system');
    const endpoint = await loadEndpoint({
      source: { kind: 'inCluster', pathPrefix: dir },
      server: 'https://198.18.0.1:6443',
    });
    expect([endpoint.server, endpoint.namespace, String(endpoint.tls.ca)]).toEqual([
      'https://198.18.0.1:6443',
      'mooring-system',
      'the CA',
    ]);
    expect(await endpoint.authorization()).toBe('Bearer first');
    writeFileSync(join(dir, 'next'), 'second');
    renameSync(join(dir, 'next'), join(account, 'token'));
    expect(await endpoint.authorization()).toBe('Bearer second');
  });
});

describe('createTokenFile', () => {
  it('keeps the last token while the file is away, and fails only when there never was one', async () => {
    const path = join(dir, 'token');
    const read = createTokenFile(path);
    await expect(read()).rejects.toThrow('ENOENT');
    writeFileSync(path, 'one');
    expect(await read()).toBe('Bearer one');
    rmSync(path);
    expect(await read()).toBe('Bearer one');
  });
});
