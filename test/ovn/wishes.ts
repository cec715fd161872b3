import { formatExternalIds } from '../../src/api/owner.ts';
import type {
  WantedAcl,
  WantedDhcpOptions,
  WantedPolicy,
  WantedPort,
  WantedRoute,
  WantedRouter,
  WantedRouterPort,
  WantedSwitch,
} from '../../src/ovn/wanted.ts';

export const CLUSTER = 'c1';
export const SUBNET = 'Subnet/net1';
export const VPC = 'Vpc/blue';
export const VM = 'LogicalPort/ns/vm.default.vm';

/** The external ids of an owner written as text, e.g. `Subnet/net1`. */
export function idsOfOwner(owner: string, uid = 'u1'): ReadonlyMap<string, string> {
  const [kind = '', name = '', ...rest] = owner.split('/');
  const more = rest[0];
  return formatExternalIds(
    CLUSTER,
    more === undefined ? { kind, name, uid } : { kind, namespace: name, name: more, uid },
  );
}

export const SWITCH: WantedSwitch = {
  name: 'subnet/net1',
  otherConfig: new Map([['subnet', '10.0.0.0/24']]),
  externalIds: idsOfOwner(SUBNET),
};
export const OTHER_SWITCH: WantedSwitch = { name: 'subnet/net2', externalIds: idsOfOwner(SUBNET) };
export const ROUTER: WantedRouter = { name: 'vpc/blue', externalIds: idsOfOwner(VPC) };
export const ROUTER_PORT: WantedRouterPort = {
  router: 'vpc/blue',
  name: 'vpc/blue/subnet/net1',
  mac: '00:00:00:00:01:01',
  networks: ['10.0.0.1/24', 'fd00::1/64'],
  externalIds: idsOfOwner(SUBNET),
};
export const ROUTE: WantedRoute = {
  router: 'vpc/blue',
  ipPrefix: '0.0.0.0/0',
  nexthop: '100.64.0.2',
  outputPort: 'vpc/blue/join',
  externalIds: idsOfOwner(VPC),
};
export const POLICY: WantedPolicy = {
  router: 'vpc/blue',
  row: 'net1-out-v4',
  priority: 2000,
  match: 'ip4.src == 10.0.0.0/24',
  action: 'reroute',
  nexthop: '100.64.0.3',
  externalIds: idsOfOwner(SUBNET),
};
export const ACL: WantedAcl = {
  switch: 'subnet/net1',
  row: 'net1-rest',
  priority: 1800,
  direction: 'to-lport',
  match: 'ip',
  action: 'drop',
  externalIds: idsOfOwner(SUBNET),
};
export const DHCP: WantedDhcpOptions = {
  row: 'net1-v4',
  cidr: '10.0.0.0/24',
  options: new Map([
    ['server_id', '10.0.0.1'],
    ['lease_time', '3600'],
  ]),
  externalIds: idsOfOwner(SUBNET),
};
export const PORT: WantedPort = {
  switch: 'subnet/net1',
  name: 'vm/ns/vm/default',
  type: '',
  addresses: ['00:00:00:00:00:01 10.0.0.5'],
  portSecurity: ['00:00:00:00:00:01 10.0.0.5'],
  options: new Map([['requested-chassis', 'node1']]),
  dhcpv4: 'net1-v4',
  externalIds: idsOfOwner(VM),
};

/** A whole small network with one VM. */
export const NETWORK = {
  switches: [SWITCH],
  routers: [ROUTER],
  routerPorts: [ROUTER_PORT],
  routes: [ROUTE],
  policies: [POLICY],
  acls: [ACL],
  dhcpOptions: [DHCP],
  ports: [PORT],
} as const;
export const ALL_OWNERS = [SUBNET, VPC, VM] as const;
