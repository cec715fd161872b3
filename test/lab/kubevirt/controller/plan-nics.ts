import { formatPodInterface } from '../names.ts';
import {
  type Condition,
  findCondition,
  isDeleting,
  isDown,
  type MigrationState,
  type Network,
  type Pod,
  type Vmi,
  type VmiInterface,
} from '../objects.ts';
import { deriveNetworks, NETWORKS, parseNadName } from './annotations.ts';
import { withCondition } from './conditions.ts';
import type { Context, Write } from './plan.ts';

/** Seconds that a dynamic networks controller has to plug a NIC in place (KubeVirt pkg/network/migration). */
const IN_PLACE_SECONDS = 15;
const TYPE = 'MigrationRequired';

/**
 * Rewrites the networks of the live launcher while a NIC waits to be plugged or unplugged. A changed NAD alone does not
 * touch it: only the target asks for the new one.
 */
export function planNetworks(vmi: Vmi, pod: Pod | undefined, { plugins }: Context): Write | undefined {
  if (pod === undefined || vmi.status?.phase !== 'Running' || !waitsForPlug(vmi)) return undefined;
  if (isDown(pod) || isDeleting(pod)) return undefined;
  const { [NETWORKS]: before, ...others } = pod.metadata.annotations ?? {};
  const networks = deriveNetworks(vmi, plugins);
  if (networks === before) return undefined;
  const annotations = networks === undefined ? others : { ...others, [NETWORKS]: networks };
  return { verb: 'update', kind: 'Pod', object: { ...pod, metadata: { ...pod.metadata, annotations } } };
}

/** True while a NIC is wanted and not reported, or reported and unwanted. */
function waitsForPlug({ spec, status }: Vmi): boolean {
  const reported = new Set((status?.interfaces ?? []).map((entry) => entry.name));
  const nics = spec.domain.devices.interfaces ?? [];
  return nics.some((nic) => (nic.state === 'absent') === reported.has(nic.name));
}

/** Conditions with MigrationRequired as the VMI's NICs ask for it (KubeVirt pkg/network/migration/evaluator.go). */
export function withMigrationRequired(
  conditions: Condition[],
  vmi: Vmi,
  pod: Pod | undefined,
  { now }: Context,
): Condition[] {
  if (vmi.status?.phase !== 'Running' || pod === undefined || isUnderWay(vmi.status.migrationState)) return conditions;
  const need = deriveNeed(vmi, pod);
  if (need === undefined) return conditions.filter(({ type }) => type !== TYPE);
  if (need === 'now' || isLate(findCondition(conditions, TYPE), now)) {
    return withCondition(conditions, { type: TYPE, status: 'True', reason: 'AutoMigrationDueToLiveUpdate' }, now);
  }
  return withCondition(conditions, { type: TYPE, status: 'False', reason: 'AutoMigrationPending' }, now);
}

function isLate(known: Condition | undefined, now: string): boolean {
  if (known === undefined || known.status === 'True') return known !== undefined;
  return (Date.parse(now) - Date.parse(known.lastTransitionTime ?? now)) / 1000 >= IN_PLACE_SECONDS;
}

/** From hand-off to its end a migration brings what is asked for, and the target's handler takes the condition away. */
function isUnderWay(state: MigrationState | undefined): boolean {
  return state !== undefined && state.completed !== true && state.failed !== true;
}

function deriveNeed(vmi: Vmi, pod: Pod): 'now' | 'soon' | undefined {
  const nics = vmi.spec.domain.devices.interfaces ?? [];
  if (findChangedNad(vmi, pod) !== undefined) return 'now';
  const waits = nics.some((nic) => {
    const sources = vmi.status?.interfaces?.find((entry) => entry.name === nic.name);
    if (nic.state !== 'absent') return nic.bridge !== undefined && sources === undefined;
    const { infoSource = '' } = sources ?? {};
    return infoSource.includes('multus-status') && !infoSource.includes('domain');
  });
  return waits ? 'soon' : undefined;
}

/** A network whose NAD in the spec is not the one that the launcher was made with. */
function findChangedNad(vmi: Vmi, pod: Pod): Network | undefined {
  const asked = new Map(parseList(pod.metadata.annotations?.[NETWORKS]).map((entry) => [entry.interface, entry]));
  const absent = new Set(
    (vmi.spec.domain.devices.interfaces ?? []).flatMap((nic) => (nic.state === 'absent' ? [nic.name] : [])),
  );
  return (vmi.spec.networks ?? []).find(({ name, multus }) => {
    const entry = asked.get(formatPodInterface(name));
    if (multus === undefined || entry === undefined || absent.has(name)) return false;
    const wanted = parseNadName(multus.networkName, vmi.metadata.namespace ?? '');
    return entry.name !== wanted.name || (entry.namespace ?? wanted.namespace) !== wanted.namespace;
  });
}

type Element = { interface?: string; name?: string; namespace?: string; default?: boolean };

/** A JSON list out of an annotation; anything else is an empty one. */
export function parseList(text: string | undefined): Element[] {
  if (text === undefined) return [];
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? (value as Element[]) : [];
  } catch {
    return [];
  }
}

/** `status.interfaces` with what Multus reports now: an entry for what it has plugged, `multus-status` off what it lost. */
export function refreshInterfaces(vmi: Vmi, pod: Pod, networkStatus: string): VmiInterface[] {
  const reported = parseList(pod.metadata.annotations?.[networkStatus]);
  const plugged = new Set(reported.flatMap((entry) => (entry.default === true ? [] : (entry.interface ?? []))));
  const secondary = (vmi.spec.networks ?? []).filter(({ multus }) => multus !== undefined && multus.default !== true);
  const known = vmi.status?.interfaces ?? [];
  const names = new Set(secondary.map((network) => network.name));
  const kept = known.map((entry) =>
    names.has(entry.name) ? withSource(entry, plugged.has(formatPodInterface(entry.name))) : entry,
  );
  const added = secondary.flatMap(({ name }): VmiInterface[] => {
    const podInterfaceName = formatPodInterface(name);
    const isNew = plugged.has(podInterfaceName) && !known.some((entry) => entry.name === name);
    return isNew ? [{ name, podInterfaceName, infoSource: MULTUS }] : [];
  });
  return [...kept, ...added];
}

const MULTUS = 'multus-status';

function withSource(entry: VmiInterface, plugged: boolean): VmiInterface {
  const sources = (entry.infoSource ?? '').split(', ').filter((source) => source !== '');
  if (sources.includes(MULTUS) === plugged) return entry;
  const next = plugged ? [...sources, MULTUS] : sources.filter((source) => source !== MULTUS);
  const { infoSource: _, ...rest } = entry;
  return next.length === 0 ? rest : { ...rest, infoSource: next.join(', ') };
}
