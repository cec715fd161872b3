import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { columnOf, liveTimes, openClient } from '../../test/ovsdb/client.ts';
import { startServer, until } from '../../test/ovsdb/server.ts';
import { findSchema, runTool } from '../../test/ovsdb/tools.ts';
import { ConstraintViolationError, ReferentialIntegrityError, WaitTimedOutError } from './errors.ts';
import {
  createIndex,
  deleteOp,
  encodeValue,
  insertOp,
  mutateOp,
  namedUuid,
  type Operation,
  type OvsdbClient,
  type OvsdbError,
  selectOp,
  updateOp,
  uuidRef,
  type Value,
  type WireRow,
  waitOp,
  whereUuid,
  wireMap,
  wireSet,
} from './index.ts';

async function insert(client: OvsdbClient, name: string): Promise<string> {
  const [result] = await client.transactAndSync([insertOp('Thing', { name })]);
  return result?.uuid ?? '';
}

function encodeRow(client: OvsdbClient, row: Record<string, Value>): WireRow {
  const types = client.schema?.tables.Thing?.columns ?? {};
  return Object.fromEntries(
    Object.entries(row).map(([column, value]) => {
      const type = types[column];
      if (type === undefined) throw new Error(column);
      return [column, encodeValue(value, type)];
    }),
  );
}

type Step = { op: string; name: string; labels: string[]; options: Record<string, string> };

function toOperation({ op, name, labels, options }: Step): Operation {
  const where = [['name', '==', name]] as const;
  const set = wireSet(labels);
  const map = wireMap(Object.entries(options));
  if (op === 'insert') return insertOp('Thing', { name, labels: set, options: map });
  if (op === 'delete') return deleteOp('Thing', where);
  if (op === 'update') return updateOp('Thing', where, { labels: set, options: map });
  return mutateOp('Thing', where, [
    ['labels', 'insert', set],
    ['options', 'delete', map],
    ['count', '+=', 1],
  ]);
}

function ignoreRefusal(error: OvsdbError): void {
  if (error.code !== 'constraint-violation') throw error;
}

function writeJson(dir: string, value: unknown): string {
  const path = join(dir, 'changed.ovsschema');
  writeFileSync(path, JSON.stringify(value));
  return path;
}

async function errorOf(promise: Promise<unknown>): Promise<OvsdbError> {
  return await promise.then(
    () => expect.fail('it succeeded'),
    (error: OvsdbError) => error,
  );
}

