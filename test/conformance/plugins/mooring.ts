import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { formatHostInterface } from '../../../src/api/names.ts';
import { formatNodeNetwork, NODE_NETWORK_ANNOTATION } from '../../../src/api/node-network.ts';
import { eventually } from '../../../src/cni/daemon/testing/berths.ts';
import { NODE, startTestNode, type TestNode } from '../../../src/cni/daemon/testing/node.ts';
import type { KubeObject } from '../../../src/kube/types.ts';
import { callPlugin } from '../call.ts';
import type { Crippled, Kind, KnownDifference, Place, Plugin, Running, Tools } from '../model.ts';
import { createPods, PROVIDER } from './mooring-pods.ts';

/** Where we answer otherwise than a case asks for, on purpose. */
const KNOWN: readonly KnownDifference[] = [
  {
    id: 'environment/gc-without-CNI_PATH',
    says: 'GC without CNI_PATH: success, an error was due',
    reason: 'it asks no other plugin, and refusing would only leave something behind',
  },
];

const KNOWN_OF_INTERFACES: readonly KnownDifference[] = [
  {
    id: 'add/twice',
    says: 'second ADD: success with output, an error was due',
    reason:
      'a runtime that was killed before it read our answer asks again: it gets the same answer for the same container and interface, and nothing is made twice; an interface that is not ours is refused (`add/taken`)',
  },
  {
    id: 'add/without-args',
    says: 'code 4 "mooring: CNI_ARGS: K8S_POD_NAMESPACE is missing',
    reason: 'which pod a call is for stands in CNI_ARGS alone; every runtime of Kubernetes sends it',
  },
  {
    id: 'cnitool/gc',
    says: 'GC without the list cni.dev/valid-attachments',
    reason:
      'cnitool hands GC no list at all, which is refused with code 7, as a missing list is not an empty one; what libcni remembers it has freed by DEL before',
  },
];

const CONFIGS: Readonly<Record<Kind, Readonly<Record<string, unknown>>>> = {
  interface: { name: 'mooring', type: 'mooring' },
  ipam: { name: 'outer', type: 'macvlan', master: 'up0', ipam: { type: 'mooring', provider: PROVIDER } },
};

/**
 * The shim and the agent, on a node with real Open vSwitch and OVN: as a plugin of its own, and as the IPAM plugin of
 * others.
 */
export function listMooring(tools: Tools): Plugin[] {
  const format = (name: string, kind: Kind, known: readonly KnownDifference[]): Plugin => {
    return { name, kind, known, start: () => startMooring(tools, kind) };
  };
  return [format('mooring', 'interface', [...KNOWN, ...KNOWN_OF_INTERFACES]), format('mooring as IPAM', 'ipam', KNOWN)];
}

async function startMooring(tools: Tools, kind: Kind): Promise<Running> {
  const node = await startTestNode();
  try {
    return await prepareNode(node, tools, kind);
  } catch (error) {
    await node.stop();
    throw error;
  }
}

async function prepareNode(node: TestNode, tools: Tools, kind: Kind): Promise<Running> {
  const netns = (await node.exec(undefined, 'ip', 'netns', 'identify')).trim();
  const binary = join(node.folder, 'mooring-cni');
  const pods = await createPods(node, kind);
  await prepareGateway(node);
  const start = async () => {
    // The reaper would do the work of DEL and GC. An agent whose socket is late on a busy machine may still come.
    await node.startAgent('--reap-seconds', '3600').catch(() => undefined);
    await eventually('STATUS says that ADD can be served', () => isReady({ binary, netns }));
  };
  await start();
  return {
    binary,
    netns,
    tools,
    path: `${node.folder}/cni-bin:${tools.plugins}`,
    config: () => CONFIGS[kind],
    ...pods,
    leftovers: (sandbox) => listLeftovers(node, sandbox),
    cripple: () => stopAgent(node, start),
    stop: node.stop,
  };
}

async function isReady(at: { binary: string; netns: string }): Promise<boolean> {
  const stdin = JSON.stringify({ cniVersion: '1.1.0', ...CONFIGS.interface });
  return (await callPlugin({ ...at, env: { CNI_COMMAND: 'STATUS' }, stdin })).exit === 0;
}

async function stopAgent(node: TestNode, start: () => Promise<void>): Promise<Crippled> {
  let isDown = true;
  await node.stopAgent();
  const heal = async () => {
    if (!isDown) return;
    isDown = false;
    await start();
  };
  return { what: 'the agent is down', change: {}, heal };
}

/** What the operator makes for each node; STATUS is about this, too. */
async function prepareGateway(node: TestNode): Promise<void> {
  const [nodeMac, gatewayMac] = ['0a:58:64:40:00:05', '0a:58:64:40:00:02'];
  const network = {
    ...{ nodeIps: ['100.64.0.5/16'], nodeMac, gatewayIps: ['100.64.0.2'], gatewayMac, routerIps: ['100.64.0.1'] },
    ...{ podCidrs: ['10.16.0.0/16'], masqueradeCidrs: ['10.16.0.0/16'], vpcs: [], mtu: 1400 },
  };
  const annotations = { [NODE_NETWORK_ANNOTATION]: formatNodeNetwork(network) };
  await node.put('v1/nodes', { apiVersion: 'v1', kind: 'Node', metadata: { name: NODE, annotations } } as KubeObject);
  await node.ovn.nbctl(
    ...['ls-add', 'join', '--', 'lsp-add', 'join', 'gateway', '--', 'lsp-set-type', 'gateway', 'localport', '--'],
    ...['lsp-set-addresses', 'gateway', `${gatewayMac} 100.64.0.2`, '--', 'lsp-add', 'join', `node/${NODE}`, '--'],
    ...['lsp-set-addresses', `node/${NODE}`, `${nodeMac} 100.64.0.5`],
  );
}

/** The port in OVS, the host end in the kernel, the entry in the journal. */
async function listLeftovers(node: TestNode, { containerId, ifname }: Place): Promise<string[]> {
  const hostEnd = formatHostInterface(containerId, ifname);
  const ports = await node.ovn.vsctl('--bare', '--columns=name', 'find', 'Interface', `name=${hostEnd}`);
  const links = await node.exec(undefined, 'ip', '-br', 'link');
  const folder = join(node.folder, 'state/attachments');
  const files = await readdir(folder);
  const entries = await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8').catch(() => '')));
  const isMine = (text: string) => text.includes(`"${containerId}"`) && text.includes(`"${ifname}"`);
  return [
    ...(ports.trim() === '' ? [] : [`port ${hostEnd} in OVS`]),
    ...(new RegExp(`^${hostEnd}[@ ]`, 'm').test(links) ? [`link ${hostEnd}`] : []),
    ...entries.filter(isMine).map(() => 'an entry of the journal'),
  ];
}
