import { formatDigest } from '../api/names.ts';
import { CLUSTER_KEY } from '../api/owner.ts';
import { type ApplyClient, applyPlan } from '../ovsdb/apply.ts';
import { insertOp, type Operation, updateOp, waitOp, whereUuid } from '../ovsdb/operations.ts';
import { encodeColumns, type Replica, rowsOf } from '../ovsdb/typed.ts';
import type { Uuid } from '../ovsdb/values.ts';
import { EpochLost, RowOwnedByOther } from './problems.ts';
import { type Address_SetRow, NB } from './schema/nb.gen.ts';
import type { Ids } from './wanted.ts';

/** One leader's term in the Northbound database. */
export type Epoch = { readonly cluster: string; readonly value: bigint; readonly uuid: Uuid };

export const EPOCH_KEY = 'mooring-epoch';
const TABLE = NB.Address_Set;

/** Name of the row that holds the epoch: an address set without addresses. Names of address sets allow few characters. */
export function formatEpochName(cluster: string): string {
  const plain = cluster.replace(/[^A-Za-z0-9_]/g, '_');
  return plain === cluster ? `mooring_epoch_${plain}` : `mooring_epoch_${plain}.${formatDigest(cluster)}`;
}

/**
 * Begins a new epoch, higher than every one before and at least `term`. From then on every transaction of an older leader
 * fails on its guard. When an outcome is unknown, the next try takes a higher number: two leaders never hold the same one.
 * Throws EpochLost when a newer leader was quicker still, RowOwnedByOther when the row's name is taken, else what `applyPlan` throws.
 */
export async function takeEpoch(client: ApplyClient & Replica, cluster: string, term: number): Promise<Epoch> {
  let value = 0n;
  await applyPlan(client, () => {
    const row = findRow(client, cluster);
    const next = row === undefined ? 1n : parseEpoch(row.external_ids) + 1n;
    value = next > BigInt(term) ? next : BigInt(term);
    return planTake(row, cluster, value);
  });
  const row = findRow(client, cluster);
  if (row === undefined) throw new EpochLost(value);
  return { cluster, value, uuid: row._uuid };
}

/** The operations that every transaction of this epoch starts with: they fail as soon as a newer epoch has begun. */
export function guardOps(epoch: Epoch): Operation[] {
  return [planWait(epoch.uuid, formatIds(epoch.cluster, epoch.value))];
}

function planTake(row: Address_SetRow | undefined, cluster: string, value: bigint): Operation[] {
  const external_ids = formatIds(cluster, value);
  if (row === undefined) {
    return [insertOp(TABLE.name, encodeColumns(TABLE, { name: formatEpochName(cluster), external_ids }))];
  }
  return [
    planWait(row._uuid, row.external_ids),
    updateOp(TABLE.name, whereUuid(row._uuid), encodeColumns(TABLE, { external_ids })),
  ];
}

function planWait(uuid: Uuid, external_ids: Ids): Operation {
  const rows = [encodeColumns(TABLE, { external_ids })];
  return waitOp(TABLE.name, { where: whereUuid(uuid), columns: ['external_ids'], until: '==', rows });
}

function findRow(replica: Replica, cluster: string): Address_SetRow | undefined {
  const name = formatEpochName(cluster);
  for (const row of rowsOf(replica, TABLE).values()) {
    if (row.name !== name) continue;
    if (row.external_ids.get(CLUSTER_KEY) !== cluster) throw new RowOwnedByOther(TABLE.name, name, undefined);
    return row;
  }
  return undefined;
}

function formatIds(cluster: string, value: bigint): Ids {
  return new Map([
    [CLUSTER_KEY, cluster],
    [EPOCH_KEY, String(value)],
  ]);
}

/** Unreadable counts as 0: the row is guarded by its whole old content, so nothing is lost by that. */
function parseEpoch(ids: Ids): bigint {
  const text = ids.get(EPOCH_KEY) ?? '';
  return /^[0-9]{1,18}$/.test(text) ? BigInt(text) : 0n;
}
