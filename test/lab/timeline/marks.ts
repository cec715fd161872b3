import type { LogicalPort } from '../../../src/api/types.gen.ts';
import type { PortBinding } from '../../../src/ovn/bindings.ts';
import { isDeleting, type MigrationState, type Vmi, type Vmim } from '../kubevirt/objects.ts';

/** Whose view of a migration a mark belongs to, from the user down to the node. */
export const LANES = ['VMIM', 'VMI', 'LogicalPort', 'Northbound', 'Southbound', 'guest'] as const;
export type Lane = (typeof LANES)[number];

/** Something that happened; `at` in ms since the epoch, by the machine's one clock. */
export type Mark = { readonly at: number; readonly lane: Lane; readonly label: string };

/** What is new about a VMIM. */
export function describeVmim(before: Vmim | undefined, after: Vmim | undefined): string[] {
  if (after === undefined) return ['gone'];
  const phase = getPhase(after);
  const isAsked = isDeleting(after) && (before === undefined || !isDeleting(before));
  return [
    ...(before === undefined || phase !== getPhase(before) ? [phase] : []),
    ...(isAsked ? ['deletion asked'] : []),
  ];
}

const getPhase = (vmim: Vmim): string => vmim.status?.phase ?? 'created';

const STEPS: readonly [string, (state: MigrationState | undefined) => unknown][] = [
  ['hand-off', (state) => state?.targetNode],
  ['target listens', (state) => state?.targetNodeAddress],
  ['copy begins', (state) => state?.startTimestamp],
  ['target has the domain', (state) => state?.targetNodeDomainDetected],
  ['domain ready', (state) => state?.targetNodeDomainReadyTimestamp],
  ['abort asked', (state) => state?.abortRequested],
  ['ended', (state) => state?.endTimestamp],
  ['failed', (state) => state?.failed],
  ['completed', (state) => state?.completed],
];

/** What is new about a VMI's migration; the state of an earlier migration is nothing. */
export function describeVmi(before: Vmi | undefined, after: Vmi | undefined): string[] {
  if (after === undefined) return ['gone'];
  const now = after.status?.migrationState;
  const then = before?.status?.migrationState;
  const known = then?.migrationUid === now?.migrationUid ? then : undefined;
  const steps = STEPS.flatMap(([label, read]) => (read(now) && !read(known) ? [label] : []));
  return before === undefined || getNode(before) === getNode(after) ? steps : [...steps, `runs on ${getNode(after)}`];
}

const getNode = (vmi: Vmi): string => vmi.status?.nodeName ?? 'no node';

/** What is new about one NIC's LogicalPort. */
export function describePort(before: LogicalPort | undefined, after: LogicalPort | undefined): string[] {
  if (after === undefined) return ['gone'];
  const [held, step] = [describeHolders(after), describeStep(after)];
  const isNewStep = step !== '' && (before === undefined || step !== describeStep(before));
  return [
    ...(before !== undefined && held === describeHolders(before) ? [] : [held]),
    ...(isNewStep ? [after.status?.migration?.phase ?? ''] : []),
  ];
}

function describeHolders({ spec }: LogicalPort): string {
  const holders = spec.attachments ?? [];
  return holders.map(({ node, role }) => `${(role ?? 'Source').toLowerCase()} ${node}`).join(', ') || 'not held';
}

function describeStep({ status }: LogicalPort): string {
  const { phase, uid } = status?.migration ?? {};
  return phase === undefined ? '' : `${uid ?? ''} ${phase}`;
}

/** Options of a switch port that decide where it may be. */
export function describeOptions(options: ReadonlyMap<string, string> | undefined): string {
  const strategy = options?.get('activation-strategy');
  const requested = options?.get('requested-chassis') ?? 'gone';
  return strategy === undefined ? requested : `${requested}, by ${strategy}`;
}

/** Where a port is bound. */
export function describeBinding(binding: PortBinding | undefined): string {
  if (binding === undefined) return 'gone';
  const { chassis, additionalChassis, activated } = binding;
  const main = chassis ?? 'nowhere';
  const others = additionalChassis.length === 0 ? '' : ` + ${additionalChassis.join(', ')}`;
  return `${main}${others}${activated.length === 0 ? '' : `, ${activated.join(', ')} activated`}`;
}
