import { parseIp } from './ip.ts';
import type { MoveDefaultRoute } from './jobs.ts';
import { getLink } from './links.ts';
import { closeNetns, openNetns, refuseOwnNetns } from './netns.ts';
import { deleteRoute, ensureRoute, listRoutes, type Route } from './routes.ts';
import { openRouteSocketIn, type RouteSocket } from './socket.ts';

const DEFAULTS = ['0.0.0.0/0', '::/0'];

/**
 * Makes one interface of a pod the way out, for the families of the gateways: every other default route
 * of the family goes. Repeating it changes nothing. Throws EHOSTNETNS for the host's namespace,
 * ENODEV without the interface, ENETUNREACH for a gateway that is not on its network.
 */
export function moveDefaultRoute(job: MoveDefaultRoute): Record<string, never> {
  const netns = openNetns(job.netnsPath);
  try {
    refuseOwnNetns(netns);
    const socket = openRouteSocketIn(netns);
    try {
      for (const gateway of job.gateways) move(socket, getLink(socket, job.interface).index, gateway);
    } finally {
      socket.close();
    }
  } finally {
    closeNetns(netns);
  }
  return {};
}

function move(socket: RouteSocket, ifIndex: number, gw: string): void {
  const [v4, v6] = DEFAULTS;
  const dst = parseIp(gw).bytes.length === 4 ? v4 : v6;
  const isWanted = (route: Route) => route.ifIndex === ifIndex && route.gw === gw;
  for (const route of listRoutes(socket).filter((other) => other.dst === dst && !isWanted(other))) {
    if (route.ifIndex === undefined) continue;
    const exact = { dst: route.dst, ...(route.gw === undefined ? {} : { gw: route.gw }) };
    deleteRoute(socket, route.ifIndex, {
      ...exact,
      ...(route.priority === undefined ? {} : { priority: route.priority }),
    });
  }
  ensureRoute(socket, ifIndex, { ...(dst === undefined ? {} : { dst }), gw });
}
