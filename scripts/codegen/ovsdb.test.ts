import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { NB } from '../../src/ovn/schema/nb.gen.ts';
import { SB } from '../../src/ovn/schema/sb.gen.ts';
import { VSWITCH } from '../../src/ovs/schema/vswitch.gen.ts';
import { parseSchema } from '../../src/ovsdb/schema.ts';
import { SCHEMA_FILES } from '../../test/ovn/database.ts';
import { generateTables, syncGenerated } from './ovsdb.ts';

const schemaOf = (columns: Record<string, unknown>) =>
  parseSchema({ name: 'D', version: '1.2.3', tables: { T: { isRoot: true, indexes: [['a', 'b']], columns } } });

describe('generated tables', () => {
  it('are those of the committed schemas', () => {
    expect(syncGenerated(resolve(import.meta.dirname, '../..'), true)).toEqual([]);
  });

  it.each([
    ['nb', NB],
    ['sb', SB],
    ['vswitch', VSWITCH],
  ] as const)('say the same as the schema of %s', (name, tables) => {
    const schema = parseSchema(JSON.parse(readFileSync(SCHEMA_FILES[name].schemaPath, 'utf8')));
    expect(Object.keys(tables).sort()).toEqual(Object.keys(schema.tables).sort());
    for (const [table, { name: own, ...descriptor }] of Object.entries(tables)) {
      expect(own).toBe(table);
      expect(descriptor).toEqual({ ...schema.tables[table], columns: { ...schema.tables[table]?.columns } });
    }
  });
});

describe('generateTables', () => {
  it.each<[string, unknown, string, string]>([
    ['a scalar', 'string', 'string', "column({ type: 'string' })"],
    ['an optional', { key: 'integer', min: 0 }, 'bigint | undefined', "column({ type: 'integer' }, { min: 0 })"],
    [
      'a set',
      { key: 'real', min: 0, max: 'unlimited' },
      'readonly number[]',
      "column({ type: 'real' }, { min: 0, max: many })",
    ],
    ['a bounded set', { key: 'boolean', max: 3 }, 'readonly boolean[]', "column({ type: 'boolean' }, { max: 3 })"],
    [
      'a map',
      { key: 'string', value: 'uuid', min: 0, max: 'unlimited' },
      'ReadonlyMap<string, Uuid>',
      "column({ type: 'string' }, { value: { type: 'uuid' }, min: 0, max: many })",
    ],
    [
      'a weak reference',
      { key: { type: 'uuid', refTable: 'T', refType: 'weak' } },
      'Uuid',
      "column({ type: 'uuid', refTable: 'T', refType: 'weak' })",
    ],
    [
      'an enumeration with a quote',
      { key: { type: 'string', enum: ['set', ["it's", 'b\\c']] } },
      'string',
      "column({ type: 'string', enum: ['it\\'s', 'b\\\\c'] })",
    ],
    [
      'a range',
      { key: { type: 'integer', minInteger: -1, maxInteger: 5 } },
      'bigint',
      "column({ type: 'integer', minInteger: -1n, maxInteger: 5n })",
    ],
  ])('%s', (_name, type, row, rule) => {
    const text = generateTables(schemaOf({ a: { type } }), 'd.ovsschema', 'D');
    expect(text).toContain(`  readonly a: ${row};\n`);
    expect(text).toContain(`    a: ${rule},\n`);
  });

  it('keeps flags, indexes and the place it came from', () => {
    const columns = { b: { type: 'string', ephemeral: true, mutable: false } };
    const text = generateTables(schemaOf(columns), 'd.ovsschema', 'D');
    expect(text).toContain("column({ type: 'string' }, { ephemeral: true, mutable: false })");
    expect(text).toContain("indexes: [['a', 'b']]");
    expect(text).toContain('// Generated from d.ovsschema (D 1.2.3)');
    expect(text).toContain("export const D_DATABASE = 'D';");
  });
});
