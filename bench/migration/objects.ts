import { formatIdle } from '../../test/lab/demo/manifests.ts';
import { formatGuest } from '../guest.ts';

/** Kubernetes objects of the benchmark, as plain values. */
export const NAMESPACE = 'bench-migration';
export const SUBNET = 'bench-migration';
/** Memory goes apart, as it should: the lab's nodes have an interface for it. */
export const MEMORY = { name: 'bench', cidrBlock: '198.18.3.0/24' } as const;
export const BINDINGS = ['bridge', 'managedTap', 'masquerade'] as const;
export type Binding = (typeof BINDINGS)[number];

export const CLIENTS = { app: 'bench-client' };
const ON_SUBNET = { 'ovn.kubernetes.io/logical_switch': SUBNET };
const MIGRATABLE = { 'kubevirt.io/allow-pod-bridge-network-live-migration': 'true' };

/** KubeVirt's addresses behind masquerade (pkg/network/link, GenerateMasqueradeGatewayAndVmIPAddrs). */
export const BEHIND_NAT = { guest6: 'fd10:0:2::2/120', gateway6: 'fd10:0:2::1' };

export const vmNameOf = (binding: Binding): string => binding.toLowerCase();

/** One network of both families, so that every guest is probed by both. */
export function formatSubnet(): object {
  return {
    apiVersion: 'mooring.dev/v1alpha1',
    kind: 'Subnet',
    metadata: { name: SUBNET },
    spec: { cidrBlock: '10.61.0.0/24,fd00:61::/64', enableDHCP: true, enableIPv6RA: true },
  };
}

/** A pod on each node to probe from. */
export function formatClients(): object {
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'client', namespace: NAMESPACE },
    spec: {
      selector: { matchLabels: CLIENTS },
      template: {
        metadata: { labels: CLIENTS, annotations: ON_SUBNET },
        spec: { terminationGracePeriodSeconds: 0, tolerations: [{ operator: 'Exists' }], containers: [formatIdle()] },
      },
    },
  };
}

/** A running VM with one NIC on the pod network, which is the benchmark's own subnet. */
export const formatVm = (binding: Binding): object =>
  formatGuest({
    namespace: NAMESPACE,
    name: vmNameOf(binding),
    binding,
    annotations: { ...ON_SUBNET, ...MIGRATABLE },
  });

export function formatMigration(name: string, vm: string) {
  return {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachineInstanceMigration',
    metadata: { name, namespace: NAMESPACE },
    spec: { vmiName: vm },
  };
}
