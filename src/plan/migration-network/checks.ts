import { type Cidr, containsAddress, formatAddress, formatCidr, overlaps } from '../../api/address.ts';
import { formatMigrationSubnet } from '../../api/names.ts';
import type { Node } from '../../api/objects.ts';
import type { Problem } from '../../api/problem.ts';
import type { MigrationNetwork, Subnet } from '../../api/types.gen.ts';
import { countAddresses, planRanges, type SubnetRanges } from '../../ipam/ranges.ts';
import { listNodeAddresses } from '../networks/node-addresses.ts';
import type { JoinNetwork } from '../settings.ts';
import type { Wish } from './wish.ts';

/** What a migration network must keep apart from. */
export type Neighbours = {
  readonly subnets: readonly Subnet[];
  readonly join: JoinNetwork;
  readonly nodes: readonly Node[];
  /** Node to the interface that carries OVN's tunnels there, where it is known. */
  readonly uplinks: ReadonlyMap<string, string>;
};

/** Why the network must not be used as it stands; undefined when it may. */
export function findTrouble(network: MigrationNetwork, wish: Wish, around: Neighbours): Problem | undefined {
  const { allowOverlap, allowSharedUplink } = network.spec;
  const own = formatMigrationSubnet(network.metadata.name);
  const others = around.subnets.filter(({ metadata }) => metadata.name !== own);
  return (
    (allowOverlap === true ? undefined : findOverlap(wish.ranges, { ...around, subnets: others })) ??
    (allowSharedUplink === true ? undefined : findSharing(wish, around.uplinks))
  );
}

/** Problem: OverlapsBusiness. What cannot be read as a network has no addresses. */
export function findOverlap(ranges: SubnetRanges, around: Omit<Neighbours, 'uplinks'>): Problem | undefined {
  const cidrs = ranges.map(({ cidr }) => cidr);
  const taken = [
    ...around.subnets.flatMap((subnet) => describeSubnet(subnet)),
    ...around.join.map(({ cidr }) => ({ cidr, what: 'the join network' })),
  ];
  for (const cidr of cidrs) {
    const other = taken.find((candidate) => overlaps(cidr, candidate.cidr));
    if (other !== undefined) return refuse(`${formatCidr(cidr)} overlaps ${other.what} ${formatCidr(other.cidr)}`);
  }
  return findNodeInside(cidrs, around.nodes);
}

const refuse = (message: string): Problem => ({ reason: 'OverlapsBusiness', message });

function describeSubnet({ metadata, spec }: Subnet): { cidr: Cidr; what: string }[] {
  const ranges = planRanges({ cidrBlock: spec.cidrBlock });
  return ranges.ok ? ranges.value.map(({ cidr }) => ({ cidr, what: `subnet ${metadata.name}` })) : [];
}

function findNodeInside(cidrs: readonly Cidr[], nodes: readonly Node[]): Problem | undefined {
  const addresses = listNodeAddresses(nodes);
  for (const cidr of cidrs) {
    const { family } = cidr;
    const inside = addresses[family].find(({ first }) => containsAddress(cidr, { family, value: first }));
    if (inside === undefined) continue;
    const address = formatAddress({ family, value: inside.first });
    return refuse(`${formatCidr(cidr)} contains ${address} of node ${inside.node}`);
  }
  return undefined;
}

/** Problem: UplinkShared. VLANs of one interface share its wire. */
export function findSharing({ viaOvn, device, nad }: Wish, uplinks: Neighbours['uplinks']): Problem | undefined {
  if (viaOvn) {
    const message = `definition ${nad} is a network of OVN, whose traffic leaves by the uplink of guests and pods`;
    return { reason: 'UplinkShared', message };
  }
  if (device === undefined) return undefined;
  const nodes = [...uplinks].filter(([, uplink]) => getWire(uplink) === getWire(device)).map(([node]) => node);
  const [first] = nodes.sort();
  if (first === undefined) return undefined;
  const more = nodes.length > 1 ? ` and ${nodes.length - 1} more` : '';
  const message = `${device} shares ${getWire(device)} with the traffic of guests and pods on node ${first}${more}`;
  return { reason: 'UplinkShared', message };
}

const getWire = (device: string): string => device.split('.', 1)[0] ?? device;

/** Problem: SubnetFull, when there are more virt-handlers than addresses in one of the families. */
export function findShortage(ranges: SubnetRanges, handlers: number): Problem | undefined {
  for (const { cidr, free } of ranges) {
    const count = countAddresses(free);
    if (count >= BigInt(handlers)) continue;
    return { reason: 'SubnetFull', message: `${formatCidr(cidr)} has ${count} free addresses for ${handlers} nodes` };
  }
  return undefined;
}
