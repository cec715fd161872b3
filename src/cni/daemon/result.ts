import type { CniVersion } from './request.ts';

/** What an ADD has made, without regard to any version. `cidr` is `address/prefix`. */
export type Attached = {
  readonly host: { readonly name: string };
  readonly pod: { readonly name: string; readonly mac: string; readonly mtu: number; readonly netns: string };
  readonly ips: readonly { readonly cidr: string; readonly gateway?: string }[];
  readonly routes: readonly { readonly dst: string; readonly gw: string }[];
};

const POD_INDEX = 1;

/**
 * The result in the shape of one version (CNI SPEC.md, "Success", and its history): up to 0.4.0 addresses say their
 * family, from 1.1.0 interfaces say their MTU. The pod's interface always has its sandbox and every address its
 * interface, as Multus builds network-status from them; a route always has its gateway, or Multus writes `<nil>`.
 */
export function formatResult(attached: Attached, cniVersion: CniVersion): Record<string, unknown> {
  const { host, pod } = attached;
  const mtu = cniVersion === '1.1.0' ? { mtu: pod.mtu } : {};
  return {
    cniVersion,
    interfaces: [{ name: host.name }, { name: pod.name, mac: pod.mac, ...mtu, sandbox: pod.netns }],
    ips: attached.ips.map(({ cidr, gateway }) => ({
      ...(cniVersion.startsWith('0.') ? { version: cidr.includes(':') ? '6' : '4' } : {}),
      interface: POD_INDEX,
      address: cidr,
      ...(gateway === undefined ? {} : { gateway }),
    })),
    routes: attached.routes.map(({ dst, gw }) => ({ dst, gw })),
    ...(cniVersion.startsWith('0.') ? { dns: {} } : {}),
  };
}
