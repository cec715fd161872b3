/**
 * Whether NICs of this provider are ours: `ovn`, nothing, or `<nad>.<namespace>.ovn`. Any other provider names a
 * network whose NICs another CNI plugin makes; to those we only give addresses (USAGE.md). Pure.
 */
export function isOvnProvider(provider: string | undefined): boolean {
  if (provider === undefined || provider === '' || provider === 'ovn') return true;
  return provider.endsWith('.ovn') && provider.split('.').length >= 3;
}
