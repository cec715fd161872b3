import { isIP, isIPv6 } from 'node:net';
import { asObject } from './expect.ts';
import { VERSIONS, type Version } from './model.ts';

export type FormPlace = { readonly version: Version; readonly ifname: string; readonly path: string };

type Fields = Readonly<Record<string, unknown>>;
type Check = (value: unknown) => boolean;

const MAC = /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i;

/**
 * What is wrong with the result of an ADD in the form of one version (section 5, "Success"; for 0.3.1 and 0.4.0 the
 * section "Result" of those versions). Empty when it is as it should be.
 */
export function listFormFaults(result: unknown, place: FormPlace): string[] {
  const fields = asObject(result);
  if (fields === undefined) return ['it is no object'];
  const faults = fields.cniVersion === place.version ? [] : [`cniVersion is ${JSON.stringify(fields.cniVersion)}`];
  const interfaces = listObjects(fields, 'interfaces', faults);
  const ips = listObjects(fields, 'ips', faults);
  const routes = listObjects(fields, 'routes', faults);
  return [
    ...faults,
    ...interfaces.flatMap((item, index) => listInterfaceFaults(item, `interfaces[${index}]`)),
    ...listSandboxFaults(interfaces, place),
    ...ips.flatMap((item, index) => listIpFaults(item, `ips[${index}]`, { ...place, count: interfaces.length })),
    ...routes.flatMap((item, index) => listRouteFaults(item, `routes[${index}]`)),
    ...listDnsFaults(fields.dns),
  ];
}

function listObjects(fields: Fields, key: string, faults: string[]): Fields[] {
  const value = fields[key] ?? [];
  if (!Array.isArray(value)) {
    faults.push(`${key} is no list`);
    return [];
  }
  return value.map((item) => {
    const object = asObject(item);
    if (object === undefined) faults.push(`${key} has an entry that is no object`);
    return object ?? {};
  });
}

/** Each key that is there must pass its check; `needed` ones must be there. */
function listKeyFaults(
  item: Fields,
  where: string,
  checks: Readonly<Record<string, Check>>,
  needed: string[],
): string[] {
  const missing = needed.filter((key) => item[key] === undefined).map((key) => `${where} has no ${key}`);
  const wrong = Object.entries(checks)
    .filter(([key, check]) => item[key] !== undefined && !check(item[key]))
    .map(([key]) => `${where}.${key} is ${JSON.stringify(item[key])}`);
  return [...missing, ...wrong];
}

const isText: Check = (value) => typeof value === 'string';
const isName: Check = (value) => isText(value) && value !== '';
const isCount: Check = (value) => Number.isInteger(value) && Number(value) >= 0;
const isMac: Check = (value) => isText(value) && (value === '' || MAC.test(String(value)));
const isAddress: Check = (value) => isText(value) && isIP(String(value)) !== 0;
const isCidr: Check = (value) => {
  const [address = '', prefix, ...rest] = String(value).split('/');
  const bits = isIP(address) === 4 ? 32 : 128;
  return isIP(address) !== 0 && /^\d{1,3}$/.test(prefix ?? '') && Number(prefix) <= bits && rest.length === 0;
};

function listInterfaceFaults(item: Fields, where: string): string[] {
  const later = { mtu: isCount, socketPath: isText, pciID: isText };
  return listKeyFaults(item, where, { name: isName, mac: isMac, sandbox: isText, ...later }, ['name']);
}

function listSandboxFaults(interfaces: readonly Fields[], { ifname, path }: FormPlace): string[] {
  const own = interfaces.filter((item) => item.name === ifname && item.sandbox === path);
  if (own.length === 1) return [];
  return [`${own.length} interfaces named ${ifname} with the sandbox of CNI_NETNS`];
}

function listIpFaults(item: Fields, where: string, at: FormPlace & { count: number }): string[] {
  const isIndex: Check = (value) => isCount(value) && Number(value) < at.count;
  const faults = listKeyFaults(item, where, { address: isCidr, gateway: isAddress, interface: isIndex }, ['address']);
  const family = isIPv6(String(item.address).split('/')[0] ?? '') ? '6' : '4';
  const isOld = at.version.startsWith('0.');
  if (isOld && item.version !== family)
    faults.push(`${where}.version is ${JSON.stringify(item.version)}, not "${family}"`);
  return faults;
}

function listRouteFaults(item: Fields, where: string): string[] {
  const later = { mtu: isCount, advmss: isCount, priority: isCount, table: isCount, scope: isCount };
  return listKeyFaults(item, where, { dst: isCidr, gw: isAddress, ...later }, ['dst']);
}

function listDnsFaults(dns: unknown): string[] {
  if (dns === undefined) return [];
  const fields = asObject(dns);
  if (fields === undefined) return ['dns is no object'];
  const isTexts: Check = (value) => Array.isArray(value) && value.every(isText);
  return listKeyFaults(fields, 'dns', { nameservers: isTexts, domain: isText, search: isTexts, options: isTexts }, []);
}

/** The same for an IPAM plugin: neither interfaces nor an index to them (section 5, "Delegated plugins"). */
export function listIpamFaults(result: unknown, version: Version): string[] {
  const fields = asObject(result);
  if (fields === undefined) return ['it is no object'];
  const faults = fields.cniVersion === version ? [] : [`cniVersion is ${JSON.stringify(fields.cniVersion)}`];
  const ips = listObjects(fields, 'ips', faults);
  const routes = listObjects(fields, 'routes', faults);
  const place = { version, ifname: '', path: '', count: 0 };
  return [
    ...faults,
    ...(ips.length === 0 ? ['it has no ips'] : []),
    ...(fields.interfaces === undefined ? [] : ['it has interfaces']),
    ...ips.flatMap((item, index) => listIpFaults(item, `ips[${index}]`, place)),
    ...routes.flatMap((item, index) => listRouteFaults(item, `routes[${index}]`)),
    ...listDnsFaults(fields.dns),
  ];
}

/** Fields that exist only from a version on, or only up to one. */
const FIELDS: readonly { list: string; key: string; since?: Version; until?: Version }[] = [
  { list: 'ips', key: 'version', until: '0.4.0' },
  ...['mtu', 'socketPath', 'pciID'].map((key) => ({ list: 'interfaces', key, since: '1.1.0' as const })),
  ...['mtu', 'advmss', 'priority', 'table', 'scope'].map((key) => ({ list: 'routes', key, since: '1.1.0' as const })),
];

/** Fields of a result that its version does not know (specification, "Released versions"). */
export function listForeignFields(result: unknown, version: Version): string[] {
  const fields = asObject(result) ?? {};
  const at = VERSIONS.indexOf(version);
  return FIELDS.filter(({ since, until }) => {
    const tooEarly = since !== undefined && at < VERSIONS.indexOf(since);
    return tooEarly || (until !== undefined && at > VERSIONS.indexOf(until));
  }).flatMap(({ list, key }) => {
    const items: readonly unknown[] = Array.isArray(fields[list]) ? fields[list] : [];
    return items.some((item) => asObject(item)?.[key] !== undefined) ? [`${list}[].${key} is not of ${version}`] : [];
  });
}
