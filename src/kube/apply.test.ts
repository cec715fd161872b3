import { describe, expect, it } from 'vitest';
import { ensureObject, ensureStatus } from './apply.ts';
import { retryConflicts } from './conflicts.ts';
import { parseApiError } from './errors.ts';
import { ensureFinalizer, removeFinalizer } from './finalizers.ts';
import { createResource } from './resource.ts';
import type { SeenRequest } from './testing/fake-api-server.ts';
import { createHarness, type Harness, POD_COLLECTION, PODS } from './testing/harness.ts';
import type { KubeObject } from './types.ts';

type Pod = KubeObject & { spec?: Record<string, unknown>; status?: Record<string, unknown> };
const pods = (h: Harness) => createResource<Pod>(h.transport, PODS);
const pod = (spec: Record<string, unknown>, metadata: object = {}): Pod => ({
  metadata: { name: 'p', namespace: 'a', ...metadata },
  spec,
});
const verbs = (h: Harness) => h.server.requests.map((one) => one.verb);
const stored = (h: Harness) => h.server.storage.list(POD_COLLECTION)[0] as Pod | undefined;
const ref = { namespace: 'a', name: 'p' };

/** Lets somebody else write just before each of the next `times` writes of ours. */
function interfere(h: Harness, times: number): void {
  let left = times;
  h.server.fault = (request: SeenRequest) => {
    if (request.verb === 'patch' && left > 0) {
      left -= 1;
      h.server.storage.patch(POD_COLLECTION, 'a/p', { patch: { spec: { foreign: left } } });
    }
    return undefined;
  };
}

describe('ensureObject', () => {
  it('creates what is absent, changes what differs, writes nothing when all is there', async () => {
    await using h = await createHarness();
    expect((await ensureObject(pods(h), pod({ a: 1 }))).result).toBe('created');
    expect((await ensureObject(pods(h), pod({ a: 1 }))).result).toBe('unchanged');
    expect((await ensureObject(pods(h), pod({ a: 2 }, { labels: { l: 'x' } }))).result).toBe('updated');
    expect(verbs(h)).toEqual(['get', 'create', 'get', 'get', 'patch']);
    expect(stored(h)).toMatchObject({ spec: { a: 2 }, metadata: { labels: { l: 'x' } } });
  });

  it('sends only the difference, with the version it was derived from', async () => {
    await using h = await createHarness();
    const { object } = await ensureObject(pods(h), pod({ a: 1, keep: 'x' }));
    await ensureObject(pods(h), pod({ a: 2 }));
    const { resourceVersion, uid } = object.metadata ?? {};
    expect(h.server.requests.at(-1)?.body).toEqual({ spec: { a: 2 }, metadata: { resourceVersion, uid } });
    expect(stored(h)?.spec).toEqual({ a: 2, keep: 'x' });
  });

  it('saves the read when the caller knows the object, and reads afresh when that was stale', async () => {
    await using h = await createHarness();
    const { object } = await ensureObject(pods(h), pod({ a: 1 }));
    expect((await ensureObject(pods(h), pod({ a: 1 }), { known: object })).result).toBe('unchanged');
    h.server.storage.patch(POD_COLLECTION, 'a/p', { patch: { spec: { other: 1 } } });
    h.server.requests.length = 0;
    expect((await ensureObject(pods(h), pod({ a: 2 }), { known: object })).result).toBe('updated');
    expect([verbs(h), stored(h)?.spec]).toEqual([['patch', 'get', 'patch'], { a: 2, other: 1 }]);
  });

  it('F47: wins after four lost races and reports the fifth', async () => {
    await using h = await createHarness();
    await ensureObject(pods(h), pod({ a: 1 }));
    interfere(h, 4);
    expect((await ensureObject(pods(h), pod({ a: 2 }))).result).toBe('updated');
    interfere(h, 5);
    await expect(ensureObject(pods(h), pod({ a: 3 }))).rejects.toMatchObject({ class: 'conflict' });
    expect(stored(h)?.spec).toMatchObject({ a: 2, foreign: 0 });
  });

  it('takes up an object that another created first', async () => {
    await using h = await createHarness();
    h.server.fault = (request) => {
      if (request.verb === 'create') h.server.storage.create(POD_COLLECTION, pod({ theirs: 1 }));
      return undefined;
    };
    expect((await ensureObject(pods(h), pod({ a: 1 }))).result).toBe('updated');
    expect(stored(h)?.spec).toEqual({ a: 1, theirs: 1 });
  });

  it('creates again an object that its cache still knows', async () => {
    await using h = await createHarness();
    const { object } = await ensureObject(pods(h), pod({ a: 1 }));
    h.server.storage.remove(POD_COLLECTION, 'a/p');
    const result = await ensureObject(pods(h), pod({ a: 2 }), { known: object });
    expect([result.result, stored(h)?.spec]).toEqual(['created', { a: 2 }]);
  });

  it('leaves the status to ensureStatus', async () => {
    await using h = await createHarness();
    const { object } = await ensureObject(pods(h), { ...pod({ a: 1 }), status: { phase: 'X' } });
    expect(stored(h)).not.toHaveProperty('status');
    const written = await ensureStatus(pods(h), object, { phase: 'Ready' });
    expect([written.result, stored(h)?.status, stored(h)?.spec]).toEqual(['updated', { phase: 'Ready' }, { a: 1 }]);
    h.server.requests.length = 0;
    expect((await ensureStatus(pods(h), written.object, { phase: 'Ready' })).result).toBe('unchanged');
    expect(h.server.requests).toEqual([]);
  });

  it('does not write the status of a namesake made meanwhile', async () => {
    await using h = await createHarness();
    const { object } = await ensureObject(pods(h), pod({}));
    h.server.storage.remove(POD_COLLECTION, 'a/p');
    h.server.storage.create(POD_COLLECTION, pod({}));
    await expect(ensureStatus(pods(h), object, { phase: 'Ready' })).rejects.toMatchObject({ class: 'conflict' });
  });
});

