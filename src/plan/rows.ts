import type { Wanted, WantedDhcpOptions } from '../ovn/wanted.ts';

export type { Wanted, WantedDhcpOptions };

/** The empty wish, made here because `plan` may import only types of `ovn`. */
export const NOTHING: Wanted = {
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

/** The wishes of several owners as one. */
export function mergeWanted(parts: readonly Wanted[]): Wanted {
  return {
    switches: parts.flatMap((part) => part.switches),
    routers: parts.flatMap((part) => part.routers),
    routerPorts: parts.flatMap((part) => part.routerPorts),
    routes: parts.flatMap((part) => part.routes),
    policies: parts.flatMap((part) => part.policies),
    acls: parts.flatMap((part) => part.acls),
    portGroups: parts.flatMap((part) => part.portGroups),
    groupAcls: parts.flatMap((part) => part.groupAcls),
    dhcpOptions: parts.flatMap((part) => part.dhcpOptions),
    ports: parts.flatMap((part) => part.ports),
  };
}
