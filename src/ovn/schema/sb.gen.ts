// Generated from ovn-sb.ovsschema (OVN_Southbound 20.41.0) by `make generate`. Do not edit.
import type { Table } from '../../ovsdb/typed.ts';
import type { ColumnType, Uuid } from '../../ovsdb/values.ts';

export const SB_DATABASE = 'OVN_Southbound';

type Rule = Partial<Pick<ColumnType, 'value' | 'min' | 'max' | 'ephemeral' | 'mutable'>>;
const column = (key: ColumnType['key'], rule: Rule = {}): ColumnType => ({
  key,
  min: 1,
  max: 1,
  ephemeral: false,
  mutable: true,
  ...rule,
});
const many = Number.POSITIVE_INFINITY;

export type ACL_IDRow = {
  readonly _uuid: Uuid;
  readonly id: bigint;
};

export const ACL_ID: Table<ACL_IDRow> = {
  name: 'ACL_ID',
  isRoot: true,
  indexes: [],
  maxRows: many,
  columns: {
    id: column({ type: 'integer', minInteger: 0n, maxInteger: 32767n }),
  },
};

export type Address_SetRow = {
  readonly _uuid: Uuid;
  readonly addresses: readonly string[];
  readonly name: string;
};

export const Address_Set: Table<Address_SetRow> = {
  name: 'Address_Set',
  isRoot: true,
  indexes: [['name']],
  maxRows: many,
  columns: {
    addresses: column({ type: 'string' }, { min: 0, max: many }),
    name: column({ type: 'string' }),
  },
};

export type Advertised_RouteRow = {
  readonly _uuid: Uuid;
  readonly datapath: Uuid;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly ip_prefix: string;
  readonly logical_port: Uuid;
  readonly tracked_port: Uuid | undefined;
};

export const Advertised_Route: Table<Advertised_RouteRow> = {
  name: 'Advertised_Route',
  isRoot: true,
  indexes: [['datapath', 'logical_port', 'ip_prefix', 'tracked_port']],
  maxRows: many,
  columns: {
    datapath: column({ type: 'uuid', refTable: 'Datapath_Binding', refType: 'strong' }),
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    ip_prefix: column({ type: 'string' }),
    logical_port: column({ type: 'uuid', refTable: 'Port_Binding', refType: 'strong' }),
    tracked_port: column({ type: 'uuid', refTable: 'Port_Binding', refType: 'strong' }, { min: 0 }),
  },
};

export type BFDRow = {
  readonly _uuid: Uuid;
  readonly chassis_name: string;
  readonly detect_mult: bigint;
  readonly disc: bigint;
  readonly dst_ip: string;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly logical_port: string;
  readonly min_rx: bigint;
  readonly min_tx: bigint;
  readonly options: ReadonlyMap<string, string>;
  readonly src_port: bigint;
  readonly status: string;
};

export const BFD: Table<BFDRow> = {
  name: 'BFD',
  isRoot: true,
  indexes: [['logical_port', 'dst_ip', 'src_port', 'disc']],
  maxRows: many,
  columns: {
    chassis_name: column({ type: 'string' }),
    detect_mult: column({ type: 'integer' }),
    disc: column({ type: 'integer' }),
    dst_ip: column({ type: 'string' }),
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    logical_port: column({ type: 'string' }),
    min_rx: column({ type: 'integer' }),
    min_tx: column({ type: 'integer' }),
    options: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    src_port: column({ type: 'integer', minInteger: 49152n, maxInteger: 65535n }),
    status: column({ type: 'string', enum: ['down', 'init', 'up', 'admin_down'] }),
  },
};

export type ChassisRow = {
  readonly _uuid: Uuid;
  readonly encaps: readonly Uuid[];
  readonly external_ids: ReadonlyMap<string, string>;
  readonly hostname: string;
  readonly name: string;
  readonly nb_cfg: bigint;
  readonly other_config: ReadonlyMap<string, string>;
  readonly transport_zones: readonly string[];
  readonly vtep_logical_switches: readonly string[];
};

