import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startControlPlane, type TestControlPlane } from '../../test/kube/apiserver.ts';
import { ensureObject } from './apply.ts';
import { systemClock } from './clock.ts';
import { loadEndpoint } from './config.ts';
import { ApiError, isConflict } from './errors.ts';
import { EVENT, type EventObject } from './event-body.ts';
import { createEventRecorder } from './events.ts';
import { ensureFinalizer, removeFinalizer } from './finalizers.ts';
import { createElector, type ElectorOptions } from './lease.ts';
import { LEASE, type Lease } from './lease-record.ts';
import { listEverything } from './list.ts';
import { createReflector, type ReflectorOptions } from './reflector.ts';
import { createResource, type Resource, type ResourceKind } from './resource.ts';
import { eventually } from './testing/eventually.ts';
import { createRecordingLogger } from './testing/recording-logger.ts';
import { createTransport, type Transport } from './transport.ts';
import { type KubeObject, noLogger, type ObjectMeta } from './types.ts';

type ConfigMap = KubeObject & { metadata: ObjectMeta; data?: Record<string, string | null> };
const MAPS: ResourceKind = { group: '', version: 'v1', plural: 'configmaps', namespaced: true, kind: 'ConfigMap' };
const PODS: ResourceKind = { group: '', version: 'v1', plural: 'pods', namespaced: true, kind: 'Pod' };
const NAMESPACES: ResourceKind = {
  group: '',
  version: 'v1',
  plural: 'namespaces',
  namespaced: false,
  kind: 'Namespace',
};

let plane: TestControlPlane;
let transport: Transport;
let maps: Resource<ConfigMap>;

beforeAll(async () => {
  plane = await startControlPlane(process.env);
  transport = createTransport({ endpoint: plane.endpoint, clock: systemClock });
  maps = createResource<ConfigMap>(transport, MAPS);
}, 300_000);

afterAll(async () => {
  await transport?.close();
  await plane?.stop();
});

async function inNamespace(name: string): Promise<string> {
  await createResource<KubeObject>(transport, NAMESPACES).create({ metadata: { name } });
  return name;
}

const mapOf = (namespace: string, name: string, data: Record<string, string> = {}): ConfigMap => ({
  metadata: { name, namespace },
  data,
});

function reflect(namespace: string, options: Partial<ReflectorOptions<ConfigMap>> = {}) {
  const log = createRecordingLogger();
  const base = { transport, kind: MAPS, namespace, clock: systemClock, random: Math.random, log };
  const reflector = createReflector<ConfigMap>({ ...base, backoff: { baseMs: 50, maxMs: 500 }, ...options });
  reflector.start();
  return { reflector, log, [Symbol.asyncDispose]: () => reflector.stop() };
}

