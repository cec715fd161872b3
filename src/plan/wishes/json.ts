import { asFields, type Fields } from '../../api/fields.ts';

/** Longest text of one annotation or configuration that is read; the API server allows 256 KiB for all of an object. */
export const MAX_TEXT = 65_536;

/** Parses at most MAX_TEXT characters. Undefined when it is no JSON or too long. */
export function parseJson(text: string): { readonly value: unknown } | undefined {
  if (text.length > MAX_TEXT) return undefined;
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

/** Parses a JSON object; undefined for everything else. */
export function parseFields(text: string): Fields | undefined {
  return asFields(parseJson(text)?.value);
}

export function isTextList(value: unknown, max: number): value is string[] {
  return Array.isArray(value) && value.length <= max && value.every((item) => typeof item === 'string');
}

/** What keeps a text from being JSON, for its author: where it goes wrong, as far as the parser tells. */
export function explainJson(text: string): string {
  if (text.length > MAX_TEXT) return `it is longer than ${MAX_TEXT} characters`;
  try {
    JSON.parse(text);
    return 'it is JSON of another kind';
  } catch (error) {
    return explainError(error instanceof Error ? error.message : '', text);
  }
}

/** The messages of V8's parser. */
function explainError(message: string, text: string): string {
  const position = /at position ([0-9]+)/.exec(message)?.[1];
  const at = Number(position ?? 0);
  if (message.startsWith('Unexpected end') || at >= text.length) return 'it ends before it is complete';
  if (position !== undefined) return `wrong from character ${at + 1} on, at ${JSON.stringify(text.slice(at, at + 20))}`;
  const token = /^Unexpected token '(.+?)',/su.exec(message)?.[1];
  return token === undefined ? 'it is no JSON' : `${JSON.stringify(token)} is not expected there`;
}
