import { fail, type Problem } from '../../api/problem.ts';
import type { LogicalPort } from '../../api/types.gen.ts';
import type { NicRequest, RequestPlan } from '../requests/types.ts';
import { choosePlace, describeSuperseded, inheritMac } from './beside.ts';
import { type Carriage, hasGuest, isCarried, isHome } from './carriage.ts';
import { deriveOwner, deriveStandingAmong, type Lives, type Standing } from './ownership.ts';
import { findRetention, type Retention } from './retention.ts';

type Owner = LogicalPort['spec']['owner'];

export type PortsInput = {
  readonly name: string;
  readonly lives: Lives;
  /** Every LogicalPort of this name, of whatever life. */
  readonly ports: readonly LogicalPort[];
  readonly plan: RequestPlan;
  /** Nothing of the owner runs or is about to: what is to be given back `OnStop` is. */
  readonly stopped?: boolean;
  /** Whether the namespace has an IPAMClaim of this name. */
  readonly claimExists?: (name: string) => boolean;
  /** Which port of a NIC each launcher carries; absent where a NIC has one port only, as a pod's. */
  readonly carriage?: Carriage;
};

/** What a port is kept as: its owner's, one out of a backup, or an address that outlives its owner. */
export type Role = 'live' | 'restored' | Retention;

export type Kept = {
  readonly port: LogicalPort;
  readonly owner: Owner;
  readonly role: Role;
  /** What is asked of this port; of one that another is to take the place of, that it stays as it is. */
  readonly request?: NicRequest;
  /** What is asked for the NIC, when another port is for that: this one serves launchers that are there already. */
  readonly superseded?: NicRequest;
  /** What is wrong with what is asked for the NIC now. */
  readonly problem?: Problem;
};

/** A port that is to be made; `madeFor` names the subnet of one beside the port that its NIC has. */
export type Creation = { readonly owner: Owner; readonly request: NicRequest; readonly madeFor?: string };

/** What is to become of the ports of one name. */
export type PortsPlan = {
  readonly keep: readonly Kept[];
  readonly create: readonly Creation[];
  /** NICs for which nothing can be given; their ports only say why. */
  readonly fail: readonly { readonly owner: Owner; readonly nic: string; readonly problem: Problem }[];
  readonly release: readonly LogicalPort[];
  /** NICs that must wait for the release of a port of an earlier life. */
  readonly waiting: readonly string[];
  readonly problems: readonly { readonly nic: string; readonly problem: Problem }[];
};

type Entry = { readonly port: LogicalPort; readonly kept?: Kept };

/**
 * Keeps the ports whose owner lives, adopts those whose guest does, those out of a backup and those that are asked for,
 * releases those whose life is over or whose NIC is gone, and makes what is missing. A NIC with a problem keeps the port
 * it has. A NIC that a live migration takes to another network has the new port beside the old one, which goes when no
 * launcher carries it any more and the guest has another.
 */
export function planPorts(input: PortsInput): PortsPlan {
  const owner = deriveOwner(input.name, input.lives);
  const entries = input.ports.map((port): Entry => {
    const kept = judge(port, input, owner);
    return kept === undefined ? { port } : { port, kept };
  });
  const keep = entries.flatMap(({ kept }) => kept ?? []);
  const release = entries.flatMap(({ port, kept }) => (kept === undefined ? [port] : []));
  const covering = keep.filter((kept) => covers(kept, owner));
  const served = new Set(covering.flatMap(({ port, superseded }) => (superseded === undefined ? port.spec.nic : [])));
  const known = new Set(covering.map(({ port }) => port.spec.nic));
  const leaving = new Set(release.map((port) => port.spec.nic));
  const missing = input.plan.requests.filter(
    (request) => !served.has(request.nic) && !request.absent && !isResting(request, input),
  );
  const failed = input.plan.problems.filter(({ nic }) => !known.has(nic) && !leaving.has(nic));
  const common = { keep, release, problems: [...input.plan.problems, ...listContests(keep, input, owner)] };
  if (owner === undefined) return { ...common, create: [], fail: [], waiting: [] };
  const places = missing.map((request) => ({
    request: inheritMac(request, input),
    place: choosePlace(request, owner, { keep, release }),
  }));
  return {
    ...common,
    create: places.flatMap(({ request, place }) => (place === undefined ? [] : [{ owner, request, ...place }])),
    fail: failed.map((item) => ({ owner, ...item })),
    waiting: places.flatMap(({ request, place }) => (place === undefined ? [request.nic] : [])),
  };
}

/** As what a port is kept; undefined for one that is to be released. */
function judge(port: LogicalPort, input: PortsInput, owner: Owner | undefined): Kept | undefined {
  const standing = deriveStandingAmong(port, input.ports, input.lives);
  const base = { port, owner: port.spec.owner, ...findAsked(port, input) };
  if (standing === 'restored') return { ...base, role: 'restored' };
  if (standing === 'orphaned') return judgeOrphan(base, input, owner);
  if (isWanted(base, standing, { input, owner })) {
    const adopted = standing === 'adoptable' ? owner : undefined;
    return { ...base, owner: adopted ?? port.spec.owner, role: 'live' };
  }
  // A NIC that is gone, or at rest: only a claim keeps its address.
  const retention = findRetention(port, input.claimExists ?? NEVER);
  return retention === 'claimed' ? { ...base, role: retention } : undefined;
}

