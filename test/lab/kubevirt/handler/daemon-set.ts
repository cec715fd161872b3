import type { KubeObject, ResourceKind } from '../../../../src/kube/index.ts';
import { NAMESPACE } from '../names.ts';
import { type KubeVirt, LABEL, type Meta } from '../objects.ts';
import { CONTAINER, MIGRATION_LINK } from './pod.ts';

/** The parts of virt-handler's DaemonSet that virt-operator's part looks at. */
export type DaemonSet = {
  metadata: Meta;
  spec?: { template?: { metadata?: { annotations?: Record<string, string> } } };
};

export const DAEMON_SET: ResourceKind = {
  group: 'apps',
  version: 'v1',
  plural: 'daemonsets',
  namespaced: true,
  kind: 'DaemonSet',
};
export const HANDLER_APP = 'virt-handler';
export const NETWORKS = 'k8s.v1.cni.cncf.io/networks';

/**
 * What a virt-handler does at its start (FindMigrationIP): with link migration0 it needs a global address there and
 * ends without one. Then it only waits; the node half works in its network namespace. READY: the file that says so.
 */
export const SCRIPT = `
trap 'exit 0' TERM
if ip link show ${MIGRATION_LINK} >/dev/null 2>&1; then
  ip -o addr show dev ${MIGRATION_LINK} scope global | grep -q inet || { echo 'panic: ${MIGRATION_LINK} has no usable address'; exit 2; }
fi
touch "\${READY:-/ready}"
sleep 2147483647 &
wait
`;

/** The DaemonSet as virt-operator makes it, in what concerns networking, labels and ownership by nodes. */
export function formatDaemonSet(): KubeObject & Record<string, unknown> {
  const labels = { [LABEL.app]: HANDLER_APP };
  const container = {
    name: CONTAINER,
    image: 'lab.local/busybox:1',
    imagePullPolicy: 'IfNotPresent',
    command: ['/bin/sh', '-c', SCRIPT],
    startupProbe: { exec: { command: ['/bin/test', '-e', '/ready'] }, periodSeconds: 1, failureThreshold: 30 },
  };
  return {
    metadata: { name: HANDLER_APP, namespace: NAMESPACE, labels },
    spec: {
      selector: { matchLabels: labels },
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1 } },
      template: {
        metadata: { labels },
        spec: {
          automountServiceAccountToken: false,
          terminationGracePeriodSeconds: 15,
          containers: [container],
        },
      },
    },
  };
}

/**
 * The merge patch that brings the migration network of the KubeVirt CR to virt-handler's pods, or undefined when they
 * have it (pkg/virt-operator/resource/apply: annotation on the pod template, so that every change rolls all of them).
 */
export function planDaemonSet(kubevirt: KubeVirt | undefined, daemonSet: DaemonSet): object | undefined {
  const network = kubevirt?.spec.configuration?.migrations?.network ?? '';
  const wanted = network === '' ? null : `${network}@${MIGRATION_LINK}`;
  if (findNetworks(daemonSet) === wanted) return undefined;
  return { spec: { template: { metadata: { annotations: { [NETWORKS]: wanted } } } } };
}

function findNetworks({ spec }: DaemonSet): string | null {
  return spec?.template?.metadata?.annotations?.[NETWORKS] ?? null;
}
