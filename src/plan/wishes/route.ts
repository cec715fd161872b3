import { type Cidr, formatAddress, formatCidr, parseAddress, parseCidr } from '../../api/address.ts';
import { asFields, type Fields } from '../../api/fields.ts';
import { fail, type Result, succeed } from '../../api/problem.ts';
import { quote } from '../../ipam/ranges.ts';
import { parseJson } from './json.ts';
import type { RouteWish } from './types.ts';

const MAX_ROUTES = 64;

/** JSON list of `{dst, gw}`; host bits of `dst` are dropped. Unknown keys mean nothing. */
export function parseRoutesText(text: string): Result<readonly RouteWish[] | undefined> {
  if (text.trim() === '') return succeed(undefined);
  const list = parseJson(text)?.value;
  if (!Array.isArray(list)) return fail('InvalidRequest', 'not a JSON list of routes');
  if (list.length > MAX_ROUTES) return fail('InvalidRequest', `more than ${MAX_ROUTES} routes`);
  const routes: RouteWish[] = [];
  for (const item of list as unknown[]) {
    const fields = asFields(item);
    const route = fields === undefined ? fail('InvalidRequest', 'a route is not an object') : parseRoute(fields);
    if (!route.ok) return route;
    routes.push(route.value);
  }
  return succeed(routes);
}

function parseRoute(fields: Fields): Result<RouteWish> {
  const dst = parsePart(fields, 'dst', parseNetwork);
  const gw = parsePart(fields, 'gw', parseAddress);
  if (!dst.ok) return dst;
  if (!gw.ok) return gw;
  const [to, by] = [dst.value, gw.value];
  if (to === undefined && by === undefined) return fail('InvalidRequest', 'a route needs dst or gw');
  if (to !== undefined && by !== undefined && to.family !== by.family) {
    return fail('InvalidRequest', `${formatCidr(to)} and ${formatAddress(by)} are of different families`);
  }
  return succeed({ ...(to && { dst: formatCidr(to) }), ...(by && { gw: formatAddress(by) }) });
}

/** Host bits are dropped: `ip route` would take them for a mistake, Kube-OVN's examples have them. */
const parseNetwork = (text: string): Cidr | undefined => parseCidr(text);

function parsePart<T>(fields: Fields, name: string, parse: (text: string) => T | undefined): Result<T | undefined> {
  const value = fields.get(name) ?? '';
  if (value === '') return succeed(undefined);
  const parsed = typeof value === 'string' ? parse(value.trim()) : undefined;
  const shown = typeof value === 'string' ? quote(value) : typeof value;
  return parsed === undefined ? fail('InvalidRequest', `${name} cannot be ${shown}`) : succeed(parsed);
}
