/** Longest text of one annotation or configuration that is read; the API server allows 256 KiB for all of an object. */
export const MAX_TEXT = 65_536;

/** A JSON object as a map: names that every object inherits mean nothing in it. */
export type Fields = ReadonlyMap<string, unknown>;

/** Parses at most MAX_TEXT characters. Undefined when it is no JSON or too long. */
export function parseJson(text: string): { readonly value: unknown } | undefined {
  if (text.length > MAX_TEXT) return undefined;
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

/** The value as fields; undefined when it is not an object. */
export function asFields(value: unknown): Fields | undefined {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? new Map(Object.entries(value)) : undefined;
}

/** Parses a JSON object; undefined for everything else. */
export function parseFields(text: string): Fields | undefined {
  return asFields(parseJson(text)?.value);
}

export function isTextList(value: unknown, max: number): value is string[] {
  return Array.isArray(value) && value.length <= max && value.every((item) => typeof item === 'string');
}
