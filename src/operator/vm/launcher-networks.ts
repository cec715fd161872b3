import { MULTUS_DEFAULT_NETWORK, MULTUS_NETWORKS } from '../../api/annotations.ts';
import type { Pod } from '../../api/objects.ts';
import type { LauncherRecord } from '../../migration/input.ts';
import type { LauncherNetworks } from '../../plan/ports/carriage.ts';
import { PRIMARY_INTERFACE } from '../../plan/requests/types.ts';
import { parseDefaultNetwork, parseSelections } from '../../plan/wishes/selection.ts';

type Nads = ReadonlyMap<string, string>;

/**
 * The networks that each of a machine's launchers was made with, by its annotations. A launcher without the annotation
 * has no further networks where another one of the machine has them; where none has, nothing is known of any.
 */
export function listLauncherNetworks(
  launchers: readonly LauncherRecord[],
  findPod: (launcher: LauncherRecord) => Pod | undefined,
  home: string | undefined,
): LauncherNetworks[] {
  const named = launchers.map((launcher) => ({ launcher, annotations: findPod(launcher)?.metadata.annotations }));
  const speaks = named.some(({ annotations }) => annotations?.[MULTUS_NETWORKS] !== undefined);
  return named.map(({ launcher, annotations }) => ({
    uid: launcher.uid,
    final: launcher.final,
    home: home !== undefined && launcher.node === home,
    nads: speaks ? readNads(annotations ?? {}, findNamespace(findPod(launcher))) : undefined,
  }));
}

const findNamespace = (pod: Pod | undefined): string => pod?.metadata.namespace ?? '';

/** Undefined for a text that cannot be read: it says nothing. */
function readNads(annotations: Readonly<Record<string, string>>, namespace: string): Nads | undefined {
  const selections = parseSelections(annotations[MULTUS_NETWORKS] ?? '', namespace);
  if (!selections.ok) return undefined;
  const first = readDefault(annotations[MULTUS_DEFAULT_NETWORK]);
  const all = selections.value.map((item) => [item.interface, `${item.namespace}/${item.name}`] as const);
  return new Map(first === undefined ? all : [[PRIMARY_INTERFACE, first] as const, ...all]);
}

function readDefault(text: string | undefined): string | undefined {
  const parsed = text === undefined ? undefined : parseDefaultNetwork(text);
  return parsed?.ok === true ? `${parsed.value.namespace}/${parsed.value.name}` : undefined;
}
