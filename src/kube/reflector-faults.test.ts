import { describe, expect, it } from 'vitest';
import { eventually } from './testing/eventually.ts';
import type { SeenRequest } from './testing/fake-api-server.ts';
import { createHarness, type Harness, keysOf, POD_COLLECTION } from './testing/harness.ts';
import type { KubeObject } from './types.ts';

const count = (h: Harness, verb: SeenRequest['verb']) => h.server.requests.filter((one) => one.verb === verb).length;
const openWatch = (h: Harness, nth = 1) =>
  eventually(`watch ${nth}`, () => count(h, 'watch') >= nth && h.server.watches.size > 0);
const firstWatch = (h: Harness) => [...h.server.watches][0];
const failures = (h: Harness) => h.log.lines.filter((line) => line.message === 'list or watch failed');

describe('F45 reflector: half-open watches, lost, doubled and reordered events', () => {
  it('replaces a watch that has gone silent and misses nothing', async () => {
    await using h = await createHarness();
    const reflector = h.reflect({ idleMs: 150_000 });
    await openWatch(h);
    firstWatch(h)?.freeze();
    h.addPod('unheard');
    await eventually('the idle timer', () => h.clock.pending().includes(150_000));
    h.clock.advance(149_000);
    expect(count(h, 'watch')).toBe(1);
    h.clock.advance(1000);
    await eventually('the unheard pod', () => reflector.store.get('a/unheard'));
    expect([count(h, 'list'), count(h, 'watch')]).toEqual([1, 2]);
    expect(failures(h)).toEqual([]);
  });

  it('keeps a watch that brings nothing but bookmarks', async () => {
    await using h = await createHarness();
    h.addPod('p');
    h.reflect({ idleMs: 1000 });
    await openWatch(h);
    await eventually('the idle timer', () => h.clock.pending().includes(1000));
    for (let n = 0; n < 5; n += 1) {
      h.clock.advance(900);
      firstWatch(h)?.bookmark();
      await eventually('a restarted idle timer', () => h.clock.pending().includes(1000));
    }
    expect(count(h, 'watch')).toBe(1);
  });

  it('counts an accepted watch as confirmation, and one that lasted as health, though nothing came', async () => {
    await using h = await createHarness();
    h.server.fault = () => ({ status: 500 });
    const reflector = h.reflect({ idleMs: 150_000 });
    await h.passBackoff();
    await eventually('the second failure', () => failures(h).length === 2);
    h.server.fault = undefined;
    await h.passBackoff();
    for (const quiet of [59_000, 60_000]) {
      const before = failures(h).length;
      await eventually('the idle timer', () => h.clock.pending().includes(150_000));
      expect(reflector.lastSyncAge()).toBe(0);
      h.clock.advance(quiet);
      firstWatch(h)?.reset();
      await eventually('the next failure', () => failures(h).length > before);
      await h.passBackoff();
    }
    expect(failures(h).map((line) => line.fields.failures)).toEqual([1, 2, 3, 1]);
  });

  it('gives up a request that is never answered', async () => {
    await using h = await createHarness();
    h.server.fault = () => 'silence';
    const reflector = h.reflect();
    await eventually('the list', () => count(h, 'list') === 1);
    h.clock.advance(60_000);
    await eventually('the failure', () => failures(h).length === 1);
    expect(failures(h)[0]?.fields.reason).toBe('Timeout');
    h.server.fault = undefined;
    await h.passBackoff();
    await reflector.whenSynced();
  });

  it('finds a lost DELETE at the periodic list', async () => {
    await using h = await createHarness();
    h.addPod('p');
    const reflector = h.reflect({ relistMs: 60_000, idleMs: 1_000_000 });
    await openWatch(h);
    h.server.mangle = () => [];
    h.server.storage.remove(POD_COLLECTION, 'a/p');
    h.server.mangle = undefined;
    h.addPod('q');
    await eventually('the pod after the lost event', () => reflector.store.get('a/q'));
    expect(keysOf(reflector)).toEqual(['a/p', 'a/q']);
    h.clock.advance(60_000);
    await eventually('the deletion', () => reflector.store.get('a/p') === undefined);
    expect(failures(h)).toEqual([]);
  });

  it('tells a doubled event once', async () => {
    await using h = await createHarness();
    const reflector = h.reflect();
    const seen: string[] = [];
    reflector.onChange((change) => seen.push(`${change.type} ${change.key}`));
    await openWatch(h);
    h.server.mangle = (line) => [line, line];
    h.addPod('p');
    h.server.storage.remove(POD_COLLECTION, 'a/p');
    h.addPod('end');
    await eventually('the end', () => reflector.store.get('a/end'));
    expect(seen).toEqual(['added a/p', 'deleted a/p', 'added a/end']);
  });

  it('lets no late MODIFIED undo a newer one, and none bring a deleted object back', async () => {
    await using h = await createHarness();
    h.addPod('kept');
    h.addPod('gone');
    const reflector = h.reflect();
    await openWatch(h);
    const held: string[] = [];
    h.server.mangle = (line) => {
      held.push(line);
      return [];
    };
    h.server.storage.patch(POD_COLLECTION, 'a/kept', { patch: { spec: { turn: 1 } } });
    h.server.storage.patch(POD_COLLECTION, 'a/kept', { patch: { spec: { turn: 2 } } });
    h.server.storage.patch(POD_COLLECTION, 'a/gone', { patch: { spec: { turn: 1 } } });
    h.server.storage.remove(POD_COLLECTION, 'a/gone');
    h.server.mangle = undefined;
    for (const line of held.reverse()) firstWatch(h)?.send(line);
    h.addPod('end');
    await eventually('the end', () => reflector.store.get('a/end'));
    expect(keysOf(reflector)).toEqual(['a/end', 'a/kept']);
    for (const line of held) firstWatch(h)?.send(line);
    firstWatch(h)?.end();
    await openWatch(h, 2);
    expect(h.server.requests.at(-1)?.query.get('resourceVersion')).toBe('8');
    expect(reflector.store.get('a/kept')).toMatchObject({ spec: { turn: 2 } });
  });

  it('ignores a late DELETED of an object that has been made anew', async () => {
    await using h = await createHarness();
    h.addPod('p');
    const reflector = h.reflect();
    await openWatch(h);
    const held: string[] = [];
    h.server.mangle = (line) => {
      held.push(line);
      return [];
    };
    h.server.storage.remove(POD_COLLECTION, 'a/p');
    h.addPod('p');
    h.server.mangle = undefined;
    for (const line of held.reverse()) firstWatch(h)?.send(line);
    h.addPod('end');
    await eventually('the end', () => reflector.store.get('a/end'));
    expect(reflector.store.get('a/p')?.metadata?.uid).toBe('uid-2');
  });

  it('resumes after a reset from the last version, without a list', async () => {
    await using h = await createHarness();
    const reflector = h.reflect();
    await openWatch(h);
    h.addPod('p');
    await eventually('the pod', () => reflector.store.get('a/p'));
    firstWatch(h)?.reset();
    h.addPod('meanwhile');
    await h.passBackoff();
    await eventually('the pod of the gap', () => reflector.store.get('a/meanwhile'));
    expect([count(h, 'list'), h.server.requests.at(-1)?.query.get('resourceVersion')]).toEqual([1, '2']);
  });
});

