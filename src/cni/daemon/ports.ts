/** A port of ours as the local OVS database has it now. Texts are empty where the row does not say. */
export type OvsPort = {
  readonly name: string;
  readonly ifaceId: string;
  readonly ifaceIdVer: string;
  readonly containerId: string;
  readonly ifname: string;
  readonly pod: { readonly namespace: string; readonly name: string; readonly uid: string };
  /** ovn-controller has installed the port's flows. */
  readonly installed: boolean;
  /** What ovs-vswitchd could not do with it. */
  readonly error: string | undefined;
  /** Kernel index of the device, undefined until there is one. */
  readonly ifIndex: number | undefined;
  /** Its number in the bridge; none until ovs-vswitchd has taken it. */
  readonly ofport?: number | undefined;
};

/** A pod's port as it should be. */
export type WantedPort = {
  readonly name: string;
  readonly ifaceId: string;
  readonly ifaceIdVer: string;
  readonly containerId: string;
  readonly ifname: string;
  readonly mac: string;
  readonly ips: readonly string[];
  readonly pod: { readonly namespace: string; readonly name: string; readonly uid: string };
};

/** A port of the node itself, made by OVS. */
export type WantedNodePort = {
  readonly name: string;
  readonly ifaceId: string;
  readonly mac: string;
  readonly mtu: number;
};

/** The integration bridge. */
export type Bridge = {
  /** `system`, or `netdev` for the userspace datapath, which wants checksums done by the sender. */
  readonly datapath: string;
};

/** The node's ports in the local OVS database: a live view, and single transactions. */
export type Ports = {
  /** The view holds a whole state of the database, now. */
  isLive(): boolean;
  findBridge(): Bridge | undefined;
  /** Every pod port of ours, on the bridge. */
  list(): readonly OvsPort[];
  /** Any port with this name, a node port too. */
  find(name: string): OvsPort | undefined;
  /** Addresses that OVN on this node depends on: ends of its tunnels, the central databases. */
  listPeers(): readonly string[];
  onChange(listener: () => void): () => void;
  /**
   * One transaction: the port is there as wanted and no other port of the bridge claims its iface-id any more.
   * Gives the names of the ports that had to go.
   */
  ensurePod(port: WantedPort, signal: AbortSignal): Promise<readonly string[]>;
  /** One transaction for all; nothing is written when all are as wanted. */
  ensureNode(ports: readonly WantedNodePort[], signal: AbortSignal): Promise<void>;
  /** Removes those of the ports that are there. */
  remove(names: readonly string[], signal?: AbortSignal): Promise<void>;
};
