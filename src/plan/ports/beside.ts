import type { LogicalPort } from '../../api/types.gen.ts';
import type { NicRequest } from '../requests/types.ts';
import { type Carriage, hasGuest, isHome } from './carriage.ts';
import type { Kept } from './ports.ts';

type Owner = LogicalPort['spec']['owner'];
type Present = { readonly keep: readonly Kept[]; readonly release: readonly LogicalPort[] };

/**
 * Under which name a missing port is made: the NIC's own, or beside the port that launchers still carry that of its
 * subnet. Undefined while the place is taken by a port that is leaving, as one of an earlier life.
 */
export function choosePlace(
  { nic, subnet }: NicRequest,
  { kind }: Owner,
  { keep, release }: Present,
): { madeFor?: string } | undefined {
  const isOfNic = ({ spec }: LogicalPort) => spec.nic === nic && spec.owner.kind === kind;
  const standing = keep.flatMap(({ port }) => (isOfNic(port) ? [port] : []));
  const leaving = release.filter(({ spec }) => spec.nic === nic);
  if (standing.length === 0) return leaving.length === 0 ? {} : undefined;
  const isTaken = (ports: readonly LogicalPort[], place: string | undefined) =>
    ports.some(({ spec }) => spec.madeFor === place);
  const place = [undefined, subnet].find((candidate) => !isTaken(standing, candidate));
  const isFree = place !== undefined || !isTaken(standing, undefined);
  if (!isFree || isTaken(leaving, place)) return undefined;
  return place === undefined ? {} : { madeFor: place };
}

/**
 * What is asked of a port that another is to take the place of: to stay as it is, with all that follows at any time, as
 * security groups do.
 */
export function describeSuperseded({ spec }: LogicalPort, request: NicRequest): NicRequest {
  const { nic, interface: name, absent, binding, securityGroups } = request;
  const { subnet, routes, ipamClaim, ipamOnly, releasePolicy, nad = spec.attachments?.[0]?.nad } = spec;
  const asked = { binding, securityGroups };
  const had = { routes, ipamClaim, releasePolicy, nad, ipamOnly: ipamOnly === true ? ipamOnly : undefined };
  const known = Object.entries({ ...asked, ...had }).filter(([, value]) => value !== undefined);
  return { nic, interface: name, subnet, absent, ...Object.fromEntries(known) };
}

type Beside = { readonly ports: readonly LogicalPort[]; readonly carriage?: Carriage };

/**
 * A guest takes the MAC of its NIC along to another network, whatever the port there has: the domain is the source's. So
 * where no MAC is asked for, a port beside the one that the guest has is asked to have the same.
 */
export function inheritMac(request: NicRequest, { ports, carriage }: Beside, own?: LogicalPort): NicRequest {
  if (request.mac !== undefined || carriage === undefined) return request;
  const used = ports.find((port) => port !== own && port.spec.nic === request.nic && hasGuest(carriage, port));
  return used === undefined || used.spec.mac === '' ? request : { ...request, mac: used.spec.mac };
}

/** The network of a request in words. */
export function describeNetwork({ subnet, nad }: NicRequest): string {
  return nad === undefined ? `subnet ${subnet}` : `subnet ${subnet} on network ${nad}`;
}

/** Why the guest does not have this port, when it has another one of the NIC; undefined otherwise. */
export function explainStandby(
  port: LogicalPort,
  ports: readonly LogicalPort[],
  carriage: Carriage | undefined,
): string | undefined {
  if (carriage === undefined || hasGuest(carriage, port)) return undefined;
  const other = ports.find((one) => one.spec.nic === port.spec.nic && hasGuest(carriage, one));
  if (other === undefined) return undefined;
  const { name } = other.metadata;
  if (!isHome(carriage, port)) return `the guest has LogicalPort ${name} for this NIC`;
  const what = `waits for the live migration or the restart that takes the guest to subnet ${port.spec.subnet}`;
  return `${what}; until then LogicalPort ${name} carries the NIC`;
}
