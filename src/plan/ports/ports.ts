import { fail, type Problem } from '../../api/problem.ts';
import type { LogicalPort } from '../../api/types.gen.ts';
import type { NicRequest, RequestPlan } from '../requests/types.ts';
import { deriveOwner, deriveStanding, type Lives, type Standing } from './ownership.ts';
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
};

/** What a port is kept as: its owner's, one out of a backup, or an address that outlives its owner. */
export type Role = 'live' | 'restored' | Retention;

export type Kept = {
  readonly port: LogicalPort;
  readonly owner: Owner;
  readonly role: Role;
  readonly request?: NicRequest;
  /** What is wrong with what is asked for the NIC now. */
  readonly problem?: Problem;
};

/** What is to become of the ports of one name. */
export type PortsPlan = {
  readonly keep: readonly Kept[];
  readonly create: readonly { readonly owner: Owner; readonly request: NicRequest }[];
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
 * it has.
 */
export function planPorts(input: PortsInput): PortsPlan {
  const owner = deriveOwner(input.name, input.lives);
  const entries = input.ports.map((port): Entry => {
    const kept = judge(port, input, owner);
    return kept === undefined ? { port } : { port, kept };
  });
  const keep = entries.flatMap(({ kept }) => kept ?? []);
  const release = entries.flatMap(({ port, kept }) => (kept === undefined ? [port] : []));
  const covered = new Set(keep.flatMap((kept) => (covers(kept, owner) ? [kept.port.spec.nic] : [])));
  const leaving = new Set(release.map((port) => port.spec.nic));
  const missing = input.plan.requests.filter(
    (request) => !covered.has(request.nic) && !request.absent && !isResting(request, input),
  );
  const failed = input.plan.problems.filter(({ nic }) => !covered.has(nic) && !leaving.has(nic));
  const common = { keep, release, problems: [...input.plan.problems, ...listContests(keep, input, owner)] };
  if (owner === undefined) return { ...common, create: [], fail: [], waiting: [] };
  return {
    ...common,
    create: missing.flatMap((request) => (leaving.has(request.nic) ? [] : [{ owner, request }])),
    fail: failed.map((item) => ({ owner, ...item })),
    waiting: missing.flatMap((request) => (leaving.has(request.nic) ? [request.nic] : [])),
  };
}

/** As what a port is kept; undefined for one that is to be released. */
function judge(port: LogicalPort, input: PortsInput, owner: Owner | undefined): Kept | undefined {
  const standing = deriveStanding(port, input.lives);
  const base = { port, owner: port.spec.owner, ...findAsked(port, input.plan) };
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

function findAsked({ spec }: LogicalPort, plan: RequestPlan): Pick<Kept, 'request' | 'problem'> {
  const request = plan.requests.find(({ nic }) => nic === spec.nic);
  const failed = plan.problems.find(({ nic }) => nic === spec.nic);
  return {
    ...(request === undefined ? {} : { request }),
    ...(failed === undefined ? {} : { problem: failed.problem }),
  };
}

function judgeOrphan(base: Omit<Kept, 'role'>, input: PortsInput, owner: Owner | undefined): Kept | undefined {
  const retention = findRetention(base.port, input.claimExists ?? NEVER);
  if (retention === undefined) return undefined;
  if (owner === undefined || !mayAdopt(base.port, base.request, owner)) return { ...base, role: retention };
  return { ...base, owner, role: 'live' };
}

type Around = { readonly input: PortsInput; readonly owner: Owner | undefined };

/**
 * While the owner is on its way out, or its list of NICs cannot be read, nobody can tell whether a NIC is wanted: it
 * stays.
 */
function isWanted(
  { port, request, problem }: Pick<Kept, 'port' | 'request' | 'problem'>,
  standing: Standing,
  { input, owner }: Around,
): boolean {
  if (standing === 'held' || owner === undefined || input.plan.incomplete === true) return true;
  if (standing === 'owned' && input.stopped === true && port.spec.releasePolicy === 'OnStop') return false;
  return request !== undefined || problem !== undefined || isLeftBehind(port, input);
}

/** A NAD that was changed to another plugin's under a running pod takes nothing from it: the port goes when the pod does. */
const isLeftBehind = ({ spec }: LogicalPort, { plan }: PortsInput): boolean =>
  plan.others?.includes(spec.nic) === true && (spec.attachments ?? []).length > 0;

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
    const { port, request } = kept;
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
