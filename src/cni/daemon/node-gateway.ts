import { API_VERSION, KINDS } from '../../api/group.ts';
import { formatNodeLsp, GATEWAY_LSP } from '../../api/names.ts';
import {
  NODE_NETWORK_ANNOTATION,
  type NodeNetwork,
  type ParsedNodeNetwork,
  parseNodeNetwork,
  VPC_MAC_PREFIX,
} from '../../api/node-network.ts';
import { NetlinkError } from '../../netlink/errors.ts';
import type { ConfigureNodePorts } from '../../netlink/jobs.ts';
import type { Context } from './context.ts';
import { formatPortName, type HostRoute, type HostRoutes, planHostRoutes } from './host-routes.ts';
import type { WantedNodePort } from './ports.ts';

/** The node's two internal ports (DESIGN.md section 5): traffic out, and traffic of the node itself. */
export const GATEWAY_PORT = 'gw0';
export const NODE_PORT = 'mo0';

const REPEAT_MS = 60_000;
/** Before the operator has told: Ethernet less what a tunnel needs. */
const UNKNOWN_MTU = 1400;
const CONFIGURED = 'the node gateway is configured';

export type NodePortsPlan = { readonly ports: readonly WantedNodePort[]; readonly configure: ConfigureNodePorts };

/** What the two ports must look like; `isUserspace`: checksums are the sender's. Pure. */
export function planNodePorts(
  node: string,
  network: NodeNetwork,
  isUserspace: boolean,
  hostRoutes: readonly HostRoute[] = [],
): NodePortsPlan {
  const { gatewayIps, gatewayMac, nodeIps, nodeMac, routerIps, podCidrs, masqueradeCidrs, mtu } = network;
  const shared = { mtu, disableTxChecksum: isUserspace };
  const ownPorts = [GATEWAY_PORT, NODE_PORT];
  return {
    ports: [
      { name: GATEWAY_PORT, ifaceId: GATEWAY_LSP, mac: gatewayMac, mtu },
      { name: NODE_PORT, ifaceId: formatNodeLsp(node), mac: nodeMac, mtu },
    ],
    configure: {
      kind: 'configureNodePorts',
      ports: [
        { ...shared, name: GATEWAY_PORT, mac: gatewayMac, addresses: gatewayIps.map(formatHost), routes: [] },
        {
          ...shared,
          name: NODE_PORT,
          mac: nodeMac,
          addresses: nodeIps,
          routes: podCidrs.flatMap((dst) => {
            const gw = routerIps.find((ip) => isV4(ip) === isV4(dst));
            return gw === undefined ? [] : [{ dst, gw }];
          }),
          yieldingRoutes: hostRoutes.map(({ dst, gw }) => ({ dst, gw })),
        },
      ],
      forwarding: { ipv4: [...nodeIps, ...podCidrs].some(isV4), ipv6: podCidrs.some((cidr) => !isV4(cidr)) },
      rules: { sources: masqueradeCidrs, ownPorts, vpcMacPrefix: VPC_MAC_PREFIX, nodePort: NODE_PORT, routerIps },
    },
  };
}

const isV4 = (text: string): boolean => !text.includes(':');

const formatHost = (ip: string): string => `${ip}/${isV4(ip) ? 32 : 128}`;

/** Keeps both ports as the Node's annotation says. */
export type NodeGateway = {
  /** One turn; idempotent. Throws what OVS or the kernel says, to be tried again. */
  ensure(signal: AbortSignal): Promise<void>;
  /** Takes both ports and the rules away, where another plugin has become the node's own. */
  remove(signal: AbortSignal): Promise<void>;
  /** The MTU that the operator tells this node, in bytes, for subnets that name none. */
  findMtu(): number;
  /** Why the gateway does not work yet, undefined when both ports do. */
  findObstacle(): string | undefined;
};

