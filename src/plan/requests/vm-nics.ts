import { formatLauncherInterface } from '../../api/names.ts';
import type { VmInterface, VmiSpec, VmNetwork } from '../../api/objects.ts';
import type { LogicalPortSpec } from '../../api/types.gen.ts';
import { PRIMARY_INTERFACE } from './types.ts';

/** One NIC as a VM's or VMI's spec has it. */
export type VmNic = {
  readonly name: string;
  /** Interface of the launcher pod that carries it. */
  readonly interface: string;
  /** The pod network, or the NAD as it was typed. */
  readonly network: { readonly kind: 'pod' } | { readonly kind: 'nad'; readonly reference: string };
  readonly mac?: string;
  readonly binding?: NonNullable<LogicalPortSpec['binding']>;
  /** `state: absent`: on its way out. */
  readonly absent: boolean;
};

/** KubeVirt itself has fewer slots on a guest's bus. */
const MAX_NICS = 64;
const DEFAULT_NIC: VmNic = {
  name: 'default',
  interface: PRIMARY_INTERFACE,
  network: { kind: 'pod' },
  binding: 'bridge',
  absent: false,
};

/**
 * The NICs of a spec, each with the name of its launcher interface: `eth0` for the pod network and for
 * `multus.default`, else the hash of KubeVirt's naming scheme. A spec without interfaces and networks gets the NIC that
 * KubeVirt gives it by default (`SetDefaultNetworkInterface`); a NIC without its network is no NIC. The schema of a VM's
 * template checks nothing: what is not of its type is not there.
 */
export function listVmNics(spec: VmiSpec | undefined): VmNic[] {
  const devices = spec?.domain?.devices;
  const interfaces = listNamed<VmInterface>(devices?.interfaces);
  const networks = listNamed<VmNetwork>(spec?.networks);
  const isBare = interfaces.length === 0 && networks.length === 0;
  if (isBare) return devices?.autoattachPodInterface === false ? [] : [DEFAULT_NIC];
  const byName = new Map(networks.toReversed().map((network) => [network.name, network]));
  return interfaces.slice(0, MAX_NICS).flatMap((nic) => {
    const network = byName.get(nic.name);
    return network === undefined ? [] : (describeNic(nic, network) ?? []);
  });
}

function listNamed<T extends { name: string }>(value: readonly T[] | null | undefined): readonly T[] {
  return Array.isArray(value)
    ? (value as (T | null)[]).flatMap((item) => (typeof item?.name === 'string' ? item : []))
    : [];
}

function describeNic(nic: VmInterface, network: VmNetwork): VmNic | undefined {
  const reference = asText(network.multus?.networkName);
  if (reference === undefined && !network.pod) return undefined;
  const isPrimary = Boolean(network.pod) || network.multus?.default === true;
  const binding = deriveBinding(nic);
  const mac = asText(nic.macAddress);
  return {
    name: nic.name,
    interface: isPrimary ? PRIMARY_INTERFACE : formatLauncherInterface(network.name),
    network: reference === undefined ? { kind: 'pod' } : { kind: 'nad', reference },
    ...(mac === undefined ? {} : { mac }),
    ...(binding === undefined ? {} : { binding }),
    absent: nic.state === 'absent',
  };
}

const asText = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

function deriveBinding(nic: VmInterface): VmNic['binding'] {
  if (nic.bridge) return 'bridge';
  if (nic.masquerade) return 'masquerade';
  return asText(nic.binding?.name)?.toLowerCase() === 'managedtap' ? 'managedTap' : undefined;
}
