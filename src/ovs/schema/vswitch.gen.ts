// Generated from vswitch.ovsschema (Open_vSwitch 8.8.0) by `make generate`. Do not edit.
import type { Table } from '../../ovsdb/typed.ts';
import type { ColumnType, Uuid } from '../../ovsdb/values.ts';

export const VSWITCH_DATABASE = 'Open_vSwitch';

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

export type AutoAttachRow = {
  readonly _uuid: Uuid;
  readonly mappings: ReadonlyMap<bigint, bigint>;
  readonly system_description: string;
  readonly system_name: string;
};

export const AutoAttach: Table<AutoAttachRow> = {
  name: 'AutoAttach',
  isRoot: false,
  indexes: [],
  maxRows: many,
  columns: {
    mappings: column({ type: 'integer', minInteger: 0n, maxInteger: 16777215n }, { value: { type: 'integer', minInteger: 0n, maxInteger: 4095n }, min: 0, max: many }),
    system_description: column({ type: 'string' }),
    system_name: column({ type: 'string' }),
  },
};

export type BridgeRow = {
  readonly _uuid: Uuid;
  readonly auto_attach: Uuid | undefined;
  readonly controller: readonly Uuid[];
  readonly datapath_id: string | undefined;
  readonly datapath_type: string;
  readonly datapath_version: string;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly fail_mode: string | undefined;
  readonly flood_vlans: readonly bigint[];
  readonly flow_tables: ReadonlyMap<bigint, Uuid>;
  readonly ipfix: Uuid | undefined;
  readonly mcast_snooping_enable: boolean;
  readonly mirrors: readonly Uuid[];
  readonly name: string;
  readonly netflow: Uuid | undefined;
  readonly other_config: ReadonlyMap<string, string>;
  readonly ports: readonly Uuid[];
  readonly protocols: readonly string[];
  readonly rstp_enable: boolean;
  readonly rstp_status: ReadonlyMap<string, string>;
  readonly sflow: Uuid | undefined;
  readonly status: ReadonlyMap<string, string>;
  readonly stp_enable: boolean;
};

export const Bridge: Table<BridgeRow> = {
  name: 'Bridge',
  isRoot: false,
  indexes: [['name']],
  maxRows: many,
  columns: {
    auto_attach: column({ type: 'uuid', refTable: 'AutoAttach', refType: 'strong' }, { min: 0 }),
    controller: column({ type: 'uuid', refTable: 'Controller', refType: 'strong' }, { min: 0, max: many }),
    datapath_id: column({ type: 'string' }, { min: 0, ephemeral: true }),
    datapath_type: column({ type: 'string' }),
    datapath_version: column({ type: 'string' }),
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    fail_mode: column({ type: 'string', enum: ['standalone', 'secure'] }, { min: 0 }),
    flood_vlans: column({ type: 'integer', minInteger: 0n, maxInteger: 4095n }, { min: 0, max: 4096 }),
    flow_tables: column({ type: 'integer', minInteger: 0n, maxInteger: 254n }, { value: { type: 'uuid', refTable: 'Flow_Table', refType: 'strong' }, min: 0, max: many }),
    ipfix: column({ type: 'uuid', refTable: 'IPFIX', refType: 'strong' }, { min: 0 }),
    mcast_snooping_enable: column({ type: 'boolean' }),
    mirrors: column({ type: 'uuid', refTable: 'Mirror', refType: 'strong' }, { min: 0, max: many }),
    name: column({ type: 'string' }, { mutable: false }),
    netflow: column({ type: 'uuid', refTable: 'NetFlow', refType: 'strong' }, { min: 0 }),
    other_config: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    ports: column({ type: 'uuid', refTable: 'Port', refType: 'strong' }, { min: 0, max: many }),
    protocols: column({ type: 'string', enum: ['OpenFlow10', 'OpenFlow11', 'OpenFlow12', 'OpenFlow13', 'OpenFlow14', 'OpenFlow15'] }, { min: 0, max: many }),
    rstp_enable: column({ type: 'boolean' }),
    rstp_status: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many, ephemeral: true }),
    sflow: column({ type: 'uuid', refTable: 'sFlow', refType: 'strong' }, { min: 0 }),
    status: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many, ephemeral: true }),
    stp_enable: column({ type: 'boolean' }),
  },
};

