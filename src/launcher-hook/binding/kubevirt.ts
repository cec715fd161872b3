import { asFields } from '../../api/fields.ts';
import type { KubeVirt } from '../../api/objects.ts';

/** What KubeVirt's configuration lets a guest have. */
export type KubevirtSettings = {
  readonly bridgeOnPod: boolean;
  /** How the plugin is called there, and whether a guest with it on the pod network may migrate live. */
  readonly managedTap?: { readonly name: string; readonly migrates: boolean };
};

/** Reads `spec.configuration.network`. Bridge on the pod network is permitted if nothing is said of it. */
export function readKubevirt(kubevirt: KubeVirt | undefined): KubevirtSettings {
  const network = asFields(asFields(kubevirt?.spec?.configuration)?.get('network'));
  const plugins = [...(asFields(network?.get('binding')) ?? [])];
  const found = plugins
    .filter(([name, plugin]) => isName(name) && asFields(plugin)?.get('domainAttachmentType') === 'managedTap')
    .map(([name, plugin]) => ({ name, migrates: asFields(asFields(plugin)?.get('migration')) !== undefined }))
    .toSorted((a, b) => Number(b.migrates) - Number(a.migrates) || (a.name < b.name ? 1 : -1))[0];
  return {
    bridgeOnPod: network?.get('permitBridgeInterfaceOnPodNetwork') !== false,
    ...(found === undefined ? {} : { managedTap: found }),
  };
}

/** The controller knows the plugin by this name only. */
const isName = (name: string): boolean => name.toLowerCase() === 'managedtap';
