import { formatAddress, parseAddress, parseMac } from '../api/address.ts';
import { formatSwitchName } from '../api/names.ts';
import { CLUSTER_KEY } from '../api/owner.ts';
import { keyOf } from '../kube/index.ts';
import type { NbClient } from '../ovn/database.ts';
import { type Logical_Switch_PortRow, type Logical_SwitchRow, NB } from '../ovn/schema/nb.gen.ts';
import type { RowChange } from '../ovsdb/index.ts';
import type { ForeignLease } from './addresses.ts';
import type { Context } from './context.ts';

const PREFIX = formatSwitchName('');
/** How the allocator names holders that are rows of others. */
const FOREIGN_HOLDER = 'ovn:';

/** The addresses of switch ports that are on our subnets' switches and not ours: nobody of ours may get them (F53). */
export function listForeign({ observed }: Pick<NbClient, 'observed'>, cluster: string): ForeignLease[] {
  const ports = observed.rows(NB.Logical_Switch_Port);
  return [...observed.rows(NB.Logical_Switch).values()]
    .filter((row) => row.name.startsWith(PREFIX) && row.external_ids.get(CLUSTER_KEY) === cluster)
    .flatMap((row) =>
      row.ports.flatMap((uuid) => {
        const port = ports.get(uuid);
        if (port === undefined || port.external_ids.get(CLUSTER_KEY) === cluster) return [];
        return { subnet: row.name.slice(PREFIX.length), name: port.name, lease: parseLease(port.addresses) };
      }),
    );
}

export type Foreign = {
  /** Reads everything again, as when a row was moved to one of our switches from another. */
  refresh(): void;
  end(): void;
};

type Means = Pick<Context, 'nb' | 'settings' | 'addresses' | 'world' | 'events' | 'log'>;

/**
 * Holds what other systems have on our switches as soon as they have it, and tells of each address that a port of ours
 * had before: nobody is cut off, and nobody but a person can say which of the two is right.
 */
export function followForeign(means: Means): Foreign {
  const { nb, settings, addresses } = means;
  let known = new Set<string>();
  const refresh = () => {
    const leases = listForeign(nb, settings.cluster);
    known = new Set(leases.map(({ name }) => name));
    addresses.holdForeign(leases);
    for (const subnet of new Set(leases.map((lease) => lease.subnet))) tellOfDoubles(means, subnet);
  };
  const end = nb.client.onChange((changes) => {
    if (isForeignNews(changes, settings.cluster, known)) refresh();
  });
  return { refresh, end };
}

/** A row of others that comes to a switch of ours or goes changes the switch too, in the same transaction. */
function isForeignNews(changes: readonly RowChange[], cluster: string, known: ReadonlySet<string>): boolean {
  const rows = changes.flatMap(({ table, old, new: now }) => {
    const row =
      table === NB.Logical_Switch_Port.name ? ((now ?? old) as Logical_Switch_PortRow | undefined) : undefined;
    if (row === undefined || row.external_ids.get(CLUSTER_KEY) === cluster) return [];
    return [{ name: row.name, isUpdate: old !== undefined && now !== undefined }];
  });
  if (rows.some(({ name }) => known.has(name))) return true;
  return rows.some(({ isUpdate }) => !isUpdate) && changes.some((change) => isOwnSwitch(change, cluster));
}

function isOwnSwitch({ table, old, new: now }: RowChange, cluster: string): boolean {
  const row = table === NB.Logical_Switch.name ? ((now ?? old) as Logical_SwitchRow | undefined) : undefined;
  return row?.external_ids.get(CLUSTER_KEY) === cluster && row.name.startsWith(PREFIX);
}

function tellOfDoubles({ world, addresses, events, log }: Means, subnet: string): void {
  for (const port of world.ports.store.byIndex('subnet', subnet)) {
    const others = addresses.listRivals(port).filter((rival) => rival.startsWith(FOREIGN_HOLDER));
    if (others.length === 0) continue;
    log.warn({ port: keyOf(port), others }, 'a switch port of another system has the address of one of ours');
    const { ips, mac } = port.spec;
    const way = 'take it off that port, or ask for another address here';
    const note = `${ips.join(', ')} or MAC ${mac} is also on a switch port of another system; ${way}`;
    events.record(port, { type: 'Warning', reason: 'AddressConflict', action: 'Allocating', note: note.slice(0, 900) });
  }
}

/** All addresses of the column; words such as `dynamic` and `unknown` hold nothing. See ovn-nb(5), `addresses`. */
export function parseLease(addresses: readonly string[]): ForeignLease['lease'] {
  const words = addresses.flatMap((entry) => entry.split(/\s+/));
  const ips = words.flatMap((word) => parseAddress(word) ?? []).map(formatAddress);
  return { ips, mac: words.map(parseMac).find((mac) => mac !== undefined) ?? '' };
}
