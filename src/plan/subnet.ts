import { formatAddress, formatCidr, overlaps } from '../api/address.ts';
import { formatRouterLspName, formatRouterName, formatRouterPortName, formatSwitchName } from '../api/names.ts';
import { formatExternalIds } from '../api/owner.ts';
import type { Problem } from '../api/problem.ts';
import type { Subnet } from '../api/types.gen.ts';
import { planRanges, type SubnetRanges } from '../ipam/ranges.ts';
import { NOTHING, type Wanted, type WantedDhcpOptions } from './rows.ts';
import { deriveMac, type Settings } from './settings.ts';

/** What becomes of one Subnet: usable with its ranges, or a problem that its Ready condition tells. */
export type SubnetPlan = {
  readonly name: string;
  readonly vpc: string;
  readonly usable: boolean;
  readonly ranges: SubnetRanges;
  readonly natOutgoing: boolean;
  readonly dhcp: boolean;
  readonly problem?: Problem;
};

/** Compares Subnets: of two that claim the same range the older one has it; names decide between twins. */
export function compareAge(a: Pick<Subnet, 'metadata'>, b: Pick<Subnet, 'metadata'>): number {
  const [left, right] = [a, b].map(
    ({ metadata }) => `${metadata.creationTimestamp ?? '9'} ${metadata.namespace ?? ''} ${metadata.name}`,
  );
  return (left ?? '') < (right ?? '') ? -1 : 1;
}

/** Judges all Subnets together: the checks in order are the range itself, then overlap with older ones of its VPC. */
export function planSubnets(subnets: readonly Subnet[], settings: Settings): ReadonlyMap<string, SubnetPlan> {
  const plans = new Map<string, SubnetPlan>();
  for (const subnet of subnets.toSorted(compareAge)) {
    plans.set(subnet.metadata.name, planOne(subnet, [...plans.values()], settings));
  }
  return plans;
}

function planOne(subnet: Subnet, older: readonly SubnetPlan[], settings: Settings): SubnetPlan {
  const { spec, metadata } = subnet;
  const base = {
    name: metadata.name,
    vpc: spec.vpc ?? settings.defaultVpc,
    natOutgoing: spec.natOutgoing !== false,
    dhcp: spec.enableDHCP === true,
  };
  const planned = planRanges(spec);
  if (!planned.ok) return { ...base, usable: false, ranges: [], problem: planned.problem };
  const problem = findOverlap(base.vpc, planned.value, older, settings);
  if (problem !== undefined) return { ...base, usable: false, ranges: planned.value, problem };
  return { ...base, usable: true, ranges: planned.value };
}

function findOverlap(
  vpc: string,
  ranges: SubnetRanges,
  older: readonly SubnetPlan[],
  settings: Settings,
): Problem | undefined {
  const { join, defaultVpc } = settings;
  for (const { cidr } of ranges) {
    if (vpc === defaultVpc && overlaps(cidr, join.cidr)) {
      return {
        reason: 'CIDROverlap',
        message: `${formatCidr(cidr)} overlaps the join network ${formatCidr(join.cidr)}`,
      };
    }
    const other = older.find(
      (plan) => plan.usable && plan.vpc === vpc && plan.ranges.some((range) => overlaps(range.cidr, cidr)),
    );
    if (other !== undefined) {
      return { reason: 'CIDROverlap', message: `${formatCidr(cidr)} overlaps subnet ${other.name} of VPC ${vpc}` };
    }
  }
  return undefined;
}

/** The MAC of the router on a subnet, which no port of it may have. */
export const deriveRouterMac = (vpc: string, subnet: string): string => deriveMac(formatRouterPortName(vpc, subnet));

/** Name of a subnet's DHCP_Options row of one family. */
export const formatDhcpRow = (subnet: string, family: 4 | 6): string => `subnet/${subnet}/v${family}`;

/** The rows of a usable subnet: switch, router port with its cable, and DHCP options where asked for. */
export function planSubnetRows(subnet: Subnet, plan: SubnetPlan, settings: Settings): Wanted {
  if (!plan.usable) return NOTHING;
  const { name, vpc, ranges } = plan;
  const owner = { kind: 'Subnet', name, uid: subnet.metadata.uid ?? '' };
  const externalIds = formatExternalIds(settings.cluster, owner);
  const portName = formatRouterPortName(vpc, name);
  const format = (family: 4 | 6, value: bigint) => formatAddress({ family, value });
  return {
    ...NOTHING,
    switches: [{ name: formatSwitchName(name), externalIds }],
    routerPorts: [
      {
        router: formatRouterName(vpc),
        name: portName,
        mac: deriveRouterMac(vpc, name),
        networks: ranges.map(({ cidr, gateway }) => `${format(cidr.family, gateway)}/${cidr.prefix}`),
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
    dhcpOptions: plan.dhcp ? planDhcp(subnet, plan, settings) : [],
  };
}

function planDhcp(subnet: Subnet, plan: SubnetPlan, settings: Settings): WantedDhcpOptions[] {
  const mac = deriveRouterMac(plan.vpc, plan.name);
  const owner = { kind: 'Subnet', name: plan.name, uid: subnet.metadata.uid ?? '' };
  return plan.ranges.map(({ cidr, gateway }) => {
    const router = formatAddress({ family: cidr.family, value: gateway });
    const row = formatDhcpRow(plan.name, cidr.family);
    const own = cidr.family === 4 ? subnet.spec.dhcpV4Options : subnet.spec.dhcpV6Options;
    const base: [string, string][] =
      cidr.family === 4
        ? [
            ['lease_time', '3600'],
            ['router', router],
            ['server_id', router],
            ['server_mac', mac],
            ['mtu', String(subnet.spec.mtu ?? settings.mtu)],
          ]
        : [['server_id', mac]];
    return {
      row,
      cidr: formatCidr(cidr),
      options: new Map([...base, ...parseDhcpOptions(own ?? '')]),
      externalIds: formatExternalIds(settings.cluster, owner, row),
    };
  });
}

/** Kube-OVN's form: `key=value,key=value`; a value in braces may hold commas. Parts without a key are left out. */
export function parseDhcpOptions(text: string): [string, string][] {
  return [...text.slice(0, 4096).matchAll(/([A-Za-z0-9_]+)=(\{[^}]*\}|[^,]*)/g)].map((match) => [
    match[1] ?? '',
    (match[2] ?? '').trim(),
  ]);
}
