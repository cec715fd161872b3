import { formatIdle } from '../../test/lab/demo/manifests.ts';
import { formatGuest, type PodBinding } from '../guest.ts';
import type { GuestBinding, Placement } from './plan.ts';

/** Kubernetes objects of the benchmark, as plain values. */
export const NAMESPACE = 'bench-bindings';
/** Ours: guests and pods are on the same network, with OVN's DHCP for managedTap. */
export const SUBNET = 'bench-bindings';
/** Of another plugin, on the nodes' own link: where macvtap is. */
export const MACVLAN = { subnet: 'bench-bindings-macvlan', nad: 'macvlan', nic: 'mac0', master: 'eth0' } as const;

/** Guests on macvtap have no network of pods that would give them an address; the Subnet leaves these out. */
export const MACVTAP_ADDRESSES = {
  target: '172.31.62.10',
  sameNode: '172.31.62.11',
  twoNodes: '172.31.62.12',
} as const;
const MACVTAP_MACS = {
  target: '0a:62:00:00:00:10',
  sameNode: '0a:62:00:00:00:11',
  twoNodes: '0a:62:00:00:00:12',
} as const;

/** Who plays a part: the one that is measured, and one on either node that measures it. */
export const ROLES = ['target', 'sameNode', 'twoNodes'] as const;
export type Role = 'target' | Placement;

const ON_SUBNET = { 'ovn.kubernetes.io/logical_switch': SUBNET };

/** A guest of macvtap, its address and its MAC, which has to be the link's own. */
export const macvtapOf = (role: Role): { ip: string; mac: string } => ({
  ip: MACVTAP_ADDRESSES[role],
  mac: MACVTAP_MACS[role],
});

export const podNameOf = (role: Role): string => `pod-${role.toLowerCase()}`;
export const carrierNameOf = (role: Role): string => `carrier-${role.toLowerCase()}`;
export const vmNameOf = (binding: GuestBinding, role: Role): string => `${binding}-${role}`.toLowerCase();

/** Our subnet and the macvlan network with our addresses. */
export function formatNetworks(): object[] {
  const config = {
    ...{ cniVersion: '1.0.0', name: MACVLAN.nad, type: 'macvlan', master: MACVLAN.master, mode: 'bridge' },
    ipam: { type: 'mooring', provider: `${MACVLAN.nad}.${NAMESPACE}` },
  };
  return [
    formatSubnet(SUBNET, { cidrBlock: '10.62.0.0/24', enableDHCP: true }),
    formatSubnet(MACVLAN.subnet, {
      provider: `${MACVLAN.nad}.${NAMESPACE}`,
      cidrBlock: '172.31.62.0/24',
      gateway: '172.31.62.1',
      excludeIps: ['172.31.62.2..172.31.62.99'],
    }),
    {
      apiVersion: 'k8s.cni.cncf.io/v1',
      kind: 'NetworkAttachmentDefinition',
      metadata: { name: MACVLAN.nad, namespace: NAMESPACE },
      spec: { config: JSON.stringify(config) },
    },
  ];
}

function formatSubnet(name: string, spec: object): object {
  return { apiVersion: 'mooring.dev/v1alpha1', kind: 'Subnet', metadata: { name }, spec };
}

/** A pod that only sleeps: what is measured runs in its network namespace. */
export function formatPod(name: string, node: string, networks?: readonly object[]): object {
  const more = networks === undefined ? {} : { 'k8s.v1.cni.cncf.io/networks': JSON.stringify(networks) };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: NAMESPACE, annotations: { ...ON_SUBNET, ...more } },
    spec: {
      nodeName: node,
      terminationGracePeriodSeconds: 0,
      containers: [formatIdle()],
    },
  };
}

/** A running VM on one node with one NIC; two that differ in the binding differ in nothing else. */
export function formatVm(binding: PodBinding, role: Role, node: string): object {
  return formatGuest({ namespace: NAMESPACE, name: vmNameOf(binding, role), binding, annotations: ON_SUBNET, node });
}
