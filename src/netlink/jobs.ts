import type { ConntrackEntry } from './conntrack-entry.ts';
import type { GateBinding, GateState } from './gate.ts';
import type { Link } from './links.ts';
import type { TravellingNeighbour } from './neighbour-travel.ts';
import type { NodeRules } from './node-rules.ts';
import type { RouteSpec } from './routes.ts';
import type { InterfaceSysctls } from './sysctl.ts';

/** What one job asks for; all of it survives `postMessage`. Addresses are `address/prefix`, MTU in bytes. */
export type AttachVeth = {
  kind: 'attachVeth';
  netnsPath: string;
  hostName: string;
  peerName: string;
  mac: string;
  hostMac?: string;
  mtu: number;
  addresses: readonly string[];
  routes: readonly RouteSpec[];
  /** Always true: a pod on the host network has no veth. Spelled out so that nobody passes the host's by accident. */
  expectHostNetnsDifferent: true;
  disableTxChecksum?: boolean;
  /** Kept by the kernel on the host end, for whoever has to find out whose it is. */
  alias?: string;
  /** Shut until the guest speaks: for the target of a migration. */
  gate?: { binding: GateBinding };
  /**
   * The pod's TCP tracker takes segments outside of the window that it knows. A migrated guest leaves a tracker that
   * sees one half of the connection; it would call the other half invalid, skip its NAT, and the pod's kernel would reset.
   * And it tells of every flow, also of those that began before anybody listened.
   */
  trackForMigration?: boolean;
  /** Announce the addresses once attached; never together with a gate. */
  announce?: boolean;
};
export type DetachVeth = { kind: 'detachVeth'; hostName: string };
export type CheckVeth = {
  kind: 'checkVeth';
  hostName: string;
  netnsPath?: string;
  peerName?: string;
  mac?: string;
  mtu?: number;
  addresses?: readonly string[];
  routes?: readonly RouteSpec[];
};
export type ListLinks = { kind: 'listLinks'; prefix?: string };
export type NodePort = {
  name: string;
  mac?: string;
  mtu: number;
  addresses: readonly string[];
  /** All that this port has: routes of ours that are not among them go. */
  routes: readonly RouteSpec[];
  /** The same, but only where they lead away from nothing: see `refused`. */
  yieldingRoutes?: readonly RouteSpec[];
  disableTxChecksum?: boolean;
  sysctls?: InterfaceSysctls;
};
/** Content of an IPv6 kind is left out on a node whose kernel has no IPv6, or has it switched off. */
export type ConfigureNodePorts = {
  kind: 'configureNodePorts';
  ports: readonly NodePort[];
  forwarding?: { ipv4?: boolean; ipv6?: boolean };
  rules?: NodeRules;
};
/** Makes one interface of a pod its way out, for the families of the gateways. */
export type MoveDefaultRoute = {
  kind: 'moveDefaultRoute';
  netnsPath: string;
  interface: string;
  gateways: readonly string[];
};
export type DeleteNodeRules = { kind: 'deleteNodeRules' };
export type EnsureGate = { kind: 'ensureGate'; netnsPath: string; interface: string; binding: GateBinding };
export type OpenGate = { kind: 'openGate'; netnsPath: string; interface: string; binding: GateBinding };
export type DeleteGate = { kind: 'deleteGate'; netnsPath: string; interface?: string };
export type GetGateState = { kind: 'getGateState'; netnsPath: string; interface: string };
export type Announce = {
  kind: 'announce';
  netnsPath: string;
  name: string;
  mac: string;
  ips: readonly string[];
  rarp?: boolean;
};
/** Reads at most `limit` tracked flows of a pod, both families; see ConntrackEntry for what is left out. */
export type DumpConntrack = { kind: 'dumpConntrack'; netnsPath: string; limit: number };
/** Listens to a pod's tracker until `endConntrackWatch`; the namespace lives so long. Open it before the dump. */
export type WatchConntrack = { kind: 'watchConntrack'; netnsPath: string };
/** The flows that changed since the watch was opened or read last, at most `limit`, as they are now. */
export type ReadConntrackChanges = { kind: 'readConntrackChanges'; watch: number; limit: number };
export type EndConntrackWatch = { kind: 'endConntrackWatch'; watch: number };
/**
 * Writes tracked flows into a pod's namespace; repeating it is harmless. What is there of the same flow is brought up to
 * date, what is in the way goes. With `gateInterface` (the pod interface) that holds while its gate is shut; once the guest
 * has spoken, or without a gate, this kernel knows better: only what is missing is added.
 */
export type LoadConntrack = {
  kind: 'loadConntrack';
  netnsPath: string;
  entries: readonly ConntrackEntry[];
  gateInterface?: string;
};
/** Reads whom a masquerading launcher knows on its pod interface and on its guest's bridge, as far as these are there. */
export type DumpNeighbours = { kind: 'dumpNeighbours'; netnsPath: string; interface: string };
/**
 * Tells a launcher's kernel whom another one knew there; repeating it is harmless and costs little. A link that is not
 * there, or down, is left for a later time. `interface` is the pod interface, whose gate says how much may be replaced.
 */
export type LoadNeighbours = {
  kind: 'loadNeighbours';
  netnsPath: string;
  interface: string;
  neighbours: readonly TravellingNeighbour[];
};
/** Ends what is left of children that have died and that nobody waits for. */
export type ReapChildren = { kind: 'reapChildren'; pids: readonly number[] };

export type Job =
  | AttachVeth
  | DetachVeth
  | CheckVeth
  | ListLinks
  | ConfigureNodePorts
  | DeleteNodeRules
  | MoveDefaultRoute
  | EnsureGate
  | OpenGate
  | DeleteGate
  | GetGateState
  | Announce
  | DumpConntrack
  | WatchConntrack
  | ReadConntrackChanges
  | EndConntrackWatch
  | LoadConntrack
  | DumpNeighbours
  | LoadNeighbours
  | ReapChildren;

/** What each kind of job answers. `netnsId` is `device:inode` of the namespace. */
export type Results = {
  attachVeth: { hostIfIndex: number; peerIfIndex: number; netnsId: string };
  detachVeth: { deleted: boolean };
  /** `mtu` is what the peer has, in bytes; none when there is no peer. */
  checkVeth: { problems: string[]; mtu?: number };
  listLinks: { links: Link[] };
  /** `refused`: destinations that the node has a route of its own to, which ours would have taken away. */
  configureNodePorts: { ports: { name: string; ifIndex: number }[]; refused: string[] };
  deleteNodeRules: Record<string, never>;
  moveDefaultRoute: Record<string, never>;
  ensureGate: { created: boolean };
  openGate: Record<string, never>;
  deleteGate: Record<string, never>;
  getGateState: { state: GateState | null };
  announce: Record<string, never>;
  /** `truncated`: there was more than `limit`. */
  dumpConntrack: { entries: ConntrackEntry[]; truncated: boolean };
  watchConntrack: { watch: number };
  /** `lost`: more has changed than could be kept; only a dump knows it all. */
  readConntrackChanges: { entries: ConntrackEntry[]; lost: boolean };
  endConntrackWatch: { ended: boolean };
  loadConntrack: { loaded: number; refused: number };
  dumpNeighbours: { neighbours: TravellingNeighbour[] };
  /** `written`: what was not yet as it should be; `refused` by the kernel, as when its table is full. */
  loadNeighbours: { written: number; refused: number };
  /** Those that had ended and were children of this process. */
  reapChildren: { reaped: number[] };
};
export type ResultOf<J extends Job> = Results[J['kind']];
