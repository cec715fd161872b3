import type { KubeVirt, Namespace, NetworkAttachmentDefinition, VirtualMachine } from '../../../api/objects.ts';
import type { Subnet, SubnetSpec } from '../../../api/types.gen.ts';
import type { PatchOperation } from '../../admission.ts';
import type { Cluster } from '../../records.ts';
import type { BindingDefaults } from '../plan.ts';

export const DEFAULTS: BindingDefaults = {
  binding: 'asIs',
  defaultSubnet: 'default',
  defaultVpc: 'main',
  primary: true,
};

type Annotations = Record<string, string>;

export const makeSubnet = (name: string, spec: Partial<SubnetSpec> = {}, annotations: Annotations = {}): Subnet => ({
  apiVersion: 'mooring.dev/v1alpha1',
  kind: 'Subnet',
  metadata: { name, annotations },
  spec: { cidrBlock: '10.0.0.0/24', ...spec },
});

const makeNad = (namespace: string, name: string, config: object): NetworkAttachmentDefinition => ({
  metadata: { namespace, name },
  spec: { config: JSON.stringify(config) },
});

const NADS = [
  makeNad('web', 'biz', { type: 'mooring', provider: 'biz.web.ovn' }),
  makeNad('web', 'lan', { type: 'bridge', ipam: { type: 'static' } }),
  makeNad('web', 'mac', { type: 'macvlan', ipam: { type: 'mooring', provider: 'mac.web' } }),
  makeNad('web', 'vf', { type: 'sriov' }),
];

/** KubeVirt with managedTap as the chart registers it. */
export const TAPPED: KubeVirt = {
  metadata: { name: 'kubevirt' },
  spec: {
    configuration: { network: { binding: { managedtap: { domainAttachmentType: 'managedTap', migration: {} } } } },
  },
};

export type ClusterOverrides = {
  readonly namespace?: Annotations;
  readonly subnets?: readonly Subnet[];
  readonly kubevirt?: KubeVirt;
  readonly vms?: readonly VirtualMachine[];
  /** Names of the NICs of a VMI that runs. */
  readonly running?: readonly string[];
};

/** Namespace `web` with a default subnet, one behind NAD `biz`, and NADs of other plugins. */
export function makeCluster(over: ClusterOverrides = {}): Cluster {
  const subnets = [
    ...(over.subnets ?? []),
    makeSubnet('default'),
    makeSubnet('biz', { provider: 'biz.web.ovn', cidrBlock: '10.1.0.0/24' }),
  ].filter(({ metadata }, index, all) => all.findIndex((other) => other.metadata.name === metadata.name) === index);
  const namespace: Namespace = { metadata: { name: 'web', annotations: over.namespace ?? {} } };
  return {
    findNamespace: (name) => (name === 'web' ? namespace : undefined),
    findSubnet: (name) => subnets.find(({ metadata }) => metadata.name === name),
    listSubnets: () => subnets,
    findNad: (of, name) => NADS.find(({ metadata }) => metadata.namespace === of && metadata.name === name),
    findPort: () => undefined,
    listPorts: () => [],
    findPortsByIp: () => [],
    findPortsByMac: () => [],
    findVm: (_, name) => over.vms?.find(({ metadata }) => metadata.name === name),
    findVmi: (_, name) => (over.running === undefined ? undefined : makeRunning(name, over.running)),
    findKubevirt: () => over.kubevirt,
  };
}

const makeRunning = (name: string, nics: readonly string[]) => ({
  metadata: { name },
  spec: {
    domain: { devices: { interfaces: nics.map((nic) => ({ name: nic })) } },
    networks: nics.map((nic) => ({ name: nic, pod: {} })),
  },
});

/** Interfaces by their name, `default` on the pod network, any other on the NAD of its name. */
export function makeSpec(interfaces: readonly ({ name: string } & Record<string, unknown>)[]): object {
  const networks = interfaces.map(({ name }) =>
    name === 'default' ? { name, pod: {} } : { name, multus: { networkName: name } },
  );
  return { domain: { devices: { interfaces } }, networks };
}

export const makeVm = (spec: object, annotations: Annotations = {}): object => ({
  metadata: { name: 'db', namespace: 'web', annotations },
  spec: { template: { spec } },
});

export const makeVmi = (spec: object, metadata: object = {}): object => ({
  metadata: { name: 'db', namespace: 'web', ...metadata },
  spec,
});

type Tree = Record<string, unknown>;

/** RFC 6902 as the API server applies it: every parent must be there, what is removed too. */
export function applyPatch(object: unknown, patch: readonly PatchOperation[]): unknown {
  const copy: unknown = JSON.parse(JSON.stringify(object));
  for (const { op, path, value } of patch) {
    const keys = path
      .slice(1)
      .split('/')
      .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
    const last = keys.pop() ?? '';
    let parent = copy as Tree;
    for (const key of keys) {
      if (typeof parent[key] !== 'object' || parent[key] === null) throw new Error(`${path}: no ${key}`);
      parent = parent[key] as Tree;
    }
    if (op === 'remove' && !Object.hasOwn(parent, last)) throw new Error(`${path}: nothing to remove`);
    if (op === 'remove') Reflect.deleteProperty(parent, last);
    else parent[last] = value;
  }
  return copy;
}