export type CT_Timeout_PolicyRow = {
  readonly _uuid: Uuid;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly timeouts: ReadonlyMap<string, bigint>;
};

export const CT_Timeout_Policy: Table<CT_Timeout_PolicyRow> = {
  name: 'CT_Timeout_Policy',
  isRoot: false,
  indexes: [],
  maxRows: many,
  columns: {
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    timeouts: column({ type: 'string', enum: ['tcp_syn_sent', 'tcp_syn_recv', 'tcp_established', 'tcp_fin_wait', 'tcp_close_wait', 'tcp_last_ack', 'tcp_time_wait', 'tcp_close', 'tcp_syn_sent2', 'tcp_retransmit', 'tcp_unack', 'udp_first', 'udp_single', 'udp_multiple', 'icmp_first', 'icmp_reply'] }, { value: { type: 'integer', minInteger: 0n, maxInteger: 4294967295n }, min: 0, max: many }),
  },
};

export type CT_ZoneRow = {
  readonly _uuid: Uuid;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly limit: bigint | undefined;
  readonly timeout_policy: Uuid | undefined;
};

export const CT_Zone: Table<CT_ZoneRow> = {
  name: 'CT_Zone',
  isRoot: false,
  indexes: [],
  maxRows: many,
  columns: {
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    limit: column({ type: 'integer', minInteger: 0n, maxInteger: 4294967295n }, { min: 0 }),
    timeout_policy: column({ type: 'uuid', refTable: 'CT_Timeout_Policy', refType: 'strong' }, { min: 0 }),
  },
};

export type ControllerRow = {
  readonly _uuid: Uuid;
  readonly connection_mode: string | undefined;
  readonly controller_burst_limit: bigint | undefined;
  readonly controller_queue_size: bigint | undefined;
  readonly controller_rate_limit: bigint | undefined;
  readonly enable_async_messages: boolean | undefined;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly inactivity_probe: bigint | undefined;
  readonly is_connected: boolean;
  readonly local_gateway: string | undefined;
  readonly local_ip: string | undefined;
  readonly local_netmask: string | undefined;
  readonly max_backoff: bigint | undefined;
  readonly other_config: ReadonlyMap<string, string>;
  readonly role: string | undefined;
  readonly status: ReadonlyMap<string, string>;
  readonly target: string;
  readonly type: string | undefined;
};

export const Controller: Table<ControllerRow> = {
  name: 'Controller',
  isRoot: false,
  indexes: [],
  maxRows: many,
  columns: {
    connection_mode: column({ type: 'string', enum: ['in-band', 'out-of-band'] }, { min: 0 }),
    controller_burst_limit: column({ type: 'integer', minInteger: 25n }, { min: 0 }),
    controller_queue_size: column({ type: 'integer', minInteger: 1n, maxInteger: 512n }, { min: 0 }),
    controller_rate_limit: column({ type: 'integer', minInteger: 100n }, { min: 0 }),
    enable_async_messages: column({ type: 'boolean' }, { min: 0 }),
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    inactivity_probe: column({ type: 'integer' }, { min: 0 }),
    is_connected: column({ type: 'boolean' }, { ephemeral: true }),
    local_gateway: column({ type: 'string' }, { min: 0 }),
    local_ip: column({ type: 'string' }, { min: 0 }),
    local_netmask: column({ type: 'string' }, { min: 0 }),
    max_backoff: column({ type: 'integer', minInteger: 1000n }, { min: 0 }),
    other_config: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    role: column({ type: 'string', enum: ['other', 'master', 'slave'] }, { min: 0, ephemeral: true }),
    status: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many, ephemeral: true }),
    target: column({ type: 'string' }),
    type: column({ type: 'string', enum: ['primary', 'service'] }, { min: 0 }),
  },
};

