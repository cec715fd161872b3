import { CLUSTER_KEY } from '../api/owner.ts';
import type { Operation } from '../ovsdb/operations.ts';
import type { Row, Uuid } from '../ovsdb/values.ts';
import { idsOf } from './kind.ts';
import type { Observed } from './observed.ts';
import { createParentEdits } from './parent-edits.ts';
import { PORT_GROUP } from './port-group.ts';
import { formatId, formatRowName } from './resolve.ts';
import { SWITCH_PORT } from './switch-port.ts';

/** Which port groups a switch port is to be in, of those that somebody decides about. */
export type Membership = {
  /** Name of the switch port. */
  readonly port: string;
  /** Names of the port groups; one that does not exist is left out. */
  readonly groups: ReadonlySet<string>;
  /** Port groups that the port leaves unless it is among `groups`; others are let be. */
  readonly judges: (group: string) => boolean;
};

/** `planned` are the operations that come before in the same transaction. */
export type Now = {
  readonly observed: Observed;
  readonly cluster: string;
  readonly planned: readonly Operation[];
};

/**
 * Puts switch ports into port groups of this cluster and takes them out of others, each by its own part of the set: two
 * ports never undo each other. A port that `planned` inserts is in its groups from its first moment. Every port must
 * exist or be inserted.
 */
export function planMembership({ observed, cluster, planned }: Now, members: readonly Membership[]): Operation[] {
  const inserted = new Set(planned.flatMap((operation) => (operation.op === 'insert' ? operation['uuid-name'] : [])));
  const edits = createParentEdits();
  const holder = (row: Row) => ({ kind: PORT_GROUP, column: 'ports', uuid: row._uuid });
  const isOurs = (row: Row) => idsOf(row).get(CLUSTER_KEY) === cluster;
  for (const { port, groups, judges } of members) {
    const { uuid, present } = findPort(observed, port, inserted);
    const missing = new Set(groups);
    for (const row of present) {
      const name = String(row.name);
      if (!missing.delete(name) && isOurs(row) && judges(name)) edits.remove(holder(row), uuid);
    }
    for (const name of missing) {
      for (const row of observed.findByKey(PORT_GROUP, name).filter(isOurs)) edits.add(holder(row), uuid);
    }
  }
  return edits.operations();
}

type Found = { readonly uuid: Uuid; readonly present: readonly Row[] };

/** A port that moves to another switch is inserted anew, under the name of one that goes. */
function findPort(observed: Observed, name: string, inserted: ReadonlySet<string | undefined>): Found {
  const fresh = formatRowName(formatId(SWITCH_PORT, name));
  const [row] = observed.findByKey(SWITCH_PORT, name);
  if (row === undefined || inserted.has(fresh)) return { uuid: fresh, present: [] };
  return { uuid: row._uuid, present: observed.findGroups(row._uuid) };
}