describe('a real API server: objects', () => {
  it('is reached with the kubeconfig, checked against its CA', async () => {
    const endpoint = await loadEndpoint({ source: { kind: 'kubeconfig', path: plane.kubeconfig } });
    const own = createTransport({ endpoint, clock: systemClock });
    expect(await own.request({ path: '/version' })).toMatchObject({ gitVersion: 'v1.35.4' });
    await own.close();
    const stranger = createTransport({ endpoint: { ...endpoint, tls: {} }, clock: systemClock });
    await expect(stranger.request({ path: '/version' })).rejects.toMatchObject({ reason: 'Network', class: 'retry' });
    await stranger.close();
  });

  it('creates, reads, patches, replaces and deletes with typed errors', async () => {
    const namespace = await inNamespace('objects');
    const created = await maps.create(mapOf(namespace, 'm', { a: '1' }));
    await expect(maps.create(mapOf(namespace, 'm'))).rejects.toMatchObject({
      class: 'conflict',
      reason: 'AlreadyExists',
    });
    await maps.patch({ namespace, name: 'm' }, { data: { a: null, b: '2' } });
    await expect(maps.update({ ...created, data: {} })).rejects.toMatchObject({
      class: 'conflict',
      reason: 'Conflict',
    });
    expect((await maps.get({ namespace, name: 'm' })).data).toEqual({ b: '2' });
    await expect(maps.patch({ namespace, name: 'm' }, { data: [] })).rejects.toMatchObject({ class: 'terminal' });
    await expect(maps.delete({ namespace, name: 'm' }, { uid: 'other' })).rejects.toMatchObject({ class: 'conflict' });
    await maps.delete({ namespace, name: 'm' }, { uid: created.metadata.uid });
    await maps.delete({ namespace, name: 'm' });
    expect(await maps.find({ namespace, name: 'm' })).toBeUndefined();
    await expect(maps.get({ namespace, name: 'm' })).rejects.toMatchObject({ class: 'notFound', status: 404 });
  });

  it('server-side apply: two managers share an object, a shared field is a conflict, force takes it', async () => {
    const namespace = await inNamespace('apply');
    await maps.apply(mapOf(namespace, 'm', { ours: '1' }), { fieldManager: 'one' });
    await maps.apply(mapOf(namespace, 'm', { theirs: '1' }), { fieldManager: 'two' });
    expect((await maps.get({ namespace, name: 'm' })).data).toEqual({ ours: '1', theirs: '1' });
    const wanted = mapOf(namespace, 'm', { ours: '2', theirs: '1' });
    const refused: ApiError = await maps.apply(wanted, { fieldManager: 'two' }).then(
      () => expect.fail('no conflict'),
      (error: ApiError) => error,
    );
    expect([isConflict(refused), refused.message.includes('conflict with "one"')]).toEqual([true, true]);
    await maps.apply(wanted, { fieldManager: 'two', force: true });
    await maps.apply(mapOf(namespace, 'm', {}), { fieldManager: 'one' });
    expect((await maps.get({ namespace, name: 'm' })).data).toEqual({ ours: '2', theirs: '1' });
  });

  it('writes a status apart from the rest, by patch and by apply', async () => {
    const namespace = await inNamespace('status');
    const pods = createResource<KubeObject & { status?: { message?: string; phase?: string } }>(transport, PODS);
    const spec = { containers: [{ name: 'c', image: 'none' }] };
    await pods.create({ metadata: { name: 'p', namespace }, spec } as KubeObject);
    const patched = await pods.patchStatus({ namespace, name: 'p' }, { status: { message: 'by patch' } });
    expect(patched.status?.message).toBe('by patch');
    const applied = { metadata: { name: 'p', namespace }, status: { message: 'by apply' } };
    const result = await pods.applyStatus(applied, { fieldManager: 'one', force: true });
    expect(result.status?.message).toBe('by apply');
  });

  it('ensureObject creates, changes and then leaves alone what it finds', async () => {
    const namespace = await inNamespace('ensure');
    const wanted = mapOf(namespace, 'm', { a: '1' });
    const first = await ensureObject(maps, wanted);
    const again = await ensureObject(maps, wanted);
    expect([first.result, again.result]).toEqual(['created', 'unchanged']);
    expect(again.object.metadata.resourceVersion).toBe(first.object.metadata.resourceVersion);
    await maps.patch({ namespace, name: 'm' }, { data: { foreign: 'x' } });
    const changed = await ensureObject(maps, mapOf(namespace, 'm', { a: '2' }), { known: first.object });
    expect([changed.result, changed.object.data]).toEqual(['updated', { a: '2', foreign: 'x' }]);
  });

  it('keeps an object until its finalizer is removed', async () => {
    const namespace = await inNamespace('finalizers');
    const target = { namespace, name: 'm' };
    await maps.create(mapOf(namespace, 'm'));
    const held = await ensureFinalizer(maps, target, 'mooring.dev/test');
    await maps.delete(target);
    expect((await maps.get(target)).metadata.deletionTimestamp).toBeDefined();
    expect(await removeFinalizer(maps, { ...target, uid: 'a namesake' }, 'mooring.dev/test')).toBeUndefined();
    expect(await maps.find(target)).toBeDefined();
    await removeFinalizer(maps, { ...target, uid: held?.metadata.uid }, 'mooring.dev/test');
    expect(await maps.find(target)).toBeUndefined();
  });

  it('accepts our events, for objects in a namespace and for cluster objects, and counts repetitions', async () => {
    const namespace = await inNamespace('events');
    const about = await maps.create(mapOf(namespace, 'm'));
    const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1', uid: 'u' } };
    const log = createRecordingLogger();
    const base = { transport, component: 'mooring.dev/test', instance: 'me', clock: systemClock, random: Math.random };
    const recorder = createEventRecorder({ ...base, log, quietMs: 50 });
    const note = { type: 'Warning', reason: 'SubnetFull', action: 'Allocate', note: 'é'.repeat(2000) } as const;
    const events = createResource<EventObject & { reason?: string; regarding?: { name?: string } }>(transport, EVENT);
    recorder.record(about, note);
    const one = await untilAsync(async () => (await events.list({ namespace })).items[0]);
    expect(one).toMatchObject({ reason: 'SubnetFull', regarding: { name: 'm', namespace } });
    for (let n = 0; n < 4; n += 1) recorder.record(about, note);
    await untilAsync(async () => (await events.list({ namespace })).items.find((item) => item.series?.count === 5));
    expect((await events.list({ namespace })).items).toHaveLength(1);
    recorder.record(node, note);
    await untilAsync(async () =>
      (await events.list({ namespace: 'default' })).items.find((item) => item.regarding?.name === 'n1'),
    );
    await recorder.stop();
    expect(log.lines).toEqual([]);
  });
});