export const Chassis: Table<ChassisRow> = {
  name: 'Chassis',
  isRoot: true,
  indexes: [['name']],
  maxRows: many,
  columns: {
    encaps: column({ type: 'uuid', refTable: 'Encap', refType: 'strong' }, { max: many }),
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    hostname: column({ type: 'string' }),
    name: column({ type: 'string' }),
    nb_cfg: column({ type: 'integer' }),
    other_config: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    transport_zones: column({ type: 'string' }, { min: 0, max: many }),
    vtep_logical_switches: column({ type: 'string' }, { min: 0, max: many }),
  },
};

export type Chassis_PrivateRow = {
  readonly _uuid: Uuid;
  readonly chassis: Uuid | undefined;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly name: string;
  readonly nb_cfg: bigint;
  readonly nb_cfg_timestamp: bigint;
};

export const Chassis_Private: Table<Chassis_PrivateRow> = {
  name: 'Chassis_Private',
  isRoot: true,
  indexes: [['name']],
  maxRows: many,
  columns: {
    chassis: column({ type: 'uuid', refTable: 'Chassis', refType: 'weak' }, { min: 0 }),
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    name: column({ type: 'string' }),
    nb_cfg: column({ type: 'integer' }),
    nb_cfg_timestamp: column({ type: 'integer' }),
  },
};

export type Chassis_Template_VarRow = {
  readonly _uuid: Uuid;
  readonly chassis: string;
  readonly variables: ReadonlyMap<string, string>;
};

export const Chassis_Template_Var: Table<Chassis_Template_VarRow> = {
  name: 'Chassis_Template_Var',
  isRoot: true,
  indexes: [['chassis']],
  maxRows: many,
  columns: {
    chassis: column({ type: 'string' }),
    variables: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
  },
};

export type ConnectionRow = {
  readonly _uuid: Uuid;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly inactivity_probe: bigint | undefined;
  readonly is_connected: boolean;
  readonly max_backoff: bigint | undefined;
  readonly other_config: ReadonlyMap<string, string>;
  readonly read_only: boolean;
  readonly role: string;
  readonly status: ReadonlyMap<string, string>;
  readonly target: string;
};

export const Connection: Table<ConnectionRow> = {
  name: 'Connection',
  isRoot: false,
  indexes: [['target']],
  maxRows: many,
  columns: {
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    inactivity_probe: column({ type: 'integer' }, { min: 0 }),
    is_connected: column({ type: 'boolean' }, { ephemeral: true }),
    max_backoff: column({ type: 'integer', minInteger: 1000n }, { min: 0 }),
    other_config: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    read_only: column({ type: 'boolean' }),
    role: column({ type: 'string' }),
    status: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many, ephemeral: true }),
    target: column({ type: 'string' }),
  },
};

export type Controller_EventRow = {
  readonly _uuid: Uuid;
  readonly chassis: Uuid | undefined;
  readonly event_info: ReadonlyMap<string, string>;
  readonly event_type: string;
  readonly seq_num: bigint;
};

export const Controller_Event: Table<Controller_EventRow> = {
  name: 'Controller_Event',
  isRoot: true,
  indexes: [],
  maxRows: many,
  columns: {
    chassis: column({ type: 'uuid', refTable: 'Chassis', refType: 'weak' }, { min: 0 }),
    event_info: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    event_type: column({ type: 'string', enum: ['empty_lb_backends'] }),
    seq_num: column({ type: 'integer' }),
  },
};

export type DHCP_OptionsRow = {
  readonly _uuid: Uuid;
  readonly code: bigint;
  readonly name: string;
  readonly type: string;
};

export const DHCP_Options: Table<DHCP_OptionsRow> = {
  name: 'DHCP_Options',
  isRoot: true,
  indexes: [],
  maxRows: many,
  columns: {
    code: column({ type: 'integer', minInteger: 0n, maxInteger: 254n }),
    name: column({ type: 'string' }),
    type: column({ type: 'string', enum: ['bool', 'uint8', 'uint16', 'uint32', 'ipv4', 'static_routes', 'str', 'host_id', 'domains'] }),
  },
};

export type DHCPv6_OptionsRow = {
  readonly _uuid: Uuid;
  readonly code: bigint;
  readonly name: string;
  readonly type: string;
};

