// Generated from ovn-nb.ovsschema (OVN_Northbound 7.11.0) by `make generate`. Do not edit.
import type { Table } from '../../ovsdb/typed.ts';
import type { ColumnType, Uuid } from '../../ovsdb/values.ts';

export const NB_DATABASE = 'OVN_Northbound';

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

export type ACLRow = {
  readonly _uuid: Uuid;
  readonly action: string;
  readonly direction: string;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly label: bigint;
  readonly log: boolean;
  readonly match: string;
  readonly meter: string | undefined;
  readonly name: string | undefined;
  readonly options: ReadonlyMap<string, string>;
  readonly priority: bigint;
  readonly sample_est: Uuid | undefined;
  readonly sample_new: Uuid | undefined;
  readonly severity: string | undefined;
  readonly tier: bigint;
};

export const ACL: Table<ACLRow> = {
  name: 'ACL',
  isRoot: false,
  indexes: [],
  maxRows: many,
  columns: {
    action: column({ type: 'string', enum: ['allow', 'allow-related', 'allow-stateless', 'drop', 'reject', 'pass'] }),
    direction: column({ type: 'string', enum: ['from-lport', 'to-lport'] }),
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    label: column({ type: 'integer', minInteger: 0n, maxInteger: 4294967295n }),
    log: column({ type: 'boolean' }),
    match: column({ type: 'string' }),
    meter: column({ type: 'string' }, { min: 0 }),
    name: column({ type: 'string', maxLength: 63 }, { min: 0 }),
    options: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    priority: column({ type: 'integer', minInteger: 0n, maxInteger: 32767n }),
    sample_est: column({ type: 'uuid', refTable: 'Sample', refType: 'strong' }, { min: 0 }),
    sample_new: column({ type: 'uuid', refTable: 'Sample', refType: 'strong' }, { min: 0 }),
    severity: column({ type: 'string', enum: ['alert', 'warning', 'notice', 'info', 'debug'] }, { min: 0 }),
    tier: column({ type: 'integer', minInteger: 0n, maxInteger: 3n }),
  },
};

export type Address_SetRow = {
  readonly _uuid: Uuid;
  readonly addresses: readonly string[];
  readonly external_ids: ReadonlyMap<string, string>;
  readonly name: string;
};

export const Address_Set: Table<Address_SetRow> = {
  name: 'Address_Set',
  isRoot: true,
  indexes: [['name']],
  maxRows: many,
  columns: {
    addresses: column({ type: 'string' }, { min: 0, max: many }),
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    name: column({ type: 'string' }),
  },
};

export type BFDRow = {
  readonly _uuid: Uuid;
  readonly detect_mult: bigint | undefined;
  readonly dst_ip: string;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly logical_port: string;
  readonly min_rx: bigint | undefined;
  readonly min_tx: bigint | undefined;
  readonly options: ReadonlyMap<string, string>;
  readonly status: string | undefined;
};

export const BFD: Table<BFDRow> = {
  name: 'BFD',
  isRoot: true,
  indexes: [['logical_port', 'dst_ip']],
  maxRows: many,
  columns: {
    detect_mult: column({ type: 'integer', minInteger: 1n }, { min: 0 }),
    dst_ip: column({ type: 'string' }),
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    logical_port: column({ type: 'string' }),
    min_rx: column({ type: 'integer' }, { min: 0 }),
    min_tx: column({ type: 'integer', minInteger: 1n }, { min: 0 }),
    options: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    status: column({ type: 'string', enum: ['down', 'init', 'up', 'admin_down'] }, { min: 0 }),
  },
};

export type Chassis_Template_VarRow = {
  readonly _uuid: Uuid;
  readonly chassis: string;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly variables: ReadonlyMap<string, string>;
};

export const Chassis_Template_Var: Table<Chassis_Template_VarRow> = {
  name: 'Chassis_Template_Var',
  isRoot: true,
  indexes: [['chassis']],
  maxRows: many,
  columns: {
    chassis: column({ type: 'string' }),
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
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
    status: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many, ephemeral: true }),
    target: column({ type: 'string' }),
  },
};

