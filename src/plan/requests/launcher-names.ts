import { MULTUS_NETWORKS } from '../../api/annotations.ts';
import { asFields } from '../../api/fields.ts';
import type { VmiSpec } from '../../api/objects.ts';
import type { Problem } from '../../api/problem.ts';
import { quote } from '../../ipam/ranges.ts';
import { parseSelections } from '../wishes/selection.ts';
import { PRIMARY_INTERFACE } from './types.ts';
import { listVmNics } from './vm-nics.ts';

/**
 * By one interface of this name KubeVirt takes a launcher for one of before v1.0, whose interfaces are numbered: it loses
 * sight of the others, and the next hotplug renames them (facts of KubeVirt: pkg/network/namescheme).
 */
const ORDINAL = /^net[0-9]+$/;

/** Binding plugins that attach a network of their own, by lower-case name: KubeVirt's `networkAttachmentDefinition`. */
export type PluginNetworks = ReadonlyMap<string, string>;

/**
 * What of a guest would give its launcher an interface `net<N>`. `isCertain` is false where the guest has no network that
 * would be lost by it yet. Problem: InvalidRequest.
 */
export type NameTrap = { readonly problem: Problem; readonly nic?: string; readonly isCertain: boolean };

/** What of a guest's launcher decides how its interfaces are called. */
export type Launcher = {
  /** Annotations that KubeVirt copies to the launcher. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly spec: VmiSpec | undefined;
  readonly namespace: string;
  readonly plugins: PluginNetworks;
};

/** Every trap of a guest, those of its annotations first. */
export function listNameTraps(launcher: Launcher): NameTrap[] {
  return [...checkAnnotation(launcher), ...checkPlugins(launcher)];
}

/** Reads the plugins of a KubeVirt object; what is not of its type is not there. */
export function parsePluginNetworks(kubevirt: unknown): PluginNetworks {
  const path = ['spec', 'configuration', 'network', 'binding'];
  const plugins = path.reduce<unknown>((value, key) => asFields(value)?.get(key), kubevirt);
  const networks = [...(asFields(plugins) ?? [])].flatMap(([name, plugin]) => {
    const nad = asFields(plugin)?.get('networkAttachmentDefinition');
    return typeof nad === 'string' && nad !== '' ? [[name.toLowerCase(), nad] as const] : [];
  });
  return new Map(networks);
}

function checkAnnotation({ annotations, namespace }: Launcher): NameTrap[] {
  const text = Object.hasOwn(annotations, MULTUS_NETWORKS) ? (annotations[MULTUS_NETWORKS] ?? '') : '';
  const selections = parseSelections(text, namespace);
  if (!selections.ok) return [{ problem: selections.problem, isCertain: true }];
  return selections.value.flatMap(({ name, interface: link }) => {
    if (!ORDINAL.test(link)) return [];
    const message = `${MULTUS_NETWORKS} gives the launcher an interface ${link} for network ${quote(name)}, by which KubeVirt loses the VM's other networks; write the network into spec.networks instead`;
    return { problem: { reason: 'InvalidRequest', message }, isCertain: true };
  });
}

/** Multus names what such a plugin attaches, as KubeVirt does not. */
function checkPlugins({ spec, plugins }: Launcher): NameTrap[] {
  if (plugins.size === 0) return [];
  const hasMore = listVmNics(spec).some((nic) => nic.interface !== PRIMARY_INTERFACE && !nic.absent);
  const interfaces = spec?.domain?.devices?.interfaces;
  return (Array.isArray(interfaces) ? interfaces.slice(0, 64) : []).flatMap((item: unknown) => {
    const nic = asFields(item)?.get('name');
    const plugin = asFields(asFields(item)?.get('binding'))?.get('name');
    const nad = typeof plugin === 'string' ? plugins.get(plugin.toLowerCase()) : undefined;
    if (nad === undefined || typeof nic !== 'string') return [];
    const message = `the binding plugin ${quote(String(plugin))} attaches ${quote(nad)} under a name of Multus' choice, net<N>, by which KubeVirt loses the VM's other networks; choose another binding, or one network only`;
    return { problem: { reason: 'InvalidRequest', message }, nic, isCertain: hasMore };
  });
}
