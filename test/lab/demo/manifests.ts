/** Kubernetes objects of the demo, as plain values. */
export const NAMESPACE = 'demo';

/** The network that guests' memory crosses, apart from everybody's. */
export const MEMORY = { name: 'demo-memory', cidrBlock: '198.18.4.0/24' } as const;

type Json = Record<string, unknown>;

const BUSYBOX = 'lab.local/busybox:1';

const spread = {
  topologySpreadConstraints: [
    {
      maxSkew: 1,
      topologyKey: 'kubernetes.io/hostname',
      whenUnsatisfiable: 'DoNotSchedule',
      labelSelector: { matchLabels: { app: 'web' } },
    },
  ],
};

/** A container that runs a shell script. */
export function formatContainer(script: string): Json {
  return { name: 'main', image: BUSYBOX, imagePullPolicy: 'IfNotPresent', command: ['/bin/sh', '-c', script] };
}

/** A container that only sleeps. */
export const formatIdle = (): Json => formatContainer('while :; do sleep 3600; done');

/** An ordinary Deployment: each replica answers HTTP on port 8080 with its own name; four replicas on three nodes. */
export function formatWeb(): Json {
  const script = 'mkdir -p /www && hostname > /www/index.html && exec httpd -f -p 8080 -h /www';
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: NAMESPACE },
    spec: {
      replicas: 4,
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: { terminationGracePeriodSeconds: 0, containers: [formatContainer(script)], ...spread },
      },
    },
  };
}

/** One pod on each node that the probes are sent from. */
export function formatClients(): Json {
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'client', namespace: NAMESPACE },
    spec: {
      selector: { matchLabels: { app: 'client' } },
      template: {
        metadata: { labels: { app: 'client' } },
        spec: {
          terminationGracePeriodSeconds: 0,
          tolerations: [{ operator: 'Exists' }],
          containers: [formatIdle()],
        },
      },
    },
  };
}

export type DemoBinding = 'bridge' | 'masquerade' | 'managedTap';

/** A subnet of the pod network on which OVN answers DHCP: with managedTap KubeVirt has no server for the guest. */
export const DHCP = { subnet: 'demo-dhcp', cidrBlock: '10.17.0.0/24', gateway: '10.17.0.1' } as const;

export function formatDhcpSubnet(): Json {
  const { subnet, cidrBlock, gateway } = DHCP;
  return {
    apiVersion: 'mooring.dev/v1alpha1',
    kind: 'Subnet',
    metadata: { name: subnet, labels: { demo: 'mooring' } },
    spec: { cidrBlock, gateway, enableDHCP: true },
  };
}

/** What a binding is called at a NIC, and what the VM has to say besides. */
const WAYS: Readonly<Record<DemoBinding, { nic: Json; annotations: Record<string, string> }>> = {
  bridge: { nic: { bridge: {} }, annotations: { 'kubevirt.io/allow-pod-bridge-network-live-migration': 'true' } },
  masquerade: { nic: { masquerade: {} }, annotations: {} },
  managedTap: {
    nic: { binding: { name: 'managedtap' } },
    annotations: { 'ovn.kubernetes.io/logical_switch': DHCP.subnet },
  },
};

/** A virtual machine with one NIC on the pod network; two of different bindings differ in nothing else. */
export function formatVm(name: string, binding: DemoBinding): Json {
  const { nic, annotations } = WAYS[binding];
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
            devices: { interfaces: [{ name: 'default', ...nic }] },
          },
          networks: [{ name: 'default', pod: {} }],
        },
      },
    },
  };
}

export function formatMigration(name: string, vm: string): Json {
  return {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachineInstanceMigration',
    metadata: { name, namespace: NAMESPACE },
    spec: { vmiName: vm },
  };
}

/** A pod that asks for one exact address: it starts only if the address is free. */
export function formatClaimant(ip: string): Json {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'claimant', namespace: NAMESPACE, annotations: { 'ovn.kubernetes.io/ip_address': ip } },
    spec: { terminationGracePeriodSeconds: 0, containers: [formatIdle()] },
  };
}
