import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { type DatabaseSchema, parseSchema, type TableSchema } from '../../src/ovsdb/schema.ts';
import { type AtomicType, type BaseType, type ColumnType, kindOf } from '../../src/ovsdb/values.ts';

/** Which schema makes which file. The schemas are those of OVN 25.03 and Open vSwitch 3.5. */
const TARGETS = [
  { schema: 'scripts/codegen/schemas/ovn-nb.ovsschema', target: 'src/ovn/schema/nb.gen.ts', constant: 'NB' },
  { schema: 'scripts/codegen/schemas/ovn-sb.ovsschema', target: 'src/ovn/schema/sb.gen.ts', constant: 'SB' },
  { schema: 'scripts/codegen/schemas/vswitch.ovsschema', target: 'src/ovs/schema/vswitch.gen.ts', constant: 'VSWITCH' },
] as const;

const TYPES: Record<AtomicType, string> = {
  integer: 'bigint',
  real: 'number',
  boolean: 'boolean',
  string: 'string',
  uuid: 'Uuid',
};

/** The TypeScript of one database: per table a row type and a descriptor with OVSDB's own column names. */
export function generateTables(schema: DatabaseSchema, source: string, constant: string): string {
  const tables = Object.entries(schema.tables).sort(([a], [b]) => (a < b ? -1 : 1));
  return `// Generated from ${source} (${schema.name} ${schema.version}) by \`make generate\`. Do not edit.
import type { Table } from '../../ovsdb/typed.ts';
import type { ColumnType, Uuid } from '../../ovsdb/values.ts';

export const ${constant}_DATABASE = '${schema.name}';

type Rule = Partial<Pick<ColumnType, 'value' | 'min' | 'max' | 'ephemeral' | 'mutable'>>;
const column = (key: ColumnType['key'], rule: Rule = {}): ColumnType => ({
  key,
  min: 1,
  max: 1,
  ephemeral: false,
  mutable: true,
  ...rule,
});
const many = Number.POSITIVE_INFINITY;

${tables.map(([name, table]) => formatTable(name, table)).join('\n')}
/** Every table of ${schema.name}. */
export const ${constant} = {
${tables.map(([name]) => `  ${name},\n`).join('')}} as const;
`;
}

function formatTable(name: string, table: TableSchema): string {
  const columns = Object.entries(table.columns).sort(([a], [b]) => (a < b ? -1 : 1));
  const types = columns.map(([column, type]) => `  readonly ${column}: ${formatType(type)};\n`);
  const rules = columns.map(([column, type]) => `    ${column}: ${formatColumn(type)},\n`);
  return `export type ${name}Row = {
  readonly _uuid: Uuid;
${types.join('')}};

export const ${name}: Table<${name}Row> = {
  name: '${name}',
  isRoot: ${table.isRoot},
  indexes: ${formatValue(table.indexes)},
  maxRows: ${formatValue(table.maxRows)},
  columns: {
${rules.join('')}  },
};
`;
}

function formatType(type: ColumnType): string {
  const key = TYPES[type.key.type];
  switch (kindOf(type)) {
    case 'map':
      return `ReadonlyMap<${key}, ${type.value === undefined ? key : TYPES[type.value.type]}>`;
    case 'set':
      return `readonly ${key}[]`;
    case 'optional':
      return `${key} | undefined`;
    default:
      return key;
  }
}

function formatColumn(type: ColumnType): string {
  const rules = [
    ...(type.value === undefined ? [] : [`value: ${formatBase(type.value)}`]),
    ...(type.min === 1 ? [] : [`min: ${type.min}`]),
    ...(type.max === 1 ? [] : [`max: ${formatValue(type.max)}`]),
    ...(type.ephemeral ? ['ephemeral: true'] : []),
    ...(type.mutable ? [] : ['mutable: false']),
  ];
  return `column(${formatBase(type.key)}${rules.length === 0 ? '' : `, { ${rules.join(', ')} }`})`;
}

function formatBase(base: BaseType): string {
  return `{ ${Object.entries(base)
    .map(([key, value]) => `${key}: ${formatValue(value)}`)
    .join(', ')} }`;
}

function formatValue(value: unknown): string {
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'string') return `'${value.replace(/[\\']/g, '\\$&')}'`;
  if (Array.isArray(value)) return `[${value.map(formatValue).join(', ')}]`;
  return value === Number.POSITIVE_INFINITY ? 'many' : String(value);
}

/** Writes the generated files, or with `check` compares them. Returns those that differ. */
export function syncGenerated(root: string, check: boolean): string[] {
  return TARGETS.flatMap(({ schema, target, constant }) => {
    const document = parseSchema(JSON.parse(readFileSync(join(root, schema), 'utf8')));
    const wanted = generateTables(document, basename(schema), constant);
    if (check) return read(join(root, target)) === wanted ? [] : [target];
    writeFileSync(join(root, target), wanted);
    return [];
  });
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function main(root: string, check: boolean): number {
  const stale = syncGenerated(root, check);
  for (const target of stale) {
    console.error(`${target} does not match its schema: run \`make generate\` and commit the result`);
  }
  return stale.length === 0 ? 0 : 1;
}

if (import.meta.main) process.exit(main(resolve(import.meta.dirname, '../..'), process.argv.includes('--check')));
