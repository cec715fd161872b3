import { defineKind } from './kind.ts';
import { NB } from './schema/nb.gen.ts';

/** Logical_Router, by name. The schema does not keep names unique; we do. */
export const ROUTER = defineKind({
  part: 'routers',
  table: NB.Logical_Router,
  monitored: ['name', 'ports', 'static_routes', 'policies', 'options', 'external_ids'],
  keyOfRow: (row) => row.name,
  keyOf: (wanted) => wanted.name,
  columns: (wanted) => ({ name: wanted.name, options: wanted.options ?? new Map() }),
  same: (wanted) => [['name', '==', wanted.name]],
});
