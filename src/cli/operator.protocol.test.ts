import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCast } from '../../test/operator/objects.ts';
import { type Stage, startStage, until } from '../../test/operator/stage.ts';

const PROGRAM = join(import.meta.dirname, 'operator.ts');

let stage: Stage;
let dir: string;
let child: ChildProcess | undefined;
beforeEach(async () => {
  stage = await startStage();
  dir = mkdtempSync(join(tmpdir(), 'operator-test-'));
});
afterEach(async () => {
  child?.kill('SIGKILL');
  child = undefined;
  await stage[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true });
});

/** Runs the program to its end. */
async function run(...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const started = start(...args);
  let out = '';
  let err = '';
  started.stdout?.on('data', (data) => {
    out += String(data);
  });
  started.stderr?.on('data', (data) => {
    err += String(data);
  });
  const [code] = (await once(started, 'close')) as [number | null];
  return { code, out, err };
}

function start(...args: string[]): ChildProcess {
  child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  return child;
}

/** The library takes plain HTTP only with verification off. */
function writeKubeconfig(): string {
  const path = join(dir, 'kubeconfig');
  const config = {
    clusters: [{ name: 'c', cluster: { server: stage.api.endpoint.server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'u', user: { token: 't' } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  };
  writeFileSync(path, JSON.stringify(config));
  return path;
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

const ask = async (port: number, path: string): Promise<string | undefined> => {
  const response = await fetch(`http://127.0.0.1:${port}${path}`).catch(() => undefined);
  return response?.ok ? response.text() : undefined;
};

describe('mooring-operator', () => {
  it('tells its options', async () => {
    const { code, out } = await run('--help');
    expect(code).toBe(0);
    expect(out).toContain('--default-cidr CIDR');
  });

  it.each([
    ['no database', [], '--nb must name at least one remote'],
    ['a CIDR with host bits', ['--default-cidr', '10.16.0.1/16'], 'did you mean 10.16.0.0/16?'],
    ['a join network that is too small', ['--join-cidr', '100.64.0.0/30'], '--join-cidr'],
    ['a join network with two CIDRs of a family', ['--join-cidr', '100.64.0.0/16,100.65.0.0/16'], '--join-cidr'],
    ['an MTU that is none', ['--mtu', 'big'], '--mtu must be a number'],
    ['an MTU that is too small', ['--mtu', '1'], '--mtu must be a number'],
    ['ssl without keys', ['--nb', 'ssl:127.0.0.1:1', '--sb', 'ssl:127.0.0.1:1'], 'ssl remotes need --ovn-ca'],
    ['an unknown option', ['--nonsense'], '--nonsense'],
  ])('refuses to start with %s', async (_cause, args, message) => {
    const { code, err } = await run(...args);
    expect(code).toBe(1);
    expect(err).toContain(message);
  });

  it('leads, says that it is ready, measures, and stops in good order', async () => {
    const cast = createCast(stage.api);
    cast.pod('p1');
    const port = await findFreePort();
    const program = start(
      ...['--kubeconfig', writeKubeconfig(), '--nb', stage.nb.server.remote, '--sb', stage.sb.remote],
      ...['--cluster-id', 'test', '--metrics-port', String(port), '--lease-namespace', 'mooring'],
    );
    const closed = once(program, 'close');
    await until('ready', () => ask(port, '/readyz'));
    await until('the port', async () => (await stage.listLsps()).get('pod/a/p1/eth0'));
    // One that comes while it leads: what was there before has no event to measure from.
    cast.pod('p2');
    const metric = 'mooring_operator_event_to_commit_ms_bucket';
    await until('metrics', async () => ((await ask(port, '/metrics'))?.includes(metric) === true ? true : undefined));
    program.kill('SIGTERM');
    expect(await closed).toEqual([0, null]);
    const lease = stage.api.storage.list('coordination.k8s.io/v1/leases')[0];
    expect(lease?.spec).toMatchObject({ holderIdentity: '' });
  });
});
