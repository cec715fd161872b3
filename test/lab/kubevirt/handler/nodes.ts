import type { KubeObject, Resource } from '../../../../src/kube/index.ts';
import type { Client } from '../client.ts';
import { type KubeNode, NODE } from '../objects.ts';
import { MACHINE_TYPE } from './status.ts';

export const HEARTBEAT_MS = 60_000;
const DEVICE_COUNT = '1k';

/** Labels that virt-handler and its node labeller put on a node; values as in the recorded flows. */
export const NODE_LABELS: Readonly<Record<string, string>> = {
  'cpu-model-migration.node.kubevirt.io/Cascadelake-Server': 'true',
  'cpu-model.node.kubevirt.io/Cascadelake-Server': 'true',
  'cpu-vendor.node.kubevirt.io/Intel': 'true',
  'host-model-cpu.node.kubevirt.io/Cascadelake-Server': 'true',
  'kubevirt.io/schedulable': 'true',
  'machine-type.node.kubevirt.io/q35': 'true',
  [`machine-type.node.kubevirt.io/${MACHINE_TYPE}`]: 'true',
};

/** On a Node: nothing of KubeVirt's answers there. Its guests go on as they are until the annotation is taken off. */
const LOST = 'lab.mooring.dev/lost';
const SCHEDULABLE = 'kubevirt.io/schedulable';

export function isLost(node: KubeNode | undefined): boolean {
  return node?.metadata.annotations?.[LOST] === 'true';
}

/** What virt-controller does to a node when five minutes have gone without a heartbeat: no launcher is put there. */
export async function markLost(client: Client, node: string): Promise<void> {
  const labels = { [SCHEDULABLE]: 'false' };
  await client.resource<KubeNode & KubeObject>(NODE).patch({ name: node }, { metadata: { labels } });
}

export function needsMark(node: KubeNode): boolean {
  return isLost(node) && node.metadata.labels?.[SCHEDULABLE] !== 'false';
}

/**
 * Makes launchers fit on a node, and says that its handler lives: labels, device counts, heartbeat. A kubelet that does
 * not account for local storage reports none, and launchers ask for 50M of it.
 */
export async function beat(client: Client, node: string, now: string): Promise<void> {
  const nodes = client.resource<KubeNode & KubeObject>(NODE);
  await nodes.patch(
    { name: node },
    { metadata: { labels: NODE_LABELS, annotations: { 'kubevirt.io/heartbeat': now } } },
  );
  await ensureDevices(nodes, node);
}

async function ensureDevices(nodes: Resource<KubeNode & KubeObject>, name: string): Promise<void> {
  const devices = ['kvm', 'tun', 'vhost-net'].map((device) => [`devices.kubevirt.io/${device}`, DEVICE_COUNT]);
  const capacity = { ...Object.fromEntries(devices), 'ephemeral-storage': '100Gi' };
  await nodes.patchStatus({ name }, { status: { capacity, allocatable: capacity } });
}

/** True when a node lacks what `beat` gives: it is new, or its kubelet has written its own capacity anew. */
export function needsBeat(node: KubeNode): boolean {
  const labelled = node.metadata.labels?.[SCHEDULABLE] === 'true';
  const { capacity = {} } = node.status ?? {};
  if (isLost(node)) return false;
  return !labelled || capacity['devices.kubevirt.io/kvm'] === undefined || capacity['ephemeral-storage'] === undefined;
}