export type CoppRow = {
  readonly _uuid: Uuid;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly meters: ReadonlyMap<string, string>;
  readonly name: string;
};

export const Copp: Table<CoppRow> = {
  name: 'Copp',
  isRoot: true,
  indexes: [['name']],
  maxRows: many,
  columns: {
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    meters: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    name: column({ type: 'string' }),
  },
};

export type DHCP_OptionsRow = {
  readonly _uuid: Uuid;
  readonly cidr: string;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly options: ReadonlyMap<string, string>;
};

export const DHCP_Options: Table<DHCP_OptionsRow> = {
  name: 'DHCP_Options',
  isRoot: true,
  indexes: [],
  maxRows: many,
  columns: {
    cidr: column({ type: 'string' }),
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    options: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
  },
};

export type DHCP_RelayRow = {
  readonly _uuid: Uuid;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly name: string;
  readonly options: ReadonlyMap<string, string>;
  readonly servers: string | undefined;
};

export const DHCP_Relay: Table<DHCP_RelayRow> = {
  name: 'DHCP_Relay',
  isRoot: true,
  indexes: [],
  maxRows: many,
  columns: {
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    name: column({ type: 'string' }),
    options: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    servers: column({ type: 'string' }, { min: 0 }),
  },
};

export type DNSRow = {
  readonly _uuid: Uuid;
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
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    options: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    records: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
  },
};

export type Forwarding_GroupRow = {
  readonly _uuid: Uuid;
  readonly child_port: readonly string[];
  readonly external_ids: ReadonlyMap<string, string>;
  readonly liveness: boolean;
  readonly name: string;
  readonly vip: string;
  readonly vmac: string;
};

export const Forwarding_Group: Table<Forwarding_GroupRow> = {
  name: 'Forwarding_Group',
  isRoot: false,
  indexes: [],
  maxRows: many,
  columns: {
    child_port: column({ type: 'string' }, { max: many }),
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    liveness: column({ type: 'boolean' }),
    name: column({ type: 'string' }),
    vip: column({ type: 'string' }),
    vmac: column({ type: 'string' }),
  },
};

export type Gateway_ChassisRow = {
  readonly _uuid: Uuid;
  readonly chassis_name: string;
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
    chassis_name: column({ type: 'string' }),
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    name: column({ type: 'string' }),
    options: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    priority: column({ type: 'integer', minInteger: 0n, maxInteger: 32767n }),
  },
};

export type HA_ChassisRow = {
  readonly _uuid: Uuid;
  readonly chassis_name: string;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly priority: bigint;
};

export const HA_Chassis: Table<HA_ChassisRow> = {
  name: 'HA_Chassis',
  isRoot: false,
  indexes: [],
  maxRows: many,
  columns: {
    chassis_name: column({ type: 'string' }),
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    priority: column({ type: 'integer', minInteger: 0n, maxInteger: 32767n }),
  },
};

export type HA_Chassis_GroupRow = {
  readonly _uuid: Uuid;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly ha_chassis: readonly Uuid[];
  readonly name: string;
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
  },
};

export type Load_BalancerRow = {
  readonly _uuid: Uuid;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly health_check: readonly Uuid[];
  readonly ip_port_mappings: ReadonlyMap<string, string>;
  readonly name: string;
  readonly options: ReadonlyMap<string, string>;
  readonly protocol: string | undefined;
  readonly selection_fields: readonly string[];
  readonly vips: ReadonlyMap<string, string>;
};

export const Load_Balancer: Table<Load_BalancerRow> = {
  name: 'Load_Balancer',
  isRoot: true,
  indexes: [],
  maxRows: many,
  columns: {
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    health_check: column({ type: 'uuid', refTable: 'Load_Balancer_Health_Check', refType: 'strong' }, { min: 0, max: many }),
    ip_port_mappings: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    name: column({ type: 'string' }),
    options: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    protocol: column({ type: 'string', enum: ['tcp', 'udp', 'sctp'] }, { min: 0 }),
    selection_fields: column({ type: 'string', enum: ['eth_src', 'eth_dst', 'ip_src', 'ip_dst', 'ipv6_src', 'ipv6_dst', 'tp_src', 'tp_dst'] }, { min: 0, max: many }),
    vips: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
  },
};

