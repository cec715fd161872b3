import { MIGRATION_MARK } from '../../api/annotations.ts';
import type { KubeVirt } from '../../api/objects.ts';
import { fail, type Result, succeed } from '../../api/problem.ts';
import { quote } from '../../ipam/ranges.ts';
import { parseFields } from '../wishes/json.ts';

/** What KubeVirt is to be told: `bandwidth` as in the spec of a MigrationNetwork. */
export type Setting = { readonly network: string; readonly bandwidth?: string | undefined };

/** What of the KubeVirt object was set by a MigrationNetwork, and by which. It is written together with the fields. */
export type Mark = { readonly owner: string; readonly network?: string; readonly bandwidth?: string };

/** A merge patch for the KubeVirt object; undefined when nothing is to be changed. */
export type KubevirtPlan = { readonly patch?: object; readonly notes: readonly string[] };

/** Undefined when there is none, or somebody else has written something there. */
export function parseMark({ metadata }: KubeVirt): Mark | undefined {
  const fields = parseFields(metadata.annotations?.[MIGRATION_MARK] ?? '');
  const [owner, network, bandwidth] = ['owner', 'network', 'bandwidth'].map((name) => asText(fields?.get(name)));
  if (owner === undefined) return undefined;
  return { owner, ...(network === undefined ? {} : { network }), ...(bandwidth === undefined ? {} : { bandwidth }) };
}

const asText = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' && value.length <= 253 ? value : undefined;

type Present = { readonly network: string | undefined; readonly bandwidth: string | undefined };

/** `migrations` of the KubeVirt object as it is; an empty text is none. */
export function readPresent({ spec }: KubeVirt): Present {
  const { network, bandwidthPerMigration } = spec?.configuration?.migrations ?? {};
  const bandwidth = bandwidthPerMigration === undefined ? undefined : String(bandwidthPerMigration);
  return { network: network || undefined, bandwidth: bandwidth || undefined };
}

/**
 * Sets the network and the bandwidth where nobody else has set them. A network of somebody else's is a problem
 * (NetworkSetByUser) unless it is the same one, which then stays theirs; their bandwidth stays, with a note.
 */
export function planKubevirt(kubevirt: KubeVirt, owner: string, wanted: Setting): Result<KubevirtPlan> {
  const [present, mark] = [readPresent(kubevirt), parseMark(kubevirt)];
  const { network, bandwidth } = planFields(present, mark, wanted);
  if (network.foreign !== undefined) {
    const where = `migrations.network of KubeVirt ${kubevirt.metadata.namespace ?? ''}/${kubevirt.metadata.name}`;
    return fail('NetworkSetByUser', `${where} is ${quote(network.foreign)}, set by somebody else`);
  }
  const notes =
    bandwidth.foreign === undefined
      ? []
      : [`bandwidthPerMigration of KubeVirt stays ${quote(bandwidth.foreign)}, which somebody else has set`];
  const patch = formatPatch(mark, owner, { network, bandwidth });
  return succeed(patch === undefined ? { notes } : { notes, patch });
}

/** Takes away what the MigrationNetwork has set and nobody has changed since; undefined when there is nothing. */
export function planTakeBack(kubevirt: KubeVirt, owner: string): object | undefined {
  const [present, mark] = [readPresent(kubevirt), parseMark(kubevirt)];
  if (mark?.owner !== owner) return undefined;
  return formatPatch(mark, owner, planFields(present, mark, {}));
}

/** One field of KubeVirt's: what to write (null takes it away), what of it is ours, or what somebody else wants there. */
type FieldPlan = { readonly set?: string | null; readonly mark?: string; readonly foreign?: string };

type Field = { readonly present?: string | undefined; readonly marked?: string | undefined };

function planField({ present, marked }: Field, wanted: string | undefined, isSame = isSameText): FieldPlan {
  if (present === undefined) return wanted === undefined ? {} : { mark: wanted, set: wanted };
  const isAt = (text: string | undefined) => text !== undefined && isSame(present, text);
  const isAsWanted = isAt(wanted);
  if (!isAt(marked)) return wanted === undefined || isAsWanted ? {} : { foreign: present };
  if (wanted === undefined) return { set: null };
  return isAsWanted ? { mark: wanted } : { mark: wanted, set: wanted };
}

type Fields = { readonly network: FieldPlan; readonly bandwidth: FieldPlan };

function planFields(present: Present, mark: Mark | undefined, wanted: Partial<Setting>): Fields {
  return {
    network: planField({ present: present.network, marked: mark?.network }, wanted.network),
    bandwidth: planField({ present: present.bandwidth, marked: mark?.bandwidth }, wanted.bandwidth, isSameQuantity),
  };
}

const isSameText = (a: string, b: string): boolean => a === b;

/** The mark changes in the same write as what it tells of. One that tells of nothing is none. */
function formatPatch(before: Mark | undefined, owner: string, { network, bandwidth }: Fields): object | undefined {
  const next = formatMark({ owner, ...pick('network', network.mark), ...pick('bandwidth', bandwidth.mark) });
  const isMarked = next === (before === undefined ? null : formatMark(before));
  const migrations = { ...pick('network', network.set), ...pick('bandwidthPerMigration', bandwidth.set) };
  const isSet = Object.keys(migrations).length === 0;
  if (isMarked && isSet) return undefined;
  return {
    ...(isMarked ? {} : { metadata: { annotations: { [MIGRATION_MARK]: next } } }),
    ...(isSet ? {} : { spec: { configuration: { migrations } } }),
  };
}

const pick = <T>(name: string, value: T | undefined): Record<string, T> =>
  value === undefined ? {} : { [name]: value };

const formatMark = (mark: Mark): string | null =>
  mark.network === undefined && mark.bandwidth === undefined ? null : JSON.stringify(mark);

const FACTORS: ReadonlyMap<string, bigint> = new Map([
  ['', 1n],
  ['k', 1000n],
  ['Ki', 1024n],
  ['M', 1000n ** 2n],
  ['Mi', 1024n ** 2n],
  ['G', 1000n ** 3n],
  ['Gi', 1024n ** 3n],
]);

/** Whole Kubernetes quantities; what is none is equal only to the same text. */
export function isSameQuantity(a: string, b: string): boolean {
  return a === b || (parseQuantity(a) !== undefined && parseQuantity(a) === parseQuantity(b));
}

function parseQuantity(text: string): bigint | undefined {
  const [, digits, unit = ''] = /^([0-9]{1,18})([kMG]|[KMG]i)?$/.exec(text) ?? [];
  const factor = FACTORS.get(unit);
  return digits === undefined || factor === undefined ? undefined : BigInt(digits) * factor;
}