describe('finalizers', () => {
  it('are added once and removed once, beside those of others', async () => {
    await using h = await createHarness();
    h.server.storage.create(POD_COLLECTION, pod({}, { finalizers: ['theirs'] }));
    await ensureFinalizer(pods(h), ref, 'ours');
    await ensureFinalizer(pods(h), ref, 'ours');
    expect(stored(h)?.metadata?.finalizers).toEqual(['theirs', 'ours']);
    await removeFinalizer(pods(h), ref, 'ours');
    await removeFinalizer(pods(h), ref, 'ours');
    expect(stored(h)?.metadata?.finalizers).toEqual(['theirs']);
    expect(verbs(h).filter((verb) => verb === 'patch')).toHaveLength(2);
  });

  it('do not lose what another adds at the same time', async () => {
    await using h = await createHarness();
    h.server.storage.create(POD_COLLECTION, pod({}));
    let raced = false;
    h.server.fault = (request) => {
      if (request.verb === 'patch' && !raced) {
        raced = true;
        h.server.storage.patch(POD_COLLECTION, 'a/p', { patch: { metadata: { finalizers: ['theirs'] } } });
      }
      return undefined;
    };
    await ensureFinalizer(pods(h), ref, 'ours');
    expect(stored(h)?.metadata?.finalizers).toEqual(['theirs', 'ours']);
  });

  it('are not added to an object that is being deleted, which the API server forbids', async () => {
    await using h = await createHarness();
    h.server.storage.create(POD_COLLECTION, pod({}, { finalizers: ['theirs'] }));
    h.server.storage.remove(POD_COLLECTION, 'a/p');
    const found = await ensureFinalizer(pods(h), ref, 'ours');
    expect([found?.metadata?.finalizers, verbs(h)]).toEqual([['theirs'], ['get']]);
  });

  it('let a deleted object go', async () => {
    await using h = await createHarness();
    h.server.storage.create(POD_COLLECTION, pod({}, { finalizers: ['ours'] }));
    h.server.storage.remove(POD_COLLECTION, 'a/p');
    await removeFinalizer(pods(h), ref, 'ours');
    expect(stored(h)).toBeUndefined();
  });

  it('take an object that is gone, or a namesake, as done', async () => {
    await using h = await createHarness();
    expect(await removeFinalizer(pods(h), ref, 'ours')).toBeUndefined();
    h.server.storage.create(POD_COLLECTION, pod({}, { finalizers: ['ours'] }));
    expect(await removeFinalizer(pods(h), { ...ref, uid: 'before' }, 'ours')).toBeUndefined();
    expect(await ensureFinalizer(pods(h), { ...ref, uid: 'before' }, 'other')).toBeUndefined();
    expect(stored(h)?.metadata?.finalizers).toEqual(['ours']);
    h.server.fault = (request) => {
      if (request.verb === 'patch')
        h.server.storage.patch(POD_COLLECTION, 'a/p', { patch: { metadata: { finalizers: null } } });
      if (request.verb === 'patch') h.server.storage.remove(POD_COLLECTION, 'a/p');
      return undefined;
    };
    expect(await removeFinalizer(pods(h), ref, 'ours')).toBeUndefined();
  });
});

describe('retryConflicts', () => {
  it('runs again only after a conflict, and gives the last one up', async () => {
    let runs = 0;
    const failing = (status: number) => () => {
      runs += 1;
      return Promise.reject(parseApiError(status, {}));
    };
    await expect(retryConflicts(failing(409), 3)).rejects.toMatchObject({ class: 'conflict' });
    expect(runs).toBe(3);
    await expect(retryConflicts(failing(500))).rejects.toMatchObject({ class: 'retry' });
    expect(runs).toBe(4);
  });
});