describe('F46 reflector: the API server is away for ten minutes', () => {
  it('keeps the last content readable, says how old it is, and catches up by itself', async () => {
    await using h = await createHarness();
    h.addPod('p');
    const reflector = h.reflect();
    await openWatch(h);
    await h.server.stop();
    const goneAt = h.clock.now();
    for (let waited = 0; waited < 600_000; ) waited += await h.passBackoff();
    expect(keysOf(reflector)).toEqual(['a/p']);
    expect([reflector.hasSynced(), reflector.lastSyncAge()]).toEqual([true, h.clock.now() - goneAt]);
    h.addPod('q');
    await eventually('one more failure', () => failures(h).length > 40);
    await h.server.restart();
    await eventually('the content', () => reflector.store.get('a/q') ?? h.clock.advance(100));
  });
});

describe('reflector: code that is not ours', () => {
  const broken = (raw: KubeObject) => {
    if (raw.metadata?.labels?.broken !== undefined) throw new Error('cannot read this');
    return raw;
  };
  const change = { patch: { metadata: { labels: { broken: 'yes' } } } };

  it('keeps the last good version of an object that cannot be decoded, by event and by list', async () => {
    await using h = await createHarness();
    h.addPod('p');
    h.addPod('q');
    const reflector = h.reflect({ decode: broken });
    await openWatch(h);
    h.server.storage.patch(POD_COLLECTION, 'a/p', change);
    h.addPod('end');
    await eventually('the end', () => reflector.store.get('a/end'));
    h.clock.advance(600_000);
    await openWatch(h, 2);
    expect(keysOf(reflector)).toEqual(['a/end', 'a/p', 'a/q']);
    expect(reflector.store.get('a/p')?.metadata?.labels).toBeUndefined();
    h.server.storage.remove(POD_COLLECTION, 'a/p');
    await eventually('the deletion', () => reflector.store.get('a/p') === undefined);
    const faults = h.log.lines.filter((line) => line.message === 'an object could not be taken in');
    expect(faults.map((line) => [line.fields.key, line.fields.stage])).toEqual([
      ['a/p', 'decode'],
      ['a/p', 'decode'],
    ]);
  });

  it('survives handlers and indexers that throw', async () => {
    await using h = await createHarness();
    h.addPod('p');
    const byNode = (pod: KubeObject) => {
      if (pod.metadata?.name === 'odd') throw new Error('no index for this');
      return ['n1'];
    };
    const reflector = h.reflect({ indexers: { byNode } });
    const seen: string[] = [];
    reflector.onChange(() => {
      throw new Error('a handler');
    });
    reflector.onChange((change) => seen.push(change.key));
    await openWatch(h);
    h.addPod('odd');
    h.addPod('end');
    await eventually('the end', () => seen.includes('a/end'));
    expect(seen).toEqual(['a/p', 'a/end']);
    expect(reflector.store.byIndex('byNode', 'n1')).toHaveLength(2);
    expect(failures(h)).toEqual([]);
  });

  it.each([
    ['no JSON', '{"type":"ADDED",'],
    ['a JSON value that is no object', '7'],
    ['an unknown type', '{"type":"RENAMED","object":{"metadata":{"name":"x"}}}'],
    ['no object', '{"type":"ADDED"}'],
    ['a bookmark without version', '{"type":"BOOKMARK","object":{}}'],
  ])('lists anew after a line that is %s', async (_, line) => {
    await using h = await createHarness();
    const reflector = h.reflect();
    await openWatch(h);
    firstWatch(h)?.send(line);
    await h.passBackoff();
    await openWatch(h, 2);
    expect([count(h, 'list'), failures(h)[0]?.fields.reason]).toEqual([2, 'BadEvent']);
    expect(reflector.hasSynced()).toBe(true);
  });

  it('passes over an event whose object has no name', async () => {
    await using h = await createHarness();
    const reflector = h.reflect();
    await openWatch(h);
    firstWatch(h)?.send('{"type":"ADDED","object":{"metadata":{}}}');
    h.addPod('end');
    await eventually('the end', () => reflector.store.get('a/end'));
    expect(failures(h)).toEqual([]);
  });
});

describe('F45 reflector: what is known of a version', () => {
  it('waits for the event of a write, and not for what others write', async () => {
    await using h = await createHarness();
    const reflector = h.reflect();
    await openWatch(h);
    h.addPod('p');
    const known = await eventually('the pod', () => reflector.store.get('a/p')?.metadata?.resourceVersion);
    const { signal } = new AbortController();
    await reflector.whenAt(known, signal);
    firstWatch(h)?.freeze();
    h.addPod('q');
    const version = h.server.storage.get(POD_COLLECTION, 'a/q')?.metadata.resourceVersion ?? '';
    let reached = false;
    const waiting = reflector.whenAt(version, signal).then(() => {
      reached = true;
    });
    await Promise.resolve();
    expect(reached).toBe(false);
    reflector.refresh();
    await waiting;
    expect(keysOf(reflector)).toEqual(['a/p', 'a/q']);
    expect(failures(h)).toEqual([]);
  });

  it('stops waiting with the signal', async () => {
    await using h = await createHarness();
    const reflector = h.reflect();
    await openWatch(h);
    await expect(reflector.whenAt('999999', AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
  });
});
