import type { KubeObject } from '../../../kube/types.ts';
import { type CniOutcome, formatPodPort, NODE, type TestNode, type TestPod } from './node.ts';

export const PORTS = 'mooring.dev/v1alpha1/logicalports';
export type Berth = { readonly pod: TestPod; readonly ip: string; readonly mac: string; readonly lsp: string };

/** What the operator prepares for a test's node: the default subnet, in the API and in NB. */
export async function prepareSubnet(node: TestNode): Promise<void> {
  await node.put('mooring.dev/v1alpha1/subnets', {
    apiVersion: 'mooring.dev/v1alpha1',
    kind: 'Subnet',
    metadata: { name: 'default' },
    spec: { cidrBlock: '10.16.0.0/16', mtu: 1400 },
  } as KubeObject);
  await node.ovn.nbctl('ls-add', 'subnet/default');
}

/** What the operator would do for a pod: a LogicalPort, and its row in NB. */
export async function berth(node: TestNode, pod: TestPod, index: number): Promise<Berth> {
  const ip = `10.16.0.${index}`;
  const mac = `02:00:0a:10:00:${index.toString(16).padStart(2, '0')}`;
  const port = await node.put(PORTS, formatPodPort(pod, { ip, mac }));
  const lsp = `pod/default/${pod.name}/eth0`;
  await program(node, { lsp, addresses: `${mac} ${ip}`, uid: port.metadata?.uid ?? '' });
  return { pod, ip, mac, lsp };
}

/** The port's row in NB, bound to the test's node. */
export async function program(node: TestNode, row: { lsp: string; addresses: string; uid: string }): Promise<void> {
  const { lsp, addresses, uid } = row;
  await node.ovn.nbctl(
    ...['--may-exist', 'lsp-add', 'subnet/default', lsp, '--', 'lsp-set-addresses', lsp, addresses, '--'],
    ...['lsp-set-port-security', lsp, addresses, '--'],
    ...['lsp-set-options', lsp, `requested-chassis=${NODE}`, `iface-id-ver=${uid}`],
  );
}

/** A pod with its berth, attached by ADD. */
export async function attach(node: TestNode, name: string, index: number): Promise<Berth & { outcome: CniOutcome }> {
  const made = await berth(node, await node.addPod(name), index);
  return { ...made, outcome: await node.cni({ command: 'ADD', pod: made.pod }) };
}

/** Names of the pod ports in OVS. */
export async function listOvsPorts(node: TestNode): Promise<string[]> {
  const find = ['--bare', '--columns=name', 'find', 'Interface', 'external_ids:mooring-kind=pod'];
  return (await node.ovn.vsctl(...find)).split('\n').filter((line) => line !== '');
}

/** Names of the host ends of pods in the node's namespace. */
export async function listHostEnds(node: TestNode): Promise<string[]> {
  const links = await node.exec(undefined, 'ip', '-br', 'link');
  return links.match(/^m[0-9a-f]{14}/gm) ?? [];
}

/** Waits for a condition that other processes bring about; throws after 30 s, or after `withinMs`. */
export async function eventually(what: string, probe: () => Promise<boolean>, withinMs = 30_000): Promise<void> {
  const end = performance.now() + withinMs;
  while (!(await probe())) {
    if (performance.now() > end) throw new Error(`not within ${withinMs / 1000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
