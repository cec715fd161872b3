import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type KubeObject, noMetrics, systemClock } from '../../kube/index.ts';
import { eventually } from '../../kube/testing/eventually.ts';
import { createHarness, type Harness } from '../../kube/testing/harness.ts';
import { createRecordingLogger } from '../../kube/testing/recording-logger.ts';
import { ALLOWED, type Verdict } from '../admission.ts';
import type { Records } from '../records.ts';
import { type Configuration, parseBundle, parseSecret, type Secret } from './certificates/secret.ts';
import { CERTIFICATES_NAME, CONFIGURATION_NAME, createHook, type Hook, type HookOptions } from './hook.ts';
import { callHook } from './testing.ts';

const NAMESPACE = 'mooring-system';
const NAME = `mooring-hook.${NAMESPACE}.svc`;
const SECRETS = 'v1/secrets';
const SECRET_KEY = `${NAMESPACE}/${CERTIFICATES_NAME}`;
const KINDS = ['MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration'];
const formatCollection = (kind: string) => `admissionregistration.k8s.io/v1/${kind.toLowerCase()}s`;
const HOUR = 3_600_000;
const LONG_MS = 60_000;
const POLICY = { names: [NAME], authorityMs: 1000 * HOUR, servingMs: 1000 * HOUR, settleMs: HOUR, backdateMs: HOUR };

type Replica = {
  readonly hook: Hook;
  readonly running: Promise<void>;
  readonly log: ReturnType<typeof createRecordingLogger>;
  port(): number;
};

let harness: Harness;
/** From the wall clock of the tests to that of TLS, which nobody can turn. */
let offset: number;
let replicas: { replica: Replica; stop: () => Promise<void> }[];

beforeEach(async () => {
  harness = await createHarness();
  offset = 0;
  replicas = [];
  const { storage } = harness.server;
  for (const kind of KINDS) {
    const webhooks = [{ name: 'a.hook.mooring.dev', clientConfig: {} }];
    const apiVersion = 'admissionregistration.k8s.io/v1';
    storage.create(formatCollection(kind), {
      apiVersion,
      kind,
      metadata: { name: CONFIGURATION_NAME },
      webhooks,
    } as KubeObject);
  }
});
afterEach(async () => {
  await Promise.all(replicas.map(({ stop }) => stop()));
  await harness[Symbol.asyncDispose]();
});

const makeSecret = (more: object = {}) =>
  harness.server.storage.create(SECRETS, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: CERTIFICATES_NAME, namespace: NAMESPACE },
    ...more,
  });

function start(more: Partial<HookOptions> = {}): Replica {
  const log = createRecordingLogger();
  const hook = createHook({
    ...{
      transport: harness.transport,
      log,
      metrics: noMetrics,
      namespace: NAMESPACE,
      port: 0,
      lingerMs: 0,
      randomBytes,
    },
    clock: { ...systemClock, date: () => new Date(Date.now() + offset) },
    random: () => 0,
    createJudges: () => ({ mutate: [], validate: [] }),
    certificates: POLICY,
    ...more,
  });
  const stop = new AbortController();
  const running = hook.run(stop.signal);
  const replica = {
    hook,
    running,
    log,
    port: () => Number(log.lines.find(({ message }) => message === 'answers')?.fields.port),
  };
  replicas.push({
    replica,
    stop: async () => {
      stop.abort(new Error('the test ends'));
      await running;
    },
  });
  return replica;
}

const whenReady = ({ hook }: Replica) =>
  eventually('the hook is ready', () => hook.findObstacle() === undefined, LONG_MS);
const readSecret = () => parseSecret(harness.server.storage.get(SECRETS, SECRET_KEY) as unknown as Secret);
const readConfiguration = (kind: string) =>
  harness.server.storage.get(formatCollection(kind), CONFIGURATION_NAME) as unknown as Configuration;
const listTrusted = () => KINDS.map((kind) => parseBundle(readConfiguration(kind)).authorities);
const readBundle = () =>
  Buffer.from(readConfiguration(KINDS[0] ?? '').webhooks?.[0]?.clientConfig?.caBundle ?? '', 'base64').toString();
const call = ({ port }: Replica, ca = readBundle(), path = '/mutate') =>
  callHook({ port: port(), ca, servername: NAME, path });
/** Both configurations trust exactly these, and it is written down. */
const whenTrusted = (count: number) =>
  eventually(
    `${count} authorities are trusted`,
    () => {
      const { authorities } = readSecret();
      const wanted = authorities.map(({ fingerprint }) => fingerprint).join();
      const isNoted = authorities.length === count && authorities.every(({ trustedAt }) => trustedAt !== undefined);
      return isNoted && listTrusted().every((trusted) => trusted.join() === wanted);
    },
    LONG_MS,
  );

