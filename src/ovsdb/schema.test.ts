import { describe, expect, it } from 'vitest';
import { TEST_SCHEMA } from '../../test/ovsdb/schema.ts';
import { parseSchema, SchemaError } from './schema.ts';

function withColumn(type: unknown): unknown {
  return { name: 'D', tables: { T: { columns: { c: { type } } } } };
}

describe('parseSchema', () => {
  it('reads names, indexes and flags', () => {
    const schema = parseSchema(TEST_SCHEMA);
    expect([schema.name, schema.version, schema.cksum]).toEqual(['Test', '1.0.0', '']);
    expect(Object.keys(schema.tables)).toEqual(['Thing', 'Note', 'Part']);
    expect(schema.tables.Thing).toMatchObject({ isRoot: true, indexes: [['name']], maxRows: Number.POSITIVE_INFINITY });
    expect(schema.tables.Part?.isRoot).toBe(false);
  });

  it.each<[string, unknown]>([
    ['name', { key: { type: 'string' }, min: 1, max: 1, ephemeral: false, mutable: true }],
    ['up', { key: { type: 'boolean' }, min: 0, max: 1 }],
    ['tag', { key: { type: 'integer', minInteger: 0n, maxInteger: 4095n }, min: 0 }],
    ['colour', { key: { enum: ['green', 'red'] } }],
    ['options', { key: { type: 'string' }, value: { type: 'string' }, max: Number.POSITIVE_INFINITY }],
    ['parts', { key: { refTable: 'Part', refType: 'strong' } }],
    ['peer', { key: { refTable: 'Thing', refType: 'weak' } }],
  ])('reads the type of %s', (column, type) => {
    expect(parseSchema(TEST_SCHEMA).tables.Thing?.columns[column]).toMatchObject(type as object);
  });

  it('has no prototype to find tables or columns in', () => {
    const schema = parseSchema(TEST_SCHEMA);
    expect(schema.tables.constructor).toBeUndefined();
    expect(schema.tables.Thing?.columns.toString).toBeUndefined();
  });

  it('takes __proto__ as a column name like any other', () => {
    const document: unknown = JSON.parse('{"name":"D","tables":{"T":{"columns":{"__proto__":{"type":"string"}}}}}');
    expect(Object.keys(parseSchema(document).tables.T?.columns ?? {})).toEqual(['__proto__']);
  });

  it.each<[string, unknown, string]>([
    ['no object', null, 'schema'],
    ['no name', { tables: {} }, 'name'],
    ['no tables', { name: 'D' }, 'tables'],
    ['a table without columns', { name: 'D', tables: { T: {} } }, 'tables.T.columns'],
    ['an unknown type', withColumn('text'), 'tables.T.columns.c'],
    ['an unknown key type', withColumn({ key: { type: 'text' } }), 'tables.T.columns.c.type.key.type'],
    ['a negative minimum', withColumn({ key: 'string', min: -1 }), 'tables.T.columns.c.type.min'],
    ['a maximum in words', withColumn({ key: 'string', max: 'many' }), 'tables.T.columns.c.type.max'],
    [
      'an enum of the wrong type',
      withColumn({ key: { type: 'integer', enum: 'a' } }),
      'tables.T.columns.c.type.key.enum',
    ],
    ['indexes that are no lists', { name: 'D', tables: { T: { columns: {}, indexes: ['a'] } } }, 'tables.T.indexes'],
  ])('refuses %s and says where', (_name, document, path) => {
    expect(() => parseSchema(document)).toThrow(SchemaError);
    expect(() => parseSchema(document)).toThrow(path);
  });
});
