import type { Problem } from '../../api/problem.ts';
import { checkAnnotations } from './annotation-limit.ts';
import { type Launcher, listNameTraps } from './launcher-names.ts';
import type { NicProblem, RequestPlan } from './types.ts';

/** A launcher that is still to be made, or runs already. */
export type LauncherFacts = Launcher & {
  /** Of all annotations that it gets, also of those that nobody reads. */
  readonly annotationBytes: number;
};

/**
 * Adds to a guest's plan what KubeVirt could not cope with in its launcher. A NIC that would take the place of another
 * network, or a guest that could not even start, is refused like any request that cannot be met; the rest is only told,
 * as the VM runs with it. An absent NIC is on its way out and refused nothing. Pure.
 */
export function addLauncherProblems(plan: RequestPlan, launcher: LauncherFacts): RequestPlan {
  const tooLong = checkAnnotations(launcher.annotationBytes);
  const traps = tooLong === undefined ? listNameTraps(launcher) : [];
  const known = new Set(plan.problems.map(({ nic }) => nic));
  const present = plan.requests.filter(({ nic, absent }) => !absent && !known.has(nic));
  const refused: NicProblem[] = present.flatMap(({ nic }) => {
    const problem = tooLong ?? traps.find((trap) => trap.isCertain && trap.nic === nic)?.problem;
    return problem === undefined ? [] : [{ nic, problem }];
  });
  const nics = new Set(refused.map(({ nic }) => nic));
  const notes = [
    ...(tooLong === undefined || refused.length > 0 ? [] : [tooLong]),
    ...traps.filter(({ nic }) => nic === undefined || !nics.has(nic)).map(({ problem }) => problem),
  ];
  if (refused.length === 0 && notes.length === 0) return plan;
  return {
    ...plan,
    requests: plan.requests.filter(({ nic }) => !nics.has(nic)),
    problems: [...plan.problems, ...refused],
    ...(notes.length === 0 ? {} : { notes: [...(plan.notes ?? []), ...notes] satisfies readonly Problem[] }),
  };
}
