import { formatIdle, NAMESPACE } from '../manifests.ts';

type Json = Record<string, unknown>;

/** On what the demo makes outside of its namespace. */
export const DEMO_LABEL = 'demo=mooring';
export const FOUR = 'four-nics';
export const TOLD = 'told-vm';
export const POOL = ['10.16.200.11', '10.16.200.12', '10.16.200.13'] as const;

function formatSubnet(name: string, spec: Json): Json {
  return { apiVersion: 'mooring.dev/v1alpha1', kind: 'Subnet', metadata: { name, labels: { demo: 'mooring' } }, spec };
}

function formatNad(name: string, config: Json): Json {
  return {
    apiVersion: 'k8s.cni.cncf.io/v1',
    kind: 'NetworkAttachmentDefinition',
    metadata: { name, namespace: NAMESPACE },
    spec: { config: JSON.stringify({ cniVersion: '1.0.0', name, ...config }) },
  };
}

/** Two networks of ours, the first with both families, and one that the macvlan plugin makes and we number. */
export function formatNetworks(): Json[] {
  const ours = (nad: string) => ({ provider: `${nad}.${NAMESPACE}.ovn`, namespaces: [NAMESPACE] });
  return [
    formatSubnet('demo-business', {
      ...ours('business'),
      cidrBlock: '172.20.0.0/24,fd00:172:20::/64',
      enableDHCP: true,
      enableIPv6RA: true,
    }),
    formatSubnet('demo-storage', { ...ours('storage'), cidrBlock: '172.21.0.0/24' }),
    formatSubnet('demo-macvlan', {
      provider: `macvlan.${NAMESPACE}`,
      cidrBlock: '172.30.0.0/24',
      gateway: '172.30.0.1',
      excludeIps: ['172.30.0.2..172.30.0.9'],
    }),
    formatNad('business', { type: 'mooring', provider: `business.${NAMESPACE}.ovn` }),
    formatNad('storage', { type: 'mooring', provider: `storage.${NAMESPACE}.ovn` }),
    formatNad('macvlan', {
      type: 'macvlan',
      master: 'eth0',
      mode: 'bridge',
      ipam: { type: 'mooring', provider: `macvlan.${NAMESPACE}` },
    }),
  ];
}

type Guest = {
  readonly annotations: Json;
  /** How each NIC is bound, and its NAD; without one it is on the pod network. */
  readonly nics: Readonly<Record<string, { readonly way: Json; readonly nad?: string }>>;
  readonly disks?: readonly Json[];
  readonly volumes?: readonly Json[];
};

function formatGuest(name: string, { annotations, nics, disks, volumes }: Guest): Json {
  return {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachine',
    metadata: { name, namespace: NAMESPACE },
    spec: {
      runStrategy: 'Always',
      template: {
        metadata: { annotations, labels: { 'demo/vm': name } },
        spec: {
          terminationGracePeriodSeconds: 5,
          domain: {
            cpu: { cores: 1 },
            memory: { guest: '128Mi' },
            devices: {
              interfaces: Object.entries(nics).map(([nic, { way }]) => ({ name: nic, ...way })),
              ...(disks === undefined ? {} : { disks }),
            },
          },
          networks: Object.entries(nics).map(([nic, { nad }]) => ({
            name: nic,
            ...(nad === undefined ? { pod: {} } : { multus: { networkName: nad } }),
          })),
          ...(volumes === undefined ? {} : { volumes }),
        },
      },
    },
  };
}

const BRIDGE = { bridge: {} };

/** The VM of the story: the pod network, twice the same NAD, and a third network. */
export const formatFourNics = (): Json =>
  formatGuest(FOUR, {
    annotations: { 'kubevirt.io/allow-pod-bridge-network-live-migration': 'true' },
    nics: {
      default: { way: BRIDGE },
      left: { way: BRIDGE, nad: 'business' },
      right: { way: BRIDGE, nad: 'business' },
      storage: { way: BRIDGE, nad: 'storage' },
    },
  });

/** A VM whose guest runs no DHCP client: cloud-init data tells it of both NICs. */
export const formatTold = (): Json =>
  formatGuest(TOLD, {
    annotations: { 'mooring.dev/configure-guest': 'true' },
    nics: { default: { way: { binding: { name: 'managedtap' } } }, storage: { way: BRIDGE, nad: 'storage' } },
    disks: [{ name: 'seed', disk: { bus: 'virtio' } }],
    volumes: [{ name: 'seed', cloudInitNoCloud: { userData: '#cloud-config\n' } }],
  });

/** A pod beside the VM on each of its networks, and on the macvlan network with an address of its own choice. */
export function formatNeighbour(name: string, macvlanIp: string): Json {
  const networks = [{ name: 'business' }, { name: 'storage' }, { name: 'macvlan', interface: 'mac0' }];
  const annotations = {
    'k8s.v1.cni.cncf.io/networks': JSON.stringify(networks),
    [`macvlan.${NAMESPACE}.kubernetes.io/ip_address`]: macvlanIp,
  };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: NAMESPACE, annotations, labels: { app: 'neighbour' } },
    spec: {
      terminationGracePeriodSeconds: 0,
      affinity: {
        podAntiAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [
            { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app: 'neighbour' } } },
          ],
        },
      },
      containers: [formatIdle()],
    },
  };
}

/** Three replicas that take their addresses from a list, each by its ordinal. */
export function formatPooled(): Json {
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'pooled', namespace: NAMESPACE },
    spec: {
      replicas: POOL.length,
      serviceName: 'pooled',
      podManagementPolicy: 'Parallel',
      selector: { matchLabels: { app: 'pooled' } },
      template: {
        metadata: { labels: { app: 'pooled' }, annotations: { 'ovn.kubernetes.io/ip_pool': POOL.join(',') } },
        spec: { terminationGracePeriodSeconds: 0, containers: [formatIdle()] },
      },
    },
  };
}