export type DatapathRow = {
  readonly _uuid: Uuid;
  readonly capabilities: ReadonlyMap<string, string>;
  readonly ct_zone_default_limit: bigint | undefined;
  readonly ct_zones: ReadonlyMap<bigint, Uuid>;
  readonly datapath_version: string;
  readonly external_ids: ReadonlyMap<string, string>;
};

export const Datapath: Table<DatapathRow> = {
  name: 'Datapath',
  isRoot: false,
  indexes: [],
  maxRows: many,
  columns: {
    capabilities: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    ct_zone_default_limit: column({ type: 'integer', minInteger: 0n, maxInteger: 4294967295n }, { min: 0 }),
    ct_zones: column({ type: 'integer', minInteger: 0n, maxInteger: 65535n }, { value: { type: 'uuid', refTable: 'CT_Zone', refType: 'strong' }, min: 0, max: many }),
    datapath_version: column({ type: 'string' }),
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
  },
};

export type Flow_Sample_Collector_SetRow = {
  readonly _uuid: Uuid;
  readonly bridge: Uuid;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly id: bigint;
  readonly ipfix: Uuid | undefined;
  readonly local_group_id: bigint | undefined;
};

export const Flow_Sample_Collector_Set: Table<Flow_Sample_Collector_SetRow> = {
  name: 'Flow_Sample_Collector_Set',
  isRoot: true,
  indexes: [['id', 'bridge']],
  maxRows: many,
  columns: {
    bridge: column({ type: 'uuid', refTable: 'Bridge', refType: 'strong' }),
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    id: column({ type: 'integer', minInteger: 0n, maxInteger: 4294967295n }),
    ipfix: column({ type: 'uuid', refTable: 'IPFIX', refType: 'strong' }, { min: 0 }),
    local_group_id: column({ type: 'integer', minInteger: 0n, maxInteger: 4294967295n }, { min: 0 }),
  },
};

export type Flow_TableRow = {
  readonly _uuid: Uuid;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly flow_limit: bigint | undefined;
  readonly groups: readonly string[];
  readonly name: string | undefined;
  readonly overflow_policy: string | undefined;
  readonly prefixes: readonly string[];
};

export const Flow_Table: Table<Flow_TableRow> = {
  name: 'Flow_Table',
  isRoot: false,
  indexes: [],
  maxRows: many,
  columns: {
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    flow_limit: column({ type: 'integer', minInteger: 0n }, { min: 0 }),
    groups: column({ type: 'string' }, { min: 0, max: many }),
    name: column({ type: 'string' }, { min: 0 }),
    overflow_policy: column({ type: 'string', enum: ['refuse', 'evict'] }, { min: 0 }),
    prefixes: column({ type: 'string' }, { min: 0, max: 4 }),
  },
};

export type IPFIXRow = {
  readonly _uuid: Uuid;
  readonly cache_active_timeout: bigint | undefined;
  readonly cache_max_flows: bigint | undefined;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly obs_domain_id: bigint | undefined;
  readonly obs_point_id: bigint | undefined;
  readonly other_config: ReadonlyMap<string, string>;
  readonly sampling: bigint | undefined;
  readonly stats_interval: bigint | undefined;
  readonly targets: readonly string[];
  readonly template_interval: bigint | undefined;
};

export const IPFIX: Table<IPFIXRow> = {
  name: 'IPFIX',
  isRoot: false,
  indexes: [],
  maxRows: many,
  columns: {
    cache_active_timeout: column({ type: 'integer', minInteger: 0n, maxInteger: 4200n }, { min: 0 }),
    cache_max_flows: column({ type: 'integer', minInteger: 0n, maxInteger: 4294967295n }, { min: 0 }),
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    obs_domain_id: column({ type: 'integer', minInteger: 0n, maxInteger: 4294967295n }, { min: 0 }),
    obs_point_id: column({ type: 'integer', minInteger: 0n, maxInteger: 4294967295n }, { min: 0 }),
    other_config: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    sampling: column({ type: 'integer', minInteger: 1n, maxInteger: 4294967295n }, { min: 0 }),
    stats_interval: column({ type: 'integer', minInteger: 1n, maxInteger: 3600n }, { min: 0 }),
    targets: column({ type: 'string' }, { min: 0, max: many }),
    template_interval: column({ type: 'integer', minInteger: 1n, maxInteger: 3600n }, { min: 0 }),
  },
};

