import { makeTransactionError, ProtocolError } from './errors.ts';
import type { Operation, OperationResult } from './operations.ts';
import type { WireRow } from './values.ts';

type Json = Readonly<Record<string, unknown>>;

/**
 * Reads the answer to `transact` (RFC 7047 section 4.1.3). Throws the typed error of the first failed operation, or of
 * the commit, which the server reports as one element more than there were operations.
 */
export function parseResults(answer: unknown, operations: readonly Operation[]): OperationResult[] {
  if (!Array.isArray(answer)) throw new ProtocolError('the answer to transact is no list');
  const results: OperationResult[] = [];
  for (const [index, item] of answer.entries()) {
    const json = typeof item === 'object' && item !== null ? (item as Json) : {};
    if (typeof json.error === 'string') throw fail(json, index < operations.length ? index : undefined);
    if (index < operations.length) results.push(parseResult(json));
  }
  if (results.length < operations.length) throw new ProtocolError('the answer to transact is too short');
  return results;
}

function fail(json: Json, operationIndex: number | undefined): Error {
  const details = typeof json.details === 'string' ? json.details : '';
  return makeTransactionError({ operationIndex, error: String(json.error), details });
}

function parseResult(json: Json): OperationResult {
  const { uuid, count, rows } = json;
  return {
    ...(Array.isArray(uuid) && typeof uuid[1] === 'string' ? { uuid: uuid[1] } : {}),
    ...(typeof count === 'number' ? { count } : {}),
    ...(Array.isArray(rows) ? { rows: rows as WireRow[] } : {}),
  };
}
