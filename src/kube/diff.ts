/**
 * The JSON merge patch (RFC 7386) that makes `actual` hold everything `desired` says, or undefined when it does
 * already. What `desired` does not mention is left alone; a null in it asks for absence. Lists are compared element by
 * element in the same way, so that server-side defaults inside elements are no difference, and replaced as a whole.
 */
export function deriveMergePatch(actual: unknown, desired: object): Record<string, unknown> | undefined {
  const known = isRecord(actual) ? actual : {};
  const patch = new Map<string, unknown>();
  for (const [name, wanted] of Object.entries(desired)) {
    const difference = deriveDifference(Object.hasOwn(known, name) ? known[name] : undefined, wanted);
    if (difference !== undefined) patch.set(name, difference);
  }
  return patch.size === 0 ? undefined : Object.fromEntries(patch);
}

/** What the patch says for one field; undefined when nothing is to be said. */
function deriveDifference(actual: unknown, wanted: unknown): unknown {
  if (wanted === undefined) return undefined;
  if (wanted === null) return actual === undefined || actual === null ? undefined : null;
  if (isRecord(wanted)) return deriveRecordDifference(actual, wanted);
  return holds(actual, wanted) ? undefined : wanted;
}

function deriveRecordDifference(actual: unknown, wanted: Record<string, unknown>): unknown {
  if (!isRecord(actual)) return wanted;
  return deriveMergePatch(actual, wanted);
}

/** True when `actual` says everything that `wanted` says. */
export function holds(actual: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted)) {
    if (!Array.isArray(actual) || actual.length !== wanted.length) return false;
    return wanted.every((element, at) => holds(actual[at], element));
  }
  if (isRecord(wanted)) return isRecord(actual) && deriveMergePatch(actual, wanted) === undefined;
  return Object.is(actual, wanted);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
