import { formatAddress, formatCidr } from '../../api/address.ts';
import { formatRouterLspName, formatRouterName, formatRouterPortName, formatSwitchName } from '../../api/names.ts';
import { formatExternalIds } from '../../api/owner.ts';
import type { Subnet } from '../../api/types.gen.ts';
import { NOTHING, type Wanted, type WantedDhcpOptions } from '../rows.ts';
import type { Settings } from '../settings.ts';
import { planPrivateAcls } from './acl.ts';
import { type DhcpPlan, planDhcp } from './dhcp.ts';
import { type ActiveGateway, planGatewayPolicies, planInsidePolicies } from './gateway.ts';
import { deriveRouterMac, formatDhcpRow, type SubnetPlan } from './subnet.ts';

/** What guests of the subnet are told. */
export function planSubnetDhcp({ spec }: Subnet, { name, vpc, ranges, ovn }: SubnetPlan, settings: Settings): DhcpPlan {
  if (!ovn) return { problems: [] };
  return planDhcp(spec, ranges, { mac: deriveRouterMac(vpc, name), mtu: settings.mtu });
}

/**
 * The rows of a usable subnet: switch, router port with its cable, what guests are told by DHCP and advertisements, the
 * ACLs of a private one and the policies for the way out. One whose NICs are not ours has none.
 */
export function planSubnetRows(
  subnet: Subnet,
  plan: SubnetPlan,
  settings: Settings,
  active: ActiveGateway | undefined,
): Wanted {
  if (!plan.usable || !plan.ovn) return NOTHING;
  const { name, vpc, ranges } = plan;
  const owner = { kind: 'Subnet', name, uid: subnet.metadata.uid ?? '' };
  const externalIds = formatExternalIds(settings.cluster, owner);
  const portName = formatRouterPortName(vpc, name);
  const format = (family: 4 | 6, value: bigint) => formatAddress({ family, value });
  const dhcp = planSubnetDhcp(subnet, plan, settings);
  const place = { subnet: name, vpc, ranges, join: settings.join, externalIds };
  const admitted = [...ranges, ...settings.join].map(({ cidr }) => cidr);
  return {
    ...NOTHING,
    switches: [{ name: formatSwitchName(name), externalIds }],
    routerPorts: [
      {
        router: formatRouterName(vpc),
        name: portName,
        mac: deriveRouterMac(vpc, name),
        networks: ranges.map(({ cidr, gateway }) => `${format(cidr.family, gateway)}/${cidr.prefix}`),
        ...(dhcp.ra === undefined ? {} : { ipv6RaConfigs: dhcp.ra }),
        externalIds,
      },
    ],
    ports: [
      {
        switch: formatSwitchName(name),
        name: formatRouterLspName(vpc, name),
        type: 'router',
        addresses: ['router'],
        portSecurity: [],
        options: new Map([['router-port', portName]]),
        externalIds,
      },
    ],
    acls:
      plan.allowed === undefined
        ? []
        : planPrivateAcls({ subnet: name, vpc, admitted: [...admitted, ...plan.allowed], externalIds }),
    policies: [
      ...(plan.guarded ? planInsidePolicies(place) : []),
      ...(plan.gateways.length > 0 ? planGatewayPolicies(place, active) : []),
    ],
    dhcpOptions: planDhcpRows(subnet, plan, dhcp, settings),
  };
}

function planDhcpRows(subnet: Subnet, plan: SubnetPlan, dhcp: DhcpPlan, settings: Settings): WantedDhcpOptions[] {
  const owner = { kind: 'Subnet', name: plan.name, uid: subnet.metadata.uid ?? '' };
  return plan.ranges.flatMap(({ cidr }) => {
    const options = cidr.family === 4 ? dhcp.v4 : dhcp.v6;
    if (options === undefined) return [];
    const row = formatDhcpRow(plan.name, cidr.family);
    return [{ row, cidr: formatCidr(cidr), options, externalIds: formatExternalIds(settings.cluster, owner, row) }];
  });
}
