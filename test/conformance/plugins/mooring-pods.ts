import { formatLogicalPortName, formatLspName, formatNodeLabel } from '../../../src/api/names.ts';
import { PORTS, program } from '../../../src/cni/daemon/testing/berths.ts';
import { formatPod, NODE, type TestNode } from '../../../src/cni/daemon/testing/node.ts';
import type { KubeObject } from '../../../src/kube/types.ts';
import type { Kind, Place, Running } from '../model.ts';

/** The NAD of the networks whose interfaces others make, and what its network calls itself. */
const NAD = { namespace: 'default', name: 'outer' };
export const PROVIDER = `${NAD.name}.${NAD.namespace}`;
const SUBNETS: Readonly<Record<Kind, { name: string; spec: object }>> = {
  interface: { name: 'default', spec: { cidrBlock: '10.16.0.0/16', mtu: 1400 } },
  ipam: { name: 'outer', spec: { cidrBlock: '10.17.0.0/16', gateway: '10.17.0.1', provider: PROVIDER } },
};
const NET: Readonly<Record<Kind, string>> = { interface: '10.16', ipam: '10.17' };

type Port = {
  readonly kind: Kind;
  readonly pod: string;
  readonly uid: string;
  readonly ifname: string;
  readonly ip: string;
  readonly mac: string;
};

/** A pod with its LogicalPorts for each sandbox, as the kubelet and the operator would have made them. */
export async function createPods(node: TestNode, kind: Kind): Promise<Pick<Running, 'prepare' | 'forget'>> {
  const { name, spec } = SUBNETS[kind];
  const subnet = { apiVersion: 'mooring.dev/v1alpha1', kind: 'Subnet', metadata: { name }, spec };
  await node.put('mooring.dev/v1alpha1/subnets', subnet as KubeObject);
  if (kind === 'interface') await node.ovn.nbctl('--may-exist', 'ls-add', 'subnet/default');
  let addresses = 9;
  const prepare = async ({ containerId, ifname }: Place): Promise<string> => {
    const uid = await ensurePod(node, containerId);
    addresses += 1;
    const bytes = [addresses >> 8, addresses & 0xff];
    const mac = ['02:00:0a:10', ...bytes.map((byte) => byte.toString(16).padStart(2, '0'))].join(':');
    await reserve(node, { kind, pod: containerId, uid, ifname, ip: [NET[kind], ...bytes].join('.'), mac });
    return `IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=${containerId};K8S_POD_UID=${uid}`;
  };
  const forget = async ({ containerId, ifname }: Place): Promise<void> => {
    const key = formatKey(containerId, ifname);
    await node.ovn.nbctl('--if-exists', 'lsp-del', formatLspName(key));
    await node.remove(PORTS, `default/${formatLogicalPortName(key)}`);
    if (ifname === 'eth0') await node.remove('v1/pods', `default/${containerId}`);
  };
  return { prepare, forget };
}

/** Gives the pod's UID. */
async function ensurePod(node: TestNode, name: string): Promise<string> {
  const pods = await node.list('v1/pods');
  const present = pods.find(({ metadata }) => metadata?.name === name);
  return (present ?? (await node.put('v1/pods', formatPod(name, {})))).metadata?.uid ?? '';
}

const formatKey = (pod: string, nic: string) => ({ ownerKind: 'Pod', namespace: 'default', owner: pod, nic }) as const;

async function reserve(node: TestNode, port: Port): Promise<void> {
  const { kind, pod, uid, ifname, ip, mac } = port;
  const key = formatKey(pod, ifname);
  const labels = { [formatNodeLabel(NODE)]: '' };
  const held = { podName: pod, podUID: uid, node: NODE, interface: ifname, role: 'Source' };
  const isOurs = kind === 'interface';
  const made = await node.put(PORTS, {
    ...{ apiVersion: 'mooring.dev/v1alpha1', kind: 'LogicalPort' },
    metadata: { name: formatLogicalPortName(key), namespace: 'default', labels },
    spec: {
      ...{ owner: { kind: 'Pod', name: pod, uid }, nic: ifname, subnet: SUBNETS[kind].name, ips: [ip] },
      ...(isOurs ? { mac } : { mac: '', ipamOnly: true }),
      attachments: [isOurs ? held : { ...held, nad: `${NAD.namespace}/${NAD.name}` }],
    },
  } as KubeObject);
  if (!isOurs) return;
  await program(node, { lsp: formatLspName(key), addresses: `${mac} ${ip}`, uid: made.metadata?.uid ?? '' });
}
