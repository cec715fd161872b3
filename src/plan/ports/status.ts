import { NO_CHASSIS } from '../../api/names.ts';
import type { Problem } from '../../api/problem.ts';
import type { LogicalPort, LogicalPortStatus } from '../../api/types.gen.ts';
import type { MigrationState } from '../../migration/input.ts';
import { isFalse, isTrue, isUnknown, type Moment, planConditions, type Verdict } from '../conditions.ts';
import { isUnallocated } from './change.ts';
import { explainMac, type MacStanding } from './mac-turns.ts';
import type { Role } from './ports.ts';

/** How the port's rows fared: written, refused or not reached. */
export type Programming = { readonly ok: true } | { readonly ok: false; readonly problem: Problem };

export type PortFacts = {
  readonly state: MigrationState;
  readonly programming: Programming;
  /** Older holders of the same address, as `<namespace>/<name>` or a word of ours; then this port is not programmed. */
  readonly rivals: readonly string[];
  /** Name of the chassis that has claimed the port, from the Southbound database. */
  readonly boundTo?: string;
  /** The Southbound database cannot be reached: `boundTo` is only what was known last. */
  readonly bindingUnknown?: boolean;
  /** Why the port is there although nobody of its owner's life is. Default: it is the owner's. */
  readonly role?: Role;
  /** Why the port has no address. */
  readonly problem?: Problem;
  /** What is asked for and not done yet, in words. */
  readonly pending?: string;
  /** Why the guest does not have the port, when it has another one of the NIC. */
  readonly standby?: string;
  /** The CIDRs of the subnet, when an address of the port is in none of them. */
  readonly outside?: string;
  /** Why it has no rows, when others have its MAC. */
  readonly mac?: MacStanding;
};

type Migration = NonNullable<LogicalPortStatus['migration']>;

/** Problems of a request that two sides have with each other: the phase says Conflict. */
const CONFLICTS: readonly string[] = ['AddressInUse', 'RequestDisagreement', 'AddressConflict', 'AddressRetained'];

/** The status of a LogicalPort. Pure: the same facts at another time differ only where something changed. */
export function derivePortStatus(port: LogicalPort, facts: PortFacts, moment: Moment): LogicalPortStatus {
  // No step of a migration is taken before the rows say so, and none by a port that was made for the next one.
  const before = port.status?.migration;
  const isTold = facts.programming.ok && (port.status !== undefined || isHeld(facts.state));
  const migration = isTold ? deriveMigrationStatus(before, facts.state, moment.now) : before;
  const node = findNode(port, facts);
  const verdicts = {
    Allocated: deriveAllocated(port, facts),
    Programmed: deriveProgrammed(port, facts),
    Bound: deriveBound(port, facts),
    Migrating: deriveMigrating(facts.state, migration),
  };
  return {
    phase: derivePhase(port, facts),
    ...(node === undefined ? {} : { node }),
    conditions: planConditions(port.status?.conditions, verdicts, moment),
    ...(migration === undefined ? {} : { migration }),
  };
}

/** A NIC that another plugin makes is where its pod is: no chassis claims it. */
function findNode({ spec }: LogicalPort, { boundTo, state }: PortFacts): string | undefined {
  if (spec.ipamOnly !== true) return boundTo;
  return isHeld(state) ? state.node : undefined;
}

/** A port that no launcher carries, as another one of the NIC, belongs nowhere although the guest runs. */
const isHeld = ({ node, requestedChassis }: MigrationState): boolean =>
  node !== undefined && !requestedChassis.includes(NO_CHASSIS);

function derivePhase(port: LogicalPort, facts: PortFacts): NonNullable<LogicalPortStatus['phase']> {
  const { programming, state } = facts;
  if (isApart(facts)) return 'Released';
  if (isInConflict(port, facts)) return 'Conflict';
  if (isUnallocated(port)) return 'Pending';
  if (!programming.ok) return port.status?.phase ?? 'Pending';
  if (isUnderWay(state)) return 'Migrating';
  return isBound(port, facts) ? 'Bound' : 'Ready';
}

