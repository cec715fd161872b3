import { requireVersions } from './cases/version.ts';
import {
  type Case,
  Failure,
  type Kind,
  type KnownDifference,
  NotApplicable,
  type Plugin,
  type Running,
  VERSIONS,
  type Verdict,
  type Version,
} from './model.ts';
import { createWorld } from './world.ts';

/** What came of each case in each of its versions; the key is the case's id. */
export type PluginReport = {
  readonly name: string;
  readonly kind: Kind;
  readonly verdicts: Readonly<Record<string, Readonly<Partial<Record<Version, Verdict>>>>>;
};

export type SuiteOptions = {
  readonly cases: readonly Case[];
  /** Told of each verdict. */
  readonly tell?: (about: { plugin: string; id: string; version: Version; verdict: Verdict }) => void;
};

/** Runs the cases one after the other on one node. Throws what is no verdict, such as a node that cannot be made. */
export async function runSuite(plugin: Plugin, { cases, tell }: SuiteOptions): Promise<PluginReport> {
  const running = await plugin.start();
  const verdicts: Record<string, Partial<Record<Version, Verdict>>> = {};
  try {
    const supported = await listSupported(running);
    for (const { one, version } of listRuns(cases)) {
      const verdict = supported.includes(version)
        ? await judge(plugin, running, { one, version })
        : { outcome: 'n/a' as const, reason: `${version} is not among its supportedVersions` };
      verdicts[one.id] = { ...verdicts[one.id], [version]: verdict };
      tell?.({ plugin: plugin.name, id: one.id, version, verdict });
    }
  } finally {
    await running.stop();
  }
  return { name: plugin.name, kind: plugin.kind, verdicts };
}

export type CaseRun = { readonly one: Case; readonly version: Version };

export const listRuns = (cases: readonly Case[]): CaseRun[] =>
  cases.flatMap((one) => one.versions.map((version) => ({ one, version })));

/** The versions that the plugin says it speaks; all when it says nothing that can be read, for the cases to judge. */
async function listSupported(running: Running): Promise<readonly unknown[]> {
  const { world } = createWorld(running, '1.1.0');
  try {
    return requireVersions(await world.call('VERSION')).supported;
  } catch (error) {
    if (error instanceof Failure) return VERSIONS;
    throw error;
  }
}

/** One case in one version, with everything that it has made taken away again. */
export async function judge(plugin: Plugin, running: Running, { one, version }: CaseRun): Promise<Verdict> {
  const { world, end } = createWorld(running, version);
  try {
    await one.run(world);
    return settle({ outcome: 'pass' }, findKnown(plugin, one));
  } catch (error) {
    if (error instanceof NotApplicable) return { outcome: 'n/a', reason: error.message };
    if (error instanceof Failure) return settle({ outcome: 'fail', reason: error.message }, findKnown(plugin, one));
    // A step between the calls went wrong, such as the removal of what the plugin says it has made.
    return { outcome: 'fail', reason: `cannot be judged: ${String(error)}`.slice(0, 400) };
  } finally {
    await end();
  }
}

const findKnown = ({ known }: Plugin, { id }: Case): KnownDifference | undefined => known.find((one) => one.id === id);

/** A known difference stays one only while it is there: a case that passes must be taken off the list. */
export function settle(verdict: Verdict, known: KnownDifference | undefined): Verdict {
  if (known === undefined || verdict.outcome === 'n/a') return verdict;
  if (verdict.outcome === 'fail') {
    return verdict.reason?.includes(known.says) === true ? { outcome: 'known', reason: known.reason } : verdict;
  }
  return { outcome: 'fail', reason: 'it is on the list of known differences, but passes now: take it off' };
}
