import { randomUUID } from 'node:crypto';
import type { KubeObject } from '../../src/kube/index.ts';
import type { FakeApiServer } from '../../src/kube/testing/fake-api-server.ts';
import { COLLECTIONS } from './stage.ts';

type LauncherExtra = { node?: string; job?: string; forged?: boolean; annotations?: Record<string, string> };

/** Makes, changes and deletes the objects that users, KubeVirt and the kubelet would. */
export function createCast({ storage }: FakeApiServer) {
  const own = (kind: string, name: string, uid: string | undefined) => [
    { apiVersion: kind === 'Pod' ? 'v1' : 'kubevirt.io/v1', kind, name, uid: uid ?? '', controller: true },
  ];
  const uidOf = (object: KubeObject): string => object.metadata?.uid ?? '';
  return {
    subnet: (name: string, spec: object) =>
      storage.create(COLLECTIONS.subnets, { metadata: { name }, spec } as KubeObject),
    node: (name: string) => storage.create(COLLECTIONS.nodes, { metadata: { name } }),
    /** A pod on node n1 unless another one is named; '' for one that is not scheduled yet. */
    pod: (name: string, extra: { annotations?: Record<string, string>; node?: string } = {}) =>
      storage.create(COLLECTIONS.pods, {
        metadata: { name, namespace: 'a', uid: randomUUID(), annotations: extra.annotations },
        spec: extra.node === '' ? {} : { nodeName: extra.node ?? 'n1' },
        status: { phase: 'Pending' },
      } as KubeObject),
    vm: (name: string, extra: { annotations?: Record<string, string>; spec?: object } = {}) =>
      storage.create(COLLECTIONS.vms, {
        metadata: { name, namespace: 'a' },
        spec: {
          template: {
            metadata: { annotations: extra.annotations },
            spec: extra.spec ?? {
              domain: { devices: { interfaces: [{ name: 'default', bridge: {} }] } },
              networks: [{ name: 'default', pod: {} }],
            },
          },
        },
      } as KubeObject),
    vmi: (name: string, vm?: KubeObject) =>
      storage.create(COLLECTIONS.vmis, {
        metadata: {
          name,
          namespace: 'a',
          ...(vm === undefined ? {} : { ownerReferences: own('VirtualMachine', name, uidOf(vm)) }),
        },
        spec: {
          domain: { devices: { interfaces: [{ name: 'default', bridge: {} }] } },
          networks: [{ name: 'default', pod: {} }],
        },
        status: { phase: 'Scheduling' },
      } as KubeObject),
    /** A launcher that KubeVirt knows, unless it is `forged`. */
    launcher: (name: string, vmi: KubeObject, extra: LauncherExtra = {}) => {
      const pod = storage.create(COLLECTIONS.pods, {
        metadata: {
          name,
          namespace: 'a',
          labels: extra.job === undefined ? {} : { 'kubevirt.io/migrationJobUID': extra.job },
          ...(extra.annotations === undefined ? {} : { annotations: extra.annotations }),
          ownerReferences: own('VirtualMachineInstance', vmi.metadata?.name ?? '', uidOf(vmi)),
        },
        spec: extra.node === undefined ? {} : { nodeName: extra.node },
        status: { phase: 'Running' },
      } as KubeObject);
      const activePods = { [uidOf(pod)]: extra.node ?? '' };
      const patch = { status: { activePods } };
      if (!extra.forged) storage.patch(COLLECTIONS.vmis, `a/${vmi.metadata?.name}`, { patch, part: 'status' });
      return pod;
    },
    vmim: (name: string, vmiName: string) =>
      storage.create(COLLECTIONS.vmims, {
        metadata: { name, namespace: 'a' },
        spec: { vmiName },
        status: { phase: 'Scheduling' },
      } as KubeObject),
    nad: (name: string, config: object) =>
      storage.create(COLLECTIONS.nads, {
        metadata: { name, namespace: 'a' },
        spec: { config: JSON.stringify(config) },
      } as KubeObject),
    patch: (collection: keyof typeof COLLECTIONS, key: string, patch: object) =>
      storage.patch(COLLECTIONS[collection], key, { patch }),
    setStatus: (collection: keyof typeof COLLECTIONS, key: string, status: object) =>
      storage.patch(COLLECTIONS[collection], key, { patch: { status }, part: 'status' }),
    remove: (collection: keyof typeof COLLECTIONS, key: string) => storage.remove(COLLECTIONS[collection], key),
  };
}