export type Load_Balancer_GroupRow = {
  readonly _uuid: Uuid;
  readonly load_balancer: readonly Uuid[];
  readonly name: string;
};

export const Load_Balancer_Group: Table<Load_Balancer_GroupRow> = {
  name: 'Load_Balancer_Group',
  isRoot: true,
  indexes: [['name']],
  maxRows: many,
  columns: {
    load_balancer: column({ type: 'uuid', refTable: 'Load_Balancer', refType: 'weak' }, { min: 0, max: many }),
    name: column({ type: 'string' }),
  },
};

export type Load_Balancer_Health_CheckRow = {
  readonly _uuid: Uuid;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly options: ReadonlyMap<string, string>;
  readonly vip: string;
};

export const Load_Balancer_Health_Check: Table<Load_Balancer_Health_CheckRow> = {
  name: 'Load_Balancer_Health_Check',
  isRoot: false,
  indexes: [],
  maxRows: many,
  columns: {
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    options: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    vip: column({ type: 'string' }),
  },
};

export type Logical_RouterRow = {
  readonly _uuid: Uuid;
  readonly copp: Uuid | undefined;
  readonly enabled: boolean | undefined;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly load_balancer: readonly Uuid[];
  readonly load_balancer_group: readonly Uuid[];
  readonly name: string;
  readonly nat: readonly Uuid[];
  readonly options: ReadonlyMap<string, string>;
  readonly policies: readonly Uuid[];
  readonly ports: readonly Uuid[];
  readonly static_routes: readonly Uuid[];
};

export const Logical_Router: Table<Logical_RouterRow> = {
  name: 'Logical_Router',
  isRoot: true,
  indexes: [],
  maxRows: many,
  columns: {
    copp: column({ type: 'uuid', refTable: 'Copp', refType: 'weak' }, { min: 0 }),
    enabled: column({ type: 'boolean' }, { min: 0 }),
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    load_balancer: column({ type: 'uuid', refTable: 'Load_Balancer', refType: 'weak' }, { min: 0, max: many }),
    load_balancer_group: column({ type: 'uuid', refTable: 'Load_Balancer_Group', refType: 'strong' }, { min: 0, max: many }),
    name: column({ type: 'string' }),
    nat: column({ type: 'uuid', refTable: 'NAT', refType: 'strong' }, { min: 0, max: many }),
    options: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    policies: column({ type: 'uuid', refTable: 'Logical_Router_Policy', refType: 'strong' }, { min: 0, max: many }),
    ports: column({ type: 'uuid', refTable: 'Logical_Router_Port', refType: 'strong' }, { min: 0, max: many }),
    static_routes: column({ type: 'uuid', refTable: 'Logical_Router_Static_Route', refType: 'strong' }, { min: 0, max: many }),
  },
};

export type Logical_Router_PolicyRow = {
  readonly _uuid: Uuid;
  readonly action: string;
  readonly bfd_sessions: readonly Uuid[];
  readonly chain: string | undefined;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly jump_chain: string | undefined;
  readonly match: string;
  readonly nexthop: string | undefined;
  readonly nexthops: readonly string[];
  readonly options: ReadonlyMap<string, string>;
  readonly priority: bigint;
};

export const Logical_Router_Policy: Table<Logical_Router_PolicyRow> = {
  name: 'Logical_Router_Policy',
  isRoot: false,
  indexes: [],
  maxRows: many,
  columns: {
    action: column({ type: 'string', enum: ['allow', 'drop', 'reroute', 'jump'] }),
    bfd_sessions: column({ type: 'uuid', refTable: 'BFD', refType: 'weak' }, { min: 0, max: many }),
    chain: column({ type: 'string' }, { min: 0 }),
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    jump_chain: column({ type: 'string' }, { min: 0 }),
    match: column({ type: 'string' }),
    nexthop: column({ type: 'string' }, { min: 0 }),
    nexthops: column({ type: 'string' }, { min: 0, max: many }),
    options: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    priority: column({ type: 'integer', minInteger: 0n, maxInteger: 32767n }),
  },
};

