import { describe, expect, it } from 'vitest';
import type { RowChange } from './cache.ts';
import { createIndex } from './table-index.ts';
import type { Row } from './values.ts';

function row(uuid: string, name: string): Row {
  return { _uuid: uuid, name };
}

/** A table that changes by hand; the index needs no more of a client. */
function makeTable(rows: readonly Row[]) {
  const table = new Map(rows.map((r) => [r._uuid, r]));
  const listeners = new Set<(changes: readonly RowChange[]) => void>();
  return {
    client: {
      table: () => table,
      onChange: (listener: (changes: readonly RowChange[]) => void) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
    emit: (changes: readonly RowChange[]) => {
      for (const listener of listeners) listener(changes);
    },
  };
}

const byName = (r: Row): string | undefined => (r.name === '' ? undefined : String(r.name));
const names = (rows: readonly Row[]): string[] => rows.map((r) => r._uuid);

describe('createIndex', () => {
  it('starts with what is there and follows changes of its own table', () => {
    const { client, emit } = makeTable([row('2', 'a'), row('1', 'a'), row('3', '')]);
    const index = createIndex(client, 'T', byName);
    expect(names(index.get('a'))).toEqual(['1', '2']);
    emit([
      { table: 'T', uuid: '1', old: row('1', 'a'), new: row('1', 'b') },
      { table: 'T', uuid: '2', old: row('2', 'a') },
      { table: 'T', uuid: '3', old: row('3', ''), new: row('3', 'b') },
      { table: 'Other', uuid: '4', new: row('4', 'b') },
    ]);
    expect(names(index.get('a'))).toEqual([]);
    expect(names(index.get('b'))).toEqual(['1', '3']);
  });

  it('can give a row several keys', () => {
    const { client } = makeTable([row('1', 'a b')]);
    const index = createIndex(client, 'T', (r) => String(r.name).split(' '));
    expect([names(index.get('a')), names(index.get('b')), names(index.get('a b'))]).toEqual([['1'], ['1'], []]);
  });

  it('stops following when closed', () => {
    const { client, emit } = makeTable([]);
    const index = createIndex(client, 'T', byName);
    index.close();
    emit([{ table: 'T', uuid: '1', new: row('1', 'a') }]);
    expect(index.get('a')).toEqual([]);
  });
});
