/** A row's identity, in the usual 36-character form. */
export type Uuid = string;

/** One element of a column. Integers are always bigint: OVSDB integers have 64 bits, numbers only 53. */
export type Atom = bigint | number | boolean | string;

/** A column's value as callers see it: scalar, optional scalar, set (sorted) or map (sorted by key). */
export type Value = Atom | undefined | readonly Atom[] | ReadonlyMap<Atom, Atom>;

/** A row as callers see it. Rows are never changed in place: an update makes a new row. */
export type Row = Readonly<Record<string, Value>> & { readonly _uuid: Uuid };

export type AtomicType = 'integer' | 'real' | 'boolean' | 'string' | 'uuid';

/** RFC 7047 section 3.2 `<base-type>`. */
export type BaseType = {
  readonly type: AtomicType;
  readonly refTable?: string;
  readonly refType?: 'strong' | 'weak';
  readonly enum?: readonly Atom[];
  readonly minInteger?: bigint;
  readonly maxInteger?: bigint;
  readonly minReal?: number;
  readonly maxReal?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
};

/** RFC 7047 section 3.2 `<type>` with the two flags of `<column-schema>`. */
export type ColumnType = {
  readonly key: BaseType;
  readonly value?: BaseType;
  readonly min: number;
  /** `Infinity` for "unlimited". */
  readonly max: number;
  readonly ephemeral: boolean;
  readonly mutable: boolean;
};

/** RFC 7047 section 5.1 `<atom>`. */
export type WireAtom = Atom | readonly ['uuid', Uuid] | readonly ['named-uuid', string];
export type WireSet = readonly ['set', readonly WireAtom[]];
export type WireMap = readonly ['map', readonly (readonly [WireAtom, WireAtom])[]];
/** RFC 7047 section 5.1 `<value>`. */
export type WireValue = WireAtom | WireSet | WireMap;
/** RFC 7047 section 5.1 `<row>`. */
export type WireRow = Readonly<Record<string, WireValue>>;

/** The wire does not hold what the schema promises. */
export class ValueError extends Error {
  override readonly name: string = 'ValueError';
}

export const ZERO_UUID: Uuid = '00000000-0000-0000-0000-000000000000';

const UUID = /^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$/;
const MIN_INTEGER = -(2n ** 63n);
const MAX_INTEGER = 2n ** 63n - 1n;
const EMPTY_SET: readonly Atom[] = Object.freeze([]);
const EMPTY_MAP: ReadonlyMap<Atom, Atom> = new Map();

/** What kind of JS value a column of this type has. */
export function kindOf(type: ColumnType): 'scalar' | 'optional' | 'set' | 'map' {
  if (type.value !== undefined) return 'map';
  if (type.max > 1) return 'set';
  return type.min === 0 ? 'optional' : 'scalar';
}

/** The value of a column nobody has set (RFC 7047 section 5.2.1); the server leaves such columns out of updates. */
export function defaultValue(type: ColumnType): Value {
  switch (kindOf(type)) {
    case 'map':
      return type.min === 0 ? EMPTY_MAP : new Map([[defaultAtom(type.key), defaultAtom(type.value ?? type.key)]]);
    case 'set':
      return type.min === 0 ? EMPTY_SET : [defaultAtom(type.key)];
    case 'optional':
      return undefined;
    default:
      return defaultAtom(type.key);
  }
}

function defaultAtom(base: BaseType): Atom {
  const first = base.enum?.[0];
  if (first !== undefined) return first;
  switch (base.type) {
    case 'integer':
      return 0n;
    case 'real':
      return 0;
    case 'boolean':
      return false;
    case 'string':
      return '';
    default:
      return ZERO_UUID;
  }
}

/** Order of atoms of one type: numbers by size, strings by code unit, false before true. */
export function compareAtoms(a: Atom, b: Atom): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** Are two values of the same column equal? Sets are sorted, so that position decides. */
export function equalValues(a: Value, b: Value): boolean {
  if (a === b) return true;
  if (a instanceof Map && b instanceof Map) return equalMaps(a, b);
  if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
  return a.every((atom, i) => atom === b[i]);
}

function equalMaps(a: ReadonlyMap<Atom, Atom>, b: ReadonlyMap<Atom, Atom>): boolean {
  if (a.size !== b.size) return false;
  for (const [key, value] of a) if (b.get(key) !== value) return false;
  return true;
}

/** A sorted set without duplicates, as every set column holds. */
export function sortedSet(atoms: Iterable<Atom>): readonly Atom[] {
  const list = [...atoms];
  if (isAscending(list)) return list;
  list.sort(compareAtoms);
  return list.filter((atom, i) => i === 0 || atom !== list[i - 1]);
}

/** A map in key order; a later pair wins over an earlier one with the same key. */
export function sortedMap(pairs: Iterable<readonly [Atom, Atom]>): ReadonlyMap<Atom, Atom> {
  const map = new Map(pairs);
  return isAscending(map.keys()) ? map : new Map([...map].sort((a, b) => compareAtoms(a[0], b[0])));
}

/** The server sends sets and maps in order, so that sorting is the exception. */
function isAscending(atoms: Iterable<Atom>): boolean {
  let last: Atom | undefined;
  for (const atom of atoms) {
    if (last !== undefined && last >= atom) return false;
    last = atom;
  }
  return true;
}

/** Reads one `<atom>`. Throws ValueError when it is not of the type. */
export function decodeAtom(wire: unknown, base: BaseType): Atom {
  const atom = ATOM_DECODERS[base.type](wire);
  if (atom === undefined) throw new ValueError(`expected ${base.type}, got ${describe(wire)}`);
  return atom;
}

