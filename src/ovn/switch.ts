import { defineKind } from './kind.ts';
import { NB } from './schema/nb.gen.ts';

/** Logical_Switch, by name. The schema does not keep names unique; we do. */
export const SWITCH = defineKind({
  part: 'switches',
  table: NB.Logical_Switch,
  monitored: ['name', 'ports', 'acls', 'other_config', 'external_ids'],
  keyOfRow: (row) => row.name,
  keyOf: (wanted) => wanted.name,
  columns: (wanted) => ({ name: wanted.name, other_config: wanted.otherConfig ?? new Map() }),
  same: (wanted) => [['name', '==', wanted.name]],
});
