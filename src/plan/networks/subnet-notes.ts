import type { SubnetSpec } from '../../api/types.gen.ts';
import { isOvnProvider } from './provider.ts';

/** What of a Subnet's spec has no effect, and why: for its Ready condition, not a failure. Fields in a fixed order. */
export function listNotes(
  spec: SubnetSpec,
  facts: { readonly isDefaultVpc: boolean; readonly hasV6: boolean },
): string[] {
  const set = (fields: readonly (keyof SubnetSpec)[]): string[] => fields.filter((field) => isSet(spec, field));
  const say = (fields: readonly string[], why: string): string[] =>
    fields.length === 0 ? [] : [`${fields.join(', ')} ${fields.length === 1 ? 'has' : 'have'} no effect ${why}`];
  if (!isOvnProvider(spec.provider)) {
    return say(set(OVN_FIELDS), `on NICs of the provider ${spec.provider}, which another CNI plugin makes`);
  }
  return [
    ...say(set(LATER), 'yet'),
    ...(facts.isDefaultVpc
      ? []
      : say(set(['gatewayType', 'gatewayNode']), 'outside the default VPC, as nothing leads out')),
    ...(spec.private === true ? [] : say(set(['allowSubnets']), 'without private')),
    ...(spec.gatewayType === 'centralized' || !facts.isDefaultVpc
      ? []
      : say(set(['gatewayNode']), 'without gatewayType centralized')),
    ...(namesAddresses(spec)
      ? ['the addresses in gatewayNode have no effect: a node masquerades to the address of its route']
      : []),
    ...(spec.enableDHCP === true ? [] : say(set(['dhcpV4Options', 'dhcpV6Options']), 'without enableDHCP')),
    ...(facts.hasV6 ? listV6Notes(spec) : say(set(['enableIPv6RA', 'dhcpV6Options']), 'without an IPv6 range')),
  ];
}

const namesAddresses = ({ gatewayType, gatewayNode = '' }: SubnetSpec): boolean =>
  gatewayType === 'centralized' && gatewayNode.includes(':');

const LATER = ['vlan', 'enableLb'] as const;
const OVN_FIELDS = [
  'private',
  'allowSubnets',
  'natOutgoing',
  'gatewayType',
  'gatewayNode',
  'enableDHCP',
  'dhcpV4Options',
  'dhcpV6Options',
  'enableIPv6RA',
  'dhcp',
  'mtu',
  ...LATER,
] as const satisfies (keyof SubnetSpec)[];

/** Values that the schema fills in say nothing about what the user wants. */
const DEFAULTS: Partial<Record<keyof SubnetSpec, unknown>> = { natOutgoing: true, gatewayType: 'distributed' };

function isSet(spec: SubnetSpec, field: keyof SubnetSpec): boolean {
  const value = spec[field];
  if (value === undefined || value === '' || value === DEFAULTS[field]) return false;
  return Array.isArray(value) ? value.length > 0 : value !== false || field === 'natOutgoing';
}

function listV6Notes({ enableDHCP, enableIPv6RA }: SubnetSpec): string[] {
  if (enableDHCP === true && enableIPv6RA !== true) {
    return ['guests learn no IPv6 router: DHCPv6 cannot name one, set enableIPv6RA'];
  }
  if (enableIPv6RA === true && enableDHCP !== true) {
    return ['guests learn the IPv6 router and no address: set enableDHCP'];
  }
  return [];
}
