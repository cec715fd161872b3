import {
  formatJoinRouterLspName,
  formatJoinRouterPortName,
  formatRouterName,
  GATEWAY_LSP,
  JOIN_SWITCH,
} from '../api/names.ts';
import { formatExternalIds, formatOwner, type RowOwner } from '../api/owner.ts';
import type { Ids, Wanted, WantedPort } from '../ovn/wanted.ts';
import { NOTHING } from './rows.ts';
import { deriveMac, type Settings } from './settings.ts';

/** Name of a VPC's owner in our rows. */
export const formatVpcOwner = (vpc: string): string => formatOwner({ kind: 'Vpc', name: vpc });

/**
 * The rows of one VPC: its router, and for the default one also the way out (DESIGN.md section 5): the `join` switch
 * with the router's port on it, the `gateway` localport that is the same on every node, and the default route to it.
 * A VPC is not an object yet; its rows carry its name in place of a UID.
 */
export function planVpc(vpc: string, settings: Settings): Wanted {
  const owner: RowOwner = { kind: 'Vpc', name: vpc, uid: vpc };
  const externalIds = formatExternalIds(settings.cluster, owner);
  const router = { name: formatRouterName(vpc), externalIds };
  if (vpc !== settings.defaultVpc) return { ...NOTHING, routers: [router] };
  const { join } = settings;
  return {
    ...NOTHING,
    switches: [{ name: JOIN_SWITCH, externalIds }],
    routers: [router],
    routerPorts: [
      {
        router: router.name,
        name: formatJoinRouterPortName(vpc),
        mac: deriveMac(formatJoinRouterPortName(vpc)),
        networks: [`${join.router}/${join.cidr.prefix}`],
        externalIds,
      },
    ],
    routes: [
      {
        router: router.name,
        ipPrefix: '0.0.0.0/0',
        nexthop: join.gateway,
        outputPort: formatJoinRouterPortName(vpc),
        externalIds: formatExternalIds(settings.cluster, owner, 'default-route'),
      },
    ],
    ports: [planCable(vpc, externalIds), planGateway(settings, externalIds)],
  };
}

function planCable(vpc: string, externalIds: Ids): WantedPort {
  return {
    switch: JOIN_SWITCH,
    name: formatJoinRouterLspName(vpc),
    type: 'router',
    addresses: ['router'],
    portSecurity: [],
    options: new Map([['router-port', formatJoinRouterPortName(vpc)]]),
    externalIds,
  };
}

/** One port in name, an interface with the same address on every node: what leaves, leaves where the guest runs. */
function planGateway({ join }: Settings, externalIds: Ids): WantedPort {
  return {
    switch: JOIN_SWITCH,
    name: GATEWAY_LSP,
    type: 'localport',
    addresses: [`${deriveMac(GATEWAY_LSP)} ${join.gateway}`],
    portSecurity: [],
    options: new Map(),
    externalIds,
  };
}