export const DHCPv6_Options: Table<DHCPv6_OptionsRow> = {
  name: 'DHCPv6_Options',
  isRoot: true,
  indexes: [],
  maxRows: many,
  columns: {
    code: column({ type: 'integer', minInteger: 0n, maxInteger: 254n }),
    name: column({ type: 'string' }),
    type: column({ type: 'string', enum: ['ipv6', 'str', 'mac', 'domain'] }),
  },
};

export type DNSRow = {
  readonly _uuid: Uuid;
  readonly datapaths: readonly Uuid[];
  readonly external_ids: ReadonlyMap<string, string>;
  readonly options: ReadonlyMap<string, string>;
  readonly records: ReadonlyMap<string, string>;
};

export const DNS: Table<DNSRow> = {
  name: 'DNS',
  isRoot: true,
  indexes: [],
  maxRows: many,
  columns: {
    datapaths: column({ type: 'uuid', refTable: 'Datapath_Binding', refType: 'strong' }, { max: many }),
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    options: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    records: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
  },
};

export type Datapath_BindingRow = {
  readonly _uuid: Uuid;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly load_balancers: readonly Uuid[];
  readonly tunnel_key: bigint;
};

export const Datapath_Binding: Table<Datapath_BindingRow> = {
  name: 'Datapath_Binding',
  isRoot: true,
  indexes: [['tunnel_key']],
  maxRows: many,
  columns: {
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    load_balancers: column({ type: 'uuid' }, { min: 0, max: many }),
    tunnel_key: column({ type: 'integer', minInteger: 1n, maxInteger: 16777215n }),
  },
};

export type ECMP_NexthopRow = {
  readonly _uuid: Uuid;
  readonly datapath: Uuid;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly mac: string;
  readonly nexthop: string;
  readonly port: Uuid;
};

export const ECMP_Nexthop: Table<ECMP_NexthopRow> = {
  name: 'ECMP_Nexthop',
  isRoot: true,
  indexes: [['nexthop', 'port']],
  maxRows: many,
  columns: {
    datapath: column({ type: 'uuid', refTable: 'Datapath_Binding', refType: 'strong' }),
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    mac: column({ type: 'string' }),
    nexthop: column({ type: 'string' }),
    port: column({ type: 'uuid', refTable: 'Port_Binding', refType: 'strong' }),
  },
};

export type EncapRow = {
  readonly _uuid: Uuid;
  readonly chassis_name: string;
  readonly ip: string;
  readonly options: ReadonlyMap<string, string>;
  readonly type: string;
};

export const Encap: Table<EncapRow> = {
  name: 'Encap',
  isRoot: false,
  indexes: [['type', 'ip']],
  maxRows: many,
  columns: {
    chassis_name: column({ type: 'string' }),
    ip: column({ type: 'string' }),
    options: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    type: column({ type: 'string', enum: ['geneve', 'stt', 'vxlan'] }),
  },
};

export type FDBRow = {
  readonly _uuid: Uuid;
  readonly dp_key: bigint;
  readonly mac: string;
  readonly port_key: bigint;
  readonly timestamp: bigint;
};

export const FDB: Table<FDBRow> = {
  name: 'FDB',
  isRoot: true,
  indexes: [['mac', 'dp_key']],
  maxRows: many,
  columns: {
    dp_key: column({ type: 'integer', minInteger: 1n, maxInteger: 16777215n }),
    mac: column({ type: 'string' }),
    port_key: column({ type: 'integer', minInteger: 1n, maxInteger: 16777215n }),
    timestamp: column({ type: 'integer' }),
  },
};

export type Gateway_ChassisRow = {
  readonly _uuid: Uuid;
  readonly chassis: Uuid | undefined;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly name: string;
  readonly options: ReadonlyMap<string, string>;
  readonly priority: bigint;
};

export const Gateway_Chassis: Table<Gateway_ChassisRow> = {
  name: 'Gateway_Chassis',
  isRoot: false,
  indexes: [['name']],
  maxRows: many,
  columns: {
    chassis: column({ type: 'uuid', refTable: 'Chassis', refType: 'weak' }, { min: 0 }),
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    name: column({ type: 'string' }),
    options: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    priority: column({ type: 'integer', minInteger: 0n, maxInteger: 32767n }),
  },
};

