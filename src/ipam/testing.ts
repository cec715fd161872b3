import type { AddressRequest } from './allocate.ts';
import { planPools } from './ip-pools.ts';
import type { Network } from './networks.ts';
import type { Lease } from './pool.ts';
import { planRanges } from './ranges.ts';
import { createRegistry, type Registry } from './registry.ts';

export type Net = { name: string; cidr: string; space?: string; excludeIps?: string[]; domain?: string };
export type IpPool = { name: string; subnet: string; ips: string[]; namespaces?: string[]; ending?: true };

/** An empty CIDR is a subnet that cannot be used. */
export function makeNetwork({ name, cidr, space = 'vpc/a', excludeIps = [], domain }: Net): Network {
  const planned = cidr === '' ? undefined : planRanges({ cidrBlock: cidr, excludeIps });
  if (planned?.ok === false) throw new Error(planned.problem.message);
  const network = { name, space, ranges: planned?.value ?? [], routerMac: '0a:ff:00:00:00:01' };
  return domain === undefined ? network : { ...network, domain };
}

export function setNetworks(registry: Registry, nets: Net[], pools: IpPool[] = []): void {
  const networks = nets.map(makeNetwork);
  const subnets = new Map(networks.map(({ name, ranges }) => [name, { usable: ranges.length > 0, ranges }]));
  const objects = pools.map(({ name, ending, ...spec }) => ({
    metadata: { name, ...(ending === undefined ? {} : { deletionTimestamp: '2026-01-02T00:00:00Z' }) },
    spec,
  }));
  registry.setNetworks(networks, planPools(objects, subnets));
}

export function makeRegistry(nets: Net[] = [{ name: 's', cidr: '10.0.0.0/24' }], pools: IpPool[] = []): Registry {
  let next = 0;
  const registry = createRegistry((length) => {
    next += 1;
    return Uint8Array.from({ length }, (_, index) => (next >> (8 * (length - 1 - index))) & 0xff);
  });
  setNetworks(registry, nets, pools);
  return registry;
}

export type Over = Partial<Omit<AddressRequest, 'holder'>>;

export const tell = (result: ReturnType<Registry['reserveChange']>): string =>
  result.ok ? `${result.value.ips.join()}` : result.problem.reason;
export function reserve(registry: Registry, holder: string, over: Over = {}): string {
  const result = registry.reserve([{ holder, subnet: 's', ...over }]);
  return result.ok ? (result.value[0]?.ips.join() ?? '') : result.problem.reason;
}
export const change = (registry: Registry, holder: string, over: Over) =>
  registry.reserveChange({ holder, subnet: 's', ...over });
export const at = (ips: string, mac = '02:00:00:00:00:01'): Lease => ({ ips: ips === '' ? [] : ips.split(','), mac });
export const count = (registry: Registry, subnet = 's') =>
  registry
    .counts(subnet)
    .map(({ used, available }) => `${used}/${available}`)
    .join();
/** Rivals of a port with this lease. */
export const listRivals = (registry: Registry, holder: string, lease: Lease, subnet = 's') =>
  registry.listRivals(holder, subnet, lease);