export type InterfaceRow = {
  readonly _uuid: Uuid;
  readonly admin_state: string | undefined;
  readonly bfd: ReadonlyMap<string, string>;
  readonly bfd_status: ReadonlyMap<string, string>;
  readonly cfm_fault: boolean | undefined;
  readonly cfm_fault_status: readonly string[];
  readonly cfm_flap_count: bigint | undefined;
  readonly cfm_health: bigint | undefined;
  readonly cfm_mpid: bigint | undefined;
  readonly cfm_remote_mpids: readonly bigint[];
  readonly cfm_remote_opstate: string | undefined;
  readonly duplex: string | undefined;
  readonly error: string | undefined;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly ifindex: bigint | undefined;
  readonly ingress_policing_burst: bigint;
  readonly ingress_policing_kpkts_burst: bigint;
  readonly ingress_policing_kpkts_rate: bigint;
  readonly ingress_policing_rate: bigint;
  readonly lacp_current: boolean | undefined;
  readonly link_resets: bigint | undefined;
  readonly link_speed: bigint | undefined;
  readonly link_state: string | undefined;
  readonly lldp: ReadonlyMap<string, string>;
  readonly mac: string | undefined;
  readonly mac_in_use: string | undefined;
  readonly mtu: bigint | undefined;
  readonly mtu_request: bigint | undefined;
  readonly name: string;
  readonly ofport: bigint | undefined;
  readonly ofport_request: bigint | undefined;
  readonly options: ReadonlyMap<string, string>;
  readonly other_config: ReadonlyMap<string, string>;
  readonly statistics: ReadonlyMap<string, bigint>;
  readonly status: ReadonlyMap<string, string>;
  readonly type: string;
};

export const Interface: Table<InterfaceRow> = {
  name: 'Interface',
  isRoot: false,
  indexes: [['name']],
  maxRows: many,
  columns: {
    admin_state: column({ type: 'string', enum: ['up', 'down'] }, { min: 0, ephemeral: true }),
    bfd: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    bfd_status: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many, ephemeral: true }),
    cfm_fault: column({ type: 'boolean' }, { min: 0, ephemeral: true }),
    cfm_fault_status: column({ type: 'string' }, { min: 0, max: many, ephemeral: true }),
    cfm_flap_count: column({ type: 'integer' }, { min: 0 }),
    cfm_health: column({ type: 'integer', minInteger: 0n, maxInteger: 100n }, { min: 0, ephemeral: true }),
    cfm_mpid: column({ type: 'integer' }, { min: 0 }),
    cfm_remote_mpids: column({ type: 'integer' }, { min: 0, max: many, ephemeral: true }),
    cfm_remote_opstate: column({ type: 'string', enum: ['up', 'down'] }, { min: 0, ephemeral: true }),
    duplex: column({ type: 'string', enum: ['half', 'full'] }, { min: 0, ephemeral: true }),
    error: column({ type: 'string' }, { min: 0 }),
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    ifindex: column({ type: 'integer', minInteger: 0n, maxInteger: 4294967295n }, { min: 0, ephemeral: true }),
    ingress_policing_burst: column({ type: 'integer', minInteger: 0n }),
    ingress_policing_kpkts_burst: column({ type: 'integer', minInteger: 0n }),
    ingress_policing_kpkts_rate: column({ type: 'integer', minInteger: 0n }),
    ingress_policing_rate: column({ type: 'integer', minInteger: 0n }),
    lacp_current: column({ type: 'boolean' }, { min: 0, ephemeral: true }),
    link_resets: column({ type: 'integer' }, { min: 0, ephemeral: true }),
    link_speed: column({ type: 'integer' }, { min: 0, ephemeral: true }),
    link_state: column({ type: 'string', enum: ['up', 'down'] }, { min: 0, ephemeral: true }),
    lldp: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    mac: column({ type: 'string' }, { min: 0 }),
    mac_in_use: column({ type: 'string' }, { min: 0, ephemeral: true }),
    mtu: column({ type: 'integer' }, { min: 0, ephemeral: true }),
    mtu_request: column({ type: 'integer', minInteger: 1n }, { min: 0 }),
    name: column({ type: 'string' }, { mutable: false }),
    ofport: column({ type: 'integer' }, { min: 0 }),
    ofport_request: column({ type: 'integer', minInteger: 1n, maxInteger: 65279n }, { min: 0 }),
    options: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    other_config: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    statistics: column({ type: 'string' }, { value: { type: 'integer' }, min: 0, max: many, ephemeral: true }),
    status: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many, ephemeral: true }),
    type: column({ type: 'string' }),
  },
};

