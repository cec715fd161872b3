/** A JSON object as a map: names that every object inherits mean nothing in it. */
export type Fields = ReadonlyMap<string, unknown>;

/** The value as fields; undefined when it is not an object. */
export function asFields(value: unknown): Fields | undefined {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? new Map(Object.entries(value)) : undefined;
}

/** The objects of a list, in its order; none where it is no list. */
export const listFields = (value: unknown): readonly Fields[] =>
  Array.isArray(value) ? value.flatMap((item: unknown) => asFields(item) ?? []) : [];

/** The texts of an object, such as annotations, by their keys; what has another form counts as absent. */
export function readTexts(value: unknown): ReadonlyMap<string, string> {
  const entries = [...(asFields(value) ?? [])];
  return new Map(entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
}

/** Whether a field says anything: Go's JSON leaves out what is empty, and may write it. */
export const isGiven = (value: unknown): boolean => value !== undefined && value !== null && value !== '';
