import { CniError } from './errors.ts';
import type { Dns, NetworkPlan } from './plan-network.ts';
import { asFields, type CniVersion, type NetworkConfig } from './request.ts';

/** What an ADD has made, without regard to any version. `cidr` is `address/prefix`. */
export type Attached = NetworkPlan & {
  readonly host: { readonly name: string };
  readonly pod: { readonly name: string; readonly mac: string; readonly mtu: number; readonly netns: string };
};

/** The result of the plugins before us in a list, in the version of the configuration. */
export type PrevResult = {
  readonly interfaces: readonly object[];
  readonly ips: readonly object[];
  readonly routes: readonly object[];
  readonly dns: Readonly<Record<string, unknown>>;
};

const NOTHING: PrevResult = { interfaces: [], ips: [], routes: [], dns: {} };

/**
 * What earlier plugins of the list have made; ours is added to it (CNI SPEC.md, "prevResult"). They may have made host
 * ends, or other interfaces of the pod. Throws CniError `invalidConfig` when they have made the pod's interface itself.
 */
export function parsePrevResult(config: NetworkConfig, ifname: string): PrevResult {
  const value = config.fields.get('prevResult');
  if (value === undefined || value === null) return NOTHING;
  const fields = asFields(value);
  if (fields === undefined) throw new CniError('invalidConfig', 'prevResult is no object');
  const interfaces = parseList(fields, 'interfaces');
  const taken = interfaces.map(asFields).some((link) => link?.get('name') === ifname && Boolean(link.get('sandbox')));
  if (taken) {
    const what = `an earlier plugin of the list has made ${ifname} already`;
    throw new CniError('invalidConfig', `${what}: mooring makes it itself and must come before that plugin`);
  }
  const dns = Object.fromEntries(asFields(fields.get('dns')) ?? []);
  return { interfaces, ips: parseList(fields, 'ips'), routes: parseList(fields, 'routes'), dns };
}

function parseList(fields: ReadonlyMap<string, unknown>, key: string): object[] {
  const list = fields.get(key) ?? [];
  if (!Array.isArray(list)) throw new CniError('invalidConfig', `prevResult.${key} is no list`);
  return list.map((item: unknown) => {
    if (typeof item === 'object' && item !== null) return item;
    throw new CniError('invalidConfig', `an entry of prevResult.${key} is no object`);
  });
}

/**
 * The result in the shape of one version (CNI SPEC.md, "Success", and its history): up to 0.4.0 addresses say their
 * family, from 1.1.0 interfaces say their MTU. The pod's interface always has its sandbox and every address its
 * interface, as Multus builds network-status from them; a route always has its gateway if there is one, or Multus
 * writes `<nil>`. What `before` holds comes first.
 */
export function formatResult(
  attached: Attached,
  cniVersion: CniVersion,
  before: PrevResult = NOTHING,
): Record<string, unknown> {
  const { host, pod } = attached;
  const mtu = cniVersion === '1.1.0' ? { mtu: pod.mtu } : {};
  const ours = [{ name: host.name }, { name: pod.name, mac: pod.mac, ...mtu, sandbox: pod.netns }];
  const index = before.interfaces.length + ours.length - 1;
  return {
    cniVersion,
    interfaces: [...before.interfaces, ...ours],
    ips: [...before.ips, ...formatIps(attached, cniVersion, { interface: index })],
    routes: [...before.routes, ...attached.routes],
    ...formatDns({ ...attached.dns, ...before.dns }, cniVersion),
  };
}

/** The answer of an IPAM plugin: addresses without an interface (CNI SPEC.md, "Delegated plugins (IPAM)"). */
export function formatIpamResult(plan: NetworkPlan, cniVersion: CniVersion): Record<string, unknown> {
  return {
    cniVersion,
    ips: formatIps(plan, cniVersion, {}),
    routes: plan.routes,
    ...formatDns(plan.dns, cniVersion),
  };
}

const isOld = (cniVersion: CniVersion): boolean => cniVersion.startsWith('0.');

function formatIps({ ips }: NetworkPlan, cniVersion: CniVersion, more: object): object[] {
  return ips.map(({ cidr, gateway }) => ({
    ...(isOld(cniVersion) ? { version: cidr.includes(':') ? '6' : '4' } : {}),
    ...more,
    address: cidr,
    ...(gateway === undefined ? {} : { gateway }),
  }));
}

/** Up to 0.4.0 it is always there, later never empty. */
function formatDns(dns: Dns | PrevResult['dns'], cniVersion: CniVersion): object {
  return isOld(cniVersion) || Object.keys(dns).length > 0 ? { dns } : {};
}
