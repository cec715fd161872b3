/**
 * Whether NICs of this provider are ours: `ovn`, nothing, or `<nad>.<namespace>.ovn`. Any other provider names a
 * network whose NICs another CNI plugin makes; to those we only give addresses (USAGE.md). Pure.
 */
export function isOvnProvider(provider: string | undefined): boolean {
  if (provider === undefined || provider === '' || provider === 'ovn') return true;
  return provider.endsWith('.ovn') && provider.split('.').length >= 3;
}

/**
 * The L2 domain that a subnet shares with others, in which a MAC has one holder: its VLAN, or the network of another
 * plugin. Undefined for a domain of its own.
 */
export function deriveDomain({ vlan, provider }: { vlan?: string; provider?: string }): string | undefined {
  if (vlan !== undefined && vlan !== '') return `vlan/${vlan}`;
  return isOvnProvider(provider) ? undefined : `provider/${provider}`;
}
