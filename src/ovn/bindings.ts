import type { RowChange } from '../ovsdb/cache.ts';
import { createIndex } from '../ovsdb/table-index.ts';
import type { Row, Uuid } from '../ovsdb/values.ts';
import type { SbClient } from './database.ts';
import { type ChassisRow, type Port_BindingRow, SB } from './schema/sb.gen.ts';

/** Where a logical port is bound, by chassis name (which is the node's name). */
export type PortBinding = {
  readonly logicalPort: string;
  readonly chassis?: string;
  /** Further chassis that hold the port, as during migration. */
  readonly additionalChassis: readonly string[];
  /** The chassis that northd resolved from `requested-chassis`; absent while none of that name exists. */
  readonly requestedChassis?: string;
  readonly requestedAdditionalChassis: readonly string[];
  /** The main chassis has installed the port's flows. */
  readonly up: boolean;
  /** Additional chassis on which an activation strategy has opened the port. */
  readonly activated: readonly string[];
};

/** A chassis as its ovn-controller registered it. */
export type ChassisInfo = {
  readonly name: string;
  readonly hostname: string;
  readonly encaps: readonly { readonly type: string; readonly ip: string }[];
  /** What a packet of a pod may have on this node's uplink, in bytes, where the node tells it. */
  readonly mtu?: number;
  /** The interface of the node that its tunnels leave by, where the node tells it. */
  readonly uplink?: string;
};

/** The read side of the Southbound database. */
export type Bindings = {
  findPortBinding(logicalPort: string): PortBinding | undefined;
  listChassis(): ChassisInfo[];
  /** False while the database cannot be reached: what is known then is what was true before. */
  isLive(): boolean;
  /** Called whenever the database is there again. */
  onLive(listener: () => void): () => void;
  /** Called with the names of the logical ports whose binding changed, came or went, once per server update. */
  onPortChange(listener: (logicalPorts: ReadonlySet<string>) => void): () => void;
  onChassisChange(listener: () => void): () => void;
  /** Resolves when a whole state of the database is known; rejects with the signal's reason. */
  whenLive(signal: AbortSignal): Promise<void>;
};

/** Option of Port_Binding, written by ovn-controller: chassis names, comma-separated (ovn-sb(5)). */
const ACTIVATED_OPTION = 'additional-chassis-activated';

/** Reads bindings from the Southbound replica. */
export function createBindings(sb: SbClient): Bindings {
  const byName = createIndex(sb.client, SB.Port_Binding.name, (row) => nameOf(row));
  const chassis = (uuid: Uuid | undefined): string | undefined =>
    uuid === undefined ? undefined : sb.rows(SB.Chassis).get(uuid)?.name;
  const chassisList = (uuids: readonly Uuid[]): string[] => uuids.flatMap((uuid) => chassis(uuid) ?? []).sort();
  return {
    findPortBinding: (logicalPort) => {
      const row = byName.get(logicalPort)[0] as Port_BindingRow | undefined;
      if (row === undefined) return undefined;
      const bound = chassis(row.chassis);
      const requested = chassis(row.requested_chassis);
      return {
        logicalPort,
        ...(bound === undefined ? {} : { chassis: bound }),
        additionalChassis: chassisList(row.additional_chassis),
        ...(requested === undefined ? {} : { requestedChassis: requested }),
        requestedAdditionalChassis: chassisList(row.requested_additional_chassis),
        up: row.up === true,
        activated: splitNames(row.options.get(ACTIVATED_OPTION)),
      };
    },
    isLive: () => sb.client.state === 'live',
    onLive: (listener) =>
      sb.client.onState(({ state }) => {
        if (state === 'live') listener();
      }),
    listChassis: () => [...sb.rows(SB.Chassis).values()].map((row) => formatChassis(sb, row)).sort(byChassisName),
    onPortChange: (listener) =>
      sb.client.onChange((changes) => {
        const names = listChangedPorts(sb, changes);
        if (names.size > 0) listener(names);
      }),
    onChassisChange: (listener) =>
      sb.client.onChange((changes) => {
        if (changes.some((change) => change.table === SB.Chassis.name)) listener();
      }),
    whenLive: (signal) => sb.client.whenLive(signal),
  };
}

function nameOf(row: Row | undefined): string | undefined {
  const name = row?.logical_port;
  return typeof name === 'string' ? name : undefined;
}

/** Ports whose own row changed, and those on a chassis that was renamed under them. */
function listChangedPorts(sb: SbClient, changes: readonly RowChange[]): Set<string> {
  const ports = changes
    .filter((change) => change.table === SB.Port_Binding.name)
    .flatMap((change) => [nameOf(change.old) ?? [], nameOf(change.new) ?? []].flat());
  const renamed = changes.filter((change) => change.table === SB.Chassis.name && change.old?.name !== change.new?.name);
  const moved = renamed.length === 0 ? [] : listPortsOn(sb, new Set(renamed.map((change) => change.uuid)));
  return new Set([...ports, ...moved]);
}

function listPortsOn(sb: SbClient, chassis: ReadonlySet<Uuid>): string[] {
  return [...sb.rows(SB.Port_Binding).values()]
    .filter((row) => [row.chassis, ...row.additional_chassis].some((uuid) => uuid !== undefined && chassis.has(uuid)))
    .map((row) => row.logical_port);
}

function splitNames(text: string | undefined): string[] {
  return (text ?? '').split(',').filter((name) => name !== '');
}

function formatChassis(sb: SbClient, row: ChassisRow): ChassisInfo {
  const encaps = row.encaps.flatMap((uuid) => {
    const encap = sb.rows(SB.Encap).get(uuid);
    return encap === undefined ? [] : [{ type: encap.type, ip: encap.ip }];
  });
  const told = row.other_config.get(CMS_OPTIONS) ?? '';
  const [mtu, uplink] = [parseMtu(told), parseOption(told, UPLINK_OPTION)];
  return {
    name: row.name,
    hostname: row.hostname,
    encaps,
    ...(mtu === undefined ? {} : { mtu }),
    ...(uplink === undefined ? {} : { uplink }),
  };
}

/** ovn-controller(8): a list for the management system, from the chassis' own `external_ids`, which we fill. */
const CMS_OPTIONS = 'ovn-cms-options';
const MTU_OPTION = /^mooring-mtu=([1-9][0-9]{2,4})$/;

/** Linux names of interfaces have at most 15 bytes. */
const UPLINK_OPTION = /^mooring-uplink=([A-Za-z0-9._-]{1,15})$/;

const parseOption = (options: string, pattern: RegExp): string | undefined =>
  splitNames(options).flatMap((option) => pattern.exec(option.trim())?.[1] ?? [])[0];

function parseMtu(options: string): number | undefined {
  const mtu = parseOption(options, MTU_OPTION);
  return mtu === undefined || Number(mtu) > 65_535 ? undefined : Number(mtu);
}

function byChassisName(a: ChassisInfo, b: ChassisInfo): number {
  return a.name < b.name ? -1 : 1;
}
