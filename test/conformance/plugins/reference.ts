import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Place, Plugin, Running, Tools } from '../model.ts';
import { type PlainNode, startPlainNode, UPLINK } from './node.ts';

const NETWORK = 'conformance';
const BRIDGE = { type: 'bridge', bridge: 'cni0', isGateway: true };
const MACVLAN = { type: 'macvlan', master: UPLINK, mode: 'bridge' };

/**
 * The plugins of containernetworking/plugins: interfaces with host-local for their addresses, as a user would write it,
 * and host-local alone.
 */
export function listReferences(tools: Tools): Plugin[] {
  const formatInterface = (config: { type: string }): Plugin => {
    return { name: config.type, kind: 'interface', known: [], start: () => startInterface(tools, config) };
  };
  const ipam: Plugin = { name: 'host-local', kind: 'ipam', known: [], start: () => startIpam(tools) };
  return [formatInterface(BRIDGE), formatInterface(MACVLAN), ipam];
}

async function startInterface(tools: Tools, config: { type: string }): Promise<Running> {
  const node = await startPlainNode();
  return {
    ...formatRunning(node, tools, config),
    cripple: async () => ({
      what: 'its IPAM plugin is not there',
      change: { env: { CNI_PATH: node.folder } },
      heal: async () => undefined,
    }),
  };
}

async function startIpam(tools: Tools): Promise<Running> {
  return { ...formatRunning(await startPlainNode(), tools, BRIDGE), binary: join(tools.plugins, 'host-local') };
}

function formatRunning(node: PlainNode, tools: Tools, config: { type: string }): Running {
  const dataDir = join(node.folder, 'ipam');
  const ranges = [[{ subnet: '10.77.0.0/16' }]];
  const ipam = { type: 'host-local', dataDir, ranges, routes: [{ dst: '0.0.0.0/0' }] };
  return {
    binary: join(tools.plugins, config.type),
    path: tools.plugins,
    tools,
    netns: node.netns,
    config: () => ({ name: NETWORK, ...config, ipam }),
    prepare: async () => 'IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=conformance',
    forget: async () => undefined,
    leftovers: (sandbox) => listReservations(join(dataDir, NETWORK), sandbox),
    stop: node.stop,
  };
}

/** host-local holds a file for each address, with the container's id and the interface in it. */
async function listReservations(folder: string, { containerId, ifname }: Place): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
  return names
    .filter((_name, index) => {
      const [id, interfaceName] = (texts[index] ?? '').split(/\r?\n/);
      return id === containerId && interfaceName === ifname;
    })
    .map((name) => `the reservation of ${name}`);
}