const NEVER = () => false;

function findAsked(port: LogicalPort, input: PortsInput): Pick<Kept, 'request' | 'problem' | 'superseded'> {
  const { plan, carriage } = input;
  const { nic } = port.spec;
  const request = plan.requests.find((candidate) => candidate.nic === nic);
  const failed = plan.problems.find((candidate) => candidate.nic === nic);
  if (failed !== undefined) return { problem: failed.problem };
  if (request === undefined) return {};
  if (carriage === undefined || isHome(carriage, port)) return { request: inheritMac(request, input, port) };
  return { request: describeSuperseded(port, request), superseded: request };
}

function judgeOrphan(base: Omit<Kept, 'role'>, input: PortsInput, owner: Owner | undefined): Kept | undefined {
  const retention = findRetention(base.port, input.claimExists ?? NEVER);
  if (retention === undefined) return undefined;
  const isAsked = owner !== undefined && base.superseded === undefined && mayAdopt(base.port, base.request, owner);
  if (!isAsked) return { ...base, role: retention };
  return { ...base, owner, role: 'live' };
}

type Around = { readonly input: PortsInput; readonly owner: Owner | undefined };

/**
 * While the owner is on its way out, or its list of NICs cannot be read, nobody can tell whether a NIC is wanted: it
 * stays.
 */
function isWanted(
  { port, request, problem, superseded }: Omit<Kept, 'role' | 'owner'>,
  standing: Standing,
  { input, owner }: Around,
): boolean {
  if (standing === 'held' || owner === undefined || input.plan.incomplete === true) return true;
  if (standing === 'owned' && input.stopped === true && port.spec.releasePolicy === 'OnStop') return false;
  if (superseded !== undefined) return isInUse(port, input);
  return request !== undefined || problem !== undefined || isLeftBehind(port, input);
}

/**
 * Another port is for what is asked now. This one stays as long as a launcher carries it, and, while something runs,
 * until the guest is seen on another: what was not seen is no reason to take a guest's port away.
 */
function isInUse(port: LogicalPort, { carriage, ports, stopped }: PortsInput): boolean {
  if (carriage === undefined || isCarried(carriage, port)) return true;
  const others = ports.filter((other) => other !== port && other.spec.nic === port.spec.nic);
  return stopped !== true && !others.some((other) => other.spec.ips.length > 0 && hasGuest(carriage, other));
}

/**
 * A NIC that was unplugged, or whose NAD is another plugin's now: the pods that have it from us keep it, and the port
 * goes when they do.
 */
function isLeftBehind(port: LogicalPort, { plan, carriage }: PortsInput): boolean {
  if (carriage !== undefined) return isCarried(carriage, port);
  return plan.others?.includes(port.spec.nic) === true && (port.spec.attachments ?? []).length > 0;
}

/** A NIC that gives its address back at every stop gets one when the owner is about to run. */
const isResting = (request: NicRequest, { stopped }: PortsInput): boolean =>
  stopped === true && request.releasePolicy === 'OnStop';

/** An owner of the same kind and name takes a retained port over when it says so, or speaks by the same claim. */
function mayAdopt({ spec }: LogicalPort, request: NicRequest | undefined, owner: Owner): boolean {
  if (request === undefined || owner.kind !== spec.owner.kind) return false;
  return request.adopt === true || (request.ipamClaim !== undefined && request.ipamClaim === spec.ipamClaim);
}

const isKeptApart = ({ role }: Kept): boolean => role === 'retained' || role === 'claimed';

/** A port of another kind of owner that only outlives it is not in the way of this one's. */
function covers(kept: Kept, owner: Owner | undefined): boolean {
  return !isKeptApart(kept) || kept.port.spec.owner.kind === owner?.kind;
}

/** NICs of a new owner whose place a port of an earlier one has. */
function listContests(keep: readonly Kept[], input: PortsInput, owner: Owner | undefined): PortsPlan['problems'] {
  return keep.flatMap((kept) => {
    const { port, request, superseded } = kept;
    if (superseded !== undefined) return [];
    const isOther = owner !== undefined && owner.uid !== port.spec.owner.uid && covers(kept, owner);
    if (!isKeptApart(kept) || !isOther || request === undefined || request.absent) return [];
    if (isResting(request, input)) return [];
    return [{ nic: port.spec.nic, problem: explainContest(port) }];
  });
}

function explainContest({ metadata, spec }: LogicalPort): Problem {
  const what = `LogicalPort ${metadata.namespace ?? ''}/${metadata.name} of an earlier ${spec.owner.kind} of this name`;
  const way =
    spec.ipamClaim === undefined
      ? 'set the annotation mooring.dev/adopt: "true" to take it over, or delete that LogicalPort'
      : `refer to IPAMClaim ${spec.ipamClaim}, set mooring.dev/adopt: "true", or delete the claim`;
  return fail('AddressRetained', `${what} keeps ${spec.ips.join(', ')} for NIC ${spec.nic}; ${way}`).problem;
}
