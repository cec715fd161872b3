import { asFields, type Fields } from '../../api/fields.ts';
import type { KubeVirt } from '../../api/objects.ts';
import { fail, type Result, succeed } from '../../api/problem.ts';

/** The name by which interfaces call the plugin: KubeVirt looks for just this spelling. */
export const MANAGED_TAP = 'managedtap';

/** What KubeVirt has to know: no image, and that guests with it on the pod network may migrate live. */
const PLUGIN = { domainAttachmentType: 'managedTap', migration: {} };

/** Fields that change nothing of how the guest meets the network. */
const HARMLESS = ['domainAttachmentType', 'migration', 'computeResourceOverhead'];

/**
 * A merge patch that makes KubeVirt know the binding plugin managedTap; undefined where it does, under whatever spelling.
 * Only ever adds: what somebody else has written under the name stays. Problem: PluginSetByUser. Source: KubeVirt's
 * `spec.configuration.network.binding` (facts of KubeVirt, 2.4).
 */
export function planManagedTap(kubevirt: KubeVirt): Result<object | undefined> {
  const plugins = listPlugins(kubevirt);
  if (plugins.some(([name, plugin]) => name.toLowerCase() === MANAGED_TAP && findFault(plugin) === undefined)) {
    return succeed(undefined);
  }
  const present = plugins.find(([name]) => name === MANAGED_TAP)?.[1];
  if (present === undefined) {
    return succeed({ spec: { configuration: { network: { binding: { [MANAGED_TAP]: PLUGIN } } } } });
  }
  const where = `network.binding.${MANAGED_TAP} of KubeVirt ${kubevirt.metadata.namespace ?? ''}/${kubevirt.metadata.name}`;
  return fail('PluginSetByUser', `${where} is somebody else's and stays as it is: ${findFault(present)}`);
}

function listPlugins({ spec }: KubeVirt): (readonly [name: string, plugin: Fields])[] {
  const network = asFields(asFields(spec?.configuration)?.get('network'));
  const plugins = asFields(network?.get('binding')) ?? new Map<string, unknown>();
  return [...plugins].flatMap(([name, plugin]) => {
    const fields = asFields(plugin);
    return fields === undefined ? [] : [[name, fields] as const];
  });
}

/** Why an entry does not do what is asked for; undefined when it does. */
function findFault(plugin: Fields): string | undefined {
  if (plugin.get('domainAttachmentType') !== PLUGIN.domainAttachmentType) {
    return 'its domainAttachmentType is not managedTap';
  }
  if (asFields(plugin.get('migration')) === undefined) {
    return 'it has no "migration: {}", so that a guest with it on the pod network cannot migrate live';
  }
  const other = [...plugin.keys()].find((key) => !HARMLESS.includes(key));
  return other === undefined ? undefined : `it has the field ${other.slice(0, 64)}, which managedTap needs not`;
}
