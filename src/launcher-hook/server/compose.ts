import { type Admission, ALLOWED, type Judge, type Verdict } from '../admission.ts';
import { UnknownKind } from '../records.ts';

export type NamedJudge = { readonly name: string; readonly judge: Judge };
/** Hears of a judge that threw. */
export type OnFailure = (name: string, error: unknown, admission: Admission) => void;

/**
 * One judge out of several: the first denial counts, and everybody's warnings; patches come one after another, each made
 * for the object as it came, so they must not be about the same fields. A judge that throws, be it for what cannot be seen
 * yet (UnknownKind), has nothing to say but that: nothing is correct because of it.
 */
export function compose(judges: readonly NamedJudge[], onFailure: OnFailure): Judge {
  return (admission) => {
    let whole: Verdict = ALLOWED;
    for (const one of judges) {
      const verdict = ask(one, admission, onFailure);
      const warnings = [...whole.warnings, ...verdict.warnings];
      if (!verdict.allowed) return { ...verdict, warnings, patch: [] };
      whole = { allowed: true, warnings, patch: [...whole.patch, ...verdict.patch] };
    }
    return whole;
  };
}

function ask({ name, judge }: NamedJudge, admission: Admission, onFailure: OnFailure): Verdict {
  try {
    return judge(admission);
  } catch (error) {
    onFailure(name, error, admission);
    return { ...ALLOWED, warnings: [formatSilence(name, error)] };
  }
}

/** The same words from every judge that lacks the same kind: they are shown once. */
const formatSilence = (name: string, error: unknown): string =>
  error instanceof UnknownKind
    ? `Mooring cannot see any ${error.kind} of the cluster yet and has not looked at this; it is checked again later`
    : `Mooring could not look at this (${name}); it is checked again later`;