describe('against a standalone server', () => {
  it('follows insert, update, mutate and delete, one batch for each transaction', async () => {
    await using server = await startServer();
    await using client = openClient([server.remote]);
    await client.whenLive();
    const uuid = await insert(client, 'a');
    await client.transactAndSync([
      updateOp('Thing', whereUuid(uuid), { count: 3, labels: wireSet(['x', 'y']), options: wireMap([['k', 'v']]) }),
      insertOp('Note', { text: 'n' }),
    ]);
    await client.transactAndSync([
      mutateOp('Thing', whereUuid(uuid), [
        ['labels', 'delete', 'x'],
        ['labels', 'insert', 'z'],
        ['options', 'delete', wireSet(['k'])],
        ['count', '+=', 4],
      ]),
    ]);
    expect(client.table('Thing').get(uuid)).toMatchObject({ count: 7n, labels: ['y', 'z'], options: new Map() });
    await client.transactAndSync([deleteOp('Thing', whereUuid(uuid))]);
    expect(client.table('Thing').size).toBe(0);
    expect(client.batches.map((batch) => batch.map((change) => change.table).sort())).toEqual([
      ['Thing'],
      ['Note', 'Thing'],
      ['Thing'],
      ['Thing'],
    ]);
  });

  it('reads back every kind of column as it was written', async () => {
    await using server = await startServer();
    await using client = openClient([server.remote]);
    await client.whenLive();
    const row: Record<string, Value> = {
      name: 'é€😀"\\\n\u0001',
      count: 2n ** 53n + 1n,
      ratio: 1.5e300,
      up: false,
      tag: 4095n,
      colour: 'red',
      labels: ['__proto__', 'a'],
      numbers: [-(2n ** 63n), -1n, 2n ** 53n + 1n, 2n ** 63n - 1n],
      options: new Map([
        ['__proto__', 'x'],
        ['constructor', 'y'],
      ]),
      pair: new Map([['p', 9007199254740993n]]),
    };
    const [result] = await client.transactAndSync([insertOp('Thing', encodeRow(client, row))]);
    const uuid = String(result?.uuid);
    expect(client.table('Thing').get(uuid)).toMatchObject(row);
    await using second = openClient([server.remote]);
    await second.whenLive();
    expect(second.table('Thing').get(uuid)).toMatchObject(row);
    await second.transactAndSync([updateOp('Thing', whereUuid(uuid), { pair: wireMap([['q', 1]]) })]);
    expect(second.table('Thing').get(uuid)?.pair).toEqual(new Map([['q', 1n]]));
  });

  it('names rows within a transaction, also together with an identity chosen beforehand', async () => {
    await using server = await startServer();
    await using client = openClient([server.remote]);
    const uuid = '11111111-2222-4333-8444-555555555555';
    await client.transactAndSync([
      insertOp('Part', { name: 'p' }, { uuidName: 'part', uuid }),
      insertOp('Thing', { name: 'a', parts: wireSet([namedUuid('part')]) }),
    ]);
    expect(columnOf(client, 'Thing', 'parts')).toEqual([[uuid]]);
    expect(client.table('Part').get(uuid)?.name).toBe('p');
  });

  it('tells a violated index, a dangling reference, a failed guard and a commit error apart', async () => {
    await using server = await startServer();
    await using client = openClient([server.remote]);
    const uuid = await insert(client, 'a');
    const index = await errorOf(client.transact([insertOp('Note', {}), insertOp('Thing', { name: 'a' })]));
    expect(index).toBeInstanceOf(ConstraintViolationError);
    expect(index).toMatchObject({ class: 'terminal', operationIndex: undefined });
    const identity = await errorOf(client.transact([insertOp('Thing', { name: 'b' }, { uuid })]));
    expect(identity).toMatchObject({ code: 'constraint-violation', error: 'duplicate uuid', operationIndex: 0 });
    const dangling = { parts: wireSet([uuidRef('11111111-2222-4333-8444-555555555555')]) };
    const reference = await errorOf(client.transact([updateOp('Thing', whereUuid(uuid), dangling)]));
    expect(reference).toBeInstanceOf(ReferentialIntegrityError);
    const guard = waitOp('Thing', { where: whereUuid(uuid), columns: ['count'], until: '==', rows: [{ count: 1 }] });
    const guarded = await errorOf(client.transact([guard, updateOp('Thing', whereUuid(uuid), { count: 2 })]));
    expect(guarded).toBeInstanceOf(WaitTimedOutError);
    expect(guarded).toMatchObject({ class: 'retry', operationIndex: 0 });
    const range = await errorOf(client.transact([insertOp('Thing', { name: 'c', tag: 4096 })]));
    expect(range.code).toBe('constraint-violation');
    const syntax = await errorOf(client.transact([insertOp('Nothing', {})]));
    expect(syntax).toMatchObject({ code: 'syntax', class: 'terminal' });
    expect(client.state).toBe('live');
    expect(columnOf(client, 'Thing', 'count')).toEqual([0n]);
  });

  it('reports how many rows an operation matched, and selects', async () => {
    await using server = await startServer();
    await using client = openClient([server.remote]);
    const uuid = await insert(client, 'a');
    const results = await client.transact([
      updateOp('Thing', whereUuid(uuid), { count: 9007199254740993n }),
      updateOp('Thing', [['name', '==', 'nobody']], { count: 1 }),
      selectOp('Thing', whereUuid(uuid), ['name', 'count']),
    ]);
    expect(results).toEqual([{ count: 1 }, { count: 0 }, { rows: [{ name: 'a', count: 9007199254740993n }] }]);
  });

  it('executes transactions in the order they were asked for, also after one that failed', async () => {
    await using server = await startServer();
    await using client = openClient([server.remote]);
    const asked = ['a', 'a', 'b', 'c'].map((name) => client.transact([insertOp('Thing', { name })]));
    const settled = await Promise.allSettled(asked);
    expect(settled.map((s) => s.status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
    expect(client.batches.flat().map((change) => change.new?.name)).toEqual(['a', 'b', 'c']);
  });

  it('keeps only the columns and rows asked for; any one clause is enough', async () => {
    await using server = await startServer();
    await using all = openClient([server.remote]);
    await using some = openClient([server.remote], {
      tables: {
        Thing: {
          columns: ['name', 'no_such_column'],
          where: [
            ['name', '==', 'a'],
            ['count', '>', 5],
          ],
        },
        NoSuchTable: {},
      },
    });
    await Promise.all([all.whenLive(), some.whenLive()]);
    const a = await insert(all, 'a');
    const b = await insert(all, 'b');
    await until('a is seen', () => some.table('Thing').has(a));
    expect(some.table('Thing').get(a)).toEqual({ _uuid: a, name: 'a' });
    await all.transact([updateOp('Thing', whereUuid(b), { count: 6 })]);
    await until('b comes into view', () => some.table('Thing').has(b));
    await all.transact([updateOp('Thing', whereUuid(a), { name: 'z' })]);
    await until('a goes out of view', () => !some.table('Thing').has(a));
    expect(some.table('NoSuchTable').size).toBe(0);
  });

  it('keeps an index current through changes', async () => {
    await using server = await startServer();
    await using client = openClient([server.remote]);
    const index = createIndex(client, 'Thing', (row) => String(row.name));
    const uuid = await insert(client, 'a');
    expect(index.get('a').map((row) => row._uuid)).toEqual([uuid]);
    await client.transactAndSync([updateOp('Thing', whereUuid(uuid), { name: 'b' })]);
    expect([index.get('a'), index.get('b').length]).toEqual([[], 1]);
  });

  it('does the same with a server that knows only the monitor of RFC 7047', async () => {
    await using server = await startServer();
    await server.control('ovsdb-server/disable-monitor-cond');
    await using client = openClient([server.remote]);
    const uuid = await insert(client, 'a');
    const labels = { labels: wireSet(['x', 'y']) };
    await client.transactAndSync([updateOp('Thing', whereUuid(uuid), labels), insertOp('Note', { text: 'n' })]);
    expect(client.table('Thing').get(uuid)?.labels).toEqual(['x', 'y']);
    await server.control('ovsdb-server/reconnect');
    await liveTimes(client, 2);
    expect(client.batches.map((batch) => batch.length)).toEqual([1, 2]);
    await client.transactAndSync([deleteOp('Thing', whereUuid(uuid))]);
    expect(client.table('Thing').size).toBe(0);
  });

  it('holds after any series of transactions what a new client reads', async () => {
    await using server = await startServer();
    await using client = openClient([server.remote]);
    const names = ['a', 'b', 'c'];
    const step = fc.record({
      op: fc.constantFrom('insert', 'delete', 'update', 'mutate'),
      name: fc.constantFrom(...names),
      labels: fc.uniqueArray(fc.constantFrom('x', 'y', 'z')),
      options: fc.dictionary(fc.constantFrom('k', 'l', '__proto__'), fc.constantFrom('', 'v', 'w')),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), { maxLength: 6 }), async (rounds) => {
        for (const steps of rounds) await client.transact(steps.map(toOperation)).catch(ignoreRefusal);
        await using fresh = openClient([server.remote]);
        await fresh.whenLive();
        expect(new Map(client.table('Thing'))).toEqual(new Map(fresh.table('Thing')));
      }),
      { numRuns: 30 },
    );
  });

  it('works with the OVN northbound database', async () => {
    const schemaPath = findSchema('ovn/ovn-nb.ovsschema');
    await using server = await startServer({ schemaPath, database: 'OVN_Northbound' });
    const tables = { Logical_Switch: {}, Logical_Switch_Port: {} };
    await using client = openClient([server.remote], { database: 'OVN_Northbound', tables });
    await client.transactAndSync([
      insertOp('Logical_Switch_Port', { name: 'p', addresses: wireSet(['a b', 'c']) }, { uuidName: 'p' }),
      insertOp('Logical_Switch', { name: 's', ports: wireSet([namedUuid('p')]) }),
    ]);
    const [port] = [...client.table('Logical_Switch_Port').values()];
    expect(port).toMatchObject({ name: 'p', addresses: ['a b', 'c'], up: undefined, options: new Map() });
    expect(columnOf(client, 'Logical_Switch', 'ports')).toEqual([[port?._uuid]]);
  });

  it('reads ten thousand rows in one batch', async () => {
    await using server = await startServer();
    await using writer = openClient([server.remote], { tables: {} });
    for (let i = 0; i < 10; i++) {
      await writer.transact(
        Array.from({ length: 1000 }, (_, j) => insertOp('Note', { text: `${i}-${j} ${'x'.repeat(200)}` })),
      );
    }
    await using client = openClient([server.remote], { tables: { Note: {} } });
    await client.whenLive();
    expect(client.table('Note').size).toBe(10_000);
    expect(client.batches.map((batch) => batch.length)).toEqual([10_000]);
  });
});

