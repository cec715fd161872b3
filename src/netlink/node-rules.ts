import { fromCode } from './errors.ts';
import { formatCidr, formatIp, maskCidr, parseCidr, parseIp } from './ip.ts';
import { parseInterfaceName } from './names.ts';
import { quoteNft, runNft } from './nft.ts';

/**
 * What a node does with packets of pods. It masquerades traffic from `sources` that leaves by any interface but
 * `ownPorts`. And it keeps VPCs apart: their routers, whose MACs begin with `vpcMacPrefix`, may only answer; and what the
 * node forwards may leave by `nodePort` through the default VPC's router alone, never into another VPC.
 */
export type NodeRules = {
  readonly sources: readonly string[];
  readonly ownPorts: readonly string[];
  readonly vpcMacPrefix: string;
  readonly nodePort: string;
  readonly routerIps: readonly string[];
};

const TABLE = 'mooring';
const IP_FAMILIES = ['ip', 'ip6'] as const;

/** The node's own tables as one transaction that replaces the former ones; established connections keep their NAT. Pure. */
export function formatNodeRules(rules: NodeRules): string {
  return formatDropNodeRules() + IP_FAMILIES.map((family) => formatFamily(family, rules)).join('');
}

/** Removes the node's tables; idempotent. */
export function formatDropNodeRules(): string {
  return IP_FAMILIES.map((family) => `add table ${family} ${TABLE}\ndelete table ${family} ${TABLE}\n`).join('');
}

const isOf = (family: 'ip' | 'ip6', text: string): boolean => text.includes(':') === (family === 'ip6');

function formatFamily(family: 'ip' | 'ip6', rules: NodeRules): string {
  const routers = rules.routerIps.filter((ip) => isOf(family, ip)).map((ip) => formatIp(parseIp(ip).bytes));
  const sources = rules.sources.filter((cidr) => isOf(family, cidr)).map(canonical);
  if (sources.length + routers.length === 0) return '';
  if (rules.ownPorts.length === 0) throw fromCode('EINVAL', 'rules without own ports');
  const own = rules.ownPorts.map(quoteInterface).join(', ');
  const chains = [
    ...(routers.length === 0 ? [] : [formatGuard(family, own, rules), formatBorder(family, routers, rules.nodePort)]),
    ...(sources.length === 0 ? [] : [formatMasquerade(family, own, sources)]),
  ];
  return `table ${family} ${TABLE} {\n${chains.join('')}}\n`;
}

const quoteInterface = (name: string): string => quoteNft(parseInterfaceName(name));

/**
 * Before any translation: a VPC's router may answer, and ask for neighbours, which connection tracking does not follow.
 */
function formatGuard(family: 'ip' | 'ip6', own: string, { vpcMacPrefix }: NodeRules): string {
  if (!/^[0-9a-f]{2}$/.test(vpcMacPrefix)) throw fromCode('EINVAL', `not an octet: ${JSON.stringify(vpcMacPrefix)}`);
  const neighbours = family === 'ip' ? '' : 'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept\n    ';
  return `  chain prerouting {
    type filter hook prerouting priority -150;
    iifname != { ${own} } accept
    ${neighbours}ether saddr & ff:00:00:00:00:00 == ${vpcMacPrefix}:00:00:00:00:00 ct state != { established, related } counter drop
  }
`;
}

function formatBorder(family: 'ip' | 'ip6', routers: readonly string[], nodePort: string): string {
  return `  chain forward {
    type filter hook forward priority 0;
    oifname ${quoteInterface(nodePort)} rt ${family} nexthop != { ${routers.join(', ')} } counter drop
  }
`;
}

/**
 * The set's key is `typeof`, never `type ipv4_addr`: what libnftables 1.1 notes of the latter in the kernel ends an nft 1.0 that lists
 * anything on the node by a segmentation fault, and with it whoever uses one (firewalld, kube-proxy).
 */
function formatMasquerade(family: 'ip' | 'ip6', own: string, sources: readonly string[]): string {
  return `  set pods { typeof ${family} saddr; flags interval; auto-merge; elements = { ${sources.join(', ')} }; }
  chain postrouting {
    type nat hook postrouting priority 100;
    ${family} saddr @pods oifname != { ${own} } counter masquerade
  }
`;
}

function canonical(cidr: string): string {
  return formatCidr(maskCidr(parseCidr(cidr)));
}

/** Applies the rules in the calling thread's namespace. */
export function ensureNodeRules(rules: NodeRules): void {
  runNft(formatNodeRules(rules));
}

/** Removes the rules from the calling thread's namespace. */
export function deleteNodeRules(): void {
  runNft(formatDropNodeRules());
}
