import { ROW_KEY } from '../api/owner.ts';
import { defineKind } from './kind.ts';
import { findRowKey, formatRowKey, isSameRow } from './row-key.ts';
import { NB } from './schema/nb.gen.ts';
import { SWITCH } from './switch.ts';

/** ACL of a switch, by the `mooring-row` external id: a changed match is an update, never a moment without the row. */
export const ACL = defineKind({
  part: 'acls',
  table: NB.ACL,
  monitored: ['priority', 'direction', 'match', 'action', 'external_ids'],
  parent: { kind: SWITCH, column: 'acls', keyOf: (wanted) => wanted.switch },
  keyOfRow: findRowKey,
  keyOf: (wanted) => formatRowKey(wanted.externalIds, wanted.row),
  columns: (wanted) => ({
    priority: BigInt(wanted.priority),
    direction: wanted.direction,
    match: wanted.match,
    action: wanted.action,
    external_ids: new Map([...wanted.externalIds, [ROW_KEY, wanted.row]]),
  }),
  same: (wanted) => isSameRow(wanted.externalIds, wanted.row),
});
