import { deriveLinkNames, formatPodInterface } from '../names.ts';
import type { BindingPlugin, Interface, Network, VmiSpec } from '../objects.ts';
import { deriveDevice, findModel } from './device.ts';
import type { Link, Route } from './links.ts';
import type { Device, NicPlan } from './record.ts';

/** The wiring asked for cannot be made; the message says which NIC and why. */
export class WiringError extends Error {
  override readonly name = 'WiringError';
}

export type PodNetwork = { links: readonly Link[]; routes: readonly Route[] };

/** How every NIC of a guest is to be wired, from the VMI's spec and what the CNI left in the netns. */
export function planNics(spec: VmiSpec, pod: PodNetwork, plugins: Readonly<Record<string, BindingPlugin>>): NicPlan[] {
  const networks = new Map((spec.networks ?? []).map((network) => [network.name, network]));
  const present = (spec.domain.devices.interfaces ?? []).filter((nic) => nic.state !== 'absent');
  return present.map((nic, index) => {
    const network = networks.get(nic.name);
    if (network === undefined) throw new WiringError(`NIC ${nic.name}: no network of that name`);
    return planNic({ nic, network, index, binding: findBinding(nic, plugins), device: planDevice(nic, spec) }, pod);
  });
}

/** Beside the device itself the number of queues that the tap must have whatever a hook makes of it. */
type Planned = { queues?: number; device?: Device };
type Asked = { nic: Interface; network: Network; index: number; binding: NicPlan['binding']; device: Planned };

function planDevice(nic: Interface, spec: VmiSpec): Planned {
  const model = findModel(nic.model ?? 'virtio');
  if (model === undefined) throw new WiringError(`NIC ${nic.name}: there is no model ${nic.model}`);
  const device = deriveDevice(nic, spec, model);
  if (Object.keys(device).length === 0) return {};
  return { device, ...(device.queues === undefined ? {} : { queues: device.queues }) };
}

function planNic(asked: Asked, pod: PodNetwork): NicPlan {
  const { nic, network, index, binding } = asked;
  const primary = network.pod !== undefined || network.multus?.default === true;
  const podInterface = primary ? 'eth0' : formatPodInterface(network.name);
  const link = pod.links.find((one) => one.name === podInterface);
  if (link === undefined) throw new WiringError(`NIC ${nic.name}: the CNI made no ${podInterface}`);
  const { mac: podMac, mtu, ipv4, ipv6 } = link;
  const mac = (nic.macAddress || podMac).toLowerCase();
  const ports = (nic.ports ?? []).map(formatPort);
  const names = { name: nic.name, binding, podInterface, primary, index };
  return { ...names, mac, podMac, mtu, ipv4, ipv6, ...planRoutes(asked, link, pod.routes), ports, ...asked.device };
}

function formatPort({ port, protocol }: { port: number; protocol?: string }): NicPlan['ports'][number] {
  return { port, protocol: protocol === 'UDP' ? 'udp' : 'tcp' };
}

/** As in KubeVirt, the gateway is the next hop of the first route listed, and bridge binding needs one route at least. */
function planRoutes({ nic, binding }: Asked, link: Link, all: readonly Route[]): Pick<NicPlan, 'gateway' | 'routes'> {
  const own = all.filter((route) => route.device === link.name);
  if (binding === 'bridge' && link.ipv4.length > 0 && own.length === 0) {
    throw new WiringError(`NIC ${nic.name}: no gateway address found in routes of ${link.name}`);
  }
  const routes = own.flatMap(({ destination, gateway }) =>
    destination === 'default' || gateway === undefined ? [] : [{ destination, gateway }],
  );
  const gateway = own[0]?.gateway;
  return { routes, ...(gateway === undefined ? {} : { gateway }) };
}

function findBinding(nic: Interface, plugins: Readonly<Record<string, BindingPlugin>>): NicPlan['binding'] {
  if (nic.masquerade !== undefined) return 'masquerade';
  if (nic.binding === undefined) return 'bridge';
  const type = plugins[nic.binding.name]?.domainAttachmentType;
  if (type === 'managedTap') return 'managedTap';
  throw new WiringError(`NIC ${nic.name}: binding ${nic.binding.name} of type ${type ?? 'unknown'} is not played here`);
}

export type SetUp = {
  /** Lines for `ip -batch`. */
  links: string[];
  /** Lines for `bridge -batch`. */
  bridge: string[];
  sysctls: string[];
  /** Text for `nft -f`, empty when nothing masquerades. */
  nft: string;
};

const GUEST_GATEWAY = '10.0.2.1';
const GUEST_ADDRESS = '10.0.2.2';
const GUEST_GATEWAY6 = 'fd10:0:2::1';
const GUEST_ADDRESS6 = 'fd10:0:2::2';
const MASQUERADE_MAC = '02:00:00:00:00:00';
const LAUNCHER_USER = 107;