/** `reserved`: addresses that no pod may draw the node's own traffic to, such as that of the API server. */
export function createNodeGateway(context: Context, reserved: readonly string[] = []): NodeGateway {
  const { cluster } = context;
  const tell = createTeller(context);
  const read = createReader();
  let obstacle: string | undefined = 'the node gateway has not been set up yet';
  /** What was configured last, and on which devices: userspace OVS makes new ones when it starts again. */
  let configured = '';
  let refused: readonly string[] = [];
  /** When it is done again though nothing has changed that we are told of: rules can be flushed, addresses taken away. */
  let dueAt = 0;
  const ensure = async (signal: AbortSignal): Promise<string | undefined> => {
    const network = findNetwork(context, read);
    if (typeof network === 'string') return network;
    const hosts = planHostRoutes({
      node: context.node,
      network,
      ports: cluster.listPorts(),
      findSubnet: cluster.findSubnet,
      reserved: network.vpcs.length === 0 ? [] : [...reserved, ...context.ports.listPeers()],
    });
    const { routes } = hosts;
    const plan = planNodePorts(context.node, network, context.ports.findBridge()?.datapath === 'netdev', routes);
    await context.ports.ensureNode(plan.ports, signal);
    const state = describeState(context, plan);
    if (state !== configured || context.clock.now() >= dueAt) {
      const known = configured;
      configured = '';
      const answer = await configure(context, plan);
      if (answer === undefined) return 'OVS has not made the devices of the node gateway yet';
      configured = state;
      refused = answer;
      dueAt = context.clock.now() + REPEAT_MS;
      if (state !== known) context.log.info({ nodeIps: network.nodeIps, hostRoutes: routes.length }, CONFIGURED);
    }
    tell(hosts, refused);
    return describeUninstalled(context, plan);
  };
  return {
    ensure: async (signal) => {
      try {
        obstacle = await ensure(signal);
      } catch (error) {
        obstacle = `the node gateway: ${error instanceof Error ? error.message : String(error)}`;
        throw error;
      }
    },
    remove: async (signal) => {
      const present = [GATEWAY_PORT, NODE_PORT].filter((name) => context.ports.find(name) !== undefined);
      if (present.length === 0) return;
      await context.ports.remove(present, signal);
      await context.links.run({ kind: 'deleteNodeRules' });
      context.log.info({}, 'the node gateway is removed: another plugin makes the first interfaces');
    },
    findMtu: () => {
      const parsed = read(cluster.findNode()?.metadata?.annotations?.[NODE_NETWORK_ANNOTATION] ?? '');
      return parsed.ok ? parsed.network.mtu : UNKNOWN_MTU;
    },
    findObstacle: () => obstacle,
  };
}

type Read = (text: string) => ParsedNodeNetwork;

/** Reads a text once: with many VPCs it is long, and every change of a pod asks for it. */
function createReader(): Read {
  let last: { readonly text: string; readonly parsed: ParsedNodeNetwork } | undefined;
  return (text) => {
    if (last?.text !== text) last = { text, parsed: parseNodeNetwork(text) };
    return last.parsed;
  };
}

function findNetwork({ cluster, ports, node }: Context, read: Read): NodeNetwork | string {
  const object = cluster.findNode();
  if (object === undefined) return `Node ${node} is not known; does NODE_NAME name it?`;
  const text = object.metadata?.annotations?.[NODE_NETWORK_ANNOTATION];
  if (text === undefined) return `the operator has not written ${NODE_NETWORK_ANNOTATION} on Node ${node} yet`;
  if (ports.findBridge() === undefined) return 'the integration bridge does not exist; is the ovn-node pod running?';
  const parsed = read(text);
  return parsed.ok ? parsed.network : parsed.problem;
}

function describeState({ ports }: Context, plan: NodePortsPlan): string {
  return JSON.stringify([plan.configure, plan.ports.map(({ name }) => ports.find(name)?.ifIndex ?? 0)]);
}

/** The destinations that the kernel refused; undefined when OVS has not made a device yet: its change will bring the next turn. */
async function configure({ links, ports }: Context, plan: NodePortsPlan): Promise<readonly string[] | undefined> {
  if (plan.ports.some(({ name }) => ports.find(name)?.ifIndex === undefined)) return undefined;
  try {
    return (await links.run(plan.configure)).refused;
  } catch (error) {
    if (error instanceof NetlinkError && error.class === 'not-found') return undefined;
    throw error;
  }
}

/** Says once of each pod that the node cannot reach it, and why. */
function createTeller({ events, log }: Context): (hosts: HostRoutes, refused: readonly string[]) => void {
  let said = new Set<string>();
  return ({ routes, rivals, reserved }, refused) => {
    const notes = [
      ...rivals.map(({ port, ip, older }) => ({
        port,
        note: `${ip} leads to ${formatPortName(older)}, which is older`,
      })),
      ...reserved.map(({ port, ip }) => ({
        port,
        note: `${ip} is an address that the node itself depends on (API server, OVN, another node)`,
      })),
      ...routes
        .filter(({ dst }) => refused.includes(dst))
        .map(({ dst, port }) => ({ port, note: `the node has a route of its own that covers ${dst}` })),
    ];
    const keys = new Set(notes.map(({ port, note }) => `${port.metadata.uid} ${note}`));
    for (const { port, note } of notes) {
      if (said.has(`${port.metadata.uid} ${note}`)) continue;
      log.warn({ port: formatPortName(port), note }, 'the node cannot reach a pod');
      const regarding = { ...port, apiVersion: API_VERSION, kind: KINDS.logicalPort.kind };
      events.record(regarding, { type: 'Warning', reason: 'NotReachableFromNodes', action: 'Routing', note });
    }
    said = keys;
  };
}

/** No chassis claims a localport, and OVN 25.03 therefore never says that it is installed: only the node's own port tells. */
function describeUninstalled({ ports }: Context, plan: NodePortsPlan): string | undefined {
  const claimed = plan.ports.filter(({ ifaceId }) => ifaceId !== GATEWAY_LSP);
  const missing = claimed.filter(({ name }) => ports.find(name)?.installed !== true).map(({ ifaceId }) => ifaceId);
  if (missing.length === 0) return undefined;
  return `OVN has not installed ${missing.join(' and ')} on this node; is ovn-controller connected?`;
}
