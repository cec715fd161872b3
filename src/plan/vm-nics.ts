import { formatLauncherInterface } from '../api/names.ts';
import type { VmInterface, VmiSpec, VmNetwork } from '../api/objects.ts';
import type { LogicalPortSpec } from '../api/types.gen.ts';

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

const PRIMARY_INTERFACE = 'eth0';
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
 * KubeVirt gives it by default (`SetDefaultNetworkInterface`); a NIC without its network is no NIC.
 */
export function listVmNics(spec: VmiSpec | undefined): VmNic[] {
  const { interfaces = [], autoattachPodInterface } = spec?.domain?.devices ?? {};
  const networks = spec?.networks ?? [];
  const isBare = interfaces.length === 0 && networks.length === 0;
  if (isBare) return autoattachPodInterface === false ? [] : [DEFAULT_NIC];
  return interfaces.flatMap((nic) => {
    const network = networks.find((candidate) => candidate.name === nic.name);
    return network === undefined ? [] : (describeNic(nic, network) ?? []);
  });
}

function describeNic(nic: VmInterface, network: VmNetwork): VmNic | undefined {
  const reference = network.multus?.networkName;
  if (reference === undefined && network.pod === undefined) return undefined;
  const isPrimary = network.pod !== undefined || network.multus?.default === true;
  const binding = deriveBinding(nic);
  return {
    name: nic.name,
    interface: isPrimary ? PRIMARY_INTERFACE : formatLauncherInterface(network.name),
    network: reference === undefined ? { kind: 'pod' } : { kind: 'nad', reference },
    ...(nic.macAddress ? { mac: nic.macAddress } : {}),
    ...(binding === undefined ? {} : { binding }),
    absent: nic.state === 'absent',
  };
}

function deriveBinding(nic: VmInterface): VmNic['binding'] {
  if (nic.bridge !== undefined) return 'bridge';
  if (nic.masquerade !== undefined) return 'masquerade';
  return nic.binding?.name?.toLowerCase() === 'managedtap' ? 'managedTap' : undefined;
}
