import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Agent, request } from 'undici';
import type { ApiEndpoint } from '../../src/kube/index.ts';
import { findBinaryDirs, formatLinkerFlags, KUBERNETES_VERSION } from '../lab/binaries.ts';
import { runCommand } from '../lab/command.ts';
import { findCacheDir } from '../lab/state.ts';

/** A real kube-apiserver with a real etcd on loopback ports of their own; no other part of Kubernetes. */
export type TestControlPlane = {
  endpoint: ApiEndpoint;
  /** A kubeconfig file for it, for processes of their own. */
  kubeconfig: string;
  /** The same for another user, one of those that were asked for. Throws for any other. */
  kubeconfigOf(user: string): string;
  dir: string;
  /** Makes etcd forget all history up to now. */
  compact(): Promise<void>;
  /** Ends the API server as a crash would (SIGKILL). */
  killApiServer(): Promise<void>;
  /** Starts it again on the same port and waits until it is ready. */
  startApiServer(): Promise<void>;
  /** Ends both and deletes their directory. */
  stop(): Promise<void>;
};

export type ControlPlaneOptions = {
  /** Administrators besides the tester, so that the audit log can tell who wrote. */
  readonly users?: readonly string[];
  /** More arguments for the API server; `dir` is where their files may be. */
  readonly formatArguments?: (dir: string) => string[];
};

const READY_MS = 60_000;
const TESTER = 'tester';

/** Starts both and waits until the API server is ready (about four seconds). Builds the API server when it is missing. */
export async function startControlPlane(
  env: NodeJS.ProcessEnv,
  options: ControlPlaneOptions = {},
): Promise<TestControlPlane> {
  const binary = await ensureApiServer(env);
  const dir = mkdtempSync(join(tmpdir(), 'mooring-kube-'));
  const [clients, peers, secure] = await findFreePorts(3);
  const etcdUrl = `http://127.0.0.1:${clients}`;
  const tokens = new Map([TESTER, ...(options.users ?? [])].map((user) => [user, randomUUID()]));
  const token = tokens.get(TESTER) ?? '';
  writeKeys(dir, tokens);
  const more = options.formatArguments?.(dir) ?? [];
  const etcd = startProgram(dir, 'etcd', [
    '/usr/bin/etcd',
    ...formatEtcdArguments(dir, etcdUrl, `http://127.0.0.1:${peers}`),
  ]);
  const startServer = async () => {
    const child = startProgram(dir, 'apiserver', [binary, ...formatServerArguments(dir, etcdUrl, secure), ...more]);
    await untilReady(dir, child, secure);
    return child;
  };
  let server = await startServer();
  const ca = readFileSync(join(dir, 'certs', 'apiserver.crt'), 'utf8');
  const url = `https://127.0.0.1:${secure}`;
  return {
    dir,
    endpoint: { server: url, tls: { ca }, authorization: async () => `Bearer ${token}`, namespace: 'default' },
    kubeconfig: writeKubeconfig(dir, url, [TESTER, token]),
    kubeconfigOf: (user) => {
      const found = tokens.get(user);
      if (found === undefined) throw new TypeError(`no user ${user}`);
      return writeKubeconfig(dir, url, [user, found]);
    },
    compact: () => compact(etcdUrl),
    killApiServer: () => endProgram(server),
    startApiServer: async () => {
      server = await startServer();
    },
    stop: async () => {
      await endProgram(server);
      await endProgram(etcd);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** The API server's program out of the cache of the lab; built there when it is missing (about two minutes). */
async function ensureApiServer(env: NodeJS.ProcessEnv): Promise<string> {
  const binary = join(findBinaryDirs(findCacheDir(env)).kubernetes, 'kube-apiserver');
  if (existsSync(binary)) return binary;
  mkdirSync(dirname(binary), { recursive: true });
  const output = `${binary}.new-${process.pid}`;
  const flags = ['-trimpath', '-ldflags', formatLinkerFlags(KUBERNETES_VERSION)];
  const cwd = join(import.meta.dirname, '../lab/kubernetes');
  await runCommand(['go', 'build', ...flags, '-o', output, 'k8s.io/kubernetes/cmd/kube-apiserver'], { cwd });
  renameSync(output, binary);
  return binary;
}

async function findFreePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  });
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

function writeKeys(dir: string, tokens: ReadonlyMap<string, string>): void {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  writeFileSync(join(dir, 'sa.key'), privateKey.export({ type: 'pkcs1', format: 'pem' }), { mode: 0o600 });
  writeFileSync(join(dir, 'sa.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
  const lines = [...tokens].map(([user, token]) => `${token},${user},${user},system:masters\n`);
  writeFileSync(join(dir, 'tokens.csv'), lines.join(''), { mode: 0o600 });
}

function writeKubeconfig(dir: string, server: string, [user, token]: readonly [string, string]): string {
  const path = join(dir, user === TESTER ? 'kubeconfig' : `kubeconfig-${user}`);
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server, 'certificate-authority': 'certs/apiserver.crt' } }],
    users: [{ name: user, user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user, namespace: 'default' } }],
    'current-context': 'test',
  };
  writeFileSync(path, JSON.stringify(config), { mode: 0o600 });
  return path;
}

