declare global {
  // Source text access (ECMA-262 2026), in V8 since 11.4; TypeScript's library does not have it yet.
  interface JSON {
    parse(text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown): unknown;
    rawJSON(text: string): unknown;
  }
}

/** A bare run of 16 or more digits: only then may a number be too long for a double. */
const LONG_INTEGER = /(?:^|[[:,])\s*-?\d{16}/;
const INTEGER = /^-?\d+$/;

/**
 * Parses one JSON text. Integers that a double cannot hold become bigint, everything else is as JSON.parse has it.
 * The slow way, with source text access, is taken only for texts that show a long run of digits.
 */
export function parseJson(text: string): unknown {
  return LONG_INTEGER.test(text) ? JSON.parse(text, keepInteger) : JSON.parse(text);
}

function keepInteger(_key: string, value: unknown, context: { source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
  const source = context.source ?? '';
  return INTEGER.test(source) ? BigInt(source) : value;
}

/** Writes JSON; bigint becomes a bare integer of any length. */
export function formatJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => (typeof item === 'bigint' ? rawInteger(item) : item));
}

function rawInteger(value: bigint): unknown {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : JSON.rawJSON(value.toString());
}