async function untilAsync<R>(check: () => Promise<R>): Promise<NonNullable<R>> {
  let found: R | undefined;
  let _running: Promise<void> | undefined;
  return eventually('an answer of the API server', () => {
    _running ??= check().then((value) => {
      found = value;
      _running = undefined;
    });
    return found;
  });
}

describe('a real API server: reflector', () => {
  it('lists 1500 objects in pages and follows the watch', async () => {
    const namespace = await inNamespace('many');
    const names = Array.from({ length: 1500 }, (_, n) => `m${n}`);
    await Promise.all(names.map((name) => maps.create(mapOf(namespace, name))));
    await using follower = reflect(namespace);
    const { reflector, log } = follower;
    await reflector.whenSynced();
    expect(reflector.store.size()).toBe(1500);
    await maps.patch({ namespace, name: 'm7' }, { data: { changed: 'yes' } });
    await eventually('the change', () => reflector.store.get(`${namespace}/m7`)?.data?.changed);
    await maps.delete({ namespace, name: 'm8' });
    await eventually('the deletion', () => reflector.store.get(`${namespace}/m8`) === undefined);
    expect(log.lines).toEqual([]);
  });

  it('follows a label selector and a field selector', async () => {
    const namespace = await inNamespace('selectors');
    const labels = (value: string) => ({ metadata: { name: value, namespace, labels: { of: value } } });
    await maps.create(labels('mine'));
    await maps.create(labels('other'));
    await using byLabel = reflect(namespace, { labelSelector: 'of=mine' });
    await using byField = reflect(namespace, { fieldSelector: 'metadata.name=other' });
    await Promise.all([byLabel.reflector.whenSynced(), byField.reflector.whenSynced()]);
    expect([byLabel.reflector.store.list().map((one) => one.metadata.name), byField.reflector.store.size()]).toEqual([
      ['mine'],
      1,
    ]);
    await maps.patch({ namespace, name: 'mine' }, { metadata: { labels: { of: null } } });
    await eventually('the object to leave the selection', () => byLabel.reflector.store.size() === 0);
  });

  it('starts a paged list over when etcd has forgotten its snapshot', async () => {
    const namespace = await inNamespace('forgotten');
    await Promise.all(Array.from({ length: 30 }, (_, n) => maps.create(mapOf(namespace, `m${n}`))));
    const reasons: string[] = [];
    const forgetful: Resource<ConfigMap> = {
      ...maps,
      list: async (options) => {
        if (options?.continue !== undefined && reasons.length === 0) await forget(namespace);
        return maps.list(options).catch((error: ApiError) => {
          reasons.push(error.reason);
          throw error;
        });
      },
    };
    const list = await listEverything(forgetful, { namespace, pageSize: 10 });
    expect([list.items.length, reasons]).toEqual([31, ['Expired']]);
  });

  /** One more object, and no history: neither in etcd nor in the memory of the API server. */
  async function forget(namespace: string): Promise<void> {
    await maps.create(mapOf(namespace, 'later'));
    await plane.killApiServer();
    await plane.compact();
    await plane.startApiServer();
  }

  it('F43: a reflector that was cut off while history went on and was forgotten finds the difference', async () => {
    const namespace = await inNamespace('cut-off');
    await Promise.all(['stays', 'goes'].map((name) => maps.create(mapOf(namespace, name))));
    const network = { cut: false };
    await using follower = reflect(namespace, { transport: behind(network) });
    const { reflector, log } = follower;
    await reflector.whenSynced();
    const changes: string[] = [];
    reflector.onChange((change) => changes.push(`${change.type} ${change.key.split('/')[1]}`));
    network.cut = true;
    await plane.killApiServer();
    await plane.startApiServer();
    await maps.delete({ namespace, name: 'goes' });
    await maps.create(mapOf(namespace, 'comes'));
    await forget(namespace);
    expect(changes.splice(0).sort()).toEqual(['added goes', 'added stays']);
    network.cut = false;
    await eventually('the difference', () => changes.length >= 3);
    expect(changes.sort()).toEqual(['added comes', 'added later', 'deleted goes']);
    expect(new Set(log.lines.map((line) => line.fields.reason))).toEqual(new Set(['Network', 'Expired']));
  });

  /** The same transport behind a network that can be cut for new requests. */
  function behind(network: { cut: boolean }): Transport {
    const pass = () => {
      if (network.cut) throw new ApiError({ status: 0, reason: 'Network', message: 'cut', class: 'retry' });
    };
    return {
      ...transport,
      request: async (request) => {
        pass();
        return transport.request(request);
      },
      stream: (request) => {
        pass();
        return transport.stream(request);
      },
    };
  }

  it('goes on by itself when the API server comes back after a crash', async () => {
    const namespace = await inNamespace('comeback');
    await maps.create(mapOf(namespace, 'before'));
    await using follower = reflect(namespace);
    const { reflector, log } = follower;
    await reflector.whenSynced();
    await plane.killApiServer();
    await eventually('several failures', () => log.lines.length >= 3);
    expect([reflector.store.size(), reflector.hasSynced()]).toEqual([1, true]);
    await plane.compact();
    await plane.startApiServer();
    await maps.create(mapOf(namespace, 'after'));
    await eventually('the new object', () => reflector.store.get(`${namespace}/after`));
    expect(log.lines.every((line) => line.message === 'list or watch failed')).toBe(true);
  });

  it('F43: is told 410 when it resumes from a version that is gone', async () => {
    const namespace = await inNamespace('gone');
    const old = await maps.create(mapOf(namespace, 'old'));
    await forget(namespace);
    const read = async () => {
      const path = `/api/v1/namespaces/${namespace}/configmaps`;
      const query = { watch: true, resourceVersion: old.metadata.resourceVersion };
      for await (const line of transport.stream({ path, query })) return JSON.parse(line);
    };
    expect(await read()).toMatchObject({ type: 'ERROR', object: { code: 410, reason: 'Expired' } });
  });
});

