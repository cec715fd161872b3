import type { Context } from '../context.ts';
import type { Task } from './attach.ts';
import { asText, getOwn, listJson } from './json.ts';
import type { LedgerEntry } from './ledger.ts';

type Ask = Pick<Task, 'ifname' | 'requests'>;

/**
 * `default-route` of a network (multi-network specification v1.3, section 4.1.2.1.9): the pod's default route goes there
 * and nowhere else. Done after all interfaces are there, whoever made them. `entries` say what gateways they have. A link
 * that was left without address for a guest's DHCP has no way to them.
 */
export async function setDefaultRoutes(
  { links, journal }: Pick<Context, 'links' | 'journal'>,
  entries: readonly LedgerEntry[],
  asks: readonly Ask[],
): Promise<void> {
  for (const { ifname, requests } of asks) {
    const entry = entries.find((candidate) => candidate.ifname === ifname);
    const gateways = entry === undefined ? [] : listGateways(entry, requests.defaultRoute);
    if (entry === undefined || gateways.length === 0) continue;
    if (journal.find({ containerId: entry.containerId, ifname })?.bare === true) continue;
    await links.run({ kind: 'moveDefaultRoute', netnsPath: entry.netns, interface: ifname, gateways });
  }
}

/** Those that were asked for, or, for an empty list, those of the interface's addresses. */
export function listGateways({ result }: Pick<LedgerEntry, 'result'>, asked: readonly string[] | undefined): string[] {
  if (asked === undefined || asked.length > 0) return [...(asked ?? [])];
  const own = listJson(getOwn(result, 'ips')).flatMap((ip) => asText(getOwn(ip, 'gateway')) ?? []);
  return [...new Set(own)];
}
