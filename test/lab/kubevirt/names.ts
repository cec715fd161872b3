import { createHash } from 'node:crypto';

/** Namespace of KubeVirt's own pods and of its CR. */
export const NAMESPACE = 'kubevirt';

/** Links of one VM NIC inside the launcher's netns (KubeVirt pkg/network/link/names.go, pkg/network/namescheme). */
export type LinkNames = { pod: string; nic: string; bridge: string; tap: string; dummyPeer: string };

const HASH_LENGTH = 11;
const LABEL_LIMIT = 63;
const IFNAME_LIMIT = 15;

/** Name of the pod interface of a secondary network: `pod` and the first 11 hex digits of SHA-256 of the network's name. */
export function formatPodInterface(network: string): string {
  return `pod${createHash('sha256').update(network).digest('hex').slice(0, HASH_LENGTH)}`;
}

/** The links that KubeVirt makes of a pod interface. The dummy's peer exists only where a veth end stands in for it. */
export function deriveLinkNames(podInterface: string, primary: boolean): LinkNames {
  const base = podInterface.startsWith('pod') && !primary ? podInterface.slice(3) : podInterface;
  return {
    pod: podInterface,
    nic: `${base}-nic`,
    bridge: `k6t-${base}`,
    tap: primary ? 'tap0' : `tap${base}`,
    dummyPeer: `d${podInterface}`.slice(0, IFNAME_LIMIT - 2),
  };
}

/** Value of label `vmi.kubevirt.io/id`: the VMI's name, cut and closed with a digest when it is too long for a label. */
export function formatVmiId(name: string): string {
  if (name.length <= LABEL_LIMIT) return name;
  return `${name.slice(0, 54)}-${createHash('sha1').update(name).digest('hex').slice(0, 8)}`;
}

/** The launcher's host name: what the VMI asks for, else the first part of its name. */
export function formatHostname(name: string, asked: string | undefined): string {
  return asked ?? (name.split('.')[0] ?? name).slice(0, LABEL_LIMIT);
}
