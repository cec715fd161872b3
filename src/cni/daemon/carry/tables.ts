import { NetlinkError } from '../../../netlink/errors.ts';
import type { TravellingNeighbour } from '../../../netlink/neighbour-travel.ts';
import type { Links } from '../context.ts';
import type { Carry } from './plan.ts';
import { LIMITS } from './protocol.ts';
import type { Changes, Source, Table } from './send.ts';

type Options = { readonly links: Links; readonly carry: Pick<Carry, 'netnsPaths' | 'interface'> };
type Launcher = { readonly netnsPath: string; readonly watch: number };

/**
 * What the launchers of a VM on this node track and whom they know; one that has gone has nothing. Listens to their trackers
 * until it is disposed. Rejects with NetlinkError.
 */
export async function openTables({ links, carry }: Options): Promise<Source & AsyncDisposable> {
  const launchers: Launcher[] = [];
  const end = async (): Promise<void> => {
    for (const { watch } of launchers.splice(0)) await links.run({ kind: 'endConntrackWatch', watch });
  };
  try {
    for (const netnsPath of carry.netnsPaths) {
      const opened = await links.run({ kind: 'watchConntrack', netnsPath }).catch(ignoreGone);
      if (opened !== undefined) launchers.push({ netnsPath, watch: opened.watch });
    }
  } catch (error) {
    await end();
    throw error;
  }
  return {
    readTable: () => readTables(links, launchers),
    readChanges: () => readChanges(links, launchers),
    readNeighbours: () => readNeighbours(links, carry),
    [Symbol.asyncDispose]: end,
  };
}

async function readTables(links: Links, launchers: readonly Launcher[]): Promise<Table> {
  const tables: Table[] = [];
  for (const { netnsPath } of launchers) {
    const table = await links.run({ kind: 'dumpConntrack', netnsPath, limit: LIMITS.entries }).catch(ignoreGone);
    if (table !== undefined) tables.push(table);
  }
  return { entries: tables.flatMap(({ entries }) => entries), truncated: tables.some(({ truncated }) => truncated) };
}

async function readChanges(links: Links, launchers: readonly Launcher[]): Promise<Changes> {
  const changes: Changes[] = [];
  for (const { watch } of launchers)
    changes.push(await links.run({ kind: 'readConntrackChanges', watch, limit: LIMITS.changes }));
  return { entries: changes.flatMap(({ entries }) => entries), lost: changes.some(({ lost }) => lost) };
}

/** Whom these launchers know; of one address that two of them know the first one's word counts. */
async function readNeighbours(links: Links, carry: Options['carry']): Promise<readonly TravellingNeighbour[]> {
  const known = new Map<string, TravellingNeighbour>();
  for (const netnsPath of carry.netnsPaths) {
    const job = { kind: 'dumpNeighbours', netnsPath, interface: carry.interface } as const;
    const { neighbours } = (await links.run(job).catch(ignoreGone)) ?? { neighbours: [] };
    for (const neighbour of neighbours) {
      const key = `${neighbour.link} ${neighbour.ip}`;
      if (!known.has(key)) known.set(key, neighbour);
    }
  }
  return [...known.values()];
}

function ignoreGone(error: unknown): undefined {
  if (error instanceof NetlinkError && error.class === 'not-found') return undefined;
  throw error;
}
