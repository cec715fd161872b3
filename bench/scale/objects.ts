import { API_VERSION } from '../../src/api/group.ts';
import type { Subnet } from '../../src/api/types.gen.ts';
import type { KubeObject } from '../../src/kube/index.ts';
import { deriveVmi } from '../../test/lab/kubevirt/controller/defaults.ts';
import { renderLauncher } from '../../test/lab/kubevirt/controller/render.ts';
import type { Pod, Vm, Vmi, VmiSpec } from '../../test/lab/kubevirt/objects.ts';

/** The namespaces that the load is spread over, each with three subnets: OVN is at its best below 2,000 ports a switch. */
export const NAMESPACES = ['bench-0', 'bench-1', 'bench-2', 'bench-3'] as const;
export const NODE_COUNT = 100;
export const NICS_PER_VM = 4;

/** Where the load goes: the n-th object's namespace and node, the same in every run. */
export const namespaceOf = (index: number): string => NAMESPACES[index % NAMESPACES.length] ?? NAMESPACES[0];
export const nodeOf = (index: number): string => formatNode(index % NODE_COUNT);
const formatNode = (index: number): string => `node-${String(index).padStart(3, '0')}`;

export const listNodes = (): string[] => Array.from({ length: NODE_COUNT }, (_, index) => formatNode(index));

/** A Node about as large as a kubelet's, without the images, which are most of a real one. */
export function makeNode(name: string): KubeObject {
  const labels = { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux', 'kubernetes.io/arch': 'amd64' };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels },
    spec: { providerID: `bench:///${name}` },
  } as KubeObject;
}

/** Primary subnet and those of two NADs, for each namespace. */
export function makeSubnets(namespace: string): Subnet[] {
  const index = (NAMESPACES as readonly string[]).indexOf(namespace);
  const make = (name: string, spec: Partial<Subnet['spec']> & { cidrBlock: string }): Subnet => ({
    apiVersion: API_VERSION,
    kind: 'Subnet',
    metadata: { name },
    spec: { vpc: 'default', namespaces: [namespace], ...spec },
  });
  return [
    make(namespace, { cidrBlock: `10.${20 + index}.0.0/16` }),
    make(`${namespace}-a`, { cidrBlock: `10.${40 + index}.0.0/16`, provider: `net-a.${namespace}.ovn` }),
    make(`${namespace}-b`, { cidrBlock: `10.${60 + index}.0.0/16`, provider: `net-b.${namespace}.ovn` }),
  ];
}

export function makeNad(namespace: string, name: string): KubeObject {
  const config = { cniVersion: '1.0.0', type: 'mooring', provider: `${name}.${namespace}.ovn` };
  return { metadata: { name, namespace }, spec: { config: JSON.stringify(config) } } as KubeObject;
}

/** A pod of a Deployment as the scheduler leaves it: it has a node and does not run yet. */
export function makePod(index: number, prefix = 'web'): KubeObject {
  const app = `${prefix}-${index % 40}`;
  const port = { containerPort: 8080, name: 'http', protocol: 'TCP' };
  const probe = { httpGet: { path: '/healthz', port: 8080, scheme: 'HTTP' }, periodSeconds: 10, timeoutSeconds: 1 };
  const env = Array.from({ length: 8 }, (_, at) => ({ name: `SETTING_${at}`, value: `value of setting ${at}` }));
  const resources = { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '256Mi' } };
  const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: app, uid: `replica-set-${app}`, controller: true };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `${prefix}-${index}`,
      namespace: namespaceOf(index),
      labels: { app, 'pod-template-hash': '7d4b9c6f5d', tier: 'frontend' },
      annotations: { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '8080' },
      ownerReferences: [owner],
    },
    spec: {
      nodeName: nodeOf(index),
      automountServiceAccountToken: false,
      containers: [
        { name: 'web', image: 'registry.example/web:1', env, ports: [port], resources, livenessProbe: probe },
      ],
      terminationGracePeriodSeconds: 30,
      tolerations: [{ key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute' }],
    },
  } as KubeObject;
}

/** A VM with a NIC on the pod network, one on the first NAD and two on the second. */
export function makeVm(index: number): Vm {
  const namespace = namespaceOf(index);
  const name = `vm-${index}`;
  return {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachine',
    metadata: { name, namespace, labels: { app: 'database' } },
    spec: {
      runStrategy: 'Manual',
      template: { metadata: { labels: { 'kubevirt.io/vm': name } }, spec: makeGuest() },
    },
  };
}

function makeGuest(): VmiSpec {
  const secondary = ['a1', 'b1', 'b2'].map((name) => ({ name, bridge: {} }));
  return {
    domain: {
      cpu: { cores: 2 },
      memory: { guest: '2Gi' },
      devices: { interfaces: [{ name: 'default', masquerade: {} }, ...secondary] },
    },
    networks: [
      { name: 'default', pod: {} },
      { name: 'a1', multus: { networkName: 'net-a' } },
      { name: 'b1', multus: { networkName: 'net-b' } },
      { name: 'b2', multus: { networkName: 'net-b' } },
    ],
  };
}

/** The VMI that virt-controller makes of a VM; without finalizers, because nobody is here to take them off again. */
export function makeVmi(vm: Vm): Vmi {
  const vmi = deriveVmi(vm, new Date().toISOString());
  const { finalizers: _, ...metadata } = vmi.metadata;
  return { ...vmi, metadata };
}

/** The launcher on its node. */
export function makeLauncher(vmi: Vmi, node: string): Pod {
  const pod = renderLauncher(vmi, { image: 'quay.io/kubevirt/virt-launcher:v1.8.4', qemuTimeout: 250, plugins: {} });
  const { nodeSelector: _, ...spec } = pod.spec;
  return { ...pod, spec: { ...spec, nodeName: node } };
}
