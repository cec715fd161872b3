import { writeFileSync } from 'node:fs';
import { runCommand } from './command.ts';
import { HOST_IP, OUTSIDE } from './config.ts';
import type { LabNode } from './state.ts';

/** The lab's networks: a bridge on the machine, and one link of every node on it. */
export const NETWORKS = [
  { bridge: 'lab-mgmt', link: 'eth0', prefix: 'm', ip: (node: Pick<LabNode, 'mgmtIp'>) => node.mgmtIp },
  {
    bridge: 'lab-underlay',
    link: 'underlay',
    prefix: 'u',
    ip: (node: Pick<LabNode, 'underlayIp'>) => node.underlayIp,
  },
  {
    bridge: 'lab-migration',
    link: 'migration',
    prefix: 'g',
    ip: (node: Pick<LabNode, 'migrationIp'>) => node.migrationIp,
  },
] as const;

type NodeNames = Omit<LabNode, 'mountNsPid'>;

/** Names of links on the machine that are the lab's. */
export function isLabLink(name: string): boolean {
  return /^lab-(mgmt|underlay|migration|outside|[mug]\d{1,2})$/.test(name);
}

/** Names of network namespaces that are the lab's. */
export function isLabNamespace(name: string): boolean {
  return /^lab-(outside|node\d{1,2})$/.test(name);
}

/** Lines for `ip -batch` on the machine: bridges and the API server's address. */
export function formatBridges(): string {
  const lines = NETWORKS.flatMap(({ bridge }) => [
    `link add ${bridge} type bridge mcast_snooping 0`,
    `link set dev ${bridge} addrgenmode none`,
    `link set dev ${bridge} up`,
  ]);
  return [...lines, `addr add ${HOST_IP}/24 dev lab-mgmt`, ''].join('\n');
}

/** Lines for `ip -batch` on the machine: a node's three links, one end of each on its bridge. */
export function formatNodeLinks(node: NodeNames): string {
  return `${NETWORKS.flatMap(({ bridge, link, prefix }) => {
    const end = `lab-${prefix}${node.index}`;
    return [
      `link add ${end} type veth peer name ${link} netns ${node.netns}`,
      `link set dev ${end} addrgenmode none`,
      `link set dev ${end} master ${bridge} up`,
    ];
  }).join('\n')}\n`;
}

/** Lines for `ip -batch` inside a node. The default route is by eth0, as the chart moves `underlay` to a bridge. */
export function formatNodeAddresses(node: NodeNames): string {
  const links = NETWORKS.flatMap(({ link, ip }) => [`addr add ${ip(node)}/24 dev ${link}`, `link set dev ${link} up`]);
  const six = [`addr add ${node.mgmtIp6}/64 dev eth0 nodad`, `route add ::/0 via ${OUTSIDE.gateway6} dev eth0`];
  const routes = [`route add default via ${OUTSIDE.gateway} dev eth0`, ...six, ''];
  return ['link set dev lo up', ...links, ...routes].join('\n');
}

/** Userspace OVS computes no checksums for what it forwards, so every end must send whole ones (LAB.md section 4). */
async function disableOffload(link: string, netns?: string): Promise<void> {
  const inside = netns === undefined ? [] : ['nsenter', `--net=/run/netns/${netns}`, '--'];
  await runCommand([...inside, 'ethtool', '-K', link, 'tx', 'off']);
}

const batch = (input: string, netns?: string) =>
  runCommand(['ip', ...(netns === undefined ? [] : ['-n', netns]), '-batch', '-'], { input });

/** Makes the bridges and the outside world. */
export async function createNetworks(): Promise<void> {
  await batch(formatBridges());
  await runCommand(['ip', 'netns', 'add', OUTSIDE.netns]);
  await batch(
    `link add lab-outside type veth peer name eth0 netns ${OUTSIDE.netns}\nlink set dev lab-outside master lab-mgmt up\n`,
  );
  const address = [
    `addr add ${OUTSIDE.address}/32 dev lo`,
    `addr add ${OUTSIDE.address6}/128 dev lo`,
    `addr add ${OUTSIDE.gateway}/24 dev eth0`,
    `addr add ${OUTSIDE.gateway6}/64 dev eth0 nodad`,
    '',
  ].join('\n');
  await batch(`link set dev lo up\n${address}link set dev eth0 up\n`, OUTSIDE.netns);
  await Promise.all([disableOffload('lab-outside'), disableOffload('eth0', OUTSIDE.netns)]);
}

/** Makes a node's network namespace with its three links, offload off at both ends. */
export async function createNodeNetwork(node: NodeNames): Promise<void> {
  await runCommand(['ip', 'netns', 'add', node.netns]);
  await batch(formatNodeLinks(node));
  await batch(formatNodeAddresses(node), node.netns);
  const ends = NETWORKS.flatMap(({ link, prefix }) => [
    disableOffload(`lab-${prefix}${node.index}`),
    disableOffload(link, node.netns),
  ]);
  await Promise.all(ends);
}

/** Lets a bridge's frames pass without the machine's packet filter, where br_netfilter is loaded. */
export function bypassBridgeFilter(): void {
  for (const { bridge } of NETWORKS) {
    for (const family of ['iptables', 'ip6tables', 'arptables']) {
      try {
        writeFileSync(`/sys/class/net/${bridge}/bridge/nf_call_${family}`, '0');
      } catch {
        // The attribute exists only with br_netfilter; without it there is nothing to switch off.
      }
    }
  }
}
