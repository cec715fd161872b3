import { describe, expect, it } from 'vitest';
import type { Change } from './store.ts';
import { eventually } from './testing/eventually.ts';
import type { SeenRequest } from './testing/fake-api-server.ts';
import { createHarness, type Harness, keysOf, POD_COLLECTION } from './testing/harness.ts';
import type { KubeObject } from './types.ts';

const count = (h: Harness, verb: SeenRequest['verb']) => h.server.requests.filter((one) => one.verb === verb).length;
const openWatch = (h: Harness, nth = 1) =>
  eventually(`watch ${nth}`, () => count(h, 'watch') >= nth && h.server.watches.size > 0);
const firstWatch = (h: Harness) => [...h.server.watches][0];
const failures = (h: Harness) => h.log.lines.filter((line) => line.message === 'list or watch failed');

describe('reflector on a healthy server', () => {
  it('lists page by page, then follows the watch from the version of the list', async () => {
    await using h = await createHarness();
    for (let n = 0; n < 7; n += 1) h.addPod(`p${n}`);
    const reflector = h.reflect({ pageSize: 3 });
    expect(reflector.hasSynced()).toBe(false);
    expect(reflector.lastSyncAge()).toBe(Number.POSITIVE_INFINITY);
    await reflector.whenSynced();
    expect(reflector.store.size()).toBe(7);
    expect(count(h, 'list')).toBe(3);
    await openWatch(h);
    expect(h.server.requests.at(-1)?.query.get('resourceVersion')).toBe('8');
    h.addPod('late');
    await eventually('the late pod', () => reflector.store.get('a/late'));
    h.server.storage.remove(POD_COLLECTION, 'a/p0');
    await eventually('the deletion', () => reflector.store.get('a/p0') === undefined);
    expect(count(h, 'list')).toBe(3);
    expect(failures(h)).toEqual([]);
  });

  it('fills in kind and apiVersion, which lists leave out of their items', async () => {
    await using h = await createHarness();
    h.addPod('p');
    const reflector = h.reflect();
    await reflector.whenSynced();
    expect(reflector.store.get('a/p')).toMatchObject({ apiVersion: 'v1', kind: 'Pod' });
  });

  it('asks for bookmarks and a jittered lifetime, and resumes from a bookmark after the proper end of a watch', async () => {
    await using h = await createHarness();
    const reflector = h.reflect({ watchSeconds: 300 });
    await openWatch(h);
    const query = h.server.requests.at(-1)?.query;
    expect([query?.get('allowWatchBookmarks'), query?.get('timeoutSeconds')]).toEqual(['true', '450']);
    h.server.storage.create('v1/nodes', { metadata: { name: 'elsewhere' } });
    h.clock.advance(500);
    expect(reflector.lastSyncAge()).toBe(500);
    firstWatch(h)?.bookmark();
    await eventually('the bookmark', () => reflector.lastSyncAge() === 0);
    firstWatch(h)?.end();
    await openWatch(h, 2);
    expect(h.server.requests.at(-1)?.query.get('resourceVersion')).toBe('2');
    expect(count(h, 'list')).toBe(1);
    expect(failures(h)).toEqual([]);
  });

  it('sends selectors and keeps what they select, also when an object leaves the selection', async () => {
    await using h = await createHarness();
    const pod = (name: string, node: string) => ({
      metadata: { name, namespace: 'a', labels: { node } },
      spec: { nodeName: node },
    });
    h.server.storage.create(POD_COLLECTION, pod('mine', 'n1'));
    h.server.storage.create(POD_COLLECTION, pod('other', 'n2'));
    const byLabel = h.reflect({ labelSelector: 'node=n1' });
    const byField = h.reflect({ fieldSelector: 'spec.nodeName=n2' });
    await Promise.all([byLabel.whenSynced(), byField.whenSynced()]);
    await eventually('two watches', () => h.server.watches.size === 2);
    expect([keysOf(byLabel), keysOf(byField)]).toEqual([['a/mine'], ['a/other']]);
    h.server.storage.patch(POD_COLLECTION, 'a/mine', { patch: { metadata: { labels: { node: 'n3' } } } });
    await eventually('the pod to leave', () => byLabel.store.size() === 0);
  });

  it('tells handlers of every change, and one that comes late of what is there', async () => {
    await using h = await createHarness();
    h.addPod('p');
    const reflector = h.reflect();
    const seen: string[] = [];
    const end = reflector.onChange((change) => seen.push(`${change.type} ${change.key}`));
    await openWatch(h);
    h.server.storage.patch(POD_COLLECTION, 'a/p', { patch: { spec: { x: 1 } } });
    h.server.storage.remove(POD_COLLECTION, 'a/p');
    h.addPod('q');
    await eventually('the last change', () => seen.includes('added a/q'));
    expect(seen).toEqual(['added a/p', 'updated a/p', 'deleted a/p', 'added a/q']);
    end();
    const late: Change<KubeObject>[] = [];
    const news: unknown[] = [];
    reflector.onNews((change) => news.push(change));
    expect(news).toEqual([]);
    reflector.onChange((change) => late.push(change));
    expect(late.map((change) => change.key)).toEqual(['a/q']);
    expect(seen).toHaveLength(4);
  });

  it('gives up waiting for the first list when the caller does', async () => {
    await using h = await createHarness();
    h.server.fault = () => 'silence';
    const waiting = h.reflect().whenSynced(AbortSignal.abort(new Error('enough')));
    await expect(waiting).rejects.toThrow('enough');
  });

  it('leaves no timer and no connection behind when stopped', async () => {
    await using h = await createHarness();
    const reflector = h.reflect();
    await openWatch(h);
    await reflector.stop();
    await eventually('the watch to close', () => h.server.watches.size === 0);
    expect(h.clock.pending()).toEqual([]);
  });
});