export type ManagerRow = {
  readonly _uuid: Uuid;
  readonly connection_mode: string | undefined;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly inactivity_probe: bigint | undefined;
  readonly is_connected: boolean;
  readonly max_backoff: bigint | undefined;
  readonly other_config: ReadonlyMap<string, string>;
  readonly status: ReadonlyMap<string, string>;
  readonly target: string;
};

export const Manager: Table<ManagerRow> = {
  name: 'Manager',
  isRoot: false,
  indexes: [['target']],
  maxRows: many,
  columns: {
    connection_mode: column({ type: 'string', enum: ['in-band', 'out-of-band'] }, { min: 0 }),
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    inactivity_probe: column({ type: 'integer' }, { min: 0 }),
    is_connected: column({ type: 'boolean' }, { ephemeral: true }),
    max_backoff: column({ type: 'integer', minInteger: 1000n }, { min: 0 }),
    other_config: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    status: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many, ephemeral: true }),
    target: column({ type: 'string' }),
  },
};

export type MirrorRow = {
  readonly _uuid: Uuid;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly filter: string | undefined;
  readonly name: string;
  readonly output_port: Uuid | undefined;
  readonly output_vlan: bigint | undefined;
  readonly select_all: boolean;
  readonly select_dst_port: readonly Uuid[];
  readonly select_src_port: readonly Uuid[];
  readonly select_vlan: readonly bigint[];
  readonly snaplen: bigint | undefined;
  readonly statistics: ReadonlyMap<string, bigint>;
};

export const Mirror: Table<MirrorRow> = {
  name: 'Mirror',
  isRoot: false,
  indexes: [],
  maxRows: many,
  columns: {
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    filter: column({ type: 'string' }, { min: 0 }),
    name: column({ type: 'string' }),
    output_port: column({ type: 'uuid', refTable: 'Port', refType: 'weak' }, { min: 0 }),
    output_vlan: column({ type: 'integer', minInteger: 1n, maxInteger: 4095n }, { min: 0 }),
    select_all: column({ type: 'boolean' }),
    select_dst_port: column({ type: 'uuid', refTable: 'Port', refType: 'weak' }, { min: 0, max: many }),
    select_src_port: column({ type: 'uuid', refTable: 'Port', refType: 'weak' }, { min: 0, max: many }),
    select_vlan: column({ type: 'integer', minInteger: 0n, maxInteger: 4095n }, { min: 0, max: 4096 }),
    snaplen: column({ type: 'integer', minInteger: 14n, maxInteger: 65535n }, { min: 0 }),
    statistics: column({ type: 'string' }, { value: { type: 'integer' }, min: 0, max: many, ephemeral: true }),
  },
};

export type NetFlowRow = {
  readonly _uuid: Uuid;
  readonly active_timeout: bigint;
  readonly add_id_to_interface: boolean;
  readonly engine_id: bigint | undefined;
  readonly engine_type: bigint | undefined;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly targets: readonly string[];
};

