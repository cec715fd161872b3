/** A JSON object as CNI passes it from hand to hand. Only its own keys are ever read. */
export type Json = Record<string, unknown>;

/** The value as an object, undefined for anything else. */
export function asJson(value: unknown): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
}

/** A key of an object, never one that every object inherits. */
export function getOwn(object: Json | undefined, key: string): unknown {
  return object !== undefined && Object.hasOwn(object, key) ? object[key] : undefined;
}

/** Undefined for a text that is no JSON object. */
export function parseJson(text: string): Json | undefined {
  try {
    return asJson(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** The objects of a list; anything else in it is left out. */
export function listJson(value: unknown): Json[] {
  const items: unknown[] = Array.isArray(value) ? value : [];
  return items.map(asJson).filter((item) => item !== undefined);
}

export function asText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
