import { formatAddress, parseAddress, parseMac } from '../../api/address.ts';
import type { LogicalPort } from '../../api/types.gen.ts';
import { listRuntimeValues } from './capabilities.ts';
import { CniError } from './errors.ts';
import { formatName } from './plan-network.ts';
import { type AttachRequest, asFields } from './request.ts';

/** One value that came with the call and where it stood. Addresses are canonical and without prefix. */
type Item = { readonly from: string; readonly value: string };

/** What a call asks for beside its network: it decides nothing, but the LogicalPort must agree. */
export type Asked = { readonly ips: readonly Item[]; readonly macs: readonly Item[] };

const MAX_IPS = 16;

/**
 * Addresses and MAC of a call, from every place that conventions know: `runtimeConfig` `ips` and `mac`, `args.cni`, and
 * `IP=` and `MAC=` of CNI_ARGS, the only form that reaches a first interface. A prefix length says nothing: the Subnet
 * has it. Throws CniError `invalidConfig` or `invalidEnvironment` for what is no address.
 */
export function parseAsked({ args, config }: Pick<AttachRequest, 'args' | 'config'>): Asked {
  const cni = asFields(asFields(config.fields.get('args'))?.get('cni')) ?? new Map<string, unknown>();
  const places: (readonly [string, 'ips' | 'mac', unknown])[] = [
    ...listRuntimeValues(config, 'ips').map(([key, value]) => [`runtimeConfig.${key}`, 'ips', value] as const),
    ...listRuntimeValues(config, 'mac').map(([key, value]) => [`runtimeConfig.${key}`, 'mac', value] as const),
    ['args.cni.ips', 'ips', cni.get('ips')],
    ['args.cni.mac', 'mac', cni.get('mac')],
    ['CNI_ARGS IP', 'ips', args?.get('IP')],
    ['CNI_ARGS MAC', 'mac', args?.get('MAC')],
  ];
  const given = places.filter(([, , value]) => value !== undefined && value !== null && value !== '');
  return {
    ips: given.flatMap(([from, kind, value]) => (kind === 'ips' ? parseIps(from, value) : [])),
    macs: given.flatMap(([from, kind, value]) => (kind === 'mac' ? [{ from, value: parseOneMac(from, value) }] : [])),
  };
}

function parseIps(from: string, value: unknown): Item[] {
  const list: readonly unknown[] =
    typeof value === 'string' ? value.split(',') : Array.isArray(value) ? value : [value];
  if (list.length > MAX_IPS) throw malformed(from, `more than ${MAX_IPS} addresses`);
  return list.map((item) => {
    const address = typeof item === 'string' ? parseAddress(item.split('/', 1)[0]?.trim() ?? '') : undefined;
    if (address === undefined) throw malformed(from, `${quote(item)} is no address`);
    return { from, value: formatAddress(address) };
  });
}

function parseOneMac(from: string, value: unknown): string {
  const mac = typeof value === 'string' ? parseMac(value) : undefined;
  if (mac === undefined) throw malformed(from, `${quote(value)} is no MAC of an interface`);
  return mac;
}

const quote = (value: unknown): string => (JSON.stringify(value) ?? typeof value).slice(0, 80);

function malformed(from: string, what: string): CniError {
  return new CniError(from.startsWith('CNI_ARGS') ? 'invalidEnvironment' : 'invalidConfig', `${from}: ${what}`);
}

/** Throws CniError `mismatch` when the call asks for what the LogicalPort does not have; it says what to change. */
export function checkAsked(asked: Asked, port: LogicalPort): void {
  const { ips, mac } = port.spec;
  const held = ips.flatMap((text) => {
    const address = parseAddress(text);
    return address === undefined ? [] : [formatAddress(address)];
  });
  const wrongIp = asked.ips.find(({ value }) => !held.includes(value));
  if (wrongIp !== undefined) throw mismatch(port, wrongIp, `the address is ${ips.join(',')}`);
  // A port for another plugin's interface may have no MAC of its own.
  const wrongMac = asked.macs.find(({ value }) => value !== parseMac(mac) && (mac !== '' || !port.spec.ipamOnly));
  if (wrongMac !== undefined) throw mismatch(port, wrongMac, `the MAC is ${mac}`);
}

function mismatch(port: LogicalPort, { from, value }: Item, holds: string): CniError {
  const way =
    'ask for it where Mooring reads it before the pod starts: "ips" and "mac" of its network in the annotation ' +
    'k8s.v1.cni.cncf.io/networks, or the annotations ip_address and mac_address; or leave it out';
  return new CniError('mismatch', `${from} asks for ${value}, but of LogicalPort ${formatName(port)} ${holds}: ${way}`);
}
