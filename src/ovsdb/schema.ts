import { type Atom, type AtomicType, type BaseType, type ColumnType, decodeAtom, ValueError } from './values.ts';

export type TableSchema = {
  readonly columns: Readonly<Record<string, ColumnType>>;
  readonly indexes: readonly (readonly string[])[];
  readonly isRoot: boolean;
  /** `Infinity` when unlimited. */
  readonly maxRows: number;
};

/** RFC 7047 section 3.2 `<database-schema>`. All records have no prototype: names come from the server. */
export type DatabaseSchema = {
  readonly name: string;
  readonly version: string;
  readonly cksum: string;
  readonly tables: Readonly<Record<string, TableSchema>>;
};

/** The document is not a database schema; `path` says where. */
export class SchemaError extends Error {
  override readonly name: string = 'SchemaError';
  readonly path: string;
  constructor(path: string, message: string, options?: ErrorOptions) {
    super(`${path}: ${message}`, options);
    this.path = path;
  }
}

type Json = Readonly<Record<string, unknown>>;

const ATOMIC_TYPES: readonly string[] = ['integer', 'real', 'boolean', 'string', 'uuid'];
const UUID_TYPE: ColumnType = { key: { type: 'uuid' }, min: 1, max: 1, ephemeral: false, mutable: false };

/** The columns every table has besides its own (RFC 7047 section 3.2). */
export const IMPLICIT_COLUMNS: Readonly<Record<string, ColumnType>> = { _uuid: UUID_TYPE, _version: UUID_TYPE };

/** Reads the answer to `get_schema`, or a parsed `.ovsschema` file. Throws SchemaError. */
export function parseSchema(document: unknown): DatabaseSchema {
  const json = record(document, 'schema');
  return {
    name: text(json.name, 'name'),
    version: typeof json.version === 'string' ? json.version : '',
    cksum: typeof json.cksum === 'string' ? json.cksum : '',
    tables: mapRecord(record(json.tables, 'tables'), 'tables', parseTable),
  };
}

function parseTable(document: unknown, path: string): TableSchema {
  const json = record(document, path);
  return {
    columns: mapRecord(record(json.columns, `${path}.columns`), `${path}.columns`, parseColumn),
    indexes: parseIndexes(json.indexes, `${path}.indexes`),
    isRoot: json.isRoot === true,
    maxRows: json.maxRows === undefined ? Number.POSITIVE_INFINITY : count(json.maxRows, `${path}.maxRows`),
  };
}

function parseIndexes(document: unknown, path: string): readonly (readonly string[])[] {
  if (document === undefined) return [];
  if (!Array.isArray(document)) throw new SchemaError(path, 'expected a list');
  return document.map((index) => {
    if (!Array.isArray(index)) throw new SchemaError(path, 'expected a list of lists');
    return index.map((column) => text(column, path));
  });
}

function parseColumn(document: unknown, path: string): ColumnType {
  const json = record(document, path);
  const flags = { ephemeral: json.ephemeral === true, mutable: json.mutable !== false };
  if (typeof json.type === 'string') return { key: parseBase(json.type, path), min: 1, max: 1, ...flags };
  const type = record(json.type, `${path}.type`);
  const value = type.value === undefined ? undefined : parseBase(type.value, `${path}.type.value`);
  return {
    key: parseBase(type.key, `${path}.type.key`),
    ...(value === undefined ? {} : { value }),
    min: type.min === undefined ? 1 : count(type.min, `${path}.type.min`),
    max: parseMax(type.max, `${path}.type.max`),
    ...flags,
  };
}

function parseMax(document: unknown, path: string): number {
  if (document === undefined) return 1;
  return document === 'unlimited' ? Number.POSITIVE_INFINITY : count(document, path);
}

function parseBase(document: unknown, path: string): BaseType {
  if (typeof document === 'string') return { type: atomicType(document, path) };
  const json = record(document, path);
  const type = atomicType(json.type, `${path}.type`);
  const out: { -readonly [K in keyof BaseType]: BaseType[K] } = { type };
  if (typeof json.refTable === 'string') {
    out.refTable = json.refTable;
    out.refType = json.refType === 'weak' ? 'weak' : 'strong';
  }
  if (json.enum !== undefined) out.enum = parseEnum(json.enum, out, `${path}.enum`);
  return { ...out, ...parseLimits(json) };
}

function parseLimits(json: Json): Partial<BaseType> {
  const limits: { -readonly [K in keyof BaseType]?: BaseType[K] } = {};
  for (const key of ['minReal', 'maxReal', 'minLength', 'maxLength'] as const) {
    if (json[key] !== undefined) limits[key] = Number(json[key]);
  }
  for (const key of ['minInteger', 'maxInteger'] as const) {
    const limit = json[key];
    if (typeof limit === 'number' || typeof limit === 'bigint') limits[key] = BigInt(limit);
  }
  return limits;
}

function parseEnum(document: unknown, base: BaseType, path: string): readonly Atom[] {
  const isSet = Array.isArray(document) && document[0] === 'set' && Array.isArray(document[1]);
  const atoms: unknown[] = isSet ? document[1] : [document];
  try {
    return atoms.map((atom) => decodeAtom(atom, base));
  } catch (error) {
    if (error instanceof ValueError) throw new SchemaError(path, error.message, { cause: error });
    throw error;
  }
}

function atomicType(document: unknown, path: string): AtomicType {
  if (typeof document === 'string' && ATOMIC_TYPES.includes(document)) return document as AtomicType;
  throw new SchemaError(path, 'expected an atomic type');
}

function text(document: unknown, path: string): string {
  if (typeof document === 'string') return document;
  throw new SchemaError(path, 'expected a string');
}

function count(document: unknown, path: string): number {
  if (typeof document === 'number' && Number.isSafeInteger(document) && document >= 0) return document;
  throw new SchemaError(path, 'expected a count');
}

function record(document: unknown, path: string): Json {
  if (typeof document === 'object' && document !== null && !Array.isArray(document)) return document as Json;
  throw new SchemaError(path, 'expected an object');
}

function mapRecord<T>(
  json: Json,
  path: string,
  parse: (value: unknown, path: string) => T,
): Readonly<Record<string, T>> {
  const out: Record<string, T> = Object.create(null);
  for (const [name, value] of Object.entries(json)) out[name] = parse(value, `${path}.${name}`);
  return out;
}
