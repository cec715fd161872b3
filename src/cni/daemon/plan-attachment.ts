import { type Activation, isOpenedByOvn } from '../../api/activation.ts';
import { parseMac } from '../../api/address.ts';
import { formatHostInterface, formatPortLsp } from '../../api/names.ts';
import type { LogicalPort, Subnet } from '../../api/types.gen.ts';
import { deriveDhcpServer, isBareLink } from '../../plan/networks/dhcp-server.ts';
import { CniError } from './errors.ts';
import { formatName, type NetworkPlan, planNetwork, planToldRoutes, type Route } from './plan-network.ts';
import type { AttachmentKey } from './request.ts';

export type Binding = 'bridge' | 'masquerade' | 'managedTap';

/** Everything that an ADD is going to make, decided before the first change. */
export type AttachmentPlan = NetworkPlan & {
  readonly hostInterface: string;
  readonly podInterface: string;
  readonly mac: string;
  /** Bytes. */
  readonly mtu: number;
  /** Name of the logical switch port, and the UID that it is bound to. */
  readonly ifaceId: string;
  readonly ifaceIdVer: string;
  /** Shut until the guest speaks: this pod is the target of a migration. */
  readonly gate?: Binding;
  /** The pod translates for a guest that may leave or arrive in the middle of a connection. */
  readonly trackForMigration?: true;
  /** OVN's DHCP serves the guest: the link itself gets no address and no route, or KubeVirt would start a server too. */
  readonly bare?: true;
};

export type AttachmentInput = {
  readonly key: AttachmentKey;
  readonly podUid: string;
  readonly node: string;
  readonly port: LogicalPort;
  readonly subnet: Subnet;
  /** For subnets that name none. */
  readonly defaultMtu: number;
  readonly activation?: Activation | undefined;
};

/** Derives the plan. Throws CniError `fenced` when the port is not this pod's, `invalidConfig` for an unusable port or subnet. */
export function planAttachment(input: AttachmentInput): AttachmentPlan {
  const { key, port, subnet } = input;
  const { spec } = port;
  const attachment = findAttachment(port, input);
  if (attachment === undefined) {
    throw new CniError('fenced', `LogicalPort ${formatName(port)} is not attached to this pod on node ${input.node}`);
  }
  const mac = parseMac(spec.mac);
  if (mac === undefined) throw new CniError('invalidConfig', `LogicalPort ${formatName(port)} has no valid MAC`);
  return {
    hostInterface: formatHostInterface(key.containerId, key.ifname),
    podInterface: key.ifname,
    mac,
    mtu: subnet.spec.mtu ?? input.defaultMtu,
    ...planNetworkTold(key.ifname, port, subnet),
    ifaceId: formatPortLsp(port),
    ifaceIdVer: requireUid(port),
    ...(attachment.role === 'Target' && !isOpenedByOvn(input.activation, spec.binding)
      ? { gate: spec.binding ?? 'bridge' }
      : {}),
    ...(spec.binding === 'masquerade' ? { trackForMigration: true as const } : {}),
    ...(isBareLink(spec, subnet.spec) ? { bare: true as const } : {}),
  };
}

/** What is on the link itself: all that the answer says, or nothing. Addresses are `address/prefix`. */
export type LinkPlan = { readonly addresses: readonly string[]; readonly routes: readonly Route[] };

/**
 * The addresses and routes of the pod's link. `made` is how an attachment was made when it is there already: a subnet
 * whose DHCP was switched on or off since changes no interface in use.
 */
export function planLink(plan: AttachmentPlan, made: { readonly bare?: true | undefined } = plan): LinkPlan {
  if (made.bare === true) return { addresses: [], routes: [] };
  return { addresses: plan.ips.map((ip) => ip.cidr), routes: plan.routes };
}

/** With what KubeVirt's server reads off the link to tell the guest, unless routes were asked for. */
function planNetworkTold(ifname: string, port: LogicalPort, subnet: Subnet): NetworkPlan {
  const network = planNetwork(ifname, port, subnet);
  const { routes, binding } = port.spec;
  const isRead = binding === 'bridge' && deriveDhcpServer(port.spec, subnet.spec) === 'KubeVirt';
  return isRead && routes === undefined ? { ...network, routes: planToldRoutes(network, subnet) } : network;
}

/** The port's attachment for this pod, interface and node. */
export function findAttachment(port: LogicalPort, at: Pick<AttachmentInput, 'key' | 'podUid' | 'node'>) {
  return port.spec.attachments?.find(
    (entry) => entry.podUID === at.podUid && entry.interface === at.key.ifname && entry.node === at.node,
  );
}

function requireUid(port: LogicalPort): string {
  if (port.metadata.uid === undefined)
    throw new CniError('invalidConfig', `LogicalPort ${formatName(port)} has no UID`);
  return port.metadata.uid;
}
