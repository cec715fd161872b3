import { containsAddress, formatAddress, formatCidr, parseAddress, parseCidr, parseMac } from '../../api/address.ts';
import { formatHostInterface, formatLspName } from '../../api/names.ts';
import type { LogicalPort, Subnet } from '../../api/types.gen.ts';
import { CniError } from './errors.ts';
import type { AttachmentKey } from './request.ts';

export type Route = { readonly dst: string; readonly gw: string };
export type Binding = 'bridge' | 'masquerade' | 'managedTap';

/** Everything that an ADD is going to make, decided before the first change. */
export type AttachmentPlan = {
  readonly hostInterface: string;
  readonly podInterface: string;
  readonly mac: string;
  /** Bytes. */
  readonly mtu: number;
  /** `address/prefix` with the gateway of its family, if the subnet has one. */
  readonly ips: readonly { readonly cidr: string; readonly gateway?: string }[];
  readonly routes: readonly Route[];
  /** Name of the logical switch port, and the UID that it is bound to. */
  readonly ifaceId: string;
  readonly ifaceIdVer: string;
  /** Shut until the guest speaks: this pod is the target of a migration. */
  readonly gate?: Binding;
  /** The pod translates for a guest that may leave or arrive in the middle of a connection. */
  readonly trackLiberally?: true;
};

export type AttachmentInput = {
  readonly key: AttachmentKey;
  readonly podUid: string;
  readonly node: string;
  readonly port: LogicalPort;
  readonly subnet: Subnet;
  /** For subnets that name none. */
  readonly defaultMtu: number;
};

type Cidr = NonNullable<ReturnType<typeof parseCidr>>;

/** The interface that KubeVirt and the kubelet take for the pod's own; only it gets the default route. */
const PRIMARY_INTERFACE = 'eth0';

/** Derives the plan. Throws CniError `fenced` when the port is not this pod's, `invalidConfig` for an unusable port or subnet. */
export function planAttachment(input: AttachmentInput): AttachmentPlan {
  const { key, port, subnet } = input;
  const { metadata, spec } = port;
  const attachment = findAttachment(port, input);
  if (attachment === undefined) {
    throw new CniError('fenced', `LogicalPort ${formatName(port)} is not attached to this pod on node ${input.node}`);
  }
  const mac = parseMac(spec.mac);
  if (mac === undefined) throw new CniError('invalidConfig', `LogicalPort ${formatName(port)} has no valid MAC`);
  const networks = parseNetworks(subnet);
  const ips = spec.ips.map((text) => planAddress(port, text, networks));
  if (ips.length === 0) throw new CniError('invalidConfig', `LogicalPort ${formatName(port)} has no address`);
  const { owner, nic } = spec;
  return {
    hostInterface: formatHostInterface(key.containerId, key.ifname),
    podInterface: key.ifname,
    mac,
    mtu: subnet.spec.mtu ?? input.defaultMtu,
    ips,
    routes: key.ifname === PRIMARY_INTERFACE ? ips.flatMap(planDefaultRoute) : [],
    ifaceId: formatLspName({ ownerKind: owner.kind, namespace: metadata.namespace ?? '', owner: owner.name, nic }),
    ifaceIdVer: requireUid(port),
    ...(attachment.role === 'Target' ? { gate: spec.binding ?? 'bridge' } : {}),
    ...(spec.binding === 'masquerade' ? { trackLiberally: true as const } : {}),
  };
}

/** The port's attachment for this pod, interface and node. */
export function findAttachment(port: LogicalPort, at: Pick<AttachmentInput, 'key' | 'podUid' | 'node'>) {
  return port.spec.attachments?.find(
    (entry) => entry.podUID === at.podUid && entry.interface === at.key.ifname && entry.node === at.node,
  );
}

/** `ns/name`, for messages. */
export function formatName(port: LogicalPort): string {
  return `${port.metadata.namespace}/${port.metadata.name}`;
}

function requireUid(port: LogicalPort): string {
  if (port.metadata.uid === undefined)
    throw new CniError('invalidConfig', `LogicalPort ${formatName(port)} has no UID`);
  return port.metadata.uid;
}

type Network = { readonly cidr: Cidr; readonly gateway: string | undefined };

function parseNetworks(subnet: Subnet): Network[] {
  const gateways = (subnet.spec.gateway ?? '').split(',').map((text) => parseAddress(text.trim()));
  return subnet.spec.cidrBlock.split(',').map((text) => {
    const cidr = parseCidr(text.trim());
    if (cidr === undefined) {
      throw new CniError('invalidConfig', `Subnet ${subnet.metadata.name}: cidrBlock ${text} is not a network`);
    }
    const given = gateways.find((address) => address !== undefined && containsAddress(cidr, address));
    const first = { family: cidr.family, value: cidr.network + 1n };
    const gateway = given ?? (containsAddress(cidr, first) ? first : undefined);
    return { cidr, gateway: gateway === undefined ? undefined : formatAddress(gateway) };
  });
}

function planAddress(port: LogicalPort, text: string, networks: readonly Network[]): AttachmentPlan['ips'][number] {
  const address = parseAddress(text);
  const network = networks.find(({ cidr }) => address !== undefined && containsAddress(cidr, address));
  if (address === undefined || network === undefined) {
    const where = networks.map(({ cidr }) => formatCidr(cidr)).join(', ');
    throw new CniError(
      'conflict',
      `LogicalPort ${formatName(port)}: address ${text} is not in subnet ${port.spec.subnet} (${where})`,
    );
  }
  const cidr = `${formatAddress(address)}/${network.cidr.prefix}`;
  return network.gateway === undefined ? { cidr } : { cidr, gateway: network.gateway };
}

function planDefaultRoute(ip: AttachmentPlan['ips'][number]): Route[] {
  if (ip.gateway === undefined) return [];
  return [{ dst: ip.cidr.includes(':') ? '::/0' : '0.0.0.0/0', gw: ip.gateway }];
}
