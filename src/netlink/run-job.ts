import { sendAnnouncement } from './announce.ts';
import { dumpConntrack, loadConntrack } from './conntrack.ts';
import type { ConntrackWatches } from './conntrack-watch.ts';
import { moveDefaultRoute } from './default-route.ts';
import { deleteGate, ensureGate, getGateState, openGate } from './gate.ts';
import type { Announce, Job, Results } from './jobs.ts';
import { reapChild } from './libc.ts';
import { deleteIfPresent, getLink, listLinks } from './links.ts';
import { dumpNeighbours, loadNeighbours } from './neighbour-load.ts';
import { closeNetns, type Netns, openNetns, refuseOwnNetns, withNetns } from './netns.ts';
import { configureNodePorts } from './node-ports.ts';
import { deleteNodeRules } from './node-rules.ts';
import { openRouteSocketIn, type RouteSocket } from './socket.ts';
import { attachVeth, checkVeth } from './veth.ts';

/** What a thread keeps from one job to the next. */
export type Kept = { readonly host: RouteSocket; readonly watches: ConntrackWatches };

type Handler<K extends Job['kind']> = (host: RouteSocket, job: Extract<Job, { kind: K }>, kept: Kept) => Results[K];
type Handlers = { [K in Job['kind']]: Handler<K> };

const HANDLERS: Handlers = {
  attachVeth,
  checkVeth,
  configureNodePorts,
  detachVeth: (host, job) => ({ deleted: deleteIfPresent(host, job.hostName) }),
  listLinks: (host, job) => ({ links: listLinks(host).filter((link) => link.name.startsWith(job.prefix ?? '')) }),
  deleteNodeRules: () => {
    deleteNodeRules();
    return {};
  },
  moveDefaultRoute: (_host, job) => moveDefaultRoute(job),
  ensureGate: (_host, job) => inNetns(job.netnsPath, (netns) => ({ created: ensureGate(netns, job) })),
  openGate: (_host, job) =>
    inNetns(job.netnsPath, (netns) => {
      openGate(netns, job);
      return {};
    }),
  deleteGate: (_host, job) =>
    inNetns(job.netnsPath, (netns) => {
      deleteGate(netns, job.interface);
      return {};
    }),
  getGateState: (_host, job) =>
    inNetns(job.netnsPath, (netns) => ({ state: getGateState(netns, job.interface) ?? null })),
  announce: (_host, job) => inNetns(job.netnsPath, (netns) => announceIn(netns, job)),
  dumpConntrack: (_host, job) => inNetns(job.netnsPath, (netns) => dumpConntrack(netns, job.limit)),
  watchConntrack: (_host, job, { watches }) => inNetns(job.netnsPath, (netns) => ({ watch: watches.open(netns) })),
  readConntrackChanges: (_host, job, { watches }) => watches.read(job.watch, job.limit),
  endConntrackWatch: (_host, job, { watches }) => ({ ended: watches.close(job.watch) }),
  loadConntrack: (_host, job) => inNetns(job.netnsPath, (netns) => loadConntrack(netns, job)),
  dumpNeighbours: (_host, job) => inNetns(job.netnsPath, (netns) => dumpNeighbours(netns, job.interface)),
  loadNeighbours: (_host, job) => inNetns(job.netnsPath, (netns) => loadNeighbours(netns, job)),
  reapChildren: (_host, job) => ({ reaped: job.pids.filter(reapChild) }),
};

/** Runs one job to its end on the calling thread. `host` is a route socket of the host's namespace. Throws NetlinkError. */
export function runJob(kept: Kept, job: Job): Results[Job['kind']] {
  const handler = HANDLERS[job.kind] as (host: RouteSocket, job: Job, kept: Kept) => Results[Job['kind']];
  return handler(kept.host, job, kept);
}

function inNetns<T>(path: string, action: (netns: Netns) => T): T {
  const netns = openNetns(path);
  try {
    return action(netns);
  } finally {
    closeNetns(netns);
  }
}

function announceIn(netns: Netns, job: Announce): Record<string, never> {
  refuseOwnNetns(netns);
  const socket = openRouteSocketIn(netns);
  try {
    const ifIndex = getLink(socket, job.name).index;
    const { mac, ips, rarp } = job;
    withNetns(netns, () => sendAnnouncement({ ifIndex, mac, ips, ...(rarp === undefined ? {} : { rarp }) }));
    return {};
  } finally {
    socket.close();
  }
}