/** The commands that do in a launcher's netns what virt-handler's phase 1 does (pkg/network/setup/netpod). `macs` are random MACs, one per NIC. */
export function deriveSetUp(nics: readonly NicPlan[], macs: readonly string[]): SetUp {
  const bridged = nics.filter((nic) => nic.binding !== 'masquerade');
  const sysctls = [
    ...(bridged.some((nic) => nic.ipv4.length > 0) ? ['net.ipv4.conf.all.arp_ignore=1'] : []),
    ...nics.filter((nic) => nic.binding === 'masquerade').flatMap(masqueradeSysctls),
  ];
  return {
    links: nics.flatMap((nic, at) =>
      nic.binding === 'masquerade' ? masqueradeLinks(nic) : bridgeLinks(nic, macs[at] ?? MASQUERADE_MAC),
    ),
    bridge: bridged.map((nic) => `link set dev ${namesOf(nic).nic} learning off`),
    sysctls,
    nft: nics
      .filter((nic) => nic.binding === 'masquerade')
      .map(formatNat)
      .join(''),
  };
}

export function namesOf(nic: NicPlan) {
  return deriveLinkNames(nic.podInterface, nic.primary);
}

/** In KubeVirt's order: bridge, renamed and enslaved CNI link, tap, dummy. A down veth end stands in for the dummy. */
function bridgeLinks(nic: NicPlan, mac: string): string[] {
  const { pod, nic: renamed, bridge, tap, dummyPeer } = namesOf(nic);
  const fake = nic.binding === 'bridge' && nic.ipv4.length > 0;
  return [
    `link add ${bridge} address ${mac} type bridge stp_state 0`,
    `link set dev ${pod} down`,
    `addr flush dev ${pod}`,
    `link set dev ${pod} name ${renamed}`,
    `link set dev ${renamed} address ${mac}`,
    `link set dev ${renamed} master ${bridge}`,
    `link set dev ${renamed} up`,
    ...(fake ? [`addr add 169.254.75.1${nic.index}/32 dev ${bridge}`] : []),
    `link set dev ${bridge} up`,
    ...tapLinks(nic),
    `link add ${dummyPeer} type veth peer name ${pod} address ${nic.podMac} mtu ${nic.mtu}`,
    ...[...nic.ipv4, ...nic.ipv6].map((address) => `addr add ${address} dev ${pod}`),
    `link set dev ${tap} up`,
  ];
}

function masqueradeLinks(nic: NicPlan): string[] {
  const { bridge, tap } = namesOf(nic);
  return [
    `link add ${bridge} address ${MASQUERADE_MAC} type bridge stp_state 0`,
    `link set dev ${bridge} mtu ${nic.mtu}`,
    `addr add ${GUEST_GATEWAY}/24 dev ${bridge}`,
    ...(nic.ipv6.length > 0 ? [`addr add ${GUEST_GATEWAY6}/120 dev ${bridge} nodad`] : []),
    `link set dev ${bridge} up`,
    ...tapLinks(nic),
    `link set dev ${tap} up`,
  ];
}

function tapLinks(nic: NicPlan): string[] {
  const { bridge, tap } = namesOf(nic);
  const several = (nic.queues ?? 1) > 1 ? ' multi_queue' : '';
  return [
    `tuntap add dev ${tap} mode tap user ${LAUNCHER_USER} group ${LAUNCHER_USER}${several}`,
    `link set dev ${tap} mtu ${nic.mtu}`,
    `link set dev ${tap} master ${bridge}`,
  ];
}

function masqueradeSysctls(nic: NicPlan): string[] {
  const v4 = ['net.ipv4.ip_forward=1', `net.ipv4.conf.${namesOf(nic).bridge}.route_localnet=1`];
  return nic.ipv6.length > 0 ? [...v4, 'net.ipv6.conf.all.forwarding=1'] : v4;
}

/** KubeVirt's NAT tables (fixtures/kubevirt-v1.8.4/netns-masquerade.txt). */
function formatNat(nic: NicPlan): string {
  const bridge = namesOf(nic).bridge;
  const v4 = { family: 'ip', guest: GUEST_ADDRESS, gateway: GUEST_GATEWAY, local: '127.0.0.1' };
  const v6 = { family: 'ip6', guest: GUEST_ADDRESS6, gateway: GUEST_GATEWAY6, local: '::1' };
  const tables = nic.ipv6.length > 0 ? [v4, v6] : [v4];
  return tables.map((table) => formatTable(nic, bridge, table)).join('');
}

type Family = { family: string; guest: string; gateway: string; local: string };

function formatTable(nic: NicPlan, bridge: string, { family, guest, gateway, local }: Family): string {
  const matches = nic.ports.length === 0 ? [''] : nic.ports.map(({ port, protocol }) => `${protocol} dport ${port} `);
  const each = (format: (match: string) => string) => matches.map((match) => `    ${format(match)}\n`).join('');
  return `table ${family} nat {
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    iifname "${nic.podInterface}" counter jump KUBEVIRT_PREINBOUND
  }
  chain input {
    type nat hook input priority 100; policy accept;
  }
  chain output {
    type nat hook output priority -100; policy accept;
${each((match) => `${family} daddr ${local} ${match}counter dnat to ${guest}`)}  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ${family} saddr ${guest} counter masquerade
    oifname "${bridge}" counter jump KUBEVIRT_POSTINBOUND
  }
  chain KUBEVIRT_PREINBOUND {
${each((match) => `${match}counter dnat to ${guest}`)}  }
  chain KUBEVIRT_POSTINBOUND {
${each((match) => `${match}${family} saddr ${local} counter snat to ${gateway}`)}  }
}
`;
}
