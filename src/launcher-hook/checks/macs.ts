import type { LogicalPort, Subnet } from '../../api/types.gen.ts';
import { deriveDomain } from '../../plan/networks/provider.ts';
import { deriveRouterMac } from '../../plan/networks/subnet.ts';
import type { NicRequest } from '../../plan/requests/types.ts';
import { type Guest, isOwnPort } from './guest.ts';
import { describeHolder, isLeaving } from './holders.ts';
import { type CheckCluster, deny, type Problem, warn } from './types.ts';

/**
 * What speaks against the MAC that is asked for one NIC: another owner in the same L2 domain. Two VMs that never run
 * together may be written with one MAC, as a copy of a VM is; what would run beside the other is refused.
 */
export function checkMac(request: NicRequest, guest: Guest, cluster: CheckCluster): Problem[] {
  const { nic, mac } = request;
  const subnet = cluster.findSubnet(request.subnet);
  if (mac === undefined || subnet === undefined) return [];
  const domain = listDomain(subnet, cluster);
  const router = domain.find(({ spec, metadata }) => mac === deriveRouterMac(findVpc(spec, cluster), metadata.name));
  if (router !== undefined) {
    return [
      deny({ reason: 'AddressInUse', message: `MAC ${mac} is the router's of subnet ${router.metadata.name}` }, nic),
    ];
  }
  const others = domain
    .flatMap(({ metadata }) => cluster.findPortsByMac(metadata.name, mac))
    .filter((port) => !isOwnPort(guest, port));
  const running = others.find((port) => isAttached(port) && !isLeaving(port, cluster));
  const shown = running ?? others[0];
  if (shown === undefined) return [];
  const message = `MAC ${mac} in the network of subnet ${shown.spec.subnet} ${describeHolder(shown, guest)}`;
  return guest.runs && running !== undefined
    ? [deny({ reason: 'AddressInUse', message: `${message} and in use now` }, nic)]
    : [warn({ reason: 'AddressInUse', message: `${message}; only one of the two can have it` }, nic)];
}

const isAttached = ({ spec }: LogicalPort): boolean => (spec.attachments ?? []).length > 0;

const findVpc = ({ vpc }: Subnet['spec'], { settings }: CheckCluster): string => vpc ?? settings.defaultVpc;

/** The subnets that share their MACs with this one. */
function listDomain(subnet: Subnet, cluster: CheckCluster): readonly Subnet[] {
  const domain = deriveDomain(subnet.spec);
  if (domain === undefined) return [subnet];
  return cluster.listSubnets().filter(({ spec }) => deriveDomain(spec) === domain);
}

/** Two NICs of one guest that ask for the same: neither would ever have it beside the other. */
export function checkTwins(requests: readonly NicRequest[], cluster: CheckCluster): Problem[] {
  const takers = new Map<string, string>();
  return requests.flatMap((request) =>
    listClaims(request, cluster).flatMap(([key, what]) => {
      const first = takers.get(key);
      if (first === undefined) {
        takers.set(key, request.nic);
        return [];
      }
      const message = `the NICs ${first} and ${request.nic} ask for the same ${what}; give each its own`;
      return deny({ reason: 'InvalidRequest', message }, request.nic);
    }),
  );
}

function listClaims({ subnet: name, ips = [], mac }: NicRequest, cluster: CheckCluster): [key: string, what: string][] {
  const spec = cluster.findSubnet(name)?.spec;
  const domain = (spec && deriveDomain(spec)) ?? `subnet ${name}`;
  return [
    ...ips.map((ip): [string, string] => [`${name} ${ip}`, `address ${ip}`]),
    ...(mac === undefined ? [] : [[`${domain} ${mac}`, `MAC ${mac}`] satisfies [string, string]]),
  ];
}