describe('a real API server: lease', () => {
  const times = { leaseDurationMs: 2000, renewDeadlineMs: 1500, retryPeriodMs: 300 };

  function candidate(name: string, identity: string, log: string[]) {
    const stop = new AbortController();
    const options: ElectorOptions = {
      leases: createResource<Lease>(transport, LEASE),
      namespace: 'default',
      name,
      identity,
      clock: systemClock,
      random: Math.random,
      log: noLogger,
      ...times,
      onStarted: (term) => void log.push(`${identity} started ${term}`),
      onStopped: () => void log.push(`${identity} stopped`),
    };
    const elector = createElector(options);
    const running = elector.run(stop.signal);
    return {
      elector,
      stop: () => {
        stop.abort();
        return running;
      },
    };
  }

  it('hands over between two candidates without waiting for the lease to run out', async () => {
    const log: string[] = [];
    const one = candidate('hand-over', 'one', log);
    await eventually('the first leader', () => one.elector.isLeader());
    const two = candidate('hand-over', 'two', log);
    await one.stop();
    const lease = await createResource<Lease>(transport, LEASE).get({ namespace: 'default', name: 'hand-over' });
    expect(['', 'two']).toContain(lease.spec?.holderIdentity ?? '');
    await eventually('the second leader', () => two.elector.isLeader());
    await two.stop();
    expect(log).toEqual(['one started 1', 'one stopped', 'two started 2', 'two stopped']);
  });

  it('F29: a leader paused by SIGSTOP is replaced, and knows that it leads no more when it resumes', async () => {
    const script = join(import.meta.dirname, '../../test/kube/candidate.ts');
    const child = spawn(process.execPath, [script, plane.kubeconfig, 'paused'], { stdio: ['pipe', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.on('data', (chunk) => {
      said += String(chunk);
    });
    await eventually('the first leader', () => said.includes('started 1'));
    const log: string[] = [];
    const two = candidate('paused', 'two', log);
    child.kill('SIGSTOP');
    await eventually('the second leader', () => two.elector.isLeader(), 20_000);
    expect(two.elector.term()).toBe(2);
    child.kill('SIGCONT');
    await eventually('the end of the first term', () => said.includes('stopped'));
    child.stdin.write('?\n');
    await eventually('the answer', () => /leader (true|false)\n$/.exec(said));
    expect(said.split('\n').filter((line) => line.includes('leader'))).not.toContain('leader true');
    expect(two.elector.isLeader()).toBe(true);
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
    await two.stop();
  });

  it('F46: ends its term at the deadline while the API server is away, and begins a new one when it is back', async () => {
    const log: string[] = [];
    const one = candidate('absence', 'one', log);
    await eventually('the leader', () => one.elector.isLeader());
    await plane.killApiServer();
    await eventually('the end of the lead', () => log.includes('one stopped'));
    expect(one.elector.isLeader()).toBe(false);
    await plane.startApiServer();
    await eventually('the second term', () => one.elector.isLeader(), 20_000);
    expect(log).toEqual(['one started 1', 'one stopped', 'one started 2']);
    await one.stop();
  });
});
