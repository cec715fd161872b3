import { KINDS } from '../../src/api/group.ts';
import type { KubeObject } from '../../src/kube/index.ts';
import type { RealStage } from './real-stage.ts';

export const at = (name: string) => ({ namespace: 'a', name });

type LauncherExtra = { node?: string; job?: string; annotations?: Record<string, string> };

/** What users, KubeVirt and the kubelet make in namespace `a` of an API server that checks everything. */
export function createRealCast({ resource }: RealStage) {
  const own = (kind: string, { metadata }: KubeObject) => [
    { apiVersion: 'kubevirt.io/v1', kind, name: metadata?.name ?? '', uid: metadata?.uid ?? '', controller: true },
  ];
  const patchVmi = (name: string, status: object) => resource(KINDS.vmi).patch(at(name), { status });
  const makePod = (name: string, extra: object = {}, nodeName = 'n1') =>
    resource(KINDS.pod).create({
      metadata: { ...at(name), ...extra },
      spec: { nodeName, containers: [{ name: 'c', image: 'i' }], terminationGracePeriodSeconds: 0 },
    } as KubeObject);
  return {
    patchVmi,
    makePod,
    makeVm: (name: string, template: object) =>
      resource(KINDS.vm).create({ metadata: at(name), spec: { runStrategy: 'Always', template } } as KubeObject),
    /** For a VM that is there. */
    makeVmi: async (name: string, spec: object) => {
      const ownerReferences = own('VirtualMachine', await resource(KINDS.vm).get(at(name)));
      return resource(KINDS.vmi).create({ metadata: { ...at(name), ownerReferences }, spec } as KubeObject);
    },
    /** A launcher of that VMI on n1 unless another node is named; of a migration by its `job`. */
    makeLauncher: async (name: string, vmi: string, { node = 'n1', job, annotations = {} }: LauncherExtra = {}) => {
      const ownerReferences = own('VirtualMachineInstance', await resource(KINDS.vmi).get(at(vmi)));
      const labels = job === undefined ? {} : { 'kubevirt.io/migrationJobUID': job };
      const pod = await makePod(name, { labels, annotations, ownerReferences }, node);
      await patchVmi(vmi, { activePods: { [pod.metadata?.uid ?? '']: node } });
    },
  };
}
