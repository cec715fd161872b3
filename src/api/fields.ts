/** A JSON object as a map: names that every object inherits mean nothing in it. */
export type Fields = ReadonlyMap<string, unknown>;

/** The value as fields; undefined when it is not an object. */
export function asFields(value: unknown): Fields | undefined {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? new Map(Object.entries(value)) : undefined;
}
