import { defineKind } from './kind.ts';
import { NB } from './schema/nb.gen.ts';

/** Port_Group, by name, which the schema keeps unique. OVN puts its ACLs on the switches of its ports. */
export const PORT_GROUP = defineKind({
  part: 'portGroups',
  table: NB.Port_Group,
  monitored: ['name', 'ports', 'acls', 'external_ids'],
  keyOfRow: (row) => row.name,
  keyOf: (wanted) => wanted.name,
  columns: (wanted) => ({ name: wanted.name, ports: wanted.ports }),
});
