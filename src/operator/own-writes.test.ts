import { describe, expect, it } from 'vitest';
import type { LogicalPort } from '../api/types.gen.ts';
import { createStore, type Resource } from '../kube/index.ts';
import { createFakeClock } from '../kube/testing/fake-clock.ts';
import { createOwnWrites } from './own-writes.ts';

const KEY = 'pod/a/x';

function makePort(version: number, extra: object = {}, uid = 'u1'): LogicalPort {
  return {
    metadata: { namespace: 'a', name: 'x.eth0.pod', uid, resourceVersion: String(version), ...extra },
    spec: { owner: { kind: 'Pod', name: 'x', uid: 'p1' } },
  } as unknown as LogicalPort;
}

/** Every write is answered with the port given last. */
function setUp() {
  const clock = createFakeClock();
  const store = createStore<LogicalPort>();
  const writes = createOwnWrites(store, clock);
  let answer = makePort(1);
  const reply = async () => answer;
  const resource = writes.follow({
    create: reply,
    patch: reply,
    patchStatus: reply,
  } as unknown as Resource<LogicalPort>);
  const write = async (verb: 'create' | 'patch' | 'patchStatus', port: LogicalPort) => {
    answer = port;
    if (verb === 'create') await resource.create(port);
    else await resource[verb]({ namespace: 'a', name: 'x.eth0.pod' }, {});
  };
  return { clock, store, writes, write };
}

describe('own writes', () => {
  it('are none for a key that nothing was written for', () => {
    expect(setUp().writes.isBehind(KEY)).toBe(false);
  });

  it.each(['create', 'patch', 'patchStatus'] as const)(
    '%s: behind until the cache shows that version',
    async (verb) => {
      const { store, writes, write } = setUp();
      store.set(makePort(3));
      if (verb === 'create') store.delete('a/x.eth0.pod');
      await write(verb, makePort(7));
      expect([writes.isBehind(KEY), writes.isBehind('pod/a/other')]).toEqual([true, false]);
      store.set(makePort(6));
      expect(writes.isBehind(KEY)).toBe(true);
      store.set(makePort(10));
      expect(writes.isBehind(KEY)).toBe(false);
    },
  );

  it('a release: behind until the port is gone, or is another one', async () => {
    const { store, writes, write } = setUp();
    const deletionTimestamp = '2026-11-21T00:00:00Z';
    store.set(makePort(3));
    await write('patch', makePort(8, { deletionTimestamp, finalizers: [] }));
    expect(writes.isBehind(KEY)).toBe(true);
    store.set(makePort(9, {}, 'u2'));
    expect(writes.isBehind(KEY)).toBe(false);
  });

  it('a deletion that waits for finalizers is no release', async () => {
    const { store, writes, write } = setUp();
    await write('patch', makePort(8, { deletionTimestamp: '2026-11-21T00:00:00Z', finalizers: ['other'] }));
    store.set(makePort(8, { deletionTimestamp: '2026-11-21T00:00:00Z', finalizers: ['other'] }));
    expect(writes.isBehind(KEY)).toBe(false);
  });

  it('a watch that stays away holds nothing up for longer than a second', async () => {
    const { clock, writes, write } = setUp();
    await write('create', makePort(7));
    clock.advance(999);
    expect(writes.isBehind(KEY)).toBe(true);
    clock.advance(1);
    expect(writes.isBehind(KEY)).toBe(false);
  });
});