export const NetFlow: Table<NetFlowRow> = {
  name: 'NetFlow',
  isRoot: false,
  indexes: [],
  maxRows: many,
  columns: {
    active_timeout: column({ type: 'integer', minInteger: -1n }),
    add_id_to_interface: column({ type: 'boolean' }),
    engine_id: column({ type: 'integer', minInteger: 0n, maxInteger: 255n }, { min: 0 }),
    engine_type: column({ type: 'integer', minInteger: 0n, maxInteger: 255n }, { min: 0 }),
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    targets: column({ type: 'string' }, { max: many }),
  },
};

export type Open_vSwitchRow = {
  readonly _uuid: Uuid;
  readonly bridges: readonly Uuid[];
  readonly cur_cfg: bigint;
  readonly datapath_types: readonly string[];
  readonly datapaths: ReadonlyMap<string, Uuid>;
  readonly db_version: string | undefined;
  readonly dpdk_initialized: boolean;
  readonly dpdk_version: string | undefined;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly iface_types: readonly string[];
  readonly manager_options: readonly Uuid[];
  readonly next_cfg: bigint;
  readonly other_config: ReadonlyMap<string, string>;
  readonly ovs_version: string | undefined;
  readonly ssl: Uuid | undefined;
  readonly statistics: ReadonlyMap<string, string>;
  readonly system_type: string | undefined;
  readonly system_version: string | undefined;
};

export const Open_vSwitch: Table<Open_vSwitchRow> = {
  name: 'Open_vSwitch',
  isRoot: true,
  indexes: [],
  maxRows: 1,
  columns: {
    bridges: column({ type: 'uuid', refTable: 'Bridge', refType: 'strong' }, { min: 0, max: many }),
    cur_cfg: column({ type: 'integer' }),
    datapath_types: column({ type: 'string' }, { min: 0, max: many }),
    datapaths: column({ type: 'string' }, { value: { type: 'uuid', refTable: 'Datapath', refType: 'strong' }, min: 0, max: many }),
    db_version: column({ type: 'string' }, { min: 0 }),
    dpdk_initialized: column({ type: 'boolean' }),
    dpdk_version: column({ type: 'string' }, { min: 0 }),
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    iface_types: column({ type: 'string' }, { min: 0, max: many }),
    manager_options: column({ type: 'uuid', refTable: 'Manager', refType: 'strong' }, { min: 0, max: many }),
    next_cfg: column({ type: 'integer' }),
    other_config: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    ovs_version: column({ type: 'string' }, { min: 0 }),
    ssl: column({ type: 'uuid', refTable: 'SSL', refType: 'strong' }, { min: 0 }),
    statistics: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many, ephemeral: true }),
    system_type: column({ type: 'string' }, { min: 0 }),
    system_version: column({ type: 'string' }, { min: 0 }),
  },
};

export type PortRow = {
  readonly _uuid: Uuid;
  readonly bond_active_slave: string | undefined;
  readonly bond_downdelay: bigint;
  readonly bond_fake_iface: boolean;
  readonly bond_mode: string | undefined;
  readonly bond_updelay: bigint;
  readonly cvlans: readonly bigint[];
  readonly external_ids: ReadonlyMap<string, string>;
  readonly fake_bridge: boolean;
  readonly interfaces: readonly Uuid[];
  readonly lacp: string | undefined;
  readonly mac: string | undefined;
  readonly name: string;
  readonly other_config: ReadonlyMap<string, string>;
  readonly protected: boolean;
  readonly qos: Uuid | undefined;
  readonly rstp_statistics: ReadonlyMap<string, bigint>;
  readonly rstp_status: ReadonlyMap<string, string>;
  readonly statistics: ReadonlyMap<string, bigint>;
  readonly status: ReadonlyMap<string, string>;
  readonly tag: bigint | undefined;
  readonly trunks: readonly bigint[];
  readonly vlan_mode: string | undefined;
};

