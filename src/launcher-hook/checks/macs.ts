import type { LogicalPort, Subnet } from '../../api/types.gen.ts';
import { deriveDomain } from '../../plan/networks/provider.ts';
import { deriveRouterMac } from '../../plan/networks/subnet.ts';
import { describeSharer, sharesMac } from '../../plan/ports/mac-turns.ts';
import type { NicRequest } from '../../plan/requests/types.ts';
import { type Guest, isOwnPort } from './guest.ts';
import { describeHolder, isLeaving } from './holders.ts';
import { type CheckCluster, deny, type Problem, warn } from './types.ts';

/**
 * What speaks against the MAC that is asked for one NIC: another owner in the same L2 domain. Two VMs of a namespace may be
 * written with one MAC, as a copy of a VM is, and take turns with it; only a guest that starts while the other one runs is
 * refused. Whose MAC cannot be shared keeps it, also while it is stopped.
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
  const the: Claim = { request, guest, others: others.filter((port) => !isLeaving(port, cluster)) };
  const [leaving] = others;
  const found = findOwner(the) ?? findRunning(the) ?? findResting(the);
  if (found !== undefined) return [found];
  if (leaving === undefined) return [];
  return [warn({ reason: 'AddressInUse', message: `${describe(the, leaving)}, which gives it back` }, nic)];
}

type Claim = {
  readonly request: NicRequest;
  readonly guest: Guest;
  /** Ports of others that have the MAC and keep it. */
  readonly others: readonly LogicalPort[];
};

const describe = ({ request: { mac }, guest }: Claim, port: LogicalPort): string =>
  `MAC ${mac} in the network of subnet ${port.spec.subnet} ${describeHolder(port, guest)}`;

const takesTurns = ({ request, guest: { kind, namespace, name } }: Claim, port: LogicalPort): boolean =>
  sharesMac({ namespace, owner: { kind, name }, ipamOnly: request.ipamOnly }, describeSharer(port));

/** The operator gives it to nobody else as long as this one is there. */
function findOwner(the: Claim): Problem | undefined {
  const owner = the.others.find((port) => !takesTurns(the, port));
  if (owner === undefined) return undefined;
  const problem = { reason: 'AddressInUse' as const, message: `${describe(the, owner)}, whose own it stays` };
  return the.guest.runs ? deny(problem, the.request.nic) : warn(problem, the.request.nic);
}

/** A VM may be written to start, and waits; what starts now could not. */
function findRunning(the: Claim): Problem | undefined {
  const running = the.others.find(isAttached);
  if (running === undefined) return undefined;
  const message = `${describe(the, running)} and in use now`;
  return the.guest.kind === 'VirtualMachineInstance'
    ? deny({ reason: 'AddressInUse', message }, the.request.nic)
    : warn(
        { reason: 'AddressInUse', message: `${message}; this one starts when that one is stopped` },
        the.request.nic,
      );
}

function findResting(the: Claim): Problem | undefined {
  const [other] = the.others;
  if (other === undefined) return undefined;
  const message = `${describe(the, other)}; only one of the two can run at a time`;
  return warn({ reason: 'AddressInUse', message }, the.request.nic);
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
