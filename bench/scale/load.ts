import { KINDS } from '../../src/api/group.ts';
import type { KubeObject } from '../../src/kube/index.ts';
import type { Vm, Vmi } from '../../test/lab/kubevirt/objects.ts';
import { makeLauncher, makePod, makeVm, makeVmi, namespaceOf, nodeOf } from './objects.ts';
import type { Stage } from './stage.ts';

const PARALLEL = 24;
export const NIC_NAMES = ['default', 'a1', 'b1', 'b2'] as const;

/** Runs for each item, some at a time. */
export async function forEach<T>(items: readonly T[], run: (item: T) => Promise<unknown>, parallel = PARALLEL) {
  const rest = items.values();
  const work = async () => {
    for (const item of rest) await run(item);
  };
  await Promise.all(Array.from({ length: parallel }, work));
}

export const range = (from: number, to: number): number[] =>
  Array.from({ length: Math.max(0, to - from) }, (_, at) => from + at);

/** `<namespace>/<name>` of the LogicalPorts of a VM, and of a pod. */
export const listVmPorts = (vm: number): string[] => NIC_NAMES.map((nic) => `${namespaceOf(vm)}/vm-${vm}.${nic}.vm`);
export const formatPodPort = (pod: number, prefix = 'web'): string => `${namespaceOf(pod)}/${prefix}-${pod}.eth0.pod`;

export async function createPods(stage: Stage, indexes: readonly number[], prefix?: string): Promise<void> {
  const pods = stage.resource(KINDS.pod);
  await forEach(indexes, (index) => pods.create(makePod(index, prefix)));
}

/** What the kubelet says of a pod whose containers came up: an event that asks nothing of the operator. */
export async function reportRunning(stage: Stage, indexes: readonly number[], prefix = 'web'): Promise<void> {
  const pods = stage.resource(KINDS.pod);
  const status = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] };
  await forEach(indexes, (index) =>
    pods.patchStatus({ namespace: namespaceOf(index), name: `${prefix}-${index}` }, { status }),
  );
}

export async function deletePods(stage: Stage, indexes: readonly number[], prefix = 'web'): Promise<void> {
  const pods = stage.resource(KINDS.pod);
  await forEach(indexes, (index) =>
    pods.delete({ namespace: namespaceOf(index), name: `${prefix}-${index}` }, { gracePeriodSeconds: 0 }),
  );
}

export async function createVms(stage: Stage, indexes: readonly number[]): Promise<void> {
  const vms = stage.resource(KINDS.vm);
  await forEach(indexes, (index) => vms.create(makeVm(index) as KubeObject));
}

/** Starts a VM as KubeVirt does: VMI, launcher, and the VMI's word that the launcher is its own. Gives the launcher's name. */
export async function startVm(stage: Stage, index: number): Promise<string> {
  const namespace = namespaceOf(index);
  const vm = (await stage.resource(KINDS.vm).get({ namespace, name: `vm-${index}` })) as Vm;
  const vmi = (await stage.resource(KINDS.vmi).create(makeVmi(vm) as KubeObject)) as Vmi;
  const node = nodeOf(index);
  const pod = await stage.resource(KINDS.pod).create(makeLauncher(vmi, node) as KubeObject);
  const { uid = '', name = '' } = pod.metadata ?? {};
  const status = { phase: 'Scheduled', activePods: { [uid]: node } };
  await stage.resource(KINDS.vmi).patch({ namespace, name: `vm-${index}` }, { status });
  return name;
}

/** The guest runs: two more events that ask nothing. */
export async function reportGuest(stage: Stage, index: number, launcher: string): Promise<void> {
  const ref = { namespace: namespaceOf(index), name: launcher };
  await stage.resource(KINDS.pod).patchStatus(ref, { status: { phase: 'Running' } });
  const status = { phase: 'Running', nodeName: nodeOf(index) };
  await stage.resource(KINDS.vmi).patch({ ...ref, name: `vm-${index}` }, { status });
}

/** Stops it: the launcher ends, the VMI goes, then the pod. */
export async function stopVm(stage: Stage, index: number, launcher: string): Promise<void> {
  const namespace = namespaceOf(index);
  const pods = stage.resource(KINDS.pod);
  await pods.patchStatus({ namespace, name: launcher }, { status: { phase: 'Succeeded' } });
  await stage.resource(KINDS.vmi).delete({ namespace, name: `vm-${index}` });
  await pods.delete({ namespace, name: launcher }, { gracePeriodSeconds: 0 });
}