const ATOM_DECODERS: Readonly<Record<AtomicType, (wire: unknown) => Atom | undefined>> = {
  string: (wire) => (typeof wire === 'string' ? wire : undefined),
  boolean: (wire) => (typeof wire === 'boolean' ? wire : undefined),
  real: (wire) => (typeof wire === 'number' || typeof wire === 'bigint' ? Number(wire) : undefined),
  integer: decodeInteger,
  uuid: (wire) => (isTagged(wire, 'uuid') && typeof wire[1] === 'string' ? wire[1] : undefined),
};

function decodeInteger(wire: unknown): bigint | undefined {
  if (typeof wire === 'bigint') return wire;
  return typeof wire === 'number' && Number.isInteger(wire) ? BigInt(wire) : undefined;
}

/** Reads one `<value>` of a column. Throws ValueError when it does not fit the type. */
export function decodeValue(wire: unknown, type: ColumnType): Value {
  switch (kindOf(type)) {
    case 'map':
      return decodeMap(wire, type.key, type.value ?? type.key);
    case 'set':
      return frozenIfEmpty(decodeSet(wire, type.key));
    case 'optional':
      return decodeOptional(wire, type.key);
    default:
      return decodeAtom(isTagged(wire, 'set') ? only(wire[1]) : wire, type.key);
  }
}

function decodeSet(wire: unknown, base: BaseType): Atom[] {
  if (!isTagged(wire, 'set')) return [decodeAtom(wire, base)];
  return list(wire[1]).map((atom) => decodeAtom(atom, base));
}

function decodeOptional(wire: unknown, base: BaseType): Atom | undefined {
  const atoms = decodeSet(wire, base);
  if (atoms.length > 1) throw new ValueError(`expected at most one ${base.type}, got ${atoms.length}`);
  return atoms[0];
}

function decodeMap(wire: unknown, key: BaseType, value: BaseType): ReadonlyMap<Atom, Atom> {
  if (!isTagged(wire, 'map')) throw new ValueError(`expected map, got ${describe(wire)}`);
  const map = new Map<Atom, Atom>();
  for (const pair of list(wire[1])) {
    if (!Array.isArray(pair) || pair.length !== 2) throw new ValueError(`expected pair, got ${describe(pair)}`);
    map.set(decodeAtom(pair[0], key), decodeAtom(pair[1], value));
  }
  if (map.size === 0) return EMPTY_MAP;
  return isAscending(map.keys()) ? map : sortedMap(map);
}

function frozenIfEmpty(atoms: Atom[]): readonly Atom[] {
  return atoms.length === 0 ? EMPTY_SET : sortedSet(atoms);
}

function isTagged(wire: unknown, tag: string): wire is readonly [string, unknown] {
  return Array.isArray(wire) && wire.length === 2 && wire[0] === tag;
}

function list(wire: unknown): readonly unknown[] {
  if (Array.isArray(wire)) return wire;
  throw new ValueError(`expected list, got ${describe(wire)}`);
}

function only(wire: unknown): unknown {
  const items = list(wire);
  if (items.length === 1) return items[0];
  throw new ValueError(`expected exactly one element, got ${items.length}`);
}

function describe(wire: unknown): string {
  if (wire === null) return 'null';
  if (Array.isArray(wire)) return `array of ${wire.length}`;
  return typeof wire;
}

/**
 * Writes one atom. A string in a uuid column that is not in UUID form is taken for the name of a row inserted in the
 * same transaction (`named-uuid`). Throws ValueError for a value of the wrong type or out of range.
 */
export function encodeAtom(atom: Atom, base: BaseType): WireAtom {
  if (base.type === 'integer') return encodeInteger(atom);
  if (typeof atom !== JS_TYPES[base.type] || (typeof atom === 'number' && !Number.isFinite(atom))) {
    throw new ValueError(`${describe(atom)} does not fit a column of type ${base.type}`);
  }
  if (base.type !== 'uuid' || typeof atom !== 'string') return atom;
  return UUID.test(atom) ? ['uuid', atom] : ['named-uuid', atom];
}

const JS_TYPES = { integer: 'bigint', real: 'number', boolean: 'boolean', string: 'string', uuid: 'string' } as const;

function encodeInteger(atom: Atom): bigint {
  const isInteger = typeof atom === 'bigint' || (typeof atom === 'number' && Number.isSafeInteger(atom));
  if (!isInteger) throw new ValueError(`${describe(atom)} does not fit a column of type integer`);
  const value = BigInt(atom);
  if (value < MIN_INTEGER || value > MAX_INTEGER) throw new ValueError(`${value} does not fit 64 bits`);
  return value;
}

/** Writes a column's value in RFC 7047 notation. Throws ValueError when it does not fit the type. */
export function encodeValue(value: Value, type: ColumnType): WireValue {
  if (value === undefined) return emptyWire(type);
  if (value instanceof Map) return encodeMap(value, type);
  if (type.value !== undefined) throw new ValueError('a map column takes a Map');
  if (Array.isArray(value)) return ['set', Array.from(new Set<Atom>(value), (atom) => encodeAtom(atom, type.key))];
  return encodeAtom(value as Atom, type.key);
}

function emptyWire(type: ColumnType): WireValue {
  const kind = kindOf(type);
  if (kind === 'scalar') throw new ValueError('a scalar column needs a value');
  return kind === 'map' ? ['map', []] : ['set', []];
}

function encodeMap(value: ReadonlyMap<Atom, Atom>, type: ColumnType): WireMap {
  const base = type.value;
  if (base === undefined) throw new ValueError('a Map does not fit a column that is no map');
  return ['map', [...value].map(([k, v]) => [encodeAtom(k, type.key), encodeAtom(v, base)] as const)];
}
