import type { LogicalPort, LogicalPortStatus } from '../../api/types.gen.ts';

/** How long a status that says nothing new for long may wait, in ms: most of them are overtaken by the next one. */
const WAITING_MS = 5000;
/** A VM that was just made is about to start, more often than not. */
const RESTING_MS = 10_000;

type Conditions = LogicalPortStatus['conditions'];

/**
 * How long the new status may wait to be written, in ms; 0 for at once. What a user waits for (bound), every step of a
 * migration and every problem, its coming and its going, is told at once. That a port is there and nobody has it yet, or
 * any more, is on the way to something else.
 */
export function deriveDelay(port: LogicalPort, next: LogicalPortStatus): number {
  const before = port.status;
  if (next.phase !== 'Ready') return isSamePlace(before, next) && isSameNews(before, next) ? WAITING_MS : 0;
  if (!isSameNews(before, next)) return 0;
  return next.conditions?.some(({ reason }) => reason === 'NotAttached') ? RESTING_MS : WAITING_MS;
}

const isSamePlace = (before: LogicalPortStatus | undefined, next: LogicalPortStatus): boolean =>
  before?.phase === next.phase && before?.node === next.node;

/** True when neither the allocation, nor the rows, nor a migration has anything new to tell. */
function isSameNews(before: LogicalPortStatus | undefined, next: LogicalPortStatus): boolean {
  const isSame = (type: string) => {
    const now = read(next.conditions, type);
    const then = read(before?.conditions, type);
    return then === undefined ? isUsual(type, now) : then === now;
  };
  const isSameStep = (before?.migration?.phase ?? '') === (next.migration?.phase ?? '');
  return isSameStep && ['Allocated', 'Programmed', 'Migrating'].every(isSame);
}

const read = (conditions: Conditions, type: string): string | undefined => {
  const found = conditions?.find((condition) => condition.type === type);
  return found && `${found.status} ${found.reason} ${found.message}`;
};

/** What a first status says when all is well is no news. */
function isUsual(type: string, text: string | undefined): boolean {
  if (type === 'Migrating') return text?.startsWith('False NotMigrating ') === true;
  return text?.startsWith(`True ${type} `) === true;
}
