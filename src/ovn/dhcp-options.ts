import { CLUSTER_KEY, ROW_KEY } from '../api/owner.ts';
import { wireMap } from '../ovsdb/operations.ts';
import { defineKind } from './kind.ts';
import { NB } from './schema/nb.gen.ts';
import type { Ids } from './wanted.ts';

/** Key of a DHCP_Options row: the table has no name, so cluster and row name together. */
export const formatDhcpKey = (ids: Ids, row: string): string => `${ids.get(CLUSTER_KEY) ?? ''} ${row}`;

/** DHCP_Options, by the `mooring-row` external id. A root table: what nobody refers to stays until we delete it. */
export const DHCP_OPTIONS = defineKind({
  part: 'dhcpOptions',
  table: NB.DHCP_Options,
  monitored: ['cidr', 'options', 'external_ids'],
  keyOfRow: (row) => {
    const name = row.external_ids.get(ROW_KEY);
    return name === undefined ? undefined : formatDhcpKey(row.external_ids, name);
  },
  keyOf: (wanted) => formatDhcpKey(wanted.externalIds, wanted.row),
  columns: (wanted) => ({
    cidr: wanted.cidr,
    options: wanted.options,
    external_ids: new Map([...wanted.externalIds, [ROW_KEY, wanted.row]]),
  }),
  same: (wanted) => [
    [
      'external_ids',
      'includes',
      wireMap([
        [CLUSTER_KEY, wanted.externalIds.get(CLUSTER_KEY) ?? ''],
        [ROW_KEY, wanted.row],
      ]),
    ],
  ],
});
