import { formatAddress, parseAddress, parseMac } from '../api/address.ts';
import { formatSwitchName } from '../api/names.ts';
import { CLUSTER_KEY } from '../api/owner.ts';
import type { NbClient } from '../ovn/database.ts';
import { NB } from '../ovn/schema/nb.gen.ts';
import type { ForeignLease } from './addresses.ts';

const PREFIX = formatSwitchName('');

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

/** All addresses of the column; words such as `dynamic` and `unknown` hold nothing. See ovn-nb(5), `addresses`. */
function parseLease(addresses: readonly string[]): ForeignLease['lease'] {
  const words = addresses.flatMap((entry) => entry.split(/\s+/));
  const ips = words.flatMap((word) => parseAddress(word) ?? []).map(formatAddress);
  return { ips, mac: words.map(parseMac).find((mac) => mac !== undefined) ?? '' };
}
