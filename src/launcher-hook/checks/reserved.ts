import { containsAddress, getLastAddress, parseAddress } from '../../api/address.ts';
import type { SubnetSpec } from '../../api/types.gen.ts';
import { type FamilyRange, findInterval, getUsable, parseInterval, planRanges } from '../../ipam/ranges.ts';
import type { NodeAddresses } from '../../plan/networks/node-addresses.ts';

/** In words why nobody gets an address of the subnet, as `10.0.0.1 is the gateway`; undefined when somebody may. */
export function explainReserved(ip: string, spec: SubnetSpec, nodes: NodeAddresses): string | undefined {
  const address = parseAddress(ip);
  const ranges = planRanges(spec);
  if (address === undefined || !ranges.ok) return undefined;
  const range = ranges.value.find(({ cidr }) => containsAddress(cidr, address));
  if (range === undefined) return undefined;
  const end = describeEnd(range, address.value) ?? describeExclusion(address, spec);
  if (end !== undefined) return `${ip} ${end}`;
  return findInterval(nodes[address.family], address.value) === undefined
    ? undefined
    : `${ip} is the address of a node`;
}

function describeEnd({ cidr, gateway }: FamilyRange, value: bigint): string | undefined {
  const usable = getUsable(cidr);
  if (value === gateway) return 'is the gateway';
  if (value < usable.first) return cidr.family === 4 ? 'is the network address' : "is the routers' anycast address";
  return value > usable.last && value === getLastAddress(cidr) ? 'is the broadcast address' : undefined;
}

function describeExclusion({ family, value }: { family: 4 | 6; value: bigint }, { excludeIps }: SubnetSpec) {
  const found = excludeIps?.find((text) => {
    const interval = parseInterval(text);
    return interval?.family === family && interval.first <= value && value <= interval.last;
  });
  return found === undefined ? undefined : `is excluded by excludeIps ${found.trim()}`;
}