export const Port: Table<PortRow> = {
  name: 'Port',
  isRoot: false,
  indexes: [['name']],
  maxRows: many,
  columns: {
    bond_active_slave: column({ type: 'string' }, { min: 0 }),
    bond_downdelay: column({ type: 'integer' }),
    bond_fake_iface: column({ type: 'boolean' }),
    bond_mode: column({ type: 'string', enum: ['balance-tcp', 'balance-slb', 'active-backup'] }, { min: 0 }),
    bond_updelay: column({ type: 'integer' }),
    cvlans: column({ type: 'integer', minInteger: 0n, maxInteger: 4095n }, { min: 0, max: 4096 }),
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    fake_bridge: column({ type: 'boolean' }),
    interfaces: column({ type: 'uuid', refTable: 'Interface', refType: 'strong' }, { max: many }),
    lacp: column({ type: 'string', enum: ['active', 'passive', 'off'] }, { min: 0 }),
    mac: column({ type: 'string' }, { min: 0 }),
    name: column({ type: 'string' }, { mutable: false }),
    other_config: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    protected: column({ type: 'boolean' }),
    qos: column({ type: 'uuid', refTable: 'QoS', refType: 'strong' }, { min: 0 }),
    rstp_statistics: column({ type: 'string' }, { value: { type: 'integer' }, min: 0, max: many, ephemeral: true }),
    rstp_status: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many, ephemeral: true }),
    statistics: column({ type: 'string' }, { value: { type: 'integer' }, min: 0, max: many, ephemeral: true }),
    status: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many, ephemeral: true }),
    tag: column({ type: 'integer', minInteger: 0n, maxInteger: 4095n }, { min: 0 }),
    trunks: column({ type: 'integer', minInteger: 0n, maxInteger: 4095n }, { min: 0, max: 4096 }),
    vlan_mode: column({ type: 'string', enum: ['trunk', 'access', 'native-tagged', 'native-untagged', 'dot1q-tunnel'] }, { min: 0 }),
  },
};

export type QoSRow = {
  readonly _uuid: Uuid;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly other_config: ReadonlyMap<string, string>;
  readonly queues: ReadonlyMap<bigint, Uuid>;
  readonly type: string;
};

export const QoS: Table<QoSRow> = {
  name: 'QoS',
  isRoot: true,
  indexes: [],
  maxRows: many,
  columns: {
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    other_config: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    queues: column({ type: 'integer', minInteger: 0n, maxInteger: 4294967295n }, { value: { type: 'uuid', refTable: 'Queue', refType: 'strong' }, min: 0, max: many }),
    type: column({ type: 'string' }),
  },
};

export type QueueRow = {
  readonly _uuid: Uuid;
  readonly dscp: bigint | undefined;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly other_config: ReadonlyMap<string, string>;
};

export const Queue: Table<QueueRow> = {
  name: 'Queue',
  isRoot: true,
  indexes: [],
  maxRows: many,
  columns: {
    dscp: column({ type: 'integer', minInteger: 0n, maxInteger: 63n }, { min: 0 }),
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    other_config: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
  },
};

export type SSLRow = {
  readonly _uuid: Uuid;
  readonly bootstrap_ca_cert: boolean;
  readonly ca_cert: string;
  readonly certificate: string;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly private_key: string;
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
  },
};

export type sFlowRow = {
  readonly _uuid: Uuid;
  readonly agent: string | undefined;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly header: bigint | undefined;
  readonly polling: bigint | undefined;
  readonly sampling: bigint | undefined;
  readonly targets: readonly string[];
};

export const sFlow: Table<sFlowRow> = {
  name: 'sFlow',
  isRoot: false,
  indexes: [],
  maxRows: many,
  columns: {
    agent: column({ type: 'string' }, { min: 0 }),
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    header: column({ type: 'integer' }, { min: 0 }),
    polling: column({ type: 'integer' }, { min: 0 }),
    sampling: column({ type: 'integer' }, { min: 0 }),
    targets: column({ type: 'string' }, { max: many }),
  },
};

/** Every table of Open_vSwitch. */
export const VSWITCH = {
  AutoAttach,
  Bridge,
  CT_Timeout_Policy,
  CT_Zone,
  Controller,
  Datapath,
  Flow_Sample_Collector_Set,
  Flow_Table,
  IPFIX,
  Interface,
  Manager,
  Mirror,
  NetFlow,
  Open_vSwitch,
  Port,
  QoS,
  Queue,
  SSL,
  sFlow,
} as const;
