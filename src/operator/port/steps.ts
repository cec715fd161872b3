import type { LogicalPort, LogicalPortStatus } from '../../api/types.gen.ts';
import type { KubeObject } from '../../kube/index.ts';
import { UNSUPPORTED } from '../../plan/ports/status.ts';
import type { Turn } from '../context.ts';
import type { Seen } from './seen.ts';

type Migration = NonNullable<LogicalPortStatus['migration']>;
type Phase = NonNullable<Migration['phase']>;

/** A port, with the status that it is about to get. */
export type Told = { readonly port: LogicalPort; readonly status: LogicalPortStatus };

/** What happened to a machine: one step of one migration, by all NICs that took it in this turn. */
export type Step = { readonly phase: Phase | 'NotSupported'; readonly migration: Migration; readonly nics: string[] };

/** Ports of a machine, and how long their rows took (ms). */
export type Timed = { readonly told: readonly Told[]; readonly tookMs: number | undefined };

const METRIC: Record<Phase, string> = {
  Prepared: 'prepare',
  Activated: 'activate',
  Settled: 'commit',
  RolledBack: 'rollback',
};

/** The steps that ports take between the status they have and the one they are to get: one for all NICs that take the same. */
export function listSteps(told: readonly Told[]): Step[] {
  const steps = new Map<string, Step>();
  for (const { port, status } of told) {
    const step = findStep(port, status);
    if (step === undefined) continue;
    const key = `${step.phase} ${step.migration.uid ?? ''}`;
    const known = steps.get(key);
    if (known === undefined) steps.set(key, { ...step, nics: [port.spec.nic] });
    else if (!known.nics.includes(port.spec.nic)) known.nics.push(port.spec.nic);
  }
  return [...steps.values()];
}

function findStep(port: LogicalPort, status: LogicalPortStatus): Omit<Step, 'nics'> | undefined {
  const { migration = {} } = status;
  if (isRefused(status) && !isRefused(port.status)) return { phase: 'NotSupported', migration: {} };
  const before = port.status?.migration;
  const { phase } = migration;
  if (phase === undefined || (before?.phase === phase && before.uid === migration.uid)) return undefined;
  return { phase, migration };
}

const isRefused = (status: LogicalPortStatus | undefined): boolean =>
  status?.conditions?.some(({ type, reason }) => type === 'Migrating' && reason === 'MigrationNotSupported') === true;

/** Tells each step once: in the log, as an event on the machine and on the migration, and in numbers. */
export function reportSteps(turn: Turn, seen: Seen, timed: Timed): void {
  const steps = listSteps(timed.told);
  // Told by a turn that could not write the status: not again.
  const known = turn.steps.get(seen.key) ?? [];
  for (const step of steps) {
    if (known.includes(formatStep(step))) continue;
    reportStep(turn, seen, step);
    count(turn, step, timed);
  }
  if (steps.length === 0) turn.steps.delete(seen.key);
  else turn.steps.set(seen.key, steps.map(formatStep));
}

const formatStep = ({ phase, migration, nics }: Step): string => `${phase} ${migration.uid ?? ''} ${nics.join()}`;

function reportStep(turn: Turn, seen: Seen, step: Step): void {
  const { phase, migration, nics } = step;
  const { uid, sourceNode, targetNode } = migration;
  turn.log.info({ machine: seen.key, nics, uid, phase, sourceNode, targetNode }, 'migration step');
  const isRefusal = phase === 'NotSupported';
  const moves = listMigrations(seen, isRefusal ? undefined : uid);
  const type = isRefusal || phase === 'RolledBack' ? 'Warning' : 'Normal';
  const note = isRefusal ? UNSUPPORTED : describeStep(step, moves[0]?.metadata?.name);
  const objects = [...(seen.regarding === undefined ? [] : [seen.regarding]), ...moves];
  for (const object of objects) {
    turn.events.record(object, { type, reason: `Migration${phase}`, action: 'Migrating', note: note.slice(0, 900) });
  }
}

/** The name of the migration tells one from the next between the same nodes. */
function describeStep({ migration, nics }: Step, name: string | undefined): string {
  const which = nics.length === 1 ? `NIC ${nics[0]}` : `NICs ${nics.toSorted().join(', ')}`;
  const by = name === undefined ? '' : ` by ${name}`;
  return `${which}, from ${migration.sourceNode} to ${migration.targetNode}${by}`;
}

/** The migration of this UID; without one, those that are refused. */
function listMigrations({ migrations = [] }: Seen, uid: string | undefined): KubeObject[] {
  const found = migrations.filter(({ object, refused }) =>
    uid === undefined ? refused : object.metadata?.uid === uid,
  );
  return found.map(({ object }) => object);
}

/** Once for the machine, though a NIC may take a step later than the others. */
function count({ metrics }: Turn, { phase, migration }: Step, { told, tookMs }: Timed): void {
  if (phase === 'NotSupported') {
    metrics.count('migrations_total', { result: 'unsupported' });
    return;
  }
  const isKnown = told.some(({ port }) => {
    const before = port.status?.migration;
    return before?.phase === phase && before.uid === migration.uid;
  });
  if (isKnown) return;
  if (tookMs !== undefined) metrics.observe('migration_phase_ms', tookMs, { phase: METRIC[phase] });
  if (phase === 'Settled') metrics.count('migrations_total', { result: 'settled' });
  if (phase === 'RolledBack') metrics.count('migrations_total', { result: 'rolledBack' });
}