const judgeNad = (findNad: Records['findNad']): Verdict =>
  findNad('team', 'net') === undefined ? { ...ALLOWED, allowed: false, message: 'no such NAD' } : ALLOWED;

/** Turns the clock and has everybody look, as the timers would at that time. */
function turnTo(hours: number): void {
  offset = hours * HOUR;
  const patch = { metadata: { annotations: { turned: String(hours) } } };
  harness.server.storage.patch(SECRETS, SECRET_KEY, { patch });
}

/** Calls both replicas as an API server does, on new connections, trusting what the configuration says right now. */
function startCalls(targets: readonly Replica[]) {
  const failures: unknown[] = [];
  let [count, stopped] = [0, false];
  const follow = async () => {
    while (!stopped) {
      for (const target of targets) {
        const answer = await call(target).catch((error: unknown) => failures.push(error));
        if (typeof answer === 'object' && answer.status !== 200) failures.push(answer);
        count += 1;
      }
    }
  };
  const running = follow();
  return {
    failures,
    whenMore: async () => {
      const least = count + 6;
      await eventually('more calls', () => count >= least, LONG_MS);
    },
    stop: async () => {
      stopped = true;
      await running;
    },
  };
}

describe('two replicas', () => {
  it('share one authority and one certificate, though both begin at once', async () => {
    makeSecret();
    const both = [start(), start()];
    await Promise.all(both.map(whenReady));
    await whenTrusted(1);
    const { serving } = readSecret();
    for (const replica of both) expect((await call(replica)).status).toBe(200);
    expect(readSecret().serving).toEqual(serving);
  });

  it('change authority and certificate without one missed call', { timeout: 4 * LONG_MS }, async () => {
    offset = -670 * HOUR;
    makeSecret();
    const both = [start(), start()];
    await Promise.all(both.map(whenReady));
    await whenTrusted(1);
    const old = readSecret().authorities[0]?.fingerprint;
    const calls = startCalls(both);
    await calls.whenMore();

    turnTo(-3);
    await whenTrusted(2);
    await calls.whenMore();
    expect(readSecret().serving?.issuer).toBe(old);

    turnTo(-2);
    const next = readSecret().authorities[1];
    await eventually(
      'a certificate of the next authority',
      () => readSecret().serving?.issuer === next?.fingerprint,
      LONG_MS,
    );
    const showsNext = ({ log }: Replica) =>
      log.lines.filter(({ message }) => message === 'shows a serving certificate').length >= 3;
    await eventually('both show it', () => both.every(showsNext), LONG_MS);
    await calls.whenMore();
    expect(readSecret().authorities).toHaveLength(2);

    turnTo(-0.9);
    await whenTrusted(1);
    expect(readSecret().authorities[0]?.fingerprint).toBe(next?.fingerprint);
    await calls.whenMore();
    await calls.stop();
    expect(calls.failures).toEqual([]);
  });
});

