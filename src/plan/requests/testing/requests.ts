import type { Pod, VmiSpec } from '../../../api/objects.ts';
import type { IPPool, IPPoolSpec, Subnet, SubnetSpec, Vpc } from '../../../api/types.gen.ts';
import type { RequestContext, RequestPlan } from '../types.ts';

export const makeSubnet = (name: string, spec: Partial<SubnetSpec> = {}): Subnet => ({
  apiVersion: 'mooring.dev/v1alpha1',
  kind: 'Subnet',
  metadata: { name, creationTimestamp: '2026-01-01T00:00:00Z' },
  spec: { cidrBlock: '10.0.0.0/24', ...spec },
});

export const makeVpc = (name: string, namespaces?: string[]): Vpc => ({
  apiVersion: 'mooring.dev/v1alpha1',
  kind: 'Vpc',
  metadata: { name },
  spec: namespaces === undefined ? {} : { namespaces },
});

export const makePool = (name: string, spec: Partial<IPPoolSpec> = {}): IPPool => ({
  apiVersion: 'mooring.dev/v1alpha1',
  kind: 'IPPool',
  metadata: { name },
  spec: { subnet: 'default', ips: ['10.0.0.16/28'], ...spec },
});

const NADS: Record<string, string> = {
  'default/attachnet': '{"type":"mooring","provider":"attachnet.default.ovn"}',
  'default/dual': '{"type":"kube-ovn","server_socket":"/run/x.sock","provider":"dual.default.ovn"}',
  'default/lonely': '{"type":"mooring"}',
  'default/foreign': '{"type":"macvlan","master":"eth0","ipam":{"type":"whereabouts"}}',
  'default/bridged': '{"type":"bridge","ipam":{"type":"static"}}',
  'default/macvlan': '{"type":"macvlan","master":"eth0","ipam":{"type":"mooring","provider":"macvlan.default"}}',
  'default/broken': '',
  'prod/secret': '{"type":"mooring","provider":"secret.prod.ovn"}',
};

const SUBNETS: readonly Subnet[] = [
  makeSubnet('default'),
  makeSubnet('net1', { namespaces: ['ns1'] }),
  makeSubnet('by-label', { namespaceSelectors: [{ matchLabels: { team: 'blue' } }] }),
  makeSubnet('attachnet', { provider: 'attachnet.default.ovn', cidrBlock: '172.17.0.0/16', gateway: '172.17.0.1' }),
  makeSubnet('dual', { provider: 'dual.default.ovn', cidrBlock: '10.5.0.0/24,fd05::/64' }),
  makeSubnet('macvlan', { provider: 'macvlan.default', cidrBlock: '172.18.0.0/16', gateway: '172.18.0.1' }),
  makeSubnet('secret', { provider: 'secret.prod.ovn', namespaces: ['prod'] }),
];

export type ContextOverrides = {
  readonly namespace?: string;
  readonly labels?: Record<string, string>;
  readonly subnets?: readonly Subnet[];
  readonly vpcs?: readonly Vpc[];
  readonly pools?: readonly IPPool[];
  readonly nads?: Record<string, string>;
  readonly primary?: boolean;
};

/** A cluster with a default subnet, some of namespaces, and NADs of ours and of others. */
export function makeRequestContext(over: ContextOverrides = {}): RequestContext {
  const nads = { ...NADS, ...over.nads };
  return {
    grants: {
      defaultSubnet: 'default',
      defaultVpc: 'default',
      namespace: { metadata: { name: over.namespace ?? 'default', labels: over.labels ?? {} } },
      subnets: over.subnets ?? SUBNETS,
      findVpc: (name) => over.vpcs?.find(({ metadata }) => metadata.name === name),
      findPool: (name) => over.pools?.find(({ metadata }) => metadata.name === name),
    },
    primary: over.primary ?? true,
    findNad: (namespace, nad) => {
      const config = Object.hasOwn(nads, `${namespace}/${nad}`) ? nads[`${namespace}/${nad}`] : undefined;
      return config === undefined ? undefined : { metadata: { namespace, name: nad }, spec: { config } };
    },
  };
}

export const podWith = (annotations: Record<string, string>, metadata: Partial<Pod['metadata']> = {}): Pod => ({
  metadata: { name: 'p', annotations, ...metadata },
});

/** A VM whose NICs are on NADs, by NIC name; `pod` is the pod network. */
export function vmWith(nics: Record<string, string>, binding: object = { bridge: {} }): VmiSpec {
  return {
    domain: { devices: { interfaces: Object.keys(nics).map((name) => ({ name, ...binding })) } },
    networks: Object.entries(nics).map(([name, networkName]) =>
      networkName === 'pod' ? { name, pod: {} } : { name, multus: { networkName } },
    ),
  };
}

/** One line per NIC: what a request says, or the reason of its problem. */
export const show = ({ requests, problems }: RequestPlan): string[] => [
  ...requests.map(({ nic, interface: name, subnet: on, nad, ips, mac, binding, absent }) =>
    [`${nic}=${name}`, on, nad, ips?.join(), mac, binding, absent ? 'absent' : undefined].filter(Boolean).join(' '),
  ),
  ...problems.map(({ nic, problem }) => `${nic}! ${problem.reason}`),
];

/** The message of the only problem of a NIC. */
export const tell = ({ problems }: RequestPlan, nic: string): string =>
  problems
    .filter((item) => item.nic === nic)
    .map(({ problem }) => `${problem.reason}: ${problem.message}`)
    .join('\n');
