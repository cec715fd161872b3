import { DHCP_OPTIONS } from './dhcp-options.ts';
import { defineKind, type Refer } from './kind.ts';
import { formatRowKey } from './row-key.ts';
import { NB } from './schema/nb.gen.ts';
import { SWITCH } from './switch.ts';
import type { WantedPort } from './wanted.ts';

/** Logical_Switch_Port, by name. `up`, `tag` and `dynamic_addresses` are northd's and never ours. */
export const SWITCH_PORT = defineKind({
  part: 'ports',
  table: NB.Logical_Switch_Port,
  monitored: [
    'name',
    'type',
    'addresses',
    'dynamic_addresses',
    'port_security',
    'options',
    'dhcpv4_options',
    'dhcpv6_options',
    'external_ids',
  ],
  parent: { kind: SWITCH, column: 'ports', keyOf: (wanted) => wanted.switch },
  keyOfRow: (row) => row.name,
  keyOf: (wanted) => wanted.name,
  columns: (wanted, refer) => ({
    name: wanted.name,
    type: wanted.type,
    addresses: wanted.addresses,
    port_security: wanted.portSecurity,
    options: wanted.options,
    dhcpv4_options: referDhcp(wanted, wanted.dhcpv4, refer),
    dhcpv6_options: referDhcp(wanted, wanted.dhcpv6, refer),
  }),
});

function referDhcp(wanted: WantedPort, row: string | undefined, refer: Refer): string | undefined {
  return row === undefined ? undefined : refer(DHCP_OPTIONS, formatRowKey(wanted.externalIds, row));
}
