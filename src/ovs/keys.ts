/** `external_ids` of OVS interfaces that ovn-controller reads or writes (ovn-controller(8), ovn-architecture(7)). */
export const IFACE_ID = 'iface-id';
export const IFACE_ID_VER = 'iface-id-ver';
/** Written by ovn-controller: `true` once the port's flows are installed on this node. */
export const OVN_INSTALLED = 'ovn-installed';
/** All keys that ovn-controller writes begin so. */
export const OVN_PREFIX = 'ovn-';

/** Ours: what an interface is for and whose it is, so that DEL and the reaper need no API. */
export const KIND = 'mooring-kind';
export const SANDBOX = 'sandbox';
/** The interface's name inside the sandbox. */
export const POD_INTERFACE = 'pod-interface';
export const POD_NAMESPACE = 'pod-namespace';
export const POD_NAME = 'pod-name';
export const POD_UID = 'pod-uid';
export const ATTACHED_MAC = 'attached_mac';
export const IP_ADDRESS = 'ip_address';

/** `other_config` of ports that must not survive a reboot (ovs-ctl(8), --delete-transient-ports). */
export const TRANSIENT = 'transient';

/** A pod's port, or one of the node's own gateway ports. */
export type PortKind = 'pod' | 'node';