function isInConflict(port: LogicalPort, { rivals, problem, outside, mac }: PortFacts): boolean {
  if (isUnallocated(port)) return problem !== undefined && CONFLICTS.includes(problem.reason);
  return rivals.length > 0 || outside !== undefined || mac?.kind === 'taken';
}

/** After a migration the source may stay beside the target until that one has claimed the port: not bound by then. */
function isBound(port: LogicalPort, facts: PortFacts): boolean {
  const node = findNode(port, facts);
  if (node === undefined || !facts.state.requestedChassis.includes(node)) return false;
  return isUnderWay(facts.state) || node === facts.state.node;
}

/** The address outlives its owner: it has no rows. */
const isApart = ({ role }: PortFacts): boolean => role === 'retained' || role === 'claimed';

function deriveAllocated(port: LogicalPort, facts: PortFacts): Verdict {
  const { rivals, outside, role, pending, mac } = facts;
  if (isUnallocated(port)) return explainLack(facts);
  if (rivals.length > 0) return isFalse('AddressConflict', explainRivals(port, rivals));
  if (mac?.kind === 'taken') return isFalse('AddressConflict', explainMac(port, mac));
  if (outside !== undefined) return isFalse('AddressOutsideSubnet', explainOutside(port, outside));
  if (role !== undefined && role !== 'live') return explainRole(port, role);
  if (pending === undefined) return isTrue('Allocated');
  return isTrue('ChangePending', `keeps ${port.spec.ips.join(', ')}; ${pending}`);
}

const explainLack = ({ problem }: PortFacts): Verdict =>
  problem === undefined ? isFalse('AllocationPending') : isFalse(problem.reason, problem.message);

function explainRole(port: LogicalPort, role: Exclude<Role, 'live'>): Verdict {
  const { spec, metadata } = port;
  if (role === 'retained') return isTrue('Retained', explainRetained(port));
  if (role === 'claimed') {
    return isTrue('Retained', `${spec.ips.join(', ')} is kept as long as IPAMClaim ${spec.ipamClaim} exists`);
  }
  const way = `or remove the annotations mooring.dev/cluster-uid and port-uid of ${metadata.name} to let it go`;
  return isTrue('Restored', `waits for ${spec.owner.kind} ${spec.owner.name}; restore that, ${way}`);
}

/** Names of other namespaces are theirs to know: only those of the port's own are told. */
export function explainRivals({ metadata, spec }: LogicalPort, rivals: readonly string[]): string {
  const own = `${metadata.namespace ?? ''}/`;
  const names = new Set(rivals.map((rival) => nameRival(rival, own)));
  const way = 'ask for another address for one of the two, or delete one';
  return `${spec.ips.join(', ')} or MAC ${spec.mac} is held by ${[...names].join(', ')}, which is older; ${way}`;
}

function nameRival(rival: string, own: string): string {
  if (rival === 'router') return "the subnet's router";
  if (!rival.includes('/') || rival.startsWith('ovn:')) return 'a switch port of another system';
  return rival.startsWith(own) ? `LogicalPort ${rival}` : 'a LogicalPort of another namespace';
}

function explainOutside({ spec }: LogicalPort, cidrs: string): string {
  const way = 'widen its cidrBlock, or ask for another address, which is given when no pod holds the port';
  return `${spec.ips.join(', ')} is not in ${cidrs} of subnet ${spec.subnet} any more; ${way}`;
}

function explainRetained({ metadata, spec }: LogicalPort): string {
  const adopter = `a ${spec.owner.kind} ${spec.owner.name} with the annotation mooring.dev/adopt: "true" gets it`;
  const way = `delete LogicalPort ${metadata.namespace ?? ''}/${metadata.name} to free it`;
  return `its owner is gone and ${spec.ips.join(', ')} is kept; ${adopter}, ${way}`;
}

function deriveProgrammed(port: LogicalPort, facts: PortFacts): Verdict {
  const { programming, rivals, mac } = facts;
  if (isUnallocated(port)) return isFalse(explainLack(facts).reason, 'without an address there are no rows');
  if (rivals.length > 0) return isFalse('AddressConflict');
  if (isApart(facts)) return isFalse('Retained', 'a port without an owner has no rows');
  if (!programming.ok) return isFalse(programming.problem.reason, programming.problem.message);
  if (mac !== undefined)
    return isFalse(mac.kind === 'taken' ? 'AddressConflict' : 'NotAttached', explainMac(port, mac));
  if (port.spec.ipamOnly !== true) return isTrue('Programmed');
  return isTrue('Programmed', 'another plugin makes this NIC: it needs no switch port');
}