export type HA_ChassisRow = {
  readonly _uuid: Uuid;
  readonly chassis: Uuid | undefined;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly priority: bigint;
};

export const HA_Chassis: Table<HA_ChassisRow> = {
  name: 'HA_Chassis',
  isRoot: false,
  indexes: [],
  maxRows: many,
  columns: {
    chassis: column({ type: 'uuid', refTable: 'Chassis', refType: 'weak' }, { min: 0 }),
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    priority: column({ type: 'integer', minInteger: 0n, maxInteger: 32767n }),
  },
};

export type HA_Chassis_GroupRow = {
  readonly _uuid: Uuid;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly ha_chassis: readonly Uuid[];
  readonly name: string;
  readonly ref_chassis: readonly Uuid[];
};

export const HA_Chassis_Group: Table<HA_Chassis_GroupRow> = {
  name: 'HA_Chassis_Group',
  isRoot: true,
  indexes: [['name']],
  maxRows: many,
  columns: {
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    ha_chassis: column({ type: 'uuid', refTable: 'HA_Chassis', refType: 'strong' }, { min: 0, max: many }),
    name: column({ type: 'string' }),
    ref_chassis: column({ type: 'uuid', refTable: 'Chassis', refType: 'weak' }, { min: 0, max: many }),
  },
};

export type IGMP_GroupRow = {
  readonly _uuid: Uuid;
  readonly address: string;
  readonly chassis: Uuid | undefined;
  readonly chassis_name: string;
  readonly datapath: Uuid | undefined;
  readonly ports: readonly Uuid[];
  readonly protocol: string;
};

export const IGMP_Group: Table<IGMP_GroupRow> = {
  name: 'IGMP_Group',
  isRoot: true,
  indexes: [['address', 'datapath', 'chassis']],
  maxRows: many,
  columns: {
    address: column({ type: 'string' }),
    chassis: column({ type: 'uuid', refTable: 'Chassis', refType: 'weak' }, { min: 0 }),
    chassis_name: column({ type: 'string' }),
    datapath: column({ type: 'uuid', refTable: 'Datapath_Binding', refType: 'weak' }, { min: 0 }),
    ports: column({ type: 'uuid', refTable: 'Port_Binding', refType: 'weak' }, { min: 0, max: many }),
    protocol: column({ type: 'string' }),
  },
};

export type IP_MulticastRow = {
  readonly _uuid: Uuid;
  readonly datapath: Uuid;
  readonly enabled: boolean | undefined;
  readonly eth_src: string;
  readonly idle_timeout: bigint | undefined;
  readonly ip4_src: string;
  readonly ip6_src: string;
  readonly querier: boolean | undefined;
  readonly query_interval: bigint | undefined;
  readonly query_max_resp: bigint | undefined;
  readonly seq_no: bigint;
  readonly table_size: bigint | undefined;
};

export const IP_Multicast: Table<IP_MulticastRow> = {
  name: 'IP_Multicast',
  isRoot: true,
  indexes: [['datapath']],
  maxRows: many,
  columns: {
    datapath: column({ type: 'uuid', refTable: 'Datapath_Binding', refType: 'weak' }),
    enabled: column({ type: 'boolean' }, { min: 0 }),
    eth_src: column({ type: 'string' }),
    idle_timeout: column({ type: 'integer' }, { min: 0 }),
    ip4_src: column({ type: 'string' }),
    ip6_src: column({ type: 'string' }),
    querier: column({ type: 'boolean' }, { min: 0 }),
    query_interval: column({ type: 'integer' }, { min: 0 }),
    query_max_resp: column({ type: 'integer' }, { min: 0 }),
    seq_no: column({ type: 'integer' }),
    table_size: column({ type: 'integer' }, { min: 0 }),
  },
};

export type Learned_RouteRow = {
  readonly _uuid: Uuid;
  readonly datapath: Uuid;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly ip_prefix: string;
  readonly logical_port: Uuid;
  readonly nexthop: string;
};