function formatEtcdArguments(dir: string, clients: string, peers: string): string[] {
  const urls = ['--listen-client-urls', clients, '--advertise-client-urls', clients, '--listen-peer-urls', peers];
  const cluster = ['--initial-advertise-peer-urls', peers, '--initial-cluster', `default=${peers}`];
  return ['--data-dir', join(dir, 'etcd'), '--unsafe-no-fsync', ...urls, ...cluster];
}

function formatServerArguments(dir: string, etcdUrl: string, port: number | undefined): string[] {
  return [
    `--etcd-servers=${etcdUrl}`,
    // Compaction happens when a test asks for it and never besides.
    '--etcd-compaction-interval=0',
    `--secure-port=${port}`,
    '--bind-address=127.0.0.1',
    '--endpoint-reconciler-type=none',
    `--cert-dir=${join(dir, 'certs')}`,
    `--token-auth-file=${join(dir, 'tokens.csv')}`,
    '--authorization-mode=RBAC',
    `--service-account-key-file=${join(dir, 'sa.pub')}`,
    `--service-account-signing-key-file=${join(dir, 'sa.key')}`,
    '--service-account-issuer=https://kubernetes.default.svc',
    '--service-cluster-ip-range=10.96.0.0/16',
    '--disable-admission-plugins=ServiceAccount',
  ];
}

/** Starts a program that dies with this process, however this process ends. Its output goes to a file. */
function startProgram(dir: string, name: string, argv: readonly string[]): ChildProcess {
  const log = openSync(join(dir, `${name}.log`), 'a');
  return spawn('setpriv', ['--pdeathsig', 'KILL', ...argv], { stdio: ['ignore', log, log], cwd: dir });
}

async function endProgram(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

async function untilReady(dir: string, child: ChildProcess, port: number | undefined): Promise<void> {
  const end = performance.now() + READY_MS;
  while (performance.now() < end && child.exitCode === null) {
    if (await isReady(dir, port)) return;
    await delay(50);
  }
  const log = readFileSync(join(dir, 'apiserver.log'), 'utf8').slice(-3000);
  throw new Error(`the API server did not become ready:\n${log}`);
}

async function isReady(dir: string, port: number | undefined): Promise<boolean> {
  const [line = ''] = readFileSync(join(dir, 'tokens.csv'), 'utf8').split(',');
  try {
    const ca = readFileSync(join(dir, 'certs', 'apiserver.crt'), 'utf8');
    const agent = new Agent({ connect: { ca } });
    const headers = { authorization: `Bearer ${line}` };
    const answer = await request(`https://127.0.0.1:${port}/readyz`, { dispatcher: agent, headers });
    await answer.body.dump();
    await agent.destroy();
    return answer.statusCode === 200;
  } catch {
    return false;
  }
}

/** Through etcd's JSON gateway; the revision comes with every answer. */
async function compact(etcdUrl: string): Promise<void> {
  const post = async (path: string, body: object) => {
    const answer = await request(`${etcdUrl}/v3/kv/${path}`, { method: 'POST', body: JSON.stringify(body) });
    return (await answer.body.json()) as { header?: { revision?: string }; error?: string };
  };
  const { header } = await post('range', { key: Buffer.from('/').toString('base64') });
  const result = await post('compaction', { revision: header?.revision, physical: true });
  if (result.error !== undefined) throw new Error(`etcd did not compact: ${result.error}`);
}
