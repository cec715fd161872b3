import { defineKind } from './kind.ts';
import { ROUTER } from './router.ts';
import { NB } from './schema/nb.gen.ts';

/** Logical_Router_Port, by name. */
export const ROUTER_PORT = defineKind({
  part: 'routerPorts',
  table: NB.Logical_Router_Port,
  monitored: ['name', 'mac', 'networks', 'options', 'ipv6_ra_configs', 'external_ids'],
  parent: { kind: ROUTER, column: 'ports', keyOf: (wanted) => wanted.router },
  keyOfRow: (row) => row.name,
  keyOf: (wanted) => wanted.name,
  columns: (wanted) => ({
    name: wanted.name,
    mac: wanted.mac,
    networks: wanted.networks,
    options: wanted.options ?? new Map(),
    ipv6_ra_configs: wanted.ipv6RaConfigs ?? new Map(),
  }),
});
