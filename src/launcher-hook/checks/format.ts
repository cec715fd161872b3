import type { Reason } from '../../api/reasons.ts';
import { REMEDIES } from '../../api/remedies.ts';
import type { Problem } from './types.ts';

/** The object as the message names it. */
export type Named = { readonly kind: string; readonly namespace: string; readonly name: string };

const MOST = 8;
/** The API server cuts a warning there, and all of them at 4096. */
const MAX_WARNING = 256;

const findRemedy = (reason: Reason): string => (REMEDIES as Readonly<Partial<Record<Reason, string>>>)[reason] ?? '';

/**
 * What the user reads whose object is refused: the object, then each NIC with the cause and the way out. At most eight
 * causes; the warnings among the problems are left out. Empty where nothing denies.
 */
export function formatDenial(problems: readonly Problem[], object?: Named): string {
  const denials = problems.filter(({ severity }) => severity === 'denial');
  if (denials.length === 0) return '';
  const lines = denials.slice(0, MOST).map(formatProblem);
  const more = denials.length > MOST ? [`and ${denials.length - MOST} more`] : [];
  const what = object === undefined ? 'Refused' : `${object.kind} ${formatName(object)} is refused`;
  return `${what}: ${[...lines, ...more].join(' | ')}`;
}

/** One text for each warning, short enough for the API server. */
export function formatWarnings(problems: readonly Problem[]): string[] {
  const warnings = problems.filter(({ severity }) => severity === 'warning').slice(0, MOST);
  return warnings.map((problem) => formatCause(problem).slice(0, MAX_WARNING));
}

const formatName = ({ namespace, name }: Named): string =>
  `${namespace}/${name === '' ? '(no name yet)' : name}`.slice(0, 320);

function formatProblem(problem: Problem): string {
  const remedy = findRemedy(problem.reason);
  return remedy === '' ? formatCause(problem) : `${formatCause(problem)}. ${remedy}`;
}

/** Control characters in what a tenant wrote stay out of terminals. */
function formatCause({ nic, reason, message }: Problem): string {
  const where = nic === undefined ? '' : `NIC ${nic}: `;
  return `${where}${message} (${reason})`.replace(/\p{Cc}+/gu, ' ');
}