export const Learned_Route: Table<Learned_RouteRow> = {
  name: 'Learned_Route',
  isRoot: true,
  indexes: [['datapath', 'logical_port', 'ip_prefix', 'nexthop']],
  maxRows: many,
  columns: {
    datapath: column({ type: 'uuid', refTable: 'Datapath_Binding', refType: 'strong' }),
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    ip_prefix: column({ type: 'string' }),
    logical_port: column({ type: 'uuid', refTable: 'Port_Binding', refType: 'strong' }),
    nexthop: column({ type: 'string' }),
  },
};

export type Load_BalancerRow = {
  readonly _uuid: Uuid;
  readonly datapath_group: Uuid | undefined;
  readonly datapaths: readonly Uuid[];
  readonly external_ids: ReadonlyMap<string, string>;
  readonly lr_datapath_group: Uuid | undefined;
  readonly ls_datapath_group: Uuid | undefined;
  readonly name: string;
  readonly options: ReadonlyMap<string, string>;
  readonly protocol: string | undefined;
  readonly vips: ReadonlyMap<string, string>;
};

export const Load_Balancer: Table<Load_BalancerRow> = {
  name: 'Load_Balancer',
  isRoot: true,
  indexes: [],
  maxRows: many,
  columns: {
    datapath_group: column({ type: 'uuid', refTable: 'Logical_DP_Group', refType: 'strong' }, { min: 0 }),
    datapaths: column({ type: 'uuid', refTable: 'Datapath_Binding', refType: 'strong' }, { min: 0, max: many }),
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    lr_datapath_group: column({ type: 'uuid', refTable: 'Logical_DP_Group', refType: 'strong' }, { min: 0 }),
    ls_datapath_group: column({ type: 'uuid', refTable: 'Logical_DP_Group', refType: 'strong' }, { min: 0 }),
    name: column({ type: 'string' }),
    options: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    protocol: column({ type: 'string', enum: ['tcp', 'udp', 'sctp'] }, { min: 0 }),
    vips: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
  },
};

export type Logical_DP_GroupRow = {
  readonly _uuid: Uuid;
  readonly datapaths: readonly Uuid[];
};

export const Logical_DP_Group: Table<Logical_DP_GroupRow> = {
  name: 'Logical_DP_Group',
  isRoot: false,
  indexes: [],
  maxRows: many,
  columns: {
    datapaths: column({ type: 'uuid', refTable: 'Datapath_Binding', refType: 'weak' }, { min: 0, max: many }),
  },
};

export type Logical_FlowRow = {
  readonly _uuid: Uuid;
  readonly actions: string;
  readonly controller_meter: string | undefined;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly flow_desc: string | undefined;
  readonly logical_datapath: Uuid | undefined;
  readonly logical_dp_group: Uuid | undefined;
  readonly match: string;
  readonly pipeline: string;
  readonly priority: bigint;
  readonly table_id: bigint;
  readonly tags: ReadonlyMap<string, string>;
};

export const Logical_Flow: Table<Logical_FlowRow> = {
  name: 'Logical_Flow',
  isRoot: true,
  indexes: [],
  maxRows: many,
  columns: {
    actions: column({ type: 'string' }),
    controller_meter: column({ type: 'string' }, { min: 0 }),
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    flow_desc: column({ type: 'string' }, { min: 0 }),
    logical_datapath: column({ type: 'uuid', refTable: 'Datapath_Binding', refType: 'strong' }, { min: 0 }),
    logical_dp_group: column({ type: 'uuid', refTable: 'Logical_DP_Group', refType: 'strong' }, { min: 0 }),
    match: column({ type: 'string' }),
    pipeline: column({ type: 'string', enum: ['ingress', 'egress'] }),
    priority: column({ type: 'integer', minInteger: 0n, maxInteger: 65535n }),
    table_id: column({ type: 'integer', minInteger: 0n, maxInteger: 32n }),
    tags: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
  },
};

export type MAC_BindingRow = {
  readonly _uuid: Uuid;
  readonly datapath: Uuid;
  readonly ip: string;
  readonly logical_port: string;
  readonly mac: string;
  readonly timestamp: bigint;
};