export type Logical_Router_PortRow = {
  readonly _uuid: Uuid;
  readonly dhcp_relay: Uuid | undefined;
  readonly enabled: boolean | undefined;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly gateway_chassis: readonly Uuid[];
  readonly ha_chassis_group: Uuid | undefined;
  readonly ipv6_prefix: readonly string[];
  readonly ipv6_ra_configs: ReadonlyMap<string, string>;
  readonly mac: string;
  readonly name: string;
  readonly networks: readonly string[];
  readonly options: ReadonlyMap<string, string>;
  readonly peer: string | undefined;
  readonly status: ReadonlyMap<string, string>;
};

export const Logical_Router_Port: Table<Logical_Router_PortRow> = {
  name: 'Logical_Router_Port',
  isRoot: false,
  indexes: [['name']],
  maxRows: many,
  columns: {
    dhcp_relay: column({ type: 'uuid', refTable: 'DHCP_Relay', refType: 'strong' }, { min: 0 }),
    enabled: column({ type: 'boolean' }, { min: 0 }),
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    gateway_chassis: column({ type: 'uuid', refTable: 'Gateway_Chassis', refType: 'strong' }, { min: 0, max: many }),
    ha_chassis_group: column({ type: 'uuid', refTable: 'HA_Chassis_Group', refType: 'strong' }, { min: 0 }),
    ipv6_prefix: column({ type: 'string' }, { min: 0, max: many }),
    ipv6_ra_configs: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    mac: column({ type: 'string' }),
    name: column({ type: 'string' }),
    networks: column({ type: 'string' }, { min: 0, max: many }),
    options: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    peer: column({ type: 'string' }, { min: 0 }),
    status: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
  },
};

export type Logical_Router_Static_RouteRow = {
  readonly _uuid: Uuid;
  readonly bfd: Uuid | undefined;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly ip_prefix: string;
  readonly nexthop: string;
  readonly options: ReadonlyMap<string, string>;
  readonly output_port: string | undefined;
  readonly policy: string | undefined;
  readonly route_table: string;
  readonly selection_fields: readonly string[];
};

export const Logical_Router_Static_Route: Table<Logical_Router_Static_RouteRow> = {
  name: 'Logical_Router_Static_Route',
  isRoot: false,
  indexes: [],
  maxRows: many,
  columns: {
    bfd: column({ type: 'uuid', refTable: 'BFD', refType: 'weak' }, { min: 0 }),
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    ip_prefix: column({ type: 'string' }),
    nexthop: column({ type: 'string' }),
    options: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    output_port: column({ type: 'string' }, { min: 0 }),
    policy: column({ type: 'string', enum: ['src-ip', 'dst-ip'] }, { min: 0 }),
    route_table: column({ type: 'string' }),
    selection_fields: column({ type: 'string', enum: ['eth_src', 'eth_dst', 'ip_proto', 'ip_src', 'ip_dst', 'ipv6_src', 'ipv6_dst', 'tp_src', 'tp_dst'] }, { min: 0, max: many }),
  },
};

export type Logical_SwitchRow = {
  readonly _uuid: Uuid;
  readonly acls: readonly Uuid[];
  readonly copp: Uuid | undefined;
  readonly dns_records: readonly Uuid[];
  readonly external_ids: ReadonlyMap<string, string>;
  readonly forwarding_groups: readonly Uuid[];
  readonly load_balancer: readonly Uuid[];
  readonly load_balancer_group: readonly Uuid[];
  readonly name: string;
  readonly other_config: ReadonlyMap<string, string>;
  readonly ports: readonly Uuid[];
  readonly qos_rules: readonly Uuid[];
};

