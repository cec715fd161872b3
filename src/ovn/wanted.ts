/**
 * What we want in the Northbound database, as plain values: rows are named by their natural key, never by UUID.
 * Planning makes these; `planOperations` compares them with the rows that carry our owner id and makes operations.
 * Column names and meanings: ovn-nb(5).
 */
export type Ids = ReadonlyMap<string, string>;

/** Logical_Switch. */
export type WantedSwitch = { readonly name: string; readonly otherConfig?: Ids; readonly externalIds: Ids };

/** Logical_Router. */
export type WantedRouter = { readonly name: string; readonly options?: Ids; readonly externalIds: Ids };

/** Logical_Router_Port; `networks` are `address/prefix`. */
export type WantedRouterPort = {
  readonly router: string;
  readonly name: string;
  readonly mac: string;
  readonly networks: readonly string[];
  readonly options?: Ids;
  /** Router advertisements; none when absent. */
  readonly ipv6RaConfigs?: Ids;
  readonly externalIds: Ids;
};

/** Logical_Router_Static_Route; its key is router, prefix and next hop. */
export type WantedRoute = {
  readonly router: string;
  readonly ipPrefix: string;
  readonly nexthop: string;
  readonly outputPort?: string;
  readonly externalIds: Ids;
};

/** Logical_Router_Policy; its key is the `mooring-row` external id. Of several that match, the highest priority decides. */
export type WantedPolicy = {
  readonly router: string;
  readonly row: string;
  readonly priority: number;
  readonly match: string;
  readonly action: 'allow' | 'drop' | 'reroute';
  /** One for `reroute`, none otherwise. */
  readonly nexthop?: string;
  readonly externalIds: Ids;
};

/** ACL of a switch; its key is the `mooring-row` external id. */
export type WantedAcl = {
  readonly switch: string;
  readonly row: string;
  readonly priority: number;
  readonly direction: 'from-lport' | 'to-lport';
  readonly match: string;
  readonly action: 'allow-related' | 'drop';
  readonly externalIds: Ids;
};

/** Port_Group; `ports` are the UUIDs of switch ports, so that it is to be planned at the moment of writing. */
export type WantedPortGroup = {
  readonly name: string;
  readonly ports: readonly string[];
  readonly externalIds: Ids;
};

/** ACL of a port group; its key is the `mooring-row` external id. */
export type WantedGroupAcl = Omit<WantedAcl, 'switch'> & { readonly group: string };

/** DHCP_Options; its key is the `mooring-row` external id. */
export type WantedDhcpOptions = {
  readonly row: string;
  readonly cidr: string;
  readonly options: Ids;
  readonly externalIds: Ids;
};

/** Logical_Switch_Port. `dhcpv4` and `dhcpv6` name a WantedDhcpOptions row. */
export type WantedPort = {
  readonly switch: string;
  readonly name: string;
  readonly type: '' | 'router' | 'localport';
  readonly addresses: readonly string[];
  readonly portSecurity: readonly string[];
  readonly options: Ids;
  readonly dhcpv4?: string;
  readonly dhcpv6?: string;
  readonly externalIds: Ids;
};

/** Everything that one owner, or one set of owners, wants. */
export type Wanted = {
  readonly switches: readonly WantedSwitch[];
  readonly routers: readonly WantedRouter[];
  readonly routerPorts: readonly WantedRouterPort[];
  readonly routes: readonly WantedRoute[];
  readonly policies: readonly WantedPolicy[];
  readonly acls: readonly WantedAcl[];
  readonly portGroups: readonly WantedPortGroup[];
  readonly groupAcls: readonly WantedGroupAcl[];
  readonly dhcpOptions: readonly WantedDhcpOptions[];
  readonly ports: readonly WantedPort[];
};

export const NOTHING_WANTED: Wanted = {
  switches: [],
  routers: [],
  routerPorts: [],
  routes: [],
  policies: [],
  acls: [],
  portGroups: [],
  groupAcls: [],
  dhcpOptions: [],
  ports: [],
};