describe('F43 reflector: 410 Gone', () => {
  it('lists again when the watch answers 410, and infers deletions from the difference', async () => {
    await using h = await createHarness();
    h.addPod('stays');
    h.addPod('goes');
    const reflector = h.reflect();
    const seen: string[] = [];
    await openWatch(h);
    reflector.onChange((change) => seen.push(`${change.type} ${change.key}`));
    h.server.fault = (request) => (request.verb === 'watch' ? { status: 410, reason: 'Expired' } : undefined);
    firstWatch(h)?.reset();
    await h.passBackoff();
    await eventually('the refused watch', () => failures(h).length === 2);
    h.server.storage.remove(POD_COLLECTION, 'a/goes');
    h.server.fault = undefined;
    await h.passBackoff();
    await eventually('the inferred deletion', () => reflector.store.get('a/goes') === undefined);
    expect(count(h, 'list')).toBe(2);
    expect(seen).toEqual(['added a/goes', 'added a/stays', 'deleted a/goes']);
  });

  it('lists again on a 410 that comes as an event inside the watch', async () => {
    await using h = await createHarness();
    h.addPod('p');
    const reflector = h.reflect();
    await openWatch(h);
    h.server.mangle = () => [];
    h.addPod('unseen');
    h.server.storage.compact();
    h.server.mangle = undefined;
    firstWatch(h)?.reset();
    await h.passBackoff();
    await h.passBackoff();
    await eventually('the unseen pod', () => reflector.store.get('a/unseen'));
    expect(failures(h).map((line) => line.fields.reason)).toEqual(['Network', 'Expired']);
  });

  it('starts a list over in one piece when its continue token expires', async () => {
    await using h = await createHarness();
    for (let n = 0; n < 5; n += 1) h.addPod(`p${n}`);
    let pages = 0;
    h.server.fault = (request) => {
      if (request.verb !== 'list') return undefined;
      pages += 1;
      if (pages === 2) {
        h.addPod('between');
        h.server.storage.compact();
      }
      return undefined;
    };
    const reflector = h.reflect({ pageSize: 2 });
    await reflector.whenSynced();
    expect(reflector.store.size()).toBe(6);
    expect(h.server.requests.filter((one) => one.verb === 'list').map((one) => one.query.get('limit'))).toEqual([
      '2',
      '2',
      null,
    ]);
    expect(failures(h)).toEqual([]);
  });

  it('tells a deletion and an addition when a namesake took the place unseen', async () => {
    await using h = await createHarness();
    h.addPod('p');
    const reflector = h.reflect();
    const seen: string[] = [];
    reflector.onChange((change) => seen.push(`${change.type} ${change.object.metadata?.uid}`));
    await openWatch(h);
    h.server.mangle = () => [];
    h.server.storage.remove(POD_COLLECTION, 'a/p');
    h.addPod('p');
    h.server.mangle = undefined;
    h.clock.advance(600_000);
    await eventually('the namesake', () => seen.includes('added uid-2'));
    expect(seen).toEqual(['added uid-1', 'deleted uid-1', 'added uid-2']);
  });
});

