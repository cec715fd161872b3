import { type Result, succeed } from '../api/problem.ts';
import type { AddressRequest } from './allocate.ts';
import { type Holder, markLeaving, markReserved } from './holders.ts';
import type { Ledger } from './ledger.ts';
import { hold, isSameLease, type Lease } from './pool.ts';

type Place = { readonly subnet: string; readonly lease: Lease };

/** A holder on its way from one lease to another; it holds both. */
export type Change = { readonly from: Place; readonly to: Place };

export type Changes = {
  find(holder: Holder): Change | undefined;
  reserve(request: AddressRequest): Result<Lease>;
  settle(holder: Holder): void;
  drop(holder: Holder): void;
  dropAll(): void;
  /** The holder's LogicalPort may have another lease now. */
  observe(holder: Holder): void;
};

type Entry = Change & { readonly asked: string; isSettled: boolean };

/**
 * Leases that change: the new one is held beside the old one until the change is settled. `locate` tells the subnet of a
 * holder's LogicalPort.
 */
export function createChanges(ledger: Ledger, locate: (holder: Holder) => string | undefined): Changes {
  const { networks, take, letGo, findLease } = ledger;
  const entries = new Map<Holder, Entry>();
  const findPlace = (holder: Holder): Place | undefined => {
    const subnet = locate(holder);
    const lease = findLease(subnet, holder);
    return subnet === undefined || lease === undefined ? undefined : { subnet, lease };
  };
  const drop = (holder: Holder) => {
    const entry = entries.get(holder);
    if (entry === undefined) return;
    entries.delete(holder);
    letGo(entry.to.subnet, markReserved(holder));
    letGo(entry.from.subnet, markLeaving(holder));
  };
  const observe = (holder: Holder) => {
    const entry = entries.get(holder);
    const place = findPlace(holder);
    if (entry?.isSettled === true && place !== undefined && isSamePlace(place, entry.to)) drop(holder);
  };
  const begin = (request: AddressRequest, from: Place | undefined): Result<Lease> => {
    const { holder, subnet } = request;
    const lease = take(request, markReserved(holder), from?.lease);
    if (!lease.ok || from === undefined) return lease;
    const to = { subnet, lease: lease.value };
    if (isSamePlace(from, to)) {
      letGo(subnet, markReserved(holder));
      return lease;
    }
    hold(networks.ensurePool(from.subnet), markLeaving(holder), from.lease);
    entries.set(holder, { from, to, asked: serialize(request), isSettled: false });
    return lease;
  };
  return {
    find: (holder) => entries.get(holder),
    observe,
    drop,
    dropAll: () => {
      for (const holder of [...entries.keys()]) drop(holder);
    },
    reserve: (request) => {
      const entry = entries.get(request.holder);
      if (entry?.asked === serialize(request)) {
        entry.isSettled = false;
        return succeed(entry.to.lease);
      }
      drop(request.holder);
      return begin(request, findPlace(request.holder));
    },
    settle: (holder) => {
      const entry = entries.get(holder);
      if (entry !== undefined) entry.isSettled = true;
      observe(holder);
    },
  };
}

const isSamePlace = (a: Place, b: Place): boolean => a.subnet === b.subnet && isSameLease(a.lease, b.lease);

const serialize = ({ subnet, ips, mac, candidates, ordinal, pool, namespace }: AddressRequest): string =>
  JSON.stringify([subnet, ips, mac, candidates, ordinal, pool, namespace]);
