import type { Element } from './domain.ts';

/** One replacement in a text; `start` is `end` where something is put in. */
export type Edit = { readonly start: number; readonly end: number; readonly text: string };

const ATTRIBUTE = /\s([^\s=]+)\s*=\s*("[^"]*"|'[^']*')/g;

/** The text with all edits, which must not overlap. What is outside of them stays as it is. */
export function applyEdits(text: string, edits: readonly Edit[]): string {
  const ordered = edits.toSorted((a, b) => a.start - b.start);
  const parts = ordered.flatMap((edit, index) => [text.slice(ordered[index - 1]?.end ?? 0, edit.start), edit.text]);
  return [...parts, text.slice(ordered.at(-1)?.end ?? 0)].join('');
}

/** Gives an element's attribute a value, which must need no escaping; none when it has that value. */
export function planAttribute(text: string, element: Element, name: string, value: string): Edit[] {
  if (element.attributes.get(name) === value) return [];
  const tagEnd = findTagEnd(text, element);
  for (const match of text.slice(element.start, tagEnd).matchAll(ATTRIBUTE)) {
    const quoted = match[2] ?? '';
    if (match[1] !== name) continue;
    const end = element.start + match.index + match[0].length;
    return [{ start: end - quoted.length + 1, end: end - 1, text: value }];
  }
  const at = element.start + 1 + element.tag.length;
  return [{ start: at, end: at, text: ` ${name}="${value}"` }];
}

/** Puts a new child in front of all others, indented as they are. The element has children. */
export function planChild(text: string, parent: Element, child: string): Edit {
  const at = findTagEnd(text, parent);
  const indent = text.slice(at, parent.children[0]?.start ?? at);
  return { start: at, end: at, text: `${/^\s*$/.test(indent) ? indent : ''}${child}` };
}

/** Index of what follows the element's start tag. A `>` within quotes is not its end. */
function findTagEnd(text: string, { start, end }: Element): number {
  const tag = /^<(?:[^"'>]|"[^"]*"|'[^']*')*>/.exec(text.slice(start, end));
  return start + (tag?.[0].length ?? end - start);
}