describe('F44 reflector: an overloaded server', () => {
  it('waits as long as Retry-After says, for lists and for watches', async () => {
    await using h = await createHarness();
    h.addPod('p');
    h.server.fault = () => ({ status: 429, reason: 'TooManyRequests', retryAfter: 17 });
    const reflector = h.reflect();
    expect(await h.passBackoff()).toBe(17_000);
    h.server.fault = (one) => (one.verb === 'watch' ? { status: 503, retryAfter: 40 } : undefined);
    expect(await h.passBackoff()).toBe(40_000);
    h.server.fault = undefined;
    await openWatch(h, 2);
    expect(reflector.hasSynced()).toBe(true);
    expect(count(h, 'list')).toBe(2);
  });

  it('backs off further with each 500 up to a bound, survives, and starts short again after a sign of life', async () => {
    await using h = await createHarness();
    h.server.fault = () => ({ status: 500 });
    const reflector = h.reflect({ backoff: { baseMs: 500, maxMs: 4000 } });
    const waits: number[] = [];
    for (let n = 0; n < 6; n += 1) waits.push(await h.passBackoff());
    expect(waits).toEqual([500, 1000, 2000, 4000, 4000, 4000]);
    h.server.fault = undefined;
    await eventually('the sync', () => reflector.hasSynced() || h.clock.advance(4000));
    await openWatch(h);
    h.addPod('alive');
    await eventually('a sign of life', () => reflector.store.get('a/alive'));
    const before = failures(h).length;
    firstWatch(h)?.reset();
    const after = await eventually('the next failure', () => failures(h)[before]);
    expect(after.fields).toMatchObject({ failures: 1, delayMs: 500 });
  });

  it('spreads its waits with the random source', async () => {
    await using h = await createHarness();
    h.server.fault = () => ({ status: 500 });
    h.reflect({ backoff: { baseMs: 1000, maxMs: 4000 }, random: () => 0 });
    expect(await h.passBackoff()).toBe(500);
  });

  it('takes an ERROR event of the watch with its own retryAfterSeconds', async () => {
    await using h = await createHarness();
    h.reflect();
    await openWatch(h);
    const status = { kind: 'Status', code: 429, reason: 'TooManyRequests', details: { retryAfterSeconds: 9 } };
    firstWatch(h)?.send(JSON.stringify({ type: 'ERROR', object: status }));
    expect(await h.passBackoff()).toBe(9000);
    await openWatch(h, 2);
    expect(count(h, 'list')).toBe(1);
  });

  it('does not spin on a watch that ends at once again and again', async () => {
    await using h = await createHarness();
    h.server.fault = (request) => (request.verb === 'watch' ? { raw: '' } : undefined);
    h.reflect({ backoff: { baseMs: 500, maxMs: 4000 } });
    expect([await h.passBackoff(), await h.passBackoff()]).toEqual([500, 1000]);
    expect(count(h, 'list')).toBe(1);
  });

  it('does not take a list that is not JSON, or not a list, for an empty one', async () => {
    await using h = await createHarness();
    h.addPod('p');
    const reflector = h.reflect();
    await openWatch(h);
    const raws = ['<html>', '{"kind":"List","metadata":{"resourceVersion":"9"},"items":"none"}'];
    h.server.fault = (one) => (one.verb === 'list' && raws.length > 0 ? { raw: raws.shift() ?? '' } : undefined);
    h.clock.advance(600_000);
    await h.passBackoff();
    await h.passBackoff();
    await openWatch(h, 2);
    expect(keysOf(reflector)).toEqual(['a/p']);
  });
});
