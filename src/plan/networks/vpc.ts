import {
  formatJoinRouterLspName,
  formatJoinRouterPortName,
  formatRouterName,
  GATEWAY_LSP,
  JOIN_SWITCH,
} from '../../api/names.ts';
import { VPC_MAC_PREFIX } from '../../api/node-network.ts';
import { formatExternalIds, formatOwner, type RowOwner } from '../../api/owner.ts';
import type { Lease } from '../../ipam/pool.ts';
import type { Ids, Wanted, WantedPort } from '../../ovn/wanted.ts';
import { NOTHING } from '../rows.ts';
import { deriveMac, type JoinNetwork, type Settings } from '../settings.ts';

/** Name of a VPC's owner in our rows. */
export const formatVpcOwner = (vpc: string): string => formatOwner({ kind: 'Vpc', name: vpc });

/**
 * The rows of one VPC: its router, and for the default one also the way out (DESIGN.md section 5): the `join` switch
 * with the router's port on it, the `gateway` localport that is the same on every node, and default routes to it.
 * The router of another VPC gets a port on `join` where it has a lease there, so that nodes reach its pods; it has no
 * route that leads further. Rows carry the VPC's name in place of a UID: they outlive the object of that name.
 */
export function planVpc(vpc: string, settings: Settings, lease?: Lease): Wanted {
  const owner: RowOwner = { kind: 'Vpc', name: vpc, uid: vpc };
  const externalIds = formatExternalIds(settings.cluster, owner);
  const router = { name: formatRouterName(vpc), externalIds };
  const { join } = settings;
  if (vpc === settings.defaultVpc) return planDefaultVpc(settings, owner, router);
  if (lease === undefined) return { ...NOTHING, routers: [router] };
  const networks = formatNetworks(lease.ips, join);
  return { ...NOTHING, routers: [router], ...planJoinPort(vpc, { mac: lease.mac, networks, externalIds }) };
}

function planDefaultVpc(settings: Settings, owner: RowOwner, router: Wanted['routers'][number]): Wanted {
  const { join, cluster, defaultVpc: vpc } = settings;
  const { externalIds } = router;
  const networks = join.map((family) => `${family.router}/${family.cidr.prefix}`);
  const joined = planJoinPort(vpc, { mac: deriveJoinMac(vpc, settings), networks, externalIds });
  return {
    ...NOTHING,
    switches: [{ name: JOIN_SWITCH, externalIds }],
    routers: [router],
    routerPorts: joined.routerPorts,
    routes: join.map(({ cidr, gateway }) => ({
      router: router.name,
      ipPrefix: cidr.family === 4 ? '0.0.0.0/0' : '::/0',
      nexthop: gateway,
      outputPort: formatJoinRouterPortName(vpc),
      externalIds: formatExternalIds(cluster, owner, cidr.family === 4 ? 'default-route' : 'default-route-v6'),
    })),
    ports: [...joined.ports, planGateway(join, externalIds)],
  };
}

/**
 * The MAC of a VPC's router on the join switch. All but the default one's share a first octet, by which every node tells
 * what comes out of them without having heard of the VPC.
 */
export function deriveJoinMac(vpc: string, { defaultVpc }: Pick<Settings, 'defaultVpc'>): string {
  const name = formatJoinRouterPortName(vpc);
  return vpc === defaultVpc ? deriveMac(name) : deriveMac(name, VPC_MAC_PREFIX);
}

/** Addresses with the prefix of their family's join network. */
export function formatNetworks(ips: readonly string[], join: JoinNetwork): string[] {
  return ips.flatMap((ip) => {
    const family = join.find(({ cidr }) => (cidr.family === 6) === ip.includes(':'));
    return family === undefined ? [] : [`${ip}/${family.cidr.prefix}`];
  });
}

type JoinPort = { readonly mac: string; readonly networks: readonly string[]; readonly externalIds: Ids };

/** A router's port on the join switch, and the switch's end of that cable. */
function planJoinPort(vpc: string, { mac, networks, externalIds }: JoinPort): Pick<Wanted, 'routerPorts' | 'ports'> {
  const name = formatJoinRouterPortName(vpc);
  const cable: WantedPort = {
    switch: JOIN_SWITCH,
    name: formatJoinRouterLspName(vpc),
    type: 'router',
    addresses: ['router'],
    portSecurity: [],
    options: new Map([['router-port', name]]),
    externalIds,
  };
  return {
    routerPorts: [{ router: formatRouterName(vpc), name, mac, networks, externalIds }],
    ports: [cable],
  };
}

/** One port in name, an interface with the same addresses on every node: what leaves, leaves where the guest runs. */
function planGateway(join: JoinNetwork, externalIds: Ids): WantedPort {
  return {
    switch: JOIN_SWITCH,
    name: GATEWAY_LSP,
    type: 'localport',
    addresses: [[deriveMac(GATEWAY_LSP), ...join.map(({ gateway }) => gateway)].join(' ')],
    portSecurity: [],
    options: new Map(),
    externalIds,
  };
}
