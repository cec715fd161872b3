import type { Problem } from '../api/problem.ts';
import type { LogicalPort, LogicalPortStatus } from '../api/types.gen.ts';
import type { MigrationState } from '../migration/input.ts';
import { isFalse, isTrue, type Moment, planConditions, type Verdict } from './conditions.ts';

/** How the port's rows fared: written, refused or not reached. */
export type Programming = { readonly ok: true } | { readonly ok: false; readonly problem: Problem };

export type PortFacts = {
  readonly state: MigrationState;
  readonly programming: Programming;
  /** Names of the older ports that hold the same address; then this port is not programmed. */
  readonly rivals: readonly string[];
  /** Name of the chassis that has claimed the port, from the Southbound database. */
  readonly boundTo?: string;
};

type Migration = NonNullable<LogicalPortStatus['migration']>;

/** The status of a LogicalPort. Pure: the same facts at another time differ only where something changed. */
export function derivePortStatus(port: LogicalPort, facts: PortFacts, moment: Moment): LogicalPortStatus {
  // No step of a migration is taken before the rows say so.
  const before = port.status?.migration;
  const migration = facts.programming.ok ? deriveMigrationStatus(before, facts.state, moment.now) : before;
  const verdicts = {
    Allocated: deriveAllocated(facts),
    Programmed: deriveProgrammed(facts),
    Bound: deriveBound(facts),
    Migrating: deriveMigrating(facts.state, migration),
  };
  return {
    phase: derivePhase(port, facts),
    ...(facts.boundTo === undefined ? {} : { node: facts.boundTo }),
    conditions: planConditions(port.status?.conditions, verdicts, moment),
    ...(migration === undefined ? {} : { migration }),
  };
}

function derivePhase(port: LogicalPort, facts: PortFacts): NonNullable<LogicalPortStatus['phase']> {
  if (facts.rivals.length > 0) return 'Conflict';
  if (!facts.programming.ok) return port.status?.phase ?? 'Pending';
  if (facts.state.phase === 'prepared' || facts.state.phase === 'activated') return 'Migrating';
  return facts.boundTo !== undefined && facts.state.requestedChassis.includes(facts.boundTo) ? 'Bound' : 'Ready';
}

function deriveAllocated({ rivals }: PortFacts): Verdict {
  return rivals.length === 0
    ? isTrue('Allocated')
    : isFalse('AddressConflict', `the address or MAC is held by ${rivals.join(', ')}, which is older`);
}

function deriveProgrammed({ programming, rivals }: PortFacts): Verdict {
  if (rivals.length > 0) return isFalse('AddressConflict');
  return programming.ok ? isTrue('Programmed') : isFalse(programming.problem.reason, programming.problem.message);
}

function deriveBound({ state, boundTo }: PortFacts): Verdict {
  if (state.node === undefined) return isFalse('NotAttached');
  const isBound = boundTo !== undefined && state.requestedChassis.includes(boundTo);
  return isBound ? isTrue('Bound', `bound on ${boundTo}`) : isFalse('WaitingForChassis', `waiting for ${state.node}`);
}

function deriveMigrating(state: MigrationState, migration: Migration | undefined): Verdict {
  if (state.unsupported) return isFalse('MigrationNotSupported');
  if (state.phase === 'prepared') return isTrue('MigrationPrepared', `from ${state.source} to ${state.target}`);
  if (state.phase === 'activated') return isTrue('MigrationActivated', `from ${state.source} to ${state.target}`);
  if (migration?.phase === 'RolledBack') return isFalse('MigrationRolledBack');
  return migration?.phase === 'Settled' ? isFalse('MigrationSettled') : isFalse('NotMigrating');
}

/**
 * The migration that the port is in or was in last, with the moments at which we first saw each step. A migration that
 * we had prepared and that the VMI never told of, or that ended elsewhere than on its target, was rolled back.
 */
function deriveMigrationStatus(
  before: Migration | undefined,
  state: MigrationState,
  now: string,
): Migration | undefined {
  if (state.phase === 'prepared' || state.phase === 'activated') return describeMove(before, state, now);
  const isSame = state.uid !== undefined && (before?.uid ?? state.uid) === state.uid;
  if (isSame) return describeMove(before, state, now);
  return isOpen(before) ? { ...before, ...end(before, state, now) } : before;
}

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
