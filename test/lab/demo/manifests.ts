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
          containers: [formatContainer('while :; do sleep 3600; done')],
        },
      },
    },
  };
}

export type DemoBinding = 'bridge' | 'masquerade';

/** A virtual machine with one NIC on the pod network. */
export function formatVm(name: string, binding: DemoBinding): Json {
  const annotations = binding === 'bridge' ? { 'kubevirt.io/allow-pod-bridge-network-live-migration': 'true' } : {};
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
            devices: { interfaces: [{ name: 'default', [binding]: {} }] },
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
    spec: { terminationGracePeriodSeconds: 0, containers: [formatContainer('while :; do sleep 3600; done')] },
  };
}
