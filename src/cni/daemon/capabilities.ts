import type { Pod } from './cluster.ts';
import { CniError } from './errors.ts';
import { asFields, type NetworkConfig } from './request.ts';

/** The names that the shim is installed under (USAGE.md). */
const OURS: readonly unknown[] = ['mooring', 'kube-ovn'];

type Fields = ReadonlyMap<string, unknown>;

/**
 * The `ipam` part when another plugin makes the interface and asks us for its address only (CNI SPEC.md, "Plugin
 * Delegation"): the configuration is the other plugin's own then. Undefined when the interface is ours to make.
 */
export function findIpam(config: NetworkConfig): Fields | undefined {
  const ipam = asFields(config.fields.get('ipam'));
  return !OURS.includes(config.type) && OURS.includes(ipam?.get('type')) ? ipam : undefined;
}

/** Values of one key of `runtimeConfig`: containerd writes keys capitalised, Multus does not, so case says nothing. */
export function listRuntimeValues(config: NetworkConfig, key: string): [string, unknown][] {
  const runtime = asFields(config.fields.get('runtimeConfig')) ?? new Map<string, unknown>();
  return [...runtime].filter(([name, value]) => name.toLowerCase() === key && !isEmpty(value));
}

/** A GUID or a device is a matter of the plugin that makes the interface; address ranges are a matter of the Subnet. */
const REFUSED = { interface: ['infinibandguid', 'deviceid', 'ipranges'], ipam: ['ipranges'] } as const;

/** Refuses what we cannot do, by name: silently leaving it out would be a lie (CNI code 2). Throws CniError. */
export function checkSupported(config: NetworkConfig): void {
  const mode = findIpam(config) === undefined ? 'interface' : 'ipam';
  const type = asFields(config.fields.get('ipam'))?.get('type');
  if (mode === 'interface' && typeof type === 'string' && type !== '' && !OURS.includes(type)) {
    throw unsupported('ipam.type', 'mooring gives its interfaces their addresses itself; leave "ipam" out');
  }
  for (const key of REFUSED[mode]) refuse(config, key, 'leave it out of this network');
}

/**
 * Ports and bandwidth. Those of the pod itself (hostPort, the bandwidth annotations) are handed to every network that
 * lists the capability, so a secondary one leaves them alone; what was asked for this interface is refused. So is
 * everything on the first interface, where nobody else would do it. An IPAM call leaves them to the outer plugin.
 */
export function checkShared(config: NetworkConfig, place: { readonly pod: Pod; readonly primary: boolean }): void {
  if (findIpam(config) !== undefined) return;
  const { pod, primary } = place;
  const hint = (plugin: string) => `take the capability away from mooring and chain the plugin ${plugin}`;
  if (primary || !hasHostPorts(pod)) refuse(config, 'portmappings', hint('portmap'));
  if (primary || !hasBandwidth(pod)) refuse(config, 'bandwidth', hint('bandwidth'));
}

function refuse(config: NetworkConfig, key: string, hint: string): void {
  const [name] = listRuntimeValues(config, key)[0] ?? [];
  if (name !== undefined) throw unsupported(`runtimeConfig.${name}`, hint);
}

const hasBandwidth = (pod: Pod): boolean =>
  ['ingress', 'egress'].some((way) => pod.metadata?.annotations?.[`kubernetes.io/${way}-bandwidth`] !== undefined);

const hasHostPorts = (pod: Pod): boolean => listHostPorts(pod).length > 0;

/** The ports of the node that a pod asks for: `8080/TCP`. */
export function listHostPorts(pod: Pod): string[] {
  const spec = asFields(pod.spec);
  const containers = ['containers', 'initContainers'].flatMap((key) => listObjects(spec?.get(key)));
  const ports = containers.flatMap((container) => listObjects(container.get('ports')));
  return ports
    .map((port) => ({ number: Number(port.get('hostPort') ?? 0), protocol: String(port.get('protocol') ?? 'TCP') }))
    .filter(({ number }) => number > 0)
    .map(({ number, protocol }) => `${number}/${protocol}`);
}

function listObjects(value: unknown): Fields[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [];
  return list.flatMap((item) => asFields(item) ?? []);
}

/** Multus fills in what was not asked for with zeros. */
function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === 0) return true;
  if (typeof value !== 'object') return false;
  return Object.values(value).every((item) => item === 0 || item === '');
}

function unsupported(field: string, hint: string): CniError {
  return new CniError('unsupportedField', `${field} is not supported: ${hint}`);
}
