import { type Columns, columnOf, normalizeValue, type Table } from '../ovsdb/typed.ts';
import { equalValues, type Row, type Value } from '../ovsdb/values.ts';

/** The wanted columns whose value in `row` is another one; undefined when all are as wanted. Throws TypeError. */
export function diffColumns<R extends Row>(table: Table<R>, row: R, wanted: Columns<R>): Columns<R> | undefined {
  const changed: Record<string, Value> = Object.create(null);
  for (const [column, value] of Object.entries(wanted) as [string, Value][]) {
    columnOf(table, column);
    if (!equalValues(row[column], normalizeValue(value))) changed[column] = value;
  }
  return Object.keys(changed).length === 0 ? undefined : (changed as Columns<R>);
}
