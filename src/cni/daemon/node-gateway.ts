import { formatNodeLsp, GATEWAY_LSP } from '../../api/names.ts';
import { NODE_NETWORK_ANNOTATION, type NodeNetwork, parseNodeNetwork } from '../../api/node-network.ts';
import { NetlinkError } from '../../netlink/errors.ts';
import type { ConfigureNodePorts } from '../../netlink/jobs.ts';
import type { Context } from './context.ts';
import type { WantedNodePort } from './ports.ts';

/** The node's two internal ports (DESIGN.md section 5): traffic out, and traffic of the node itself. */
export const GATEWAY_PORT = 'gw0';
export const NODE_PORT = 'mo0';

const REPEAT_MS = 60_000;

export type NodePortsPlan = { readonly ports: readonly WantedNodePort[]; readonly configure: ConfigureNodePorts };

/** What the two ports must look like. Pure. */
export function planNodePorts(node: string, network: NodeNetwork, isUserspace: boolean): NodePortsPlan {
  const { gatewayIp, gatewayMac, nodeIp, nodeMac, routerIp, podCidrs, masqueradeCidrs, mtu } = network;
  const hostPrefix = gatewayIp.includes(':') ? 128 : 32;
  const shared = { mtu, disableTxChecksum: isUserspace };
  return {
    ports: [
      { name: GATEWAY_PORT, ifaceId: GATEWAY_LSP, mac: gatewayMac, mtu },
      { name: NODE_PORT, ifaceId: formatNodeLsp(node), mac: nodeMac, mtu },
    ],
    configure: {
      kind: 'configureNodePorts',
      ports: [
        { ...shared, name: GATEWAY_PORT, mac: gatewayMac, addresses: [`${gatewayIp}/${hostPrefix}`], routes: [] },
        {
          ...shared,
          name: NODE_PORT,
          mac: nodeMac,
          addresses: [nodeIp],
          routes: podCidrs.map((dst) => ({ dst, gw: routerIp })),
        },
      ],
      forwarding: { ipv4: [nodeIp, ...podCidrs].some(isV4), ipv6: [nodeIp, ...podCidrs].some((cidr) => !isV4(cidr)) },
      masquerade: { sources: masqueradeCidrs, exceptInterfaces: [GATEWAY_PORT, NODE_PORT] },
    },
  };
}

function isV4(cidr: string): boolean {
  return !cidr.includes(':');
}

/** Keeps both ports as the Node's annotation says. */
export type NodeGateway = {
  /** One turn; idempotent. Throws what OVS or the kernel says, to be tried again. */
  ensure(signal: AbortSignal): Promise<void>;
  /** Why the gateway does not work yet, undefined when both ports do. */
  findObstacle(): string | undefined;
};

export function createNodeGateway(context: Context): NodeGateway {
  let obstacle: string | undefined = 'the node gateway has not been set up yet';
  /** What was configured last, and on which devices: userspace OVS makes new ones when it starts again. */
  let configured = '';
  /** When it is done again though nothing has changed that we are told of: rules can be flushed, addresses taken away. */
  let dueAt = 0;
  const ensure = async (signal: AbortSignal): Promise<string | undefined> => {
    const network = findNetwork(context);
    if (typeof network === 'string') return network;
    const plan = planNodePorts(context.node, network, context.ports.findBridge()?.datapath === 'netdev');
    await context.ports.ensureNode(plan.ports, signal);
    const state = describeState(context, plan);
    if (state !== configured || context.clock.now() >= dueAt) {
      const known = configured;
      configured = '';
      if (!(await configure(context, plan))) return 'OVS has not made the devices of the node gateway yet';
      configured = state;
      dueAt = context.clock.now() + REPEAT_MS;
      if (state !== known) context.log.info({ nodeIp: network.nodeIp }, 'the node gateway is configured');
    }
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
    findObstacle: () => obstacle,
  };
}

function findNetwork({ cluster, ports, node }: Context): NodeNetwork | string {
  const object = cluster.findNode();
  if (object === undefined) return `Node ${node} is not known; does NODE_NAME name it?`;
  const text = object.metadata?.annotations?.[NODE_NETWORK_ANNOTATION];
  if (text === undefined) return `the operator has not written ${NODE_NETWORK_ANNOTATION} on Node ${node} yet`;
  if (ports.findBridge() === undefined) return 'the integration bridge does not exist; is the ovn-node pod running?';
  const parsed = parseNodeNetwork(text);
  return parsed.ok ? parsed.network : parsed.problem;
}

function describeState({ ports }: Context, plan: NodePortsPlan): string {
  return JSON.stringify([plan.configure, plan.ports.map(({ name }) => ports.find(name)?.ifIndex ?? 0)]);
}

/** False when OVS has not made a device yet: its change will bring the next turn. */
async function configure({ links, ports }: Context, plan: NodePortsPlan): Promise<boolean> {
  if (plan.ports.some(({ name }) => ports.find(name)?.ifIndex === undefined)) return false;
  try {
    await links.run(plan.configure);
    return true;
  } catch (error) {
    if (error instanceof NetlinkError && error.class === 'not-found') return false;
    throw error;
  }
}

/** No chassis claims a localport, and OVN 25.03 therefore never says that it is installed: only the node's own port tells. */
function describeUninstalled({ ports }: Context, plan: NodePortsPlan): string | undefined {
  const claimed = plan.ports.filter(({ ifaceId }) => ifaceId !== GATEWAY_LSP);
  const missing = claimed.filter(({ name }) => ports.find(name)?.installed !== true).map(({ ifaceId }) => ifaceId);
  if (missing.length === 0) return undefined;
  return `OVN has not installed ${missing.join(' and ')} on this node; is ovn-controller connected?`;
}
