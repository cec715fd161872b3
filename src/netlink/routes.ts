import { decodeAttributes, encodeAttributes, type Message, readU32, u32 } from './codec.ts';
import { AF, NLM_NEW, RT, RTA, RTM, RTNH_F_ONLINK } from './constants.ts';
import { fromCode, NetlinkError } from './errors.ts';
import { type Cidr, formatCidr, formatIp, type Ip, maskCidr, parseCidr, parseIp } from './ip.ts';
import type { RouteSocket } from './socket.ts';

/** A route to ask for. Without `dst` the default route of the gateway's family; without `gw` everything is on the link. */
export type RouteSpec = {
  dst?: string;
  gw?: string;
  onlink?: boolean;
  priority?: number;
  src?: string;
  /** Who made it (rtnetlink(7), rtm_protocol); `static` when absent. */
  protocol?: number;
};

/** A unicast route of the main table as the kernel has it. */
export type Route = {
  dst: string;
  gw?: string;
  ifIndex?: number;
  priority?: number;
  src?: string;
  protocol: number;
  scope: number;
  onlink: boolean;
};

const HEADER = 12;

/** struct rtmsg and its attributes. Throws EINVAL when dst and gw disagree or both are missing. */
export function encodeRoute(ifIndex: number, route: RouteSpec): Buffer {
  const { dst, gateway } = parseRoute(route);
  const header = Buffer.alloc(HEADER);
  const scope = gateway === undefined && dst.family === AF.inet ? RT.scopeLink : RT.scopeUniverse;
  header.set(
    [dst.family, dst.prefix, 0, 0, RT.tableMain, route.protocol ?? RT.protocolStatic, scope, RT.typeUnicast],
    0,
  );
  header.writeUInt32LE(route.onlink === true ? RTNH_F_ONLINK : 0, 8);
  const optional: [number, Buffer | undefined][] = [
    [RTA.oif, u32(ifIndex)],
    [RTA.dst, dst.prefix > 0 ? dst.bytes : undefined],
    [RTA.gateway, gateway?.bytes],
    [RTA.priority, route.priority === undefined ? undefined : u32(route.priority)],
    [RTA.prefSrc, route.src === undefined ? undefined : parseIp(route.src).bytes],
  ];
  return Buffer.concat([
    header,
    encodeAttributes(optional.flatMap(([type, value]) => (value ? [{ type, value }] : []))),
  ]);
}

function parseRoute(route: RouteSpec): { dst: Cidr; gateway?: Ip } {
  const gateway = route.gw === undefined ? undefined : parseIp(route.gw);
  const dst = findDestination(route, gateway?.family);
  if (gateway === undefined) return { dst };
  if (gateway.family === dst.family) return { dst, gateway };
  throw fromCode('EINVAL', `route ${route.dst} and gateway ${route.gw} are of different families`);
}

function findDestination(route: RouteSpec, family: number | undefined): Cidr {
  if (route.dst !== undefined) return maskCidr(parseCidr(route.dst));
  if (family === undefined) throw fromCode('EINVAL', 'route without destination and gateway');
  return { family, bytes: Buffer.alloc(family === AF.inet ? 4 : 16), prefix: 0 };
}

/** Reads an RTM_NEWROUTE message. Throws EBADMSG. */
export function decodeRoute(message: Message): Route & { table: number; type: number } {
  const { payload } = message;
  if (payload.length < HEADER) throw fromCode('EBADMSG', `route message of ${payload.length} bytes`);
  const attributes = decodeAttributes(payload.subarray(HEADER));
  const family = payload.readUInt8(0);
  const bytes = attributes.get(RTA.dst) ?? Buffer.alloc(family === AF.inet ? 4 : 16);
  const optional = {
    gw: formatOptional(attributes.get(RTA.gateway)),
    ifIndex: readU32(attributes, RTA.oif),
    priority: readU32(attributes, RTA.priority),
    src: formatOptional(attributes.get(RTA.prefSrc)),
  };
  return {
    dst: formatCidr({ family, bytes, prefix: payload.readUInt8(1) }),
    protocol: payload.readUInt8(5),
    scope: payload.readUInt8(6),
    type: payload.readUInt8(7),
    onlink: (payload.readUInt32LE(8) & RTNH_F_ONLINK) !== 0,
    table: readU32(attributes, RTA.table) ?? payload.readUInt8(4),
    ...(Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)) as Partial<Route>),
  };
}

function formatOptional(bytes: Buffer | undefined): string | undefined {
  return bytes === undefined ? undefined : formatIp(bytes);
}

/** Adds the route or replaces the one of the same destination and priority. Throws ENETUNREACH for an unknown gateway. */
export function ensureRoute(socket: RouteSocket, ifIndex: number, route: RouteSpec): void {
  socket.request({
    type: RTM.newRoute,
    flags: NLM_NEW.create | NLM_NEW.replace,
    payload: encodeRoute(ifIndex, route),
    what: `set route ${route.dst ?? 'default'} via ${route.gw ?? 'link'} on link ${ifIndex}`,
  });
}

/** Unicast routes of the main table, or of all tables; of one link or of all. */
export function listRoutes(socket: RouteSocket, ifIndex?: number, tables: 'main' | 'any' = 'main'): Route[] {
  const dumps = [AF.inet, AF.inet6].flatMap((family) => {
    const payload = Buffer.alloc(HEADER);
    payload.writeUInt8(family, 0);
    return socket.dump({ type: RTM.getRoute, payload, what: 'list routes' });
  });
  return dumps
    .map(decodeRoute)
    .filter((route) => (tables === 'any' || route.table === RT.tableMain) && route.type === RT.typeUnicast)
    .filter((route) => ifIndex === undefined || route.ifIndex === ifIndex)
    .map(({ table: _table, type: _type, ...route }) => route);
}

/** Removes a route; says whether it was there. */
export function deleteRoute(socket: RouteSocket, ifIndex: number, route: RouteSpec): boolean {
  const payload = encodeRoute(ifIndex, route);
  try {
    socket.request({ type: RTM.delRoute, payload, what: `delete route ${route.dst ?? 'default'} of link ${ifIndex}` });
    return true;
  } catch (error) {
    if (error instanceof NetlinkError && error.class === 'not-found') return false;
    throw error;
  }
}
