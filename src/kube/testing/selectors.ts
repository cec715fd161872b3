import type { KubeObject } from '../types.ts';

/** Whether an object is in a selection. */
export type Matcher = (object: KubeObject) => boolean;

/** Equality, inequality and existence, as in `a=b,c!=d,e,!f`; set-based selectors are not understood here. */
export function parseLabelSelector(text: string | null): Matcher {
  const terms = split(text).map(parseTerm);
  return (object) => terms.every((term) => term((name) => object.metadata?.labels?.[name]));
}

/** Equality and inequality of a field by its path, such as `spec.nodeName=n1`. */
export function parseFieldSelector(text: string | null): Matcher {
  const terms = split(text).map(parseTerm);
  return (object) => terms.every((term) => term((path) => findField(object, path)));
}

function split(text: string | null): string[] {
  return (text ?? '').split(',').filter((term) => term !== '');
}

type Term = (read: (name: string) => string | undefined) => boolean;

function parseTerm(term: string): Term {
  const [, name = '', operator, value = ''] = /^([^=!]+)(==?|!=)(.*)$/.exec(term) ?? [];
  if (operator === '!=') return (read) => read(name) !== value;
  if (operator !== undefined) return (read) => (read(name) ?? '') === value;
  if (term.startsWith('!')) return (read) => read(term.slice(1)) === undefined;
  return (read) => read(term) !== undefined;
}

function findField(object: unknown, path: string): string | undefined {
  let value = object;
  for (const step of path.split('.')) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<string, unknown>)[step];
  }
  return typeof value === 'string' ? value : undefined;
}
