import { formatLogicalPortName, type OwnerKind } from '../../../api/names.ts';
import type { KubeVirt, Node, VirtualMachine, VirtualMachineInstance, VmiSpec } from '../../../api/objects.ts';
import type { IPPool, LogicalPort, LogicalPortSpec, Subnet, Vpc } from '../../../api/types.gen.ts';
import { listNodeAddresses } from '../../../plan/networks/node-addresses.ts';
import { makePool, makeRequestContext, makeSubnet, makeVpc } from '../../../plan/requests/testing/requests.ts';
import type { Admission } from '../../admission.ts';
import { checkRequest } from '../check.ts';
import type { CheckCluster } from '../types.ts';

export type State = {
  readonly ports?: readonly LogicalPort[];
  readonly subnets?: readonly Subnet[];
  readonly vpcs?: readonly Vpc[];
  readonly pools?: readonly IPPool[];
  readonly nads?: Record<string, string>;
  readonly nodes?: readonly string[];
  /** As the API server sends them. */
  readonly vms?: readonly object[];
  readonly vmis?: readonly object[];
  readonly kubevirt?: unknown;
  /** Namespaces that are known; each without labels. */
  readonly namespaces?: readonly string[];
  readonly primary?: boolean;
};

const SUBNETS: readonly Subnet[] = [
  ...makeRequestContext().grants.subnets.filter(({ metadata }) => metadata.name !== 'default'),
  makeSubnet('default', { gateway: '10.0.0.254', excludeIps: ['10.0.0.10..10.0.0.19'] }),
  makeSubnet('guarded', { vpc: 'guarded' }),
  makeSubnet('lost', { vpc: 'nowhere' }),
  makeSubnet('broken', { cidrBlock: '10.9.0.1/24' }),
  makeSubnet('vlan-a', { vlan: 'v7', cidrBlock: '10.7.0.0/24' }),
  makeSubnet('vlan-b', { vlan: 'v7', cidrBlock: '10.8.0.0/24' }),
];

const EMPTY = {
  ports: [],
  vms: [],
  vmis: [],
  nodes: [],
  nads: {},
  vpcs: [makeVpc('guarded', ['prod'])],
  subnets: SUBNETS,
  pools: [makePool('web', { ips: ['10.0.0.32/28'] })],
  namespaces: ['default', 'ns1', 'prod'],
  primary: true,
} satisfies State;

/** The cluster of the tests of requests, with gateways, VLANs and VPCs to break rules of. */
export function makeCluster(state: State = {}): CheckCluster {
  const whole: Required<Omit<State, 'kubevirt'>> = { ...EMPTY, ...state };
  const { ports, vms, vmis, vpcs, subnets, pools, namespaces, primary } = whole;
  const named = <T extends { metadata: { name: string } }>(list: readonly T[], name: string) =>
    list.find(({ metadata }) => metadata.name === name);
  const inNamespace = <T extends { metadata: { name: string; namespace?: string } }>(list: readonly T[], at: string) =>
    list.filter(({ metadata }) => metadata.namespace === at);
  const { findNad } = makeRequestContext({ nads: whole.nads });
  const addresses = listNodeAddresses(whole.nodes.map(makeNode));
  return {
    findNamespace: (name) => (namespaces.includes(name) ? { metadata: { name } } : undefined),
    findSubnet: (name) => named(subnets, name),
    listSubnets: () => subnets,
    findNad,
    findPort: (namespace, name) => named(inNamespace(ports, namespace), name),
    listPorts: () => ports,
    findPortsByIp: (subnet, ip) => ports.filter(({ spec }) => spec.subnet === subnet && spec.ips.includes(ip)),
    findPortsByMac: (subnet, mac) => ports.filter(({ spec }) => spec.subnet === subnet && spec.mac === mac),
    findVm: (namespace, name) => named(inNamespace(vms as readonly VirtualMachine[], namespace), name),
    findVmi: (namespace, name) => named(inNamespace(vmis as readonly VirtualMachineInstance[], namespace), name),
    findKubevirt: () => state.kubevirt as KubeVirt | undefined,
    findVpc: (name) => named(vpcs, name),
    listPools: () => pools,
    getNodeAddresses: () => addresses,
    settings: { defaultSubnet: 'default', defaultVpc: 'default', primary },
  };
}

const makeNode = (address: string, index: number): Node => ({
  metadata: { name: `node${index}` },
  status: { addresses: [{ type: 'InternalIP', address }] },
});

/** Where a port is: `<namespace>/<owner>`, of a VM unless another kind is said. */
type Place = { readonly at: string; readonly kind?: OwnerKind; readonly nic?: string };
type PortOver = Partial<Omit<LogicalPortSpec, 'owner'>> & { readonly gone?: true; readonly released?: true };

/** The LogicalPort of an owner; `attached` by `ATTACHED`. */
export function makePort({ at, kind = 'VirtualMachine', nic = 'default' }: Place, over: PortOver): LogicalPort {
  const [namespace = '', owner = ''] = at.split('/');
  const { gone, released, ...spec } = over;
  return {
    apiVersion: 'mooring.dev/v1alpha1',
    kind: 'LogicalPort',
    metadata: {
      name: formatLogicalPortName({ ownerKind: kind, namespace, owner, nic }),
      namespace,
      ...(gone ? { deletionTimestamp: '2026-02-01T00:00:00Z' } : {}),
    },
    spec: { owner: { kind, name: owner, uid: `uid-${owner}` }, nic, subnet: 'default', ips: [], mac: '', ...spec },
    ...(released ? { status: { phase: 'Released' as const } } : {}),
  };
}

export const ATTACHED = {
  attachments: [{ podName: 'p', podUID: 'u', node: 'n', interface: 'eth0', role: 'Source' as const }],
};

export type Vm = {
  readonly name?: string;
  readonly spec?: VmiSpec | undefined;
  /** Of the template, or of the VMI. */
  readonly annotations?: Record<string, unknown>;
  readonly vmAnnotations?: Record<string, unknown>;
  readonly run?: object;
  readonly metadata?: object;
};

/** A VM as the API server sends it. */
export const makeVm = ({
  name = 'db',
  spec = {},
  annotations = {},
  vmAnnotations = {},
  run = {},
  metadata = {},
}: Vm) => ({
  metadata: { name, annotations: vmAnnotations, ...metadata },
  spec: { ...run, template: { metadata: { annotations }, spec } },
});

export const makeVmi = ({ name = 'db', spec = {}, annotations = {}, metadata = {} }: Vm) => ({
  metadata: { name, annotations, ...metadata },
  spec,
});

export function makeAdmission(object: unknown, over: Partial<Admission> = {}): Admission {
  return {
    uid: 'u',
    operation: 'CREATE',
    kind: 'VirtualMachine',
    namespace: 'default',
    name: 'db',
    object,
    oldObject: null,
    dryRun: false,
    user: { name: 'alice', groups: [] },
    ...over,
  };
}

/** One word per problem: `!` for a denial, `?` for a warning. */
export function ask(object: unknown, state: State = {}, over: Partial<Admission> = {}): string[] {
  const problems = checkRequest(makeAdmission(object, over), makeCluster(state));
  return problems.map(({ nic, reason, severity }) => `${nic ?? '-'}${severity === 'denial' ? '!' : '?'} ${reason}`);
}

/** The messages of the same. */
export const tell = (object: unknown, state: State = {}, over: Partial<Admission> = {}): string =>
  checkRequest(makeAdmission(object, over), makeCluster(state))
    .map(({ message }) => message)
    .join('\n');
