import { ROW_KEY } from '../api/owner.ts';
import { defineKind } from './kind.ts';
import { ROUTER } from './router.ts';
import { findRowKey, formatRowKey, isSameRow } from './row-key.ts';
import { NB } from './schema/nb.gen.ts';

/** Logical_Router_Policy, by the `mooring-row` external id: another next hop is an update of the same row. */
export const ROUTER_POLICY = defineKind({
  part: 'policies',
  table: NB.Logical_Router_Policy,
  monitored: ['priority', 'match', 'action', 'nexthops', 'external_ids'],
  parent: { kind: ROUTER, column: 'policies', keyOf: (wanted) => wanted.router },
  keyOfRow: findRowKey,
  keyOf: (wanted) => formatRowKey(wanted.externalIds, wanted.row),
  columns: (wanted) => ({
    priority: BigInt(wanted.priority),
    match: wanted.match,
    action: wanted.action,
    nexthops: wanted.nexthop === undefined ? [] : [wanted.nexthop],
    external_ids: new Map([...wanted.externalIds, [ROW_KEY, wanted.row]]),
  }),
  same: (wanted) => isSameRow(wanted.externalIds, wanted.row),
});