export const Logical_Switch: Table<Logical_SwitchRow> = {
  name: 'Logical_Switch',
  isRoot: true,
  indexes: [],
  maxRows: many,
  columns: {
    acls: column({ type: 'uuid', refTable: 'ACL', refType: 'strong' }, { min: 0, max: many }),
    copp: column({ type: 'uuid', refTable: 'Copp', refType: 'weak' }, { min: 0 }),
    dns_records: column({ type: 'uuid', refTable: 'DNS', refType: 'weak' }, { min: 0, max: many }),
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    forwarding_groups: column({ type: 'uuid', refTable: 'Forwarding_Group', refType: 'strong' }, { min: 0, max: many }),
    load_balancer: column({ type: 'uuid', refTable: 'Load_Balancer', refType: 'weak' }, { min: 0, max: many }),
    load_balancer_group: column({ type: 'uuid', refTable: 'Load_Balancer_Group', refType: 'strong' }, { min: 0, max: many }),
    name: column({ type: 'string' }),
    other_config: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    ports: column({ type: 'uuid', refTable: 'Logical_Switch_Port', refType: 'strong' }, { min: 0, max: many }),
    qos_rules: column({ type: 'uuid', refTable: 'QoS', refType: 'strong' }, { min: 0, max: many }),
  },
};

export type Logical_Switch_PortRow = {
  readonly _uuid: Uuid;
  readonly addresses: readonly string[];
  readonly dhcpv4_options: Uuid | undefined;
  readonly dhcpv6_options: Uuid | undefined;
  readonly dynamic_addresses: string | undefined;
  readonly enabled: boolean | undefined;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly ha_chassis_group: Uuid | undefined;
  readonly mirror_rules: readonly Uuid[];
  readonly name: string;
  readonly options: ReadonlyMap<string, string>;
  readonly parent_name: string | undefined;
  readonly peer: string | undefined;
  readonly port_security: readonly string[];
  readonly tag: bigint | undefined;
  readonly tag_request: bigint | undefined;
  readonly type: string;
  readonly up: boolean | undefined;
};

export const Logical_Switch_Port: Table<Logical_Switch_PortRow> = {
  name: 'Logical_Switch_Port',
  isRoot: false,
  indexes: [['name']],
  maxRows: many,
  columns: {
    addresses: column({ type: 'string' }, { min: 0, max: many }),
    dhcpv4_options: column({ type: 'uuid', refTable: 'DHCP_Options', refType: 'weak' }, { min: 0 }),
    dhcpv6_options: column({ type: 'uuid', refTable: 'DHCP_Options', refType: 'weak' }, { min: 0 }),
    dynamic_addresses: column({ type: 'string' }, { min: 0 }),
    enabled: column({ type: 'boolean' }, { min: 0 }),
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    ha_chassis_group: column({ type: 'uuid', refTable: 'HA_Chassis_Group', refType: 'strong' }, { min: 0 }),
    mirror_rules: column({ type: 'uuid', refTable: 'Mirror', refType: 'weak' }, { min: 0, max: many }),
    name: column({ type: 'string' }),
    options: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    parent_name: column({ type: 'string' }, { min: 0 }),
    peer: column({ type: 'string' }, { min: 0 }),
    port_security: column({ type: 'string' }, { min: 0, max: many }),
    tag: column({ type: 'integer', minInteger: 1n, maxInteger: 4095n }, { min: 0 }),
    tag_request: column({ type: 'integer', minInteger: 0n, maxInteger: 4095n }, { min: 0 }),
    type: column({ type: 'string' }),
    up: column({ type: 'boolean' }, { min: 0 }),
  },
};

export type MeterRow = {
  readonly _uuid: Uuid;
  readonly bands: readonly Uuid[];
  readonly external_ids: ReadonlyMap<string, string>;
  readonly fair: boolean | undefined;
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
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    fair: column({ type: 'boolean' }, { min: 0 }),
    name: column({ type: 'string' }),
    unit: column({ type: 'string', enum: ['kbps', 'pktps'] }),
  },
};

