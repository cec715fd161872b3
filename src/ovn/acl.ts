import { ROW_KEY } from '../api/owner.ts';
import { defineKind } from './kind.ts';
import { PORT_GROUP } from './port-group.ts';
import { findRowKey, formatRowKey, isSameRow } from './row-key.ts';
import { NB } from './schema/nb.gen.ts';
import { SWITCH } from './switch.ts';
import type { WantedAcl } from './wanted.ts';

type AnyAcl = Omit<WantedAcl, 'switch'>;

/** What is the same for ACLs of switches and of port groups. */
const COMMON = {
  table: NB.ACL,
  monitored: ['priority', 'direction', 'match', 'action', 'external_ids'],
  keyOfRow: findRowKey,
  keyOf: (wanted: AnyAcl) => formatRowKey(wanted.externalIds, wanted.row),
  columns: (wanted: AnyAcl) => ({
    priority: BigInt(wanted.priority),
    direction: wanted.direction,
    match: wanted.match,
    action: wanted.action,
    external_ids: new Map([...wanted.externalIds, [ROW_KEY, wanted.row]]),
  }),
  same: (wanted: AnyAcl) => isSameRow(wanted.externalIds, wanted.row),
} as const;

/** ACL of a switch, by the `mooring-row` external id: a changed match is an update, never a moment without the row. */
export const ACL = defineKind({
  ...COMMON,
  part: 'acls',
  parent: { kind: SWITCH, column: 'acls', keyOf: (wanted) => wanted.switch },
});

/** ACL of a port group: in the same table, so that each kind finds the rows of both, and leaves those of others' parents. */
export const GROUP_ACL = defineKind({
  ...COMMON,
  part: 'groupAcls',
  parent: { kind: PORT_GROUP, column: 'acls', keyOf: (wanted) => wanted.group },
});
