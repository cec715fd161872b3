import type { AddressRequest } from '../../ipam/allocate.ts';
import type { NicRequest } from './types.ts';

/** What the allocator is asked for, for one NIC of a namespace. */
export function makeAddressRequest(namespace: string, holder: string, request: NicRequest): AddressRequest {
  const { subnet, ips, mac, pool } = request;
  return {
    holder,
    subnet,
    namespace,
    ...(ips === undefined ? {} : { ips }),
    ...(mac === undefined ? {} : { mac }),
    ...(pool?.kind === 'named' ? { pool: pool.name } : {}),
    ...(pool?.kind === 'list' ? { candidates: pool.candidates } : {}),
    ...(pool?.kind === 'list' && pool.ordinal !== undefined ? { ordinal: pool.ordinal } : {}),
  };
}