export type Meter_BandRow = {
  readonly _uuid: Uuid;
  readonly action: string;
  readonly burst_size: bigint;
  readonly external_ids: ReadonlyMap<string, string>;
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
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
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

export type NATRow = {
  readonly _uuid: Uuid;
  readonly allowed_ext_ips: Uuid | undefined;
  readonly exempted_ext_ips: Uuid | undefined;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly external_ip: string;
  readonly external_mac: string | undefined;
  readonly external_port_range: string;
  readonly gateway_port: Uuid | undefined;
  readonly logical_ip: string;
  readonly logical_port: string | undefined;
  readonly match: string;
  readonly options: ReadonlyMap<string, string>;
  readonly priority: bigint;
  readonly type: string;
};

export const NAT: Table<NATRow> = {
  name: 'NAT',
  isRoot: false,
  indexes: [],
  maxRows: many,
  columns: {
    allowed_ext_ips: column({ type: 'uuid', refTable: 'Address_Set', refType: 'strong' }, { min: 0 }),
    exempted_ext_ips: column({ type: 'uuid', refTable: 'Address_Set', refType: 'strong' }, { min: 0 }),
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    external_ip: column({ type: 'string' }),
    external_mac: column({ type: 'string' }, { min: 0 }),
    external_port_range: column({ type: 'string' }),
    gateway_port: column({ type: 'uuid', refTable: 'Logical_Router_Port', refType: 'weak' }, { min: 0 }),
    logical_ip: column({ type: 'string' }),
    logical_port: column({ type: 'string' }, { min: 0 }),
    match: column({ type: 'string' }),
    options: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    priority: column({ type: 'integer', minInteger: 0n, maxInteger: 32767n }),
    type: column({ type: 'string', enum: ['dnat', 'snat', 'dnat_and_snat'] }),
  },
};

export type NB_GlobalRow = {
  readonly _uuid: Uuid;
  readonly connections: readonly Uuid[];
  readonly external_ids: ReadonlyMap<string, string>;
  readonly hv_cfg: bigint;
  readonly hv_cfg_timestamp: bigint;
  readonly ipsec: boolean;
  readonly name: string;
  readonly nb_cfg: bigint;
  readonly nb_cfg_timestamp: bigint;
  readonly options: ReadonlyMap<string, string>;
  readonly sb_cfg: bigint;
  readonly sb_cfg_timestamp: bigint;
  readonly ssl: Uuid | undefined;
};

export const NB_Global: Table<NB_GlobalRow> = {
  name: 'NB_Global',
  isRoot: true,
  indexes: [],
  maxRows: 1,
  columns: {
    connections: column({ type: 'uuid', refTable: 'Connection', refType: 'strong' }, { min: 0, max: many }),
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    hv_cfg: column({ type: 'integer' }),
    hv_cfg_timestamp: column({ type: 'integer' }),
    ipsec: column({ type: 'boolean' }),
    name: column({ type: 'string' }),
    nb_cfg: column({ type: 'integer' }),
    nb_cfg_timestamp: column({ type: 'integer' }),
    options: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    sb_cfg: column({ type: 'integer' }),
    sb_cfg_timestamp: column({ type: 'integer' }),
    ssl: column({ type: 'uuid', refTable: 'SSL', refType: 'strong' }, { min: 0 }),
  },
};

export type Port_GroupRow = {
  readonly _uuid: Uuid;
  readonly acls: readonly Uuid[];
  readonly external_ids: ReadonlyMap<string, string>;
  readonly name: string;
  readonly ports: readonly Uuid[];
};

export const Port_Group: Table<Port_GroupRow> = {
  name: 'Port_Group',
  isRoot: true,
  indexes: [['name']],
  maxRows: many,
  columns: {
    acls: column({ type: 'uuid', refTable: 'ACL', refType: 'strong' }, { min: 0, max: many }),
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    name: column({ type: 'string' }),
    ports: column({ type: 'uuid', refTable: 'Logical_Switch_Port', refType: 'weak' }, { min: 0, max: many }),
  },
};

export type QoSRow = {
  readonly _uuid: Uuid;
  readonly action: ReadonlyMap<string, bigint>;
  readonly bandwidth: ReadonlyMap<string, bigint>;
  readonly direction: string;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly match: string;
  readonly priority: bigint;
};

export const QoS: Table<QoSRow> = {
  name: 'QoS',
  isRoot: false,
  indexes: [],
  maxRows: many,
  columns: {
    action: column({ type: 'string', enum: ['dscp', 'mark'] }, { value: { type: 'integer', minInteger: 0n, maxInteger: 4294967295n }, min: 0, max: many }),
    bandwidth: column({ type: 'string', enum: ['rate', 'burst'] }, { value: { type: 'integer', minInteger: 1n, maxInteger: 4294967295n }, min: 0, max: many }),
    direction: column({ type: 'string', enum: ['from-lport', 'to-lport'] }),
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    match: column({ type: 'string' }),
    priority: column({ type: 'integer', minInteger: 0n, maxInteger: 32767n }),
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

export type SampleRow = {
  readonly _uuid: Uuid;
  readonly collectors: readonly Uuid[];
  readonly metadata: bigint;
};

export const Sample: Table<SampleRow> = {
  name: 'Sample',
  isRoot: false,
  indexes: [['metadata']],
  maxRows: many,
  columns: {
    collectors: column({ type: 'uuid', refTable: 'Sample_Collector', refType: 'strong' }, { min: 0, max: many }),
    metadata: column({ type: 'integer', minInteger: 1n, maxInteger: 4294967295n }),
  },
};

export type Sample_CollectorRow = {
  readonly _uuid: Uuid;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly id: bigint;
  readonly name: string;
  readonly probability: bigint;
  readonly set_id: bigint;
};

export const Sample_Collector: Table<Sample_CollectorRow> = {
  name: 'Sample_Collector',
  isRoot: true,
  indexes: [['id']],
  maxRows: many,
  columns: {
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    id: column({ type: 'integer', minInteger: 1n, maxInteger: 255n }),
    name: column({ type: 'string' }),
    probability: column({ type: 'integer', minInteger: 0n, maxInteger: 65535n }),
    set_id: column({ type: 'integer', minInteger: 1n, maxInteger: 4294967295n }),
  },
};

export type Sampling_AppRow = {
  readonly _uuid: Uuid;
  readonly external_ids: ReadonlyMap<string, string>;
  readonly id: bigint;
  readonly type: string;
};

export const Sampling_App: Table<Sampling_AppRow> = {
  name: 'Sampling_App',
  isRoot: true,
  indexes: [['type']],
  maxRows: many,
  columns: {
    external_ids: column({ type: 'string' }, { value: { type: 'string' }, min: 0, max: many }),
    id: column({ type: 'integer', minInteger: 1n, maxInteger: 255n }),
    type: column({ type: 'string', enum: ['drop', 'acl-new', 'acl-est'] }),
  },
};

export type Static_MAC_BindingRow = {
  readonly _uuid: Uuid;
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
    ip: column({ type: 'string' }),
    logical_port: column({ type: 'string' }),
    mac: column({ type: 'string' }),
    override_dynamic_mac: column({ type: 'boolean' }),
  },
};

/** Every table of OVN_Northbound. */
export const NB = {
  ACL,
  Address_Set,
  BFD,
  Chassis_Template_Var,
  Connection,
  Copp,
  DHCP_Options,
  DHCP_Relay,
  DNS,
  Forwarding_Group,
  Gateway_Chassis,
  HA_Chassis,
  HA_Chassis_Group,
  Load_Balancer,
  Load_Balancer_Group,
  Load_Balancer_Health_Check,
  Logical_Router,
  Logical_Router_Policy,
  Logical_Router_Port,
  Logical_Router_Static_Route,
  Logical_Switch,
  Logical_Switch_Port,
  Meter,
  Meter_Band,
  Mirror,
  NAT,
  NB_Global,
  Port_Group,
  QoS,
  SSL,
  Sample,
  Sample_Collector,
  Sampling_App,
  Static_MAC_Binding,
} as const;