export const MAC_Binding: Table<MAC_BindingRow> = {
  name: 'MAC_Binding',
  isRoot: true,
  indexes: [['logical_port', 'ip']],
  maxRows: many,
  columns: {
    datapath: column({ type: 'uuid', refTable: 'Datapath_Binding', refType: 'strong' }),
    ip: column({ type: 'string' }),
    logical_port: column({ type: 'string' }),
    mac: column({ type: 'string' }),
    timestamp: column({ type: 'integer' }),
  },
};

export type MeterRow = {
  readonly _uuid: Uuid;
  readonly bands: readonly Uuid[];
  readonly name: string;
  readonly unit: string;
};

export const Meter: Table<MeterRow> = {
  name: 'Meter',
  isRoot: true,
  indexes: [['name']],
  maxRows: many,
  columns: {
    bands: column({ type: 'uuid', refTable: 'Meter_Band', refType: 'strong' }, { max: many }),
    name: column({ type: 'string' }),
    unit: column({ type: 'string', enum: ['kbps', 'pktps'] }),
  },
};

export type Meter_BandRow = {
  readonly _uuid: Uuid;
  readonly action: string;
  readonly burst_size: bigint;
  readonly rate: bigint;
};

export const Meter_Band: Table<Meter_BandRow> = {
  name: 'Meter_Band',
  isRoot: false,
  indexes: [],
  maxRows: many,
  columns: {
    action: column({ type: 'string', enum: ['drop'] }),
    burst_size: column({ type: 'integer', minInteger: 0n, maxInteger: 4294967295n }),
    rate: column({ type: 'integer', minInteger: 1n, maxInteger: 4294967295n }),
  },
};

export type MirrorRow = {
  readonly _uuid: Uuid;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly filter: string;
  readonly index: bigint;
  readonly name: string;
  readonly sink: string;
  readonly type: string;
};

export const Mirror: Table<MirrorRow> = {
  name: 'Mirror',
  isRoot: true,
  indexes: [['name']],
  maxRows: many,
  columns: {
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    filter: column({ type: 'string', enum: ['from-lport', 'to-lport', 'both'] }),
    index: column({ type: 'integer' }),
    name: column({ type: 'string' }),
    sink: column({ type: 'string' }),
    type: column({ type: 'string', enum: ['gre', 'erspan', 'local'] }),
  },
};

export type Multicast_GroupRow = {
  readonly _uuid: Uuid;
  readonly datapath: Uuid;
  readonly name: string;
  readonly ports: readonly Uuid[];
  readonly tunnel_key: bigint;
};

export const Multicast_Group: Table<Multicast_GroupRow> = {
  name: 'Multicast_Group',
  isRoot: true,
  indexes: [['datapath', 'tunnel_key'], ['datapath', 'name']],
  maxRows: many,
  columns: {
    datapath: column({ type: 'uuid', refTable: 'Datapath_Binding', refType: 'strong' }),
    name: column({ type: 'string' }),
    ports: column({ type: 'uuid', refTable: 'Port_Binding', refType: 'weak' }, { min: 0, max: many }),
    tunnel_key: column({ type: 'integer', minInteger: 32768n, maxInteger: 65535n }),
  },
};

export type Port_BindingRow = {
  readonly _uuid: Uuid;
  readonly additional_chassis: readonly Uuid[];
  readonly additional_encap: readonly Uuid[];
  readonly chassis: Uuid | undefined;
  readonly datapath: Uuid;
  readonly encap: Uuid | undefined;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly gateway_chassis: readonly Uuid[];
  readonly ha_chassis_group: Uuid | undefined;
  readonly logical_port: string;
  readonly mac: readonly string[];
  readonly mirror_rules: readonly Uuid[];
  readonly nat_addresses: readonly string[];
  readonly options: ReadonlyMap<string, string>;
  readonly parent_port: string | undefined;
  readonly port_security: readonly string[];
  readonly requested_additional_chassis: readonly Uuid[];
  readonly requested_chassis: Uuid | undefined;
  readonly tag: bigint | undefined;
  readonly tunnel_key: bigint;
  readonly type: string;
  readonly up: boolean | undefined;
  readonly virtual_parent: string | undefined;
};

