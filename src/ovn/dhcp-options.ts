import { ROW_KEY } from '../api/owner.ts';
import { defineKind } from './kind.ts';
import { findRowKey, formatRowKey, isSameRow } from './row-key.ts';
import { NB } from './schema/nb.gen.ts';

/** DHCP_Options, by the `mooring-row` external id. A root table: what nobody refers to stays until we delete it. */
export const DHCP_OPTIONS = defineKind({
  part: 'dhcpOptions',
  table: NB.DHCP_Options,
  monitored: ['cidr', 'options', 'external_ids'],
  keyOfRow: findRowKey,
  keyOf: (wanted) => formatRowKey(wanted.externalIds, wanted.row),
  columns: (wanted) => ({
    cidr: wanted.cidr,
    options: wanted.options,
    external_ids: new Map([...wanted.externalIds, [ROW_KEY, wanted.row]]),
  }),
  same: (wanted) => isSameRow(wanted.externalIds, wanted.row),
});