describe('a replica', () => {
  it('is not ready before its caches, then not before a certificate, and not when it ends', async () => {
    let isOpen = false;
    harness.server.fault = ({ collection }) =>
      collection.endsWith('/subnets') && !isOpen ? { status: 503, message: 'not yet' } : undefined;
    const replica = start();
    expect(replica.hook.findObstacle()).toContain('caches');
    isOpen = true;
    await eventually('the caches', () => replica.hook.findObstacle()?.includes(CERTIFICATES_NAME), LONG_MS);
    makeSecret();
    await whenReady(replica);
    await replicas.pop()?.stop();
    expect(replica.hook.findObstacle()).toContain('ending');
  });

  it('that may not read a kind yet is not ready, says which, and refuses nobody meanwhile', async () => {
    let denied = true;
    harness.server.fault = ({ collection }) =>
      denied && collection.endsWith('/network-attachment-definitions')
        ? { status: 403, message: 'no role' }
        : undefined;
    makeSecret();
    const counts: unknown[] = [];
    const replica = start({
      clock: { ...systemClock, schedule: (ms, run) => systemClock.schedule(ms / 20, run) },
      metrics: { ...noMetrics, count: (...all) => counts.push(all) },
      createJudges: ({ findNad }) => ({ mutate: [], validate: [{ name: 'strict', judge: () => judgeNad(findNad) }] }),
    });
    const expected = 'the caches are not complete: no NetworkAttachmentDefinition; the log says why';
    await eventually('all but it', () => replica.hook.findObstacle() === expected, LONG_MS);
    await whenTrusted(1);
    const port = Number(replica.log.lines.find(({ message }) => message === 'listens')?.fields.port);
    const answer = await callHook({ port, ca: readBundle(), servername: NAME, path: '/validate' });
    const warnings = [expect.stringContaining('cannot see any NetworkAttachmentDefinition')];
    expect(JSON.parse(answer.text)).toMatchObject({ response: { allowed: true, warnings } });
    expect(counts).toContainEqual(['admission_unseen', { judge: 'strict', unknown: 'NetworkAttachmentDefinition' }]);
    expect(counts).not.toContainEqual(['admission_judge_failures', expect.anything()]);
    denied = false;
    await whenReady(replica);
    expect((await call(replica, readBundle(), '/validate')).text).toContain('no such NAD');
  });

  it('makes anew what it cannot read in the Secret', async () => {
    const data = { 'authorities.json': 'eA==', 'tls.crt': 'eA==', 'tls.key': 'eA==', other: 'eA==' };
    makeSecret({ data });
    const replica = start();
    await whenReady(replica);
    await whenTrusted(1);
    expect((await call(replica)).status).toBe(200);
    expect((harness.server.storage.get(SECRETS, SECRET_KEY) as unknown as Secret).data).toMatchObject({
      other: 'eA==',
    });
  });

  it('whose certificate is over, and who cannot renew it, is not ready and says so until it can', async () => {
    makeSecret();
    const replica = start();
    await whenReady(replica);
    await whenTrusted(1);
    harness.server.fault = ({ verb, collection }) =>
      verb === 'update' && collection === SECRETS ? { status: 500, message: 'sorry' } : undefined;
    turnTo(2000);
    expect(replica.hook.findObstacle()).toContain('has expired');
    await eventually('a step that fails', () =>
      replica.log.lines.some(({ message }) => message === 'a step of the certificates failed'),
    );
    expect(replica.hook.findObstacle()).toContain('has expired');
    harness.server.fault = undefined;
    turnTo(2001);
    await whenReady(replica);
    await whenTrusted(1);
    expect(readSecret().serving?.notAfter).toBeGreaterThan(Date.now() + offset);
  });

  it('gives back what an upgrade took out of a configuration', async () => {
    makeSecret();
    await whenReady(start());
    await whenTrusted(1);
    const [kind = ''] = KINDS;
    const patch = { webhooks: [{ name: 'a.hook.mooring.dev', clientConfig: {} }] };
    harness.server.storage.patch(formatCollection(kind), CONFIGURATION_NAME, { patch });
    expect(listTrusted()[0]).toEqual([]);
    await whenTrusted(1);
  });

  it('goes on when the API server refuses a write', async () => {
    makeSecret();
    let refused = 0;
    harness.server.fault = ({ verb, collection }) => {
      if (verb !== 'update' || collection !== SECRETS || refused > 0) return undefined;
      refused += 1;
      return { status: 500, message: 'sorry' };
    };
    const replica = start();
    await whenReady(replica);
    expect(replica.log.lines).toContainEqual(
      expect.objectContaining({ level: 'warn', fields: expect.objectContaining({ delayMs: expect.any(Number) }) }),
    );
  });

  it('asks its judges, and lets through what one of them fails at, naming the object', async () => {
    makeSecret();
    const counts: unknown[] = [];
    const replica = start({
      metrics: { ...noMetrics, count: (...all) => counts.push(all) },
      createJudges: () => ({
        mutate: [
          {
            name: 'broken',
            judge: () => {
              throw new Error('out of order');
            },
          },
        ],
        validate: [{ name: 'strict', judge: () => ({ ...ALLOWED, allowed: false, message: 'never' }) }],
      }),
    });
    await whenReady(replica);
    await whenTrusted(1);
    expect((await call(replica)).text).toContain('broken');
    expect((await call(replica, readBundle(), '/validate')).text).toContain('never');
    const fields = expect.objectContaining({ judge: 'broken', namespace: 'team', name: 'web' });
    expect(replica.log.lines).toContainEqual(expect.objectContaining({ level: 'error', fields }));
    expect(counts).toContainEqual(['admission_judge_failures', { judge: 'broken' }]);
  });

  it('ends at once when its port is taken', async () => {
    const taken = createServer();
    const port = await new Promise<number>((resolve) =>
      taken.listen(0, () => {
        const address = taken.address();
        resolve(typeof address === 'object' && address !== null ? address.port : 0);
      }),
    );
    const { running } = start({ port });
    replicas.pop();
    await expect(running).rejects.toThrow('EADDRINUSE');
    taken.close();
  });
});
