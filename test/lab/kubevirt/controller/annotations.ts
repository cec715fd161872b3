import { formatPodInterface } from '../names.ts';
import type { BindingPlugin, Interface, Network, Vmi } from '../objects.ts';

/** Multus' list of a pod's networks. */
export const NETWORKS = 'k8s.v1.cni.cncf.io/networks';

const NOT_COPIED = [
  'kubectl.kubernetes.io',
  'kubevirt.io/storage-observed-api-version',
  'kubevirt.io/latest-observed-api-version',
];

/** One element of Multus' list `k8s.v1.cni.cncf.io/networks`, keys in KubeVirt's order. */
type Selection = { name: string; namespace: string; mac?: string; interface?: string; 'cni-args'?: object };

/** The launcher's annotations (KubeVirt pkg/virt-controller/services/template.go, generatePodAnnotations). */
export function deriveAnnotations(vmi: Vmi, plugins: Readonly<Record<string, BindingPlugin>>): Record<string, string> {
  const name = vmi.metadata.name ?? '';
  const namespace = vmi.metadata.namespace ?? '';
  return {
    ...copiedAnnotations(vmi),
    'kubevirt.io/domain': name,
    'kubectl.kubernetes.io/default-container': 'compute',
    'kubevirt.io/migrationTransportUnix': 'true',
    'descheduler.alpha.kubernetes.io/request-evict-only': '',
    ...freezeHooks(name, namespace),
    ...meshAnnotations(vmi),
    ...multusAnnotations(vmi, plugins),
  };
}

function copiedAnnotations(vmi: Vmi): Record<string, string> {
  const all = Object.entries(vmi.metadata.annotations ?? {});
  return Object.fromEntries(all.filter(([key]) => !NOT_COPIED.some((prefix) => key.startsWith(prefix))));
}

function freezeHooks(name: string, namespace: string): Record<string, string> {
  const command = (verb: string) =>
    `["/usr/bin/virt-freezer", "--${verb}", "--name", "${name}", "--namespace", "${namespace}"]`;
  return {
    'pre.hook.backup.velero.io/container': 'compute',
    'pre.hook.backup.velero.io/command': command('freeze'),
    'pre.hook.backup.velero.io/timeout': '60s',
    'post.hook.backup.velero.io/container': 'compute',
    'post.hook.backup.velero.io/command': command('unfreeze'),
  };
}

function meshAnnotations(vmi: Vmi): Record<string, string> {
  const masquerades = (vmi.spec.domain.devices.interfaces ?? []).some((nic) => nic.masquerade !== undefined);
  if (!masquerades) return {};
  return {
    'traffic.sidecar.istio.io/kubevirtInterfaces': 'k6t-eth0',
    'istio.io/reroute-virtual-interfaces': 'k6t-eth0',
  };
}

/** KubeVirt pkg/network/multus/annotation.go. */
function multusAnnotations(vmi: Vmi, plugins: Readonly<Record<string, BindingPlugin>>): Record<string, string> {
  const main = listPresent(vmi).find((network) => network.multus?.default === true)?.multus?.networkName;
  const networks = deriveNetworks(vmi, plugins);
  return {
    ...(main === undefined ? {} : { 'v1.multus-cni.io/default-network': main }),
    ...(networks === undefined ? {} : { [NETWORKS]: networks }),
  };
}

/** Multus' list for the VMI's spec as it is now, which a live launcher's is rewritten to; undefined when it is empty. */
export function deriveNetworks(vmi: Vmi, plugins: Readonly<Record<string, BindingPlugin>>): string | undefined {
  const interfaces = new Map((vmi.spec.domain.devices.interfaces ?? []).map((nic) => [nic.name, nic]));
  const selections = listPresent(vmi).flatMap((network) =>
    deriveSelections(vmi.metadata.namespace ?? '', network, { nic: interfaces.get(network.name), plugins }),
  );
  return selections.length === 0 ? undefined : JSON.stringify(selections);
}

function listPresent(vmi: Vmi): Network[] {
  const absent = new Set(
    (vmi.spec.domain.devices.interfaces ?? []).flatMap((nic) => (nic.state === 'absent' ? [nic.name] : [])),
  );
  return (vmi.spec.networks ?? []).filter((network) => !absent.has(network.name));
}

type Nic = { nic: Interface | undefined; plugins: Readonly<Record<string, BindingPlugin>> };

function deriveSelections(namespace: string, network: Network, { nic, plugins }: Nic): Selection[] {
  const own = network.multus === undefined || network.multus.default ? [] : [selectNetwork(namespace, network, nic)];
  const plugin = nic?.binding === undefined ? undefined : plugins[nic.binding.name];
  const nad = plugin?.networkAttachmentDefinition;
  if (nad === undefined) return own;
  return [...own, { ...parseNadName(nad, namespace), 'cni-args': { logicNetworkName: network.name } }];
}

function selectNetwork(namespace: string, network: Network, nic: Interface | undefined): Selection {
  return {
    ...parseNadName(network.multus?.networkName ?? '', namespace),
    ...(nic?.macAddress ? { mac: nic.macAddress } : {}),
    interface: formatPodInterface(network.name),
  };
}

/** `[namespace/]name` of a NAD. */
export function parseNadName(text: string, namespace: string): { name: string; namespace: string } {
  const at = text.indexOf('/');
  return at < 0 ? { name: text, namespace } : { name: text.slice(at + 1), namespace: text.slice(0, at) };
}
