import { setTimeout as delay } from 'node:timers/promises';
import { expectSoon } from '../../test/lab/demo/context.ts';
import { awaitReached } from '../migration/evidence.ts';
import { cutStreams, findLongestGap, lengthOf } from '../migration/gaps.ts';
import { askMigration, tidyUp } from '../migration/migrate.ts';
import { NAMESPACE } from '../migration/objects.ts';
import { isAlone } from '../migration/port-history.ts';
import { type Probing, startProbing } from '../migration/probing.ts';
import { hasChanged } from '../migration/run.ts';
import { nodeOf, type Stage, type Subject } from '../migration/stage.ts';
import { hasCome, type Round } from './plan.ts';
import { findTarget, isWhole, strike } from './victims.ts';

/** What came of a round. */
export type Outcome = {
  readonly round: Round;
  readonly pod: string;
  /** Phase of the VMIM when the victim was killed. */
  readonly phase: string;
  readonly result: 'Succeeded' | 'Failed' | 'unknown';
  readonly from: string;
  readonly to: string;
  /** From the end of the migration until everything was right. */
  readonly settledMs: number;
  readonly longestGapMs: number;
  readonly tcpLost: number;
  /** What does not hold in the end, as sentences. */
  readonly violations: readonly string[];
};

type Turn = { readonly stage: Stage; readonly subject: Subject; readonly probing: Probing };

const END_SECONDS = 120;
const WHOLE_SECONDS = 90;

/** Carries out the rounds; each begins where the last one left everything right, or as right as it got. */
export async function runRounds(
  stage: Stage,
  rounds: readonly Round[],
  tell: (outcome: Outcome) => void,
): Promise<void> {
  for (const subject of stage.subjects) {
    const own = rounds.filter(({ binding }) => binding === subject.binding);
    if (own.length === 0) continue;
    await using probing = await startProbing(stage, subject);
    for (const round of own) tell(await runRound({ stage, subject, probing }, round));
  }
}

async function runRound({ stage, subject, probing }: Turn, round: Round): Promise<Outcome> {
  const { context, clients } = stage;
  const startedAt = Date.now();
  probing.recording.forgetBefore(startedAt);
  const from = nodeOf(stage, subject);
  const target = await findTarget(context, round.victim, clients[round.node]?.node ?? from);
  const { uid } = await askMigration(stage, subject, round.name);
  await awaitMoment(stage, round);
  const phase = phaseOf(stage, round) || 'asked for';
  strike(target);
  const violations: string[] = [];
  const check = (what: string, work: Promise<unknown>): Promise<void> =>
    work.then(
      () => undefined,
      (error: unknown) => void violations.push(`${what}: ${error instanceof Error ? error.message : String(error)}`),
    );
  await check('the migration does not end', awaitEnd(stage, uid, round.name));
  if (violations.length > 0) await stage.vmims.delete({ namespace: NAMESPACE, name: round.name });
  const endedAt = Date.now();
  const result = findResult(stage, uid);
  await check(
    'a program does not come back',
    expectSoon('every program ready', WHOLE_SECONDS, () => findWhole(stage)),
  );
  await check('something is left', tidyUp(stage, subject, round.name));
  await check('the port', awaitAlone(stage, subject));
  await check('the guest', awaitReached(stage, subject, { recording: probing.recording, name: round.name }));
  if (hasChanged(stage, subject)) violations.push('the address or MAC changed');
  const settledAt = Date.now();
  const window = { from: startedAt, to: probing.recording.writtenUntil() };
  const streams = cutStreams(probing.recording.read(), window, clients.length);
  const gaps = streams
    .filter(({ kind }) => kind.startsWith('udp'))
    .map(({ answers }) => findLongestGap(answers, window));
  return {
    ...{ round, phase, result, from, violations, pod: target.pod, to: nodeOf(stage, subject) },
    settledMs: settledAt - endedAt,
    longestGapMs: Math.round(Math.max(...gaps.map(lengthOf))),
    tcpLost: streams.reduce((sum, { closed }) => sum + closed.length, 0),
  };
}

const phaseOf = ({ witness }: Stage, { name }: Round): string => witness.findVmim(name)?.status?.phase ?? '';

/** Where the migration does not come to its phase, the moment is when that is clear. */
async function awaitMoment(stage: Stage, round: Round): Promise<void> {
  const come = (): true | undefined => (hasCome(phaseOf(stage, round), round.phase) ? true : undefined);
  await stage.witness.until(`${round.name} in phase ${round.phase}`, END_SECONDS, come).catch(() => undefined);
  await delay(round.plusMs);
}

const awaitEnd = ({ witness }: Stage, uid: string, name: string): Promise<unknown> =>
  witness.until(
    `the end of ${name}`,
    END_SECONDS,
    () => witness.seenAt(uid, 'Succeeded') ?? witness.seenAt(uid, 'Failed'),
  );

function findResult({ witness }: Stage, uid: string): Outcome['result'] {
  if (witness.seenAt(uid, 'Succeeded') !== undefined) return 'Succeeded';
  return witness.seenAt(uid, 'Failed') === undefined ? 'unknown' : 'Failed';
}

const findWhole = async ({ context }: Stage): Promise<true | undefined> =>
  (await isWhole(context)) ? true : undefined;

/** The port is on exactly the chassis where the guest runs, in both databases. */
function awaitAlone(stage: Stage, subject: Subject): Promise<unknown> {
  const { witness } = stage;
  return witness.until(`the port of ${subject.name} on one chassis`, END_SECONDS, () =>
    isAlone(witness.historyOf(subject.lsp).at(-1), nodeOf(stage, subject)) ? true : undefined,
  );
}
