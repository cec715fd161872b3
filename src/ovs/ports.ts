import {
  insertOp,
  type Mutation,
  mutateOp,
  namedUuid,
  type Operation,
  updateOp,
  uuidRef,
  whereUuid,
  wireMap,
  wireSet,
} from '../ovsdb/operations.ts';
import { encodeColumns } from '../ovsdb/typed.ts';
import { equalValues } from '../ovsdb/values.ts';
import type { Ids, OvsClient } from './database.ts';
import { findByIfaceId } from './find.ts';
import { IFACE_ID, IFACE_ID_VER, KIND, OVN_PREFIX, type PortKind, TRANSIENT } from './keys.ts';
import { OvsProblem } from './problems.ts';
import { type BridgeRow, type InterfaceRow, type PortRow, VSWITCH } from './schema/vswitch.gen.ts';

/** One OVS port with its one interface of the same name. */
export type WantedPort = {
  readonly bridge: string;
  readonly name: string;
  readonly kind: PortKind;
  /** `internal` makes the network device, '' takes one that exists. Default ''. */
  readonly type?: '' | 'internal';
  readonly mac?: string;
  readonly mtuRequest?: number;
  /** Must hold `iface-id`. The keys that ovn-controller writes stay as they are. */
  readonly externalIds: Ids;
  /** The port goes when the node boots. Default true. */
  readonly transient?: boolean;
};

/**
 * Makes the port exist as wanted, in one transaction; no operation when it already does. Any other interface on this node
 * with the same `iface-id` is an older sandbox's and goes. Throws OvsProblem `bridge-missing`, or `port-taken` when a port
 * of this name is not ours.
 */
export function ensurePortOps(ovs: OvsClient, wanted: WantedPort): Operation[] {
  const bridge = ovs.indexes.bridges.get(wanted.bridge)[0] as BridgeRow | undefined;
  if (bridge === undefined) throw new OvsProblem('bridge-missing', 'retry', `there is no bridge ${wanted.bridge}`);
  const evictions = findByIfaceId(ovs, wanted.externalIds.get(IFACE_ID) ?? '')
    .filter((other) => other.name !== wanted.name)
    .flatMap((other) => deletePortOps(ovs, other.name));
  return [...evictions, ...planPort(ovs, bridge, wanted)];
}

function planPort(ovs: OvsClient, bridge: BridgeRow, wanted: WantedPort): Operation[] {
  const port = ovs.indexes.ports.get(wanted.name)[0] as PortRow | undefined;
  if (port === undefined) return planInsert(bridge, wanted);
  const row = ovs.indexes.interfaces.get(wanted.name)[0] as InterfaceRow | undefined;
  if (row === undefined || !row.external_ids.has(KIND)) {
    throw new OvsProblem('port-taken', 'terminal', `a port ${wanted.name} exists that is not ours`);
  }
  if (!bridge.ports.includes(port._uuid)) return [...deletePortOps(ovs, wanted.name), ...planInsert(bridge, wanted)];
  return [...planInterfaceUpdate(row, wanted), ...planPortUpdate(port, wanted)];
}

function planInsert(bridge: BridgeRow, wanted: WantedPort): Operation[] {
  const { Bridge, Interface, Port } = VSWITCH;
  const suffix = Buffer.from(wanted.name).toString('hex');
  const [interfaceName, portName] = [`interface_${suffix}`, `port_${suffix}`];
  const columns = { name: wanted.name, ...interfaceColumns(wanted), external_ids: formatIds(wanted) };
  const port = { name: wanted.name, interfaces: [interfaceName], other_config: formatPortConfig(wanted) };
  return [
    insertOp(Interface.name, encodeColumns(Interface, columns), { uuidName: interfaceName }),
    insertOp(Port.name, encodeColumns(Port, port), { uuidName: portName }),
    mutateOp(Bridge.name, whereUuid(bridge._uuid), [['ports', 'insert', wireSet([namedUuid(portName)])]]),
  ];
}

function interfaceColumns(wanted: WantedPort) {
  return {
    type: wanted.type ?? '',
    mac: wanted.mac,
    mtu_request: wanted.mtuRequest === undefined ? undefined : BigInt(wanted.mtuRequest),
  };
}

function formatIds(wanted: WantedPort): Ids {
  return new Map([...wanted.externalIds, [KIND, wanted.kind]]);
}

function formatPortConfig(wanted: WantedPort): Ids {
  return new Map(wanted.transient === false ? [] : [[TRANSIENT, 'true']]);
}

function planInterfaceUpdate(row: InterfaceRow, wanted: WantedPort): Operation[] {
  const { Interface } = VSWITCH;
  const columns = Object.entries(interfaceColumns(wanted)).filter(
    ([column, value]) => !equalValues(row[column as keyof InterfaceRow], value),
  );
  const where = whereUuid(row._uuid);
  const mutations = planIdMutations(row.external_ids, formatIds(wanted));
  return [
    ...(columns.length === 0
      ? []
      : [updateOp(Interface.name, where, encodeColumns(Interface, Object.fromEntries(columns)))]),
    ...(mutations.length === 0 ? [] : [mutateOp(Interface.name, where, mutations)]),
  ];
}

/** What ovn-controller marks stays; but another `iface-id` makes its marks void, so that none is taken for a new one. */
function planIdMutations(old: Ids, wanted: Ids): Mutation[] {
  const rebound = [IFACE_ID, IFACE_ID_VER].some((key) => old.get(key) !== wanted.get(key));
  const isKept = (key: string): boolean => key.startsWith(OVN_PREFIX) && !rebound;
  const changed = [...wanted].filter(([key, value]) => old.get(key) !== value);
  const stale = [...old.keys()].filter((key) => old.get(key) !== wanted.get(key) && !isKept(key));
  return [
    ...(stale.length === 0 ? [] : [['external_ids', 'delete', wireSet(stale)] as const]),
    ...(changed.length === 0 ? [] : [['external_ids', 'insert', wireMap(changed)] as const]),
  ];
}

function planPortUpdate(port: PortRow, wanted: WantedPort): Operation[] {
  const { Port } = VSWITCH;
  const other_config = formatPortConfig(wanted);
  if (equalValues(port.other_config, other_config)) return [];
  return [updateOp(Port.name, whereUuid(port._uuid), encodeColumns(Port, { other_config }))];
}

/** Removes the port of this name from its bridge; no operation when there is none. Throws OvsProblem `port-taken`. */
export function deletePortOps(ovs: OvsClient, name: string): Operation[] {
  const port = ovs.indexes.ports.get(name)[0] as PortRow | undefined;
  if (port === undefined) return [];
  const row = ovs.indexes.interfaces.get(name)[0] as InterfaceRow | undefined;
  if (row?.external_ids.has(KIND) !== true) {
    throw new OvsProblem('port-taken', 'terminal', `the port ${name} is not ours`);
  }
  return ovs.indexes.bridgeOf
    .get(port._uuid)
    .map(({ _uuid }) =>
      mutateOp(VSWITCH.Bridge.name, whereUuid(_uuid), [['ports', 'delete', wireSet([uuidRef(port._uuid)])]]),
    );
}
