import type { CniVersion } from '../request.ts';
import { asJson, asText, getOwn, type Json, listJson } from './json.ts';

const NEW_INTERFACE_FIELDS = ['mtu', 'socketPath', 'pciID'];
const NEW_ROUTE_FIELDS = ['mtu', 'advmss', 'priority', 'table', 'scope'];

/**
 * A plugin's result in another version (CNI SPEC.md, "Version considerations"): up to 0.4.0 addresses say their family,
 * from 1.1.0 on interfaces and routes say more.
 */
export function convertResult(result: Json, cniVersion: CniVersion): Json {
  const isOld = cniVersion.startsWith('0.');
  const isNewest = cniVersion === '1.1.0';
  const dns = asJson(getOwn(result, 'dns'));
  const convertIp = ({ version: _, ...ip }: Json): Json =>
    isOld ? { version: asText(getOwn(ip, 'address'))?.includes(':') === true ? '6' : '4', ...ip } : ip;
  const trim = (items: readonly Json[], names: readonly string[]) =>
    isNewest ? items : items.map((item) => without(item, names));
  return {
    cniVersion,
    interfaces: trim(listJson(getOwn(result, 'interfaces')), NEW_INTERFACE_FIELDS),
    ips: listJson(getOwn(result, 'ips')).map(convertIp),
    routes: trim(listJson(getOwn(result, 'routes')), NEW_ROUTE_FIELDS),
    ...(dns !== undefined && (isOld || Object.keys(dns).length > 0) ? { dns } : {}),
  };
}

function without(item: Json, names: readonly string[]): Json {
  return Object.fromEntries(Object.entries(item).filter(([name]) => !names.includes(name)));
}

/** What is told of one attachment. */
export type StatusInput = {
  readonly network: string;
  readonly ifname: string;
  readonly first: boolean;
  readonly result?: Json | undefined;
};

/**
 * One element of `k8s.v1.cni.cncf.io/network-status` (multi-network specification v1.3, section 5.2), as Multus writes
 * it: addresses without prefix, the gateway and `default` on the pod's first network only.
 */
export function describeNetwork({ network, ifname, first, result }: StatusInput): Json {
  const interfaces = listJson(getOwn(result, 'interfaces'));
  const index = interfaces.findIndex(
    (item) => getOwn(item, 'name') === ifname && getOwn(item, 'sandbox') !== undefined,
  );
  const pod = interfaces[index];
  const mine = listJson(getOwn(result, 'ips')).filter((ip) => (getOwn(ip, 'interface') ?? index) === index);
  const ips = mine.flatMap((ip) => asText(getOwn(ip, 'address'))?.split('/')[0] ?? []);
  const mac = asText(getOwn(pod, 'mac'));
  const mtu = getOwn(pod, 'mtu');
  const gateways = mine.flatMap((ip) => asText(getOwn(ip, 'gateway')) ?? []);
  return {
    name: network,
    interface: ifname,
    ...(ips.length === 0 ? {} : { ips }),
    ...(mac === undefined || mac === '' ? {} : { mac }),
    ...(typeof mtu === 'number' && mtu > 0 ? { mtu } : {}),
    ...(first ? { default: true } : {}),
    dns: asJson(getOwn(result, 'dns')) ?? {},
    ...(first && gateways.length > 0 ? { gateway: gateways } : {}),
  };
}

/** The text of the annotation; equal input gives equal text. */
export function formatNetworkStatus(attachments: readonly StatusInput[]): string {
  return JSON.stringify(attachments.map(describeNetwork));
}