function deriveBound(port: LogicalPort, facts: PortFacts): Verdict {
  const { state, bindingUnknown, standby } = facts;
  if (!isHeld(state)) return isFalse('NotAttached', standby);
  if (port.spec.ipamOnly === true) return isTrue('Bound', `held by a pod on ${state.node}`);
  const bound = isBound(port, facts);
  if (bindingUnknown === true) {
    const last = bound ? `; it was bound on ${facts.boundTo} before` : '';
    return isUnknown('OVNUnavailable', `the Southbound database cannot be reached${last}`);
  }
  return bound
    ? isTrue('Bound', `bound on ${facts.boundTo}`)
    : isFalse('WaitingForChassis', `waiting for ${state.node}`);
}

function deriveMigrating(state: MigrationState, migration: Migration | undefined): Verdict {
  if (state.unsupported) return isFalse('MigrationNotSupported', UNSUPPORTED);
  if (state.phase === 'prepared') return isTrue('MigrationPrepared', `from ${state.source} to ${state.target}`);
  if (state.phase === 'activated') return isTrue('MigrationActivated', `from ${state.source} to ${state.target}`);
  if (migration?.phase === 'RolledBack') return isFalse('MigrationRolledBack');
  return migration?.phase === 'Settled' ? isFalse('MigrationSettled') : isFalse('NotMigrating');
}

/** What a migration to elsewhere is answered with, and what to do instead. */
export const UNSUPPORTED =
  'a migration to another namespace or cluster is asked for; an address is at home in this cluster and namespace: ' +
  'delete the VirtualMachineInstanceMigration, then stop the machine and make it anew at the other place';

/**
 * The migration that the port is in or was in last, with the moments at which we first saw each step. A migration that
 * we had prepared and that the VMI never told of, or that ended elsewhere than on its target, was rolled back.
 */
function deriveMigrationStatus(
  before: Migration | undefined,
  state: MigrationState,
  now: string,
): Migration | undefined {
  if (isUnderWay(state)) return describeMove(before, state, now);
  const isSame = state.uid !== undefined && (before?.uid ?? state.uid) === state.uid;
  if (isSame) return describeMove(before, state, now);
  return isOpen(before) ? { ...before, ...end(before, state, now) } : before;
}

const isUnderWay = ({ phase }: MigrationState): boolean => phase === 'prepared' || phase === 'activated';

function describeMove(before: Migration | undefined, state: MigrationState, now: string): Migration {
  const { uid, source, target } = state;
  const known = before?.uid === uid ? before : undefined;
  return {
    ...(uid === undefined ? {} : { uid }),
    ...(source === undefined ? {} : { sourceNode: source }),
    ...(target === undefined ? {} : { targetNode: target }),
    ...pickTimes(known, now),
    ...describePhase(state, known, now),
  };
}

function describePhase(state: MigrationState, known: Migration | undefined, now: string): Migration {
  if (state.phase === 'prepared') return { phase: 'Prepared' };
  if (state.phase === 'activated') return { phase: 'Activated', activatedAt: known?.activatedAt ?? now };
  return { phase: state.phase === 'rolledBack' ? 'RolledBack' : 'Settled', settledAt: known?.settledAt ?? now };
}

function pickTimes(known: Migration | undefined, now: string): Migration {
  const { preparedAt = now, activatedAt } = known ?? {};
  return activatedAt === undefined ? { preparedAt } : { preparedAt, activatedAt };
}

const isOpen = (before: Migration | undefined): before is Migration =>
  before?.phase === 'Prepared' || before?.phase === 'Activated';

function end(before: Migration, state: MigrationState, now: string): Pick<Migration, 'phase' | 'settledAt'> {
  const arrived = state.node !== undefined && state.node === before.targetNode;
  return { phase: arrived ? 'Settled' : 'RolledBack', settledAt: now };
}
