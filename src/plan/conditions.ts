import { REASONS, type Reason } from '../api/reasons.ts';

/** A condition of the API conventions, as all our kinds have it. */
export type Condition = {
  type: string;
  status: 'True' | 'False' | 'Unknown';
  observedGeneration?: number;
  lastTransitionTime: string;
  reason: string;
  message: string;
};

/** What a condition should say now; `message` defaults to the documented sentence of the reason. */
export type Verdict = { readonly status: Condition['status']; readonly reason: Reason; readonly message?: string };

export const isTrue = (reason: Reason, message?: string): Verdict => makeVerdict('True', reason, message);
export const isFalse = (reason: Reason, message?: string): Verdict => makeVerdict('False', reason, message);
export const isUnknown = (reason: Reason, message?: string): Verdict => makeVerdict('Unknown', reason, message);

function makeVerdict(status: Condition['status'], reason: Reason, message: string | undefined): Verdict {
  return message === undefined ? { status, reason } : { status, reason, message };
}

/** When and for which generation conditions are made; `now` is RFC 3339. */
export type Moment = { readonly now: string; readonly generation: number | undefined };

/** Conditions in the order given. The transition time changes only with the status; other types are left out. */
export function planConditions(
  present: readonly Condition[] | undefined,
  verdicts: Readonly<Record<string, Verdict>>,
  moment: Moment,
): Condition[] {
  return Object.entries(verdicts).map(([type, { status, reason, message }]) => {
    const before = present?.find((condition) => condition.type === type);
    return {
      type,
      status,
      ...(moment.generation === undefined ? {} : { observedGeneration: moment.generation }),
      lastTransitionTime: before?.status === status ? before.lastTransitionTime : moment.now,
      reason,
      message: (message ?? REASONS[reason]).slice(0, 2000),
    };
  });
}