describe('when the server goes away', () => {
  it('shows listeners only what changed meanwhile, and keeps the cache until then', async () => {
    await using server = await startServer();
    await using client = openClient([server.remote]);
    const [a, b] = [await insert(client, 'a'), await insert(client, 'b')];
    await insert(client, 'same');
    await server.kill('SIGKILL');
    await until('the loss is noticed', () => client.state !== 'live');
    expect(columnOf(client, 'Thing', 'name')).toEqual(['a', 'b', 'same']);
    const change = [
      'Test',
      { op: 'delete', table: 'Thing', where: [['_uuid', '==', ['uuid', a]]] },
      { op: 'update', table: 'Thing', where: [['_uuid', '==', ['uuid', b]]], row: { count: 5 } },
      { op: 'insert', table: 'Thing', row: { name: 'c' } },
    ];
    await runTool('ovsdb-tool', ['transact', `${server.dir}/db`, JSON.stringify(change)]);
    client.batches.length = 0;
    await server.start();
    await liveTimes(client, 2);
    const seen = client.batches.map((batch) => batch.map(({ old, new: now }) => [old?.name, now?.name, now?.count]));
    expect(seen).toHaveLength(1);
    expect(seen[0]).toHaveLength(3);
    expect(seen[0]).toEqual(
      expect.arrayContaining([
        ['a', undefined, undefined],
        ['b', 'b', 5n],
        [undefined, 'c', 0n],
      ]),
    );
    expect(client.events.at(-1)).toMatchObject({ state: 'live', resumed: false });
  });

  it('says nothing at all when nothing changed meanwhile', async () => {
    await using server = await startServer();
    await using client = openClient([server.remote]);
    const uuid = await insert(client, 'a');
    const row = client.table('Thing').get(uuid);
    client.batches.length = 0;
    await server.kill('SIGKILL');
    await server.start();
    await liveTimes(client, 2);
    expect(client.batches).toEqual([]);
    expect(client.table('Thing').get(uuid)).toBe(row);
  });

  it('calls a transaction ambiguous when the server dies with it in flight', async () => {
    await using server = await startServer();
    await using client = openClient([server.remote]);
    await client.whenLive();
    server.suspend();
    const answer = errorOf(client.transact([insertOp('Thing', { name: 'a' })]));
    await server.kill('SIGKILL');
    expect(await answer).toMatchObject({ code: 'ambiguous', class: 'retry', ambiguous: true });
  });

  it('does not call it ambiguous when there was no connection to send it on', async () => {
    await using server = await startServer();
    await using client = openClient([server.remote]);
    await client.whenLive();
    await server.kill('SIGKILL');
    await until('the loss is noticed', () => client.state !== 'live');
    const error = await errorOf(client.transact([insertOp('Thing', { name: 'a' })], { timeoutMs: 50 }));
    expect(error).toMatchObject({ code: 'timeout', ambiguous: false });
    const later = client.transactAndSync([insertOp('Thing', { name: 'b' })]);
    await server.start();
    await later;
    expect(columnOf(client, 'Thing', 'name')).toEqual(['b']);
  });

  it('ends the wait at once when the caller gives up, and leaves the outcome open', async () => {
    await using server = await startServer();
    await using client = openClient([server.remote]);
    await client.whenLive();
    server.suspend();
    const abort = new AbortController();
    const answer = errorOf(client.transact([insertOp('Thing', { name: 'a' })], { signal: abort.signal }));
    setImmediate(() => abort.abort());
    expect(await answer).toMatchObject({ ambiguous: true });
    server.resume();
    await until('the late execution is seen', () => columnOf(client, 'Thing', 'name')[0] === 'a');
  });

  it('drops a server that went silent and turns to the next', async () => {
    await using silent = await startServer();
    await using other = await startServer();
    await using seed = openClient([other.remote]);
    await insert(seed, 'there');
    await using client = openClient([silent.remote, other.remote], { probeIntervalMs: 100 });
    await insert(client, 'here');
    silent.suspend();
    await until('the other server is used', () => columnOf(client, 'Thing', 'name')[0] === 'there');
    expect(client.events.find((event) => event.reason !== undefined)?.reason?.message).toMatch(/silent/);
  });

  it('does not hang on a server that accepts and says nothing from the start', async () => {
    await using silent = await startServer();
    await using other = await startServer();
    silent.suspend();
    await using client = openClient([silent.remote, other.remote], { probeIntervalMs: 100 });
    await client.whenLive();
    expect(client.events.at(-1)?.remote).toBe(other.remote);
  });

  it('follows a change of the schema, with the new columns filled', async () => {
    await using server = await startServer();
    await using client = openClient([server.remote]);
    const uuid = await insert(client, 'a');
    const schema = JSON.parse(await runTool('ovsdb-client', ['get-schema', server.remote, 'Test']));
    schema.version = '1.1.0';
    schema.tables.Thing.columns.extra = { type: { key: 'string', min: 0, max: 1 } };
    await runTool('ovsdb-client', ['convert', server.remote, writeJson(server.dir, schema)]);
    await until(
      'the column is known',
      () => 'extra' in (client.table('Thing').get(uuid) ?? {}) || client.schema?.version === '1.1.0',
    );
    await liveTimes(client, 2);
    await client.transactAndSync([updateOp('Thing', whereUuid(uuid), { extra: 'x' })]);
    expect(client.table('Thing').get(uuid)).toMatchObject({ name: 'a', extra: 'x' });
  });

  it('leaves a server that gives up the database, and comes back when it is there again', async () => {
    await using server = await startServer();
    await using client = openClient([server.remote]);
    const uuid = await insert(client, 'a');
    await server.control('ovsdb-server/remove-db', 'Test');
    await until('the client has left', () => client.state !== 'live');
    expect(client.table('Thing').has(uuid)).toBe(true);
    await server.control('ovsdb-server/add-db', join(server.dir, 'db'));
    await liveTimes(client, 2);
    expect(client.table('Thing').has(uuid)).toBe(true);
  });

  it('waits for a database that is not there yet', async () => {
    await using server = await startServer();
    await using client = openClient([server.remote], { database: 'Later' });
    await until('it has been looked for', () => client.events.some((event) => event.state === 'backoff'));
    expect(client.events.find((event) => event.reason !== undefined)?.reason?.code).toBe('unsuitable-server');
    const schema = JSON.parse(await runTool('ovsdb-client', ['get-schema', server.remote, 'Test']));
    const path = writeJson(server.dir, { ...schema, name: 'Later' });
    await runTool('ovsdb-tool', ['create', `${server.dir}/later`, path]);
    await server.control('ovsdb-server/add-db', `${server.dir}/later`);
    await client.whenLive();
  });
});

describe('stop', () => {
  it('ends waits and transactions with a StoppedError or an unknown outcome, and leaves nothing running', async () => {
    await using server = await startServer();
    await using client = openClient([server.remote]);
    await client.whenLive();
    server.suspend();
    const inFlight = errorOf(client.transact([insertOp('Thing', { name: 'a' })]));
    const queued = errorOf(client.transact([insertOp('Thing', { name: 'b' })]));
    await new Promise((resolve) => setImmediate(resolve));
    await client.stop();
    expect(await inFlight).toMatchObject({ ambiguous: true });
    expect(await queued).toMatchObject({ code: 'stopped' });
    expect(await errorOf(client.whenLive())).toMatchObject({ code: 'stopped' });
    expect(client.state).toBe('stopped');
  });

  it('can be called while there is no server at all', async () => {
    await using client = openClient(['unix:/nonexistent/sock']);
    const waiting = errorOf(client.whenLive());
    await client.stop();
    expect(await waiting).toMatchObject({ code: 'stopped' });
  });
});
