import { type Cidr, containsAddress, formatAddress, parseAddress } from '../../api/address.ts';
import { fail, type Result, succeed } from '../../api/problem.ts';
import type { Subnet } from '../../api/types.gen.ts';
import { planRanges, quote } from '../../ipam/ranges.ts';
import type { RouteWish, Wish } from '../wishes/types.ts';
import type { Route } from './types.ts';

export type Family = 4 | 6;

const DEFAULT: Readonly<Record<Family, string>> = { 4: '0.0.0.0/0', 6: '::/0' };
const FAMILIES: readonly Family[] = [4, 6];

type Gateway = { readonly family: Family; readonly cidr: Cidr; readonly gateway: string };

/**
 * The routes asked for on one NIC, each with a gateway inside the subnet; undefined when none were. Problems:
 * InvalidRequest for a next hop outside, RequestDisagreement for two routes to one place, SubnetNotReady.
 */
export function planRoutes(subnet: Subnet, wish: Pick<Wish, 'routes' | 'defaultRoute'>): Result<Route[] | undefined> {
  if (wish.routes === undefined && wish.defaultRoute === undefined) return succeed(undefined);
  const gateways = listGateways(subnet);
  if (!gateways.ok) return gateways;
  const byDestination = new Map<string, Route>();
  for (const asked of [...(wish.routes ?? []), ...expandDefault(wish.defaultRoute, gateways.value)]) {
    const route = planRoute(asked, gateways.value, subnet.metadata.name);
    if (!route.ok) return route;
    const { dst, gw } = route.value;
    const other = byDestination.get(dst);
    if (other !== undefined && other.gw !== gw) {
      return fail('RequestDisagreement', `two routes to ${dst}: by ${[other.gw, gw].toSorted().join(' and by ')}`);
    }
    byDestination.set(dst, route.value);
  }
  return succeed([...byDestination.values()]);
}

function listGateways(subnet: Subnet): Result<Gateway[]> {
  const ranges = planRanges(subnet.spec);
  if (!ranges.ok)
    return fail('SubnetNotReady', `routes need a usable subnet ${subnet.metadata.name}: ${ranges.problem.message}`);
  return succeed(
    ranges.value.map(({ cidr, gateway }) => ({
      family: cidr.family,
      cidr,
      gateway: formatAddress({ family: cidr.family, value: gateway }),
    })),
  );
}

function expandDefault(asked: readonly string[] | undefined, gateways: readonly Gateway[]): RouteWish[] {
  if (asked?.length === 0) return gateways.map(({ gateway }) => ({ gw: gateway }));
  return (asked ?? []).map((gw) => ({ gw }));
}

function planRoute(asked: RouteWish, gateways: readonly Gateway[], subnet: string): Result<Route> {
  const family = findFamily(asked);
  if (family === undefined) return fail('InvalidRequest', `the gateway ${quote(asked.gw ?? '')} is not an address`);
  const dst = asked.dst ?? DEFAULT[family];
  const own = gateways.find((gateway) => gateway.family === family);
  if (own === undefined) return fail('InvalidRequest', `subnet ${subnet} has no gateway for a route to ${dst}`);
  const hop = parseAddress(asked.gw?.trim() ?? own.gateway);
  return hop !== undefined && containsAddress(own.cidr, hop)
    ? succeed({ dst, gw: formatAddress(hop) })
    : fail('InvalidRequest', `the gateway ${quote(asked.gw ?? '')} is not inside subnet ${subnet}`);
}

function findFamily({ dst, gw }: RouteWish): Family | undefined {
  if (gw !== undefined) return parseAddress(gw.trim())?.family;
  return dst?.includes(':') === true ? 6 : 4;
}

/** The families whose default route is among the routes. */
export function listDefaults(routes: readonly Route[] | undefined): Family[] {
  return FAMILIES.filter((family) => routes?.some(({ dst }) => dst === DEFAULT[family]) === true);
}

/**
 * All routes of a pod's first interface: those asked for, and a default one for each family that has none elsewhere.
 * Undefined when that is what it has anyway.
 */
export function planFirstRoutes(
  subnet: Subnet,
  routes: readonly Route[] | undefined,
  elsewhere: readonly Family[],
): readonly Route[] | undefined {
  if (routes === undefined && elsewhere.length === 0) return undefined;
  const gateways = listGateways(subnet);
  const present = [...listDefaults(routes), ...elsewhere];
  const missing = (gateways.ok ? gateways.value : []).filter(({ family }) => !present.includes(family));
  return [...missing.map(({ family, gateway }) => ({ dst: DEFAULT[family], gw: gateway })), ...(routes ?? [])];
}
