import { formatAddress, parseAddress } from '../../api/address.ts';
import type { VirtualMachineInstance } from '../../api/objects.ts';
import type { MigrationNetwork, MigrationNetworkStatus } from '../../api/types.gen.ts';
import type { SubnetRanges } from '../../ipam/ranges.ts';
import { isFalse, isTrue, isUnknown, type Verdict } from '../conditions.ts';
import { isInRange } from './handlers.ts';

/** One migration that has ended, with the address that its memory was sent to. */
export type Sent = NonNullable<MigrationNetworkStatus['lastMigrations']>[number];

export const MOST_SENT = 10;

/**
 * The latest migrations, newest first: those that are known already, and those that VMIs tell of now. What began before
 * the MigrationNetwork was made is none of its business, nor is what has been forgotten: a VMI tells of its last
 * migration for as long as it lives.
 */
export function listSent(
  network: MigrationNetwork,
  vmis: readonly VirtualMachineInstance[],
  ranges: SubnetRanges,
): Sent[] {
  const known = network.status?.lastMigrations ?? [];
  const uids = new Set(known.map(({ uid }) => uid));
  const since = network.metadata.creationTimestamp ?? '';
  const oldest = known[MOST_SENT - 1]?.at ?? '';
  const isFresh = ({ uid, at }: Sent) => !uids.has(uid) && at > oldest;
  const fresh = vmis.flatMap((vmi) => readSent(vmi, { ranges, since }) ?? []).filter(isFresh);
  return [...fresh, ...known].sort(compareSent).slice(0, MOST_SENT);
}

/** Of two in one second that comes first which was told of last. */
const compareSent = (a: Sent, b: Sent): number => (a.at === b.at ? 0 : a.at > b.at ? -1 : 1);

type Reading = { readonly ranges: SubnetRanges; readonly since: string };

/** Undefined while the migration goes on, and for what cannot be understood. */
function readSent({ metadata, status }: VirtualMachineInstance, { ranges, since }: Reading): Sent | undefined {
  const state = status?.migrationState;
  const at = state && readEnd(state, since);
  if (state === undefined || at === undefined || !isUid(state.migrationUid)) return undefined;
  const address = parseAddress(state.targetNodeAddress ?? '');
  if (address === undefined) return undefined;
  const text = formatAddress(address);
  return {
    vmi: `${metadata.namespace ?? ''}/${metadata.name}`,
    uid: state.migrationUid,
    ...formatNodes(state),
    address: text,
    network: isInRange(ranges, text) ? 'Migration' : 'Pod',
    at,
  };
}

type MigrationState = NonNullable<NonNullable<VirtualMachineInstance['status']>['migrationState']>;

const isUid = (text: string | undefined): text is string => text !== undefined && text !== '' && text.length <= 64;

function formatNodes({ sourceNode, targetNode = '' }: MigrationState) {
  const target = targetNode.slice(0, 253);
  return sourceNode === undefined ? { target } : { source: sourceNode.slice(0, 253), target };
}

/** When a migration that began since then has ended; of one that does not say it, when it began: the same at every look. */
function readEnd({ startTimestamp, endTimestamp, completed }: MigrationState, since: string) {
  const started = readTime(startTimestamp);
  if (started === undefined || started < since) return undefined;
  return readTime(endTimestamp) ?? (completed === true ? started : undefined);
}

/** RFC 3339 in whole seconds and UTC, so that texts compare as times do. */
function readTime(text: string | undefined): string | undefined {
  const ms = text === undefined || text.length > 64 ? Number.NaN : Date.parse(text);
  if (Number.isNaN(ms) || ms < 0 || ms > 253_402_300_799_000) return undefined;
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}

/** What was not told before. */
export function listNews(network: MigrationNetwork, sent: readonly Sent[]): Sent[] {
  const told = new Set(network.status?.lastMigrations?.map(({ uid }) => uid));
  return sent.filter(({ uid }) => !told.has(uid));
}

export const describeSent = ({ vmi, source, target, address }: Sent): string =>
  `memory of ${vmi} went from node ${source ?? 'unknown'} to node ${target} by ${address}`;

/** Whether the memory of the last migration was kept apart. */
export function deriveApart([last]: readonly Sent[]): Verdict {
  if (last === undefined) return isUnknown('NoMigrationYet');
  const text = describeSent(last);
  return last.network === 'Migration'
    ? isTrue('MemoryOnMigrationNetwork', text)
    : isFalse('MemoryOnPodNetwork', `${text}, which is not an address of the migration network`);
}
