import { defineKind } from './kind.ts';
import { ROUTER } from './router.ts';
import { NB } from './schema/nb.gen.ts';

const formatKey = (prefix: string, nexthop: string): string => `${prefix} ${nexthop}`;

/** Logical_Router_Static_Route, by prefix and next hop within its router. */
export const STATIC_ROUTE = defineKind({
  part: 'routes',
  table: NB.Logical_Router_Static_Route,
  monitored: ['ip_prefix', 'nexthop', 'output_port', 'external_ids'],
  parent: { kind: ROUTER, column: 'static_routes', keyOf: (wanted) => wanted.router },
  perParent: true,
  keyOfRow: (row) => formatKey(row.ip_prefix, row.nexthop),
  keyOf: (wanted) => formatKey(wanted.ipPrefix, wanted.nexthop),
  columns: (wanted) => ({
    ip_prefix: wanted.ipPrefix,
    nexthop: wanted.nexthop,
    output_port: wanted.outputPort,
  }),
});
