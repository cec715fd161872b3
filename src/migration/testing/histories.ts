import type { LauncherRecord, MigrationInput, VmiMigrationState, VmimRecord, VmiRecord } from '../input.ts';

/** All objects at one moment. */
export type World = Pick<MigrationInput, 'vmi' | 'vmims' | 'launchers'>;

/** A whole state, and what is true in it whatever the objects say. */
export type Step = {
  readonly what: string;
  readonly world: World;
  /** Where the guest runs or is about to; undefined when it does not. */
  readonly guest: string | undefined;
  /** UID of its launcher. */
  readonly pod: string;
  /** A migration goes on that has a target. */
  readonly moving: boolean;
};

/** How one migration ends, as seen in the recorded flows. */
export const OUTCOMES = [
  'succeeds',
  'allAtOnce',
  'postCopy',
  'unschedulable',
  'rejected',
  'abortedWhenBound',
  'vmimVanishes',
  'targetDies',
  'fails',
  'aborted',
  'abortedTooLate',
] as const;

export type Attempt = {
  readonly outcome: (typeof OUTCOMES)[number];
  /** Index among the nodes where the guest is not. */
  readonly target: number;
  /** The VMIM stays Pending for as long as an attachment pod is made ready. */
  readonly hotplugged: boolean;
  /** What is left behind lives on until the end of the next attempt. */
  readonly lingers: boolean;
};

export const ENDINGS = ['runs', 'stops', 'postCopyFails', 'nodeLost', 'vmiVanishes'] as const;

export type Script = {
  /** 1.4 and 1.5: the source writes nodeName and completed; from 1.6 on the target does. */
  readonly minor: 4 | 5 | 6 | 7 | 8 | 9;
  readonly attempts: readonly Attempt[];
  readonly ending: (typeof ENDINGS)[number];
  /** Number of steps after which the ending comes. */
  readonly cut: number;
};

const NODES = ['n1', 'n2', 'n3', 'n4'];

type Draft = {
  readonly steps: Step[];
  vmi: VmiRecord | undefined;
  readonly vmims: Map<string, VmimRecord>;
  readonly launchers: Map<string, LauncherRecord>;
  guest: string | undefined;
  pod: string;
  moving: boolean;
};

type Change = {
  readonly vmi?: Partial<VmiRecord>;
  readonly state?: Partial<VmiMigrationState>;
  readonly guest?: string;
  readonly pod?: string;
  readonly moving?: boolean;
};

/** The states of one VM's life, one after the other. */
export function playHistory(script: Script): Step[] {
  const draft: Draft = {
    steps: [],
    vmi: { uid: 'v1', phase: 'Scheduling' },
    vmims: new Map(),
    launchers: new Map(),
    guest: undefined,
    pod: 'p1',
    moving: false,
  };
  start(draft);
  let left: LauncherRecord[] = [];
  for (const [index, attempt] of script.attempts.entries()) {
    const before = left;
    left = migrate(draft, attempt, { uid: `m${index + 1}`, pod: `p${index + 2}`, minor: script.minor });
    clear(draft, attempt.lingers ? before : [...before, ...left]);
    if (!attempt.lingers) left = [];
  }
  return end(draft, script);
}

function note(draft: Draft, what: string, { vmi, state, ...truth }: Change = {}): void {
  if (draft.vmi !== undefined && vmi !== undefined) draft.vmi = { ...draft.vmi, ...vmi };
  if (draft.vmi !== undefined && state !== undefined)
    draft.vmi = { ...draft.vmi, migrationState: { ...draft.vmi.migrationState, ...state } };
  if (truth.guest !== undefined) draft.guest = truth.guest;
  draft.pod = truth.pod ?? draft.pod;
  if (truth.moving !== undefined) draft.moving = truth.moving;
  const world = { vmims: [...draft.vmims.values()], launchers: [...draft.launchers.values()] };
  draft.steps.push({
    what,
    world: draft.vmi === undefined ? world : { ...world, vmi: draft.vmi },
    guest: draft.guest,
    pod: draft.pod,
    moving: draft.moving,
  });
}

function put(draft: Draft, uid: string, over: Partial<LauncherRecord>): LauncherRecord {
  const before = draft.launchers.get(uid);
  const launcher = { uid, name: `l-${uid}`, vmiUid: 'v1', deleting: false, final: false, ...before, ...over };
  draft.launchers.set(uid, launcher);
  return launcher;
}

function start(draft: Draft): void {
  put(draft, 'p1', {});
  note(draft, 'pod created');
  put(draft, 'p1', { node: 'n1' });
  note(draft, 'pod bound', { guest: 'n1' });
  note(draft, 'scheduled', { vmi: { phase: 'Scheduled', nodeName: 'n1' } });
  note(draft, 'running', { vmi: { phase: 'Running' } });
}

type Course = { readonly uid: string; readonly pod: string; readonly minor: Script['minor'] };