export const Port_Binding: Table<Port_BindingRow> = {
  name: 'Port_Binding',
  isRoot: true,
  indexes: [['datapath', 'tunnel_key'], ['logical_port']],
  maxRows: many,
  columns: {
    additional_chassis: column({ type: 'uuid', refTable: 'Chassis', refType: 'weak' }, { min: 0, max: many }),
    additional_encap: column({ type: 'uuid', refTable: 'Encap', refType: 'weak' }, { min: 0, max: many }),
    chassis: column({ type: 'uuid', refTable: 'Chassis', refType: 'weak' }, { min: 0 }),
    datapath: column({ type: 'uuid', refTable: 'Datapath_Binding', refType: 'strong' }),
    encap: column({ type: 'uuid', refTable: 'Encap', refType: 'weak' }, { min: 0 }),
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    gateway_chassis: column({ type: 'uuid', refTable: 'Gateway_Chassis', refType: 'strong' }, { min: 0, max: many }),
    ha_chassis_group: column({ type: 'uuid', refTable: 'HA_Chassis_Group', refType: 'strong' }, { min: 0 }),
    logical_port: column({ type: 'string' }),
    mac: column({ type: 'string' }, { min: 0, max: many }),
    mirror_rules: column({ type: 'uuid', refTable: 'Mirror', refType: 'weak' }, { min: 0, max: many }),
    nat_addresses: column({ type: 'string' }, { min: 0, max: many }),
    options: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    parent_port: column({ type: 'string' }, { min: 0 }),
    port_security: column({ type: 'string' }, { min: 0, max: many }),
    requested_additional_chassis: column({ type: 'uuid', refTable: 'Chassis', refType: 'weak' }, { min: 0, max: many }),
    requested_chassis: column({ type: 'uuid', refTable: 'Chassis', refType: 'weak' }, { min: 0 }),
    tag: column({ type: 'integer', minInteger: 1n, maxInteger: 4095n }, { min: 0 }),
    tunnel_key: column({ type: 'integer', minInteger: 1n, maxInteger: 32767n }),
    type: column({ type: 'string' }),
    up: column({ type: 'boolean' }, { min: 0 }),
    virtual_parent: column({ type: 'string' }, { min: 0 }),
  },
};

export type Port_GroupRow = {
  readonly _uuid: Uuid;
  readonly name: string;
  readonly ports: readonly string[];
};

export const Port_Group: Table<Port_GroupRow> = {
  name: 'Port_Group',
  isRoot: true,
  indexes: [['name']],
  maxRows: many,
  columns: {
    name: column({ type: 'string' }),
    ports: column({ type: 'string' }, { min: 0, max: many }),
  },
};

export type RBAC_PermissionRow = {
  readonly _uuid: Uuid;
  readonly authorization: readonly string[];
  readonly insert_delete: boolean;
  readonly table: string;
  readonly update: readonly string[];
};

export const RBAC_Permission: Table<RBAC_PermissionRow> = {
  name: 'RBAC_Permission',
  isRoot: true,
  indexes: [],
  maxRows: many,
  columns: {
    authorization: column({ type: 'string' }, { min: 0, max: many }),
    insert_delete: column({ type: 'boolean' }),
    table: column({ type: 'string' }),
    update: column({ type: 'string' }, { min: 0, max: many }),
  },
};

export type RBAC_RoleRow = {
  readonly _uuid: Uuid;
  readonly name: string;
  readonly permissions: ReadonlyMap<string, Uuid>;
};

export const RBAC_Role: Table<RBAC_RoleRow> = {
  name: 'RBAC_Role',
  isRoot: true,
  indexes: [],
  maxRows: many,
  columns: {
    name: column({ type: 'string' }),
    permissions: column({ type: 'string' }, { value: { type: 'uuid', refTable: 'RBAC_Permission', refType: 'weak' }, min: 0, max: many }),
  },
};

export type SB_GlobalRow = {
  readonly _uuid: Uuid;
  readonly connections: readonly Uuid[];
  readonly external_ids: ReadonlyMap<string, string>;
  readonly ipsec: boolean;
  readonly nb_cfg: bigint;
  readonly options: ReadonlyMap<string, string>;
  readonly ssl: Uuid | undefined;
};

