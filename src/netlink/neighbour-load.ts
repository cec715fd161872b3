import { listAddresses } from './addresses.ts';
import { NetlinkError } from './errors.ts';
import { deriveLinkNames, getGateState } from './gate.ts';
import { findLink } from './links.ts';
import {
  type NeighbourSide,
  type NeighbourWrite,
  planNeighbourTravel,
  planNeighbourWrites,
  type TravellingNeighbour,
} from './neighbour-travel.ts';
import { listNeighbours, suggestNeighbour } from './neighbours.ts';
import { type Netns, refuseOwnNetns } from './netns.ts';
import { openRouteSocketIn, type RouteSocket } from './socket.ts';

/** Failures of the socket, after which nothing is known of the kernel's answer. */
const LOST = new Set(['EAGAIN']);

/** What travels of the tables of a launcher's two links; see the job of the same name. Throws NetlinkError. */
export function dumpNeighbours(netns: Netns, podInterface: string): { neighbours: TravellingNeighbour[] } {
  refuseOwnNetns(netns);
  return withSocket(netns, (socket) => ({
    neighbours: findSides(socket, podInterface).flatMap(({ side, ifIndex }) =>
      planNeighbourTravel(side, listNeighbours(socket, ifIndex)),
    ),
  }));
}

/** What a load is asked to do; see the job of the same name. */
export type NeighbourLoad = { interface: string; neighbours: readonly TravellingNeighbour[] };

/** Makes these neighbours usable where they are not; see the job of the same name. Throws NetlinkError. */
export function loadNeighbours(netns: Netns, load: NeighbourLoad): { written: number; refused: number } {
  refuseOwnNetns(netns);
  return withSocket(netns, (socket) => {
    const views = findSides(socket, load.interface).map(({ side, ifIndex }) => ({
      ifIndex,
      wanted: load.neighbours.filter(({ link }) => link === side),
      addresses: listAddresses(socket, ifIndex).map(({ cidr }) => cidr),
      table: listNeighbours(socket, ifIndex),
    }));
    const plan = (shut: boolean) => views.map((view) => planNeighbourWrites(view.wanted, view, shut));
    // Asking for the gate costs more than all else, and most often there is nothing to do.
    if (plan(true).flat().length === 0) return { written: 0, refused: 0 };
    const shut = getGateState(netns, load.interface)?.open === false;
    const results = plan(shut).flatMap((writes, at) =>
      writes.map((write) => trySuggest(socket, views[at]?.ifIndex ?? 0, write)),
    );
    const written = results.filter(Boolean).length;
    return { written, refused: results.length - written };
  });
}

function trySuggest(socket: RouteSocket, ifIndex: number, write: NeighbourWrite): boolean {
  try {
    suggestNeighbour(socket, ifIndex, write);
    return true;
  } catch (error) {
    if (error instanceof NetlinkError && !LOST.has(error.code)) return false;
    throw error;
  }
}

/** The two links, as far as they are there and up. */
function findSides(socket: RouteSocket, podInterface: string): { side: NeighbourSide; ifIndex: number }[] {
  const names = [
    { side: 'pod', name: podInterface },
    { side: 'guest', name: deriveLinkNames(podInterface).bridge },
  ] as const;
  return names.flatMap(({ side, name }) => {
    const link = findLink(socket, name);
    return link?.up === true ? { side, ifIndex: link.index } : [];
  });
}

function withSocket<T>(netns: Netns, action: (socket: RouteSocket) => T): T {
  const socket = openRouteSocketIn(netns);
  try {
    return action(socket);
  } finally {
    socket.close();
  }
}