/** One migration; returns the pods that it leaves behind alive. */
function migrate(draft: Draft, attempt: Attempt, course: Course): LauncherRecord[] {
  const source = draft.guest ?? '';
  const others = NODES.filter((node) => node !== source);
  const target = others[attempt.target % others.length] ?? '';
  const setVmim = (phase: string) => draft.vmims.set(course.uid, { uid: course.uid, phase });
  setVmim('Pending');
  note(draft, 'migration asked for');
  put(draft, course.pod, { migrationJobUid: course.uid });
  if (!attempt.hotplugged) setVmim('Scheduling');
  note(draft, 'target created');
  const early = endBeforeHandOff(draft, attempt, { ...course, target });
  if (early !== undefined) return early;
  setVmim('Scheduled');
  note(draft, 'target ready');
  setVmim('PreparingTarget');
  const state = { migrationUid: course.uid, sourceNode: source, targetNode: target, targetPod: `l-${course.pod}` };
  if (draft.vmi !== undefined) draft.vmi = { ...draft.vmi, migrationState: state };
  note(draft, 'handed over');
  if (attempt.outcome === 'targetDies') return die(draft, course);
  setVmim('Running');
  note(draft, 'copying');
  if (attempt.outcome === 'fails' || attempt.outcome === 'aborted') return fail(draft, attempt, course);
  return succeed(draft, attempt, { ...course, source, target });
}

function endBeforeHandOff(draft: Draft, { outcome }: Attempt, { uid, pod, target }: Course & { target: string }) {
  const fails = () => draft.vmims.set(uid, { uid, phase: 'Failed' });
  if (outcome === 'unschedulable') {
    fails();
    draft.launchers.delete(pod);
    note(draft, 'timed out');
    return [];
  }
  const launcher = put(draft, pod, { node: target });
  note(draft, 'target bound', { moving: true });
  if (outcome === 'rejected') {
    fails();
    put(draft, pod, { final: true });
    note(draft, 'target rejected', { moving: false });
    return [];
  }
  if (outcome !== 'abortedWhenBound' && outcome !== 'vmimVanishes') return undefined;
  draft.vmims.delete(uid);
  if (outcome === 'abortedWhenBound') put(draft, pod, { deleting: true });
  note(draft, 'VMIM gone', { moving: false });
  return [launcher];
}

function die(draft: Draft, { uid, pod }: Course): LauncherRecord[] {
  put(draft, pod, { final: true });
  draft.vmims.set(uid, { uid, phase: 'Failed' });
  note(draft, 'target died', { state: { failed: true, completed: true }, moving: false });
  return [];
}

function fail(draft: Draft, { outcome }: Attempt, { uid, pod }: Course): LauncherRecord[] {
  if (outcome === 'aborted') draft.vmims.delete(uid);
  else draft.vmims.set(uid, { uid, phase: 'Failed' });
  note(draft, outcome, { state: { failed: true }, moving: false });
  return [...draft.launchers.values()].filter((launcher) => launcher.uid === pod);
}

type Road = Course & { readonly source: string; readonly target: string };

function succeed(draft: Draft, { outcome }: Attempt, { uid, pod, minor, source, target }: Road): LauncherRecord[] {
  if (outcome === 'postCopy') note(draft, 'post-copy', { state: { postCopy: true } });
  if (outcome !== 'allAtOnce') note(draft, 'domain ready', { state: { domainReady: true }, guest: target, pod });
  const moved = { vmi: { nodeName: target }, guest: target, pod };
  if (minor >= 6) note(draft, 'ownership moved', { ...moved, state: { domainReady: true } });
  if (outcome === 'abortedTooLate') draft.vmims.delete(uid);
  else draft.vmims.set(uid, { uid, phase: 'Succeeded' });
  note(draft, 'completed', { ...moved, state: { domainReady: true, completed: true }, moving: false });
  return [...draft.launchers.values()].filter((one) => one.uid !== pod && one.node === source && !one.final);
}

/** What was left behind ends, and some of it is deleted. */
function clear(draft: Draft, left: readonly LauncherRecord[]): void {
  for (const { uid } of left) put(draft, uid, { final: true });
  if (left.length > 0) note(draft, 'what was left has ended');
  for (const { uid } of left.slice(1)) draft.launchers.delete(uid);
  if (left.length > 1) note(draft, 'and is partly gone');
}

function end(draft: Draft, { ending, cut }: Script): Step[] {
  const steps = draft.steps.slice(0, Math.max(4, cut));
  const last = steps.at(-1);
  if (ending === 'runs' || last === undefined) return steps;
  const { world } = last;
  const gone = (launchers: readonly LauncherRecord[]) => launchers.map((one) => ({ ...one, final: true }));
  const add = (what: string, next: World) =>
    steps.push({ what, world: next, guest: undefined, pod: last.pod, moving: last.moving });
  const vmi = (over: Partial<VmiRecord>) => world.vmi && { vmi: { ...world.vmi, ...over } };
  if (ending === 'postCopyFails') {
    const state = { ...world.vmi?.migrationState, failed: true };
    add('lost in post-copy', { ...world, ...vmi({ phase: 'Failed', migrationState: state }) });
  } else if (ending === 'nodeLost') {
    const launchers = world.launchers.filter(({ node }) => node !== last.guest);
    add('pod force-deleted', { ...world, launchers, ...vmi({ phase: 'Failed' }) });
  } else if (ending === 'vmiVanishes') {
    add('VMI gone', { vmims: [], launchers: world.launchers });
  } else {
    add('stopping', { ...world, launchers: world.launchers.map((one) => ({ ...one, deleting: true })) });
    add('guest off', { ...world, ...vmi({ phase: 'Succeeded' }) });
  }
  add('pods ended', { ...world, launchers: gone(world.launchers), ...vmi({ phase: 'Succeeded' }) });
  add('all gone', { vmims: [], launchers: [] });
  return steps;
}
