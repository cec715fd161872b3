import { type Condition, findCondition } from '../objects.ts';

/** Puts a condition into a list; its transition time moves only when its status does. */
export function withCondition(conditions: readonly Condition[], next: Condition, now: string): Condition[] {
  const known = findCondition(conditions, next.type);
  const lastTransitionTime = known?.status === next.status ? (known.lastTransitionTime ?? now) : now;
  const lastProbeTime = known?.status === next.status ? (known.lastProbeTime ?? null) : null;
  const entry = { lastProbeTime, lastTransitionTime, ...next };
  if (known === undefined) return [...conditions, entry];
  return conditions.map((condition) => (condition.type === next.type ? entry : condition));
}

/** True when both hold the same, whatever the order of their keys; absent and undefined are the same. */
export function isSame(a: unknown, b: unknown): boolean {
  return canonical(a) === canonical(b);
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([x], [y]) => (x < y ? -1 : 1)));
  });
}
