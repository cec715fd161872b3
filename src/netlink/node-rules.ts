import { fromCode } from './errors.ts';
import { formatCidr, maskCidr, parseCidr } from './ip.ts';
import { parseInterfaceName } from './names.ts';
import { quoteNft, runNft } from './nft.ts';

/** What a node masquerades: traffic from `sources` that leaves by any interface but `exceptInterfaces`. */
export type MasqueradeSpec = { sources: readonly string[]; exceptInterfaces: readonly string[] };

const TABLE = 'mooring';
const IP_FAMILIES = ['ip', 'ip6'] as const;

/** The node's own tables as one transaction that replaces the former ones; established connections keep their NAT. Pure. */
export function formatNodeRules(spec: MasqueradeSpec): string {
  return formatDropNodeRules() + IP_FAMILIES.map((family) => formatFamily(family, spec)).join('');
}

/** Removes the node's tables; idempotent. */
export function formatDropNodeRules(): string {
  return IP_FAMILIES.map((family) => `add table ${family} ${TABLE}\ndelete table ${family} ${TABLE}\n`).join('');
}

function formatFamily(family: 'ip' | 'ip6', spec: MasqueradeSpec): string {
  const sources = spec.sources.filter((cidr) => cidr.includes(':') === (family === 'ip6')).map(canonical);
  if (sources.length === 0) return '';
  if (spec.exceptInterfaces.length === 0) throw fromCode('EINVAL', 'masquerade without own ports');
  const own = spec.exceptInterfaces.map((name) => quoteNft(parseInterfaceName(name))).join(', ');
  return `table ${family} ${TABLE} {
  set pods { type ${family === 'ip' ? 'ipv4_addr' : 'ipv6_addr'}; flags interval; auto-merge; elements = { ${sources.join(', ')} }; }
  chain postrouting {
    type nat hook postrouting priority 100;
    ${family} saddr @pods oifname != { ${own} } counter masquerade
  }
}
`;
}

function canonical(cidr: string): string {
  return formatCidr(maskCidr(parseCidr(cidr)));
}

/** Applies the rules in the calling thread's namespace. */
export function ensureNodeRules(spec: MasqueradeSpec): void {
  runNft(formatNodeRules(spec));
}

/** Removes the rules from the calling thread's namespace. */
export function deleteNodeRules(): void {
  runNft(formatDropNodeRules());
}
