import { NIC_MODELS, type NicModel } from '../../../../src/api/nic-devices.ts';
import type { GuestNic } from '../../guest/guest.ts';
import type { Qmp } from '../../guest/qmp.ts';
import { deriveLinkNames } from '../names.ts';
import type { Interface, VmiSpec } from '../objects.ts';
import type { Device, NicPlan } from './record.ts';

/** KubeVirt's limit (pkg/virt-launcher/virtwrap/converter/network). */
const MAX_QUEUES = 256;

/** The device that KubeVirt makes of a NIC of the VMI, with the model that `findModel` has for it. */
export function deriveDevice(nic: Interface, spec: VmiSpec, model: NicModel): Device {
  const queues = model === 'virtio' ? countQueues(spec) : undefined;
  return {
    ...(model === 'virtio' ? {} : { model }),
    ...(queues === undefined ? {} : { queues }),
    ...(nic.state === 'down' ? { linkDown: true } : {}),
  };
}

/** One pair of queues for each CPU where the VMI asks for it; undefined where it does not. */
function countQueues({ domain }: VmiSpec): number | undefined {
  if (domain.devices.networkInterfaceMultiqueue !== true) return undefined;
  const { cores = 1, sockets = 1, threads = 1 } = domain.cpu ?? {};
  return Math.min(cores * sockets * threads, MAX_QUEUES);
}

/** A model that KubeVirt's QEMU has, by its word in the VMI or in the domain, which has several for virtio. */
export function findModel(text: string): NicModel | undefined {
  return text.startsWith('virtio-') ? 'virtio' : NIC_MODELS.find((one) => one === text);
}

/** What QEMU is started with for a NIC. */
export function deriveGuestNic(nic: NicPlan): GuestNic & { slot: number } {
  const { model, queues, mtu = nic.mtu } = nic.device ?? {};
  return {
    ...{ tap: deriveLinkNames(nic.podInterface, nic.primary).tap, mac: nic.mac, mtu, slot: nic.index },
    ...(model === undefined ? {} : { model }),
    ...(queues === undefined ? {} : { queues }),
  };
}

/** The NIC with its link as it is now. */
export function withLink(nic: NicPlan, linkDown: boolean): NicPlan {
  return { ...nic, device: { ...nic.device, linkDown } };
}

export const isLinkDown = ({ device }: NicPlan): boolean => device?.linkDown === true;

/** As libvirt does for `<link state>`: of the NIC's own half, the tap is left alone. */
export async function setLink(qmp: Qmp, { index }: NicPlan, down: boolean): Promise<void> {
  await qmp.execute('set_link', { name: `nic${index}`, up: !down });
}

/** QEMU starts with every link up: those that are to be down are put down before the guest looks. */
export async function takeLinksDown(qmp: Qmp, nics: readonly NicPlan[]): Promise<void> {
  for (const nic of nics.filter((one) => one.plugged !== false && isLinkDown(one))) await setLink(qmp, nic, true);
}
