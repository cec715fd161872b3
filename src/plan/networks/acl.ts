import { type Cidr, formatCidr, parseAddress, parseCidr } from '../../api/address.ts';
import { formatRouterLspName, formatSwitchName } from '../../api/names.ts';
import { fail, type Result, succeed } from '../../api/problem.ts';
import { quote } from '../../ipam/ranges.ts';
import type { Ids, WantedAcl } from '../../ovn/wanted.ts';
import { everything, subtractCidrs } from '../cidrs.ts';

/**
 * Priorities of all ACLs; OVN's own, for neighbour discovery and DHCP, are above. A packet has to pass the private subnet
 * and the NetworkPolicies of a port, and an ACL that allows ends the search: so the subnet's strangers are dropped before
 * any policy may allow them, and whom the subnet admits is only allowed where no policy isolates the port.
 */
export const ACL_PRIORITY = {
  router: 2400,
  stranger: 2300,
  node: 2200,
  rule: 2100,
  isolated: 2000,
  rest: 1800,
} as const;

const MAX_ALLOWED = 1024;
/** Never routed: whoever has such an address is on the same switch. */
const LINK_LOCAL: Cidr = { family: 6, network: 0xfe80n << 112n, prefix: 10 };

/** Reads allowSubnets: CIDRs, or single addresses. Problem: InvalidCIDR. */
export function parseAllowed(texts: readonly string[]): Result<Cidr[]> {
  if (texts.length > MAX_ALLOWED) return fail('InvalidCIDR', `allowSubnets has more than ${MAX_ALLOWED} entries`);
  const cidrs: Cidr[] = [];
  for (const text of texts.map((item) => item.trim())) {
    const cidr = parseCidr(text) ?? parseSingle(text);
    if (cidr === undefined) return fail('InvalidCIDR', `allowSubnets: ${quote(text)} is not a CIDR`);
    cidrs.push({ family: cidr.family, network: cidr.network, prefix: cidr.prefix });
  }
  return succeed(cidrs);
}

function parseSingle(text: string): Cidr | undefined {
  const address = parseAddress(text);
  return address && { family: address.family, network: address.value, prefix: address.family === 4 ? 32 : 128 };
}

export type PrivateSubnet = {
  readonly subnet: string;
  readonly vpc: string;
  /** Who may begin a connection into the subnet: its own CIDRs, the nodes on the join network, allowSubnets. */
  readonly admitted: readonly Cidr[];
  readonly externalIds: Ids;
};

/**
 * The ACLs of a private subnet. They judge who may begin a connection into it, and are stateful: answers to what its
 * own ports began come back. What goes to the router is let through, or the subnet would cut off its own way out.
 * ARP is no IP, and neighbour discovery and DHCP have flows of OVN's own above these (ovn-northd(8)).
 */
export function planPrivateAcls({ subnet, vpc, admitted, externalIds }: PrivateSubnet): WantedAcl[] {
  const make = (slot: string, rule: Pick<WantedAcl, 'priority' | 'match' | 'action'>, out = false): WantedAcl => ({
    switch: formatSwitchName(subnet),
    row: `subnet/${subnet}/private/${slot}`,
    direction: out ? 'from-lport' : 'to-lport',
    ...rule,
    externalIds,
  });
  const strangers = ([4, 6] as const).flatMap((family) => {
    const match = matchStrangers(admitted, family);
    return match === undefined ? [] : [{ family, match }];
  });
  return [
    make('from', { priority: ACL_PRIORITY.rest, match: 'ip', action: 'allow-related' }, true),
    make('router', {
      priority: ACL_PRIORITY.router,
      match: `outport == "${formatRouterLspName(vpc, subnet)}" && ip`,
      action: 'allow-related',
    }),
    ...strangers.map(({ family, match }) =>
      make(`strangers/v${family}`, { priority: ACL_PRIORITY.stranger, match, action: 'drop' }),
    ),
    make('rest', { priority: ACL_PRIORITY.rest, match: 'ip', action: 'allow-related' }),
  ];
}

/** Everybody of a family but who is admitted; undefined when that is nobody. */
function matchStrangers(admitted: readonly Cidr[], family: 4 | 6): string | undefined {
  const known = admitted.filter((cidr) => cidr.family === family);
  if (known.length === 0) return `ip${family}`;
  const strangers = subtractCidrs(everything(family), family === 6 ? [...known, LINK_LOCAL] : known);
  return strangers.length === 0 ? undefined : `ip${family}.src == {${strangers.map(formatCidr).join(', ')}}`;
}