export const SB_Global: Table<SB_GlobalRow> = {
  name: 'SB_Global',
  isRoot: true,
  indexes: [],
  maxRows: 1,
  columns: {
    connections: column({ type: 'uuid', refTable: 'Connection', refType: 'strong' }, { min: 0, max: many }),
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    ipsec: column({ type: 'boolean' }),
    nb_cfg: column({ type: 'integer' }),
    options: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    ssl: column({ type: 'uuid', refTable: 'SSL', refType: 'strong' }, { min: 0 }),
  },
};

export type SSLRow = {
  readonly _uuid: Uuid;
  readonly bootstrap_ca_cert: boolean;
  readonly ca_cert: string;
  readonly certificate: string;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly private_key: string;
  readonly ssl_ciphers: string;
  readonly ssl_ciphersuites: string;
  readonly ssl_protocols: string;
};

export const SSL: Table<SSLRow> = {
  name: 'SSL',
  isRoot: false,
  indexes: [],
  maxRows: 1,
  columns: {
    bootstrap_ca_cert: column({ type: 'boolean' }),
    ca_cert: column({ type: 'string' }),
    certificate: column({ type: 'string' }),
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    private_key: column({ type: 'string' }),
    ssl_ciphers: column({ type: 'string' }),
    ssl_ciphersuites: column({ type: 'string' }),
    ssl_protocols: column({ type: 'string' }),
  },
};

export type Service_MonitorRow = {
  readonly _uuid: Uuid;
  readonly chassis_name: string;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly ip: string;
  readonly logical_port: string;
  readonly options: ReadonlyMap<string, string>;
  readonly port: bigint;
  readonly protocol: string | undefined;
  readonly src_ip: string;
  readonly src_mac: string;
  readonly status: string | undefined;
};

export const Service_Monitor: Table<Service_MonitorRow> = {
  name: 'Service_Monitor',
  isRoot: true,
  indexes: [['logical_port', 'ip', 'port', 'protocol']],
  maxRows: many,
  columns: {
    chassis_name: column({ type: 'string' }),
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    ip: column({ type: 'string' }),
    logical_port: column({ type: 'string' }),
    options: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    port: column({ type: 'integer', minInteger: 0n, maxInteger: 65535n }),
    protocol: column({ type: 'string', enum: ['tcp', 'udp'] }, { min: 0 }),
    src_ip: column({ type: 'string' }),
    src_mac: column({ type: 'string' }),
    status: column({ type: 'string', enum: ['online', 'offline', 'error'] }, { min: 0 }),
  },
};

export type Static_MAC_BindingRow = {
  readonly _uuid: Uuid;
  readonly datapath: Uuid;
  readonly ip: string;
  readonly logical_port: string;
  readonly mac: string;
  readonly override_dynamic_mac: boolean;
};

export const Static_MAC_Binding: Table<Static_MAC_BindingRow> = {
  name: 'Static_MAC_Binding',
  isRoot: true,
  indexes: [['logical_port', 'ip']],
  maxRows: many,
  columns: {
    datapath: column({ type: 'uuid', refTable: 'Datapath_Binding', refType: 'strong' }),
    ip: column({ type: 'string' }),
    logical_port: column({ type: 'string' }),
    mac: column({ type: 'string' }),
    override_dynamic_mac: column({ type: 'boolean' }),
  },
};

/** Every table of OVN_Southbound. */
export const SB = {
  ACL_ID,
  Address_Set,
  Advertised_Route,
  BFD,
  Chassis,
  Chassis_Private,
  Chassis_Template_Var,
  Connection,
  Controller_Event,
  DHCP_Options,
  DHCPv6_Options,
  DNS,
  Datapath_Binding,
  ECMP_Nexthop,
  Encap,
  FDB,
  Gateway_Chassis,
  HA_Chassis,
  HA_Chassis_Group,
  IGMP_Group,
  IP_Multicast,
  Learned_Route,
  Load_Balancer,
  Logical_DP_Group,
  Logical_Flow,
  MAC_Binding,
  Meter,
  Meter_Band,
  Mirror,
  Multicast_Group,
  Port_Binding,
  Port_Group,
  RBAC_Permission,
  RBAC_Role,
  SB_Global,
  SSL,
  Service_Monitor,
  Static_MAC_Binding,
} as const;
