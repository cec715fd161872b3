import { parseAddress, parseCidr, parseMac } from '../../api/address.ts';
import { quote } from '../../ipam/ranges.ts';

/** The value as OVN wants it, or undefined when it would not take it. */
type Format = (value: string) => string | undefined;

const MAX_TEXT = 4096;
const NAME = /^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*$/;
// Printable ASCII without quotes and backslash: a value must not end the string that OVN puts it into.
const PLAIN_TEXT = /^[ !#-[\]-~]{1,255}$/;

/** A domain name in letters that OVN can encode. */
export const isDomain = (name: string): boolean => name.length <= 253 && NAME.test(name);

const stripQuotes = (value: string): string => /^"(.*)"$/s.exec(value)?.[1] ?? value;
const listItems = (value: string): string[] =>
  (/^\{(.*)\}$/s.exec(value)?.[1] ?? value).split(',').map((s) => s.trim());

const addresses =
  (family: 4 | 6): Format =>
  (value) => {
    const items = listItems(value);
    const good = items.every((item) => parseAddress(item)?.family === family);
    if (!good) return undefined;
    return items.length === 1 ? items[0] : `{${items.join(', ')}}`;
  };

const number =
  (min: number, max: number): Format =>
  (value) =>
    /^\d{1,10}$/.test(value) && Number(value) >= min && Number(value) <= max ? String(Number(value)) : undefined;

const text: Format = (value) => (PLAIN_TEXT.test(stripQuotes(value)) ? `"${stripQuotes(value)}"` : undefined);

const names: Format = (value) => {
  const items = stripQuotes(value)
    .split(',')
    .map((item) => item.trim());
  return items.every(isDomain) ? `"${items.join(',')}"` : undefined;
};

/** `{network/prefix,gateway, …}` as in RFC 3442. */
const routes: Format = (value) => {
  const items = listItems(value);
  if (!/^\{.*\}$/s.test(value) || items.length % 2 !== 0) return undefined;
  const good = items.every((item, index) => {
    if (index % 2 === 1) return parseAddress(item)?.family === 4;
    const cidr = parseCidr(item);
    return cidr?.family === 4 && !cidr.hostBits;
  });
  return good ? `{${items.join(', ')}}` : undefined;
};

const hostOrName: Format = (value) => addresses(4)(value) ?? text(value);
const mac: Format = (value) => parseMac(value);
const flag = number(0, 1);
const UINT8 = number(0, 255);
const UINT32 = number(0, 4_294_967_295);

/** The options that OVN 25.03 knows, with what it takes (ovn-nb(5), DHCP_Options). */
const KNOWN: Record<4 | 6, ReadonlyMap<string, Format>> = {
  4: new Map<string, Format>([
    ...listPairs(
      'server_id router netmask dns_server log_server lpr_server swap_server policy_filter router_solicitation nis_server',
      addresses(4),
    ),
    ...listPairs('ntp_server netbios_name_server next_server broadcast_address tftp_server_address', addresses(4)),
    ...listPairs('classless_static_route ms_classless_static_route', routes),
    ...listPairs('ip_forward_enable router_discovery ethernet_encap', flag),
    ...listPairs('default_ttl tcp_ttl arp_cache_timeout tcp_keepalive_interval netbios_node_type', UINT8),
    ...listPairs('wpad bootfile_name path_prefix hostname domain_name bootfile_name_alt', text),
    ['server_mac', mac],
    ['mtu', number(68, 65_535)],
    ['lease_time', UINT32],
    ['T1', UINT32],
    ['T2', UINT32],
    ['tftp_server', hostOrName],
    ['domain_search_list', names],
  ]),
  6: new Map<string, Format>([
    ['server_id', mac],
    ['dns_server', addresses(6)],
    ['domain_search', names],
    ['dhcpv6_stateless', (value) => (value === 'true' || value === 'false' ? value : undefined)],
    ...listPairs('bootfile_name bootfile_name_alt', text),
  ]),
};

function listPairs(list: string, format: Format): [string, Format][] {
  return list.split(' ').map((name) => [name, format]);
}

/** Options in OVN's notation, and what is wrong with those that are left out. */
export type ParsedOptions = { readonly options: readonly [string, string][]; readonly problems: readonly string[] };

/**
 * Kube-OVN's form of raw options: `key=value,key=value`; a value in braces or in quotes may hold commas. What OVN would
 * not take is left out and told: one bad value would make it drop the whole answer to the guest.
 */
export function parseDhcpOptions(source: string, family: 4 | 6): ParsedOptions {
  const field = `dhcpV${family}Options`;
  if (source.length > MAX_TEXT) return { options: [], problems: [`${field} is longer than ${MAX_TEXT} characters`] };
  const options: [string, string][] = [];
  const problems: string[] = [];
  for (const [part] of source.matchAll(/(?:\{[^}]*\}|"[^"]*"|[^,])+/g)) {
    if (part.trim() === '') continue;
    const at = part.indexOf('=');
    const name = part.slice(0, Math.max(at, 0)).trim();
    const checked = checkOption(family, name, part.slice(at + 1).trim());
    if (checked.ok) options.push([name, checked.value]);
    else problems.push(`${field}: ${name === '' ? `${quote(part)} has no name` : checked.problem}`);
  }
  return { options, problems };
}

type Checked = { readonly ok: true; readonly value: string } | { readonly ok: false; readonly problem: string };

/** One option by name, in OVN's notation. */
function checkOption(family: 4 | 6, name: string, value: string): Checked {
  const format = KNOWN[family].get(name);
  if (format === undefined) return { ok: false, problem: `OVN has no DHCPv${family} option ${quote(name)}` };
  const formatted = format(value);
  if (formatted === undefined) return { ok: false, problem: `${quote(value)} is no value for ${name}` };
  return { ok: true, value: formatted };
}

/** Names of all options that are known of a family. */
export const listOptionNames = (family: 4 | 6): string[] => [...KNOWN[family].keys()];
