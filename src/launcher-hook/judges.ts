import type { Settings } from '../plan/settings.ts';
import type { Judge } from './admission.ts';
import { checkRequest, createCheckJudge, isPerhapsLate } from './checks/check.ts';
import type { Records } from './records.ts';
import type { Judges } from './server/hook.ts';

/** As the operator has them: the same flags. */
export type JudgeSettings = Pick<Settings, 'defaultSubnet' | 'defaultVpc' | 'primary'>;

/** Who judges VirtualMachines and VirtualMachineInstances. Nobody changes them yet. */
export function createJudges(records: Records, settings: JudgeSettings): Judges {
  return { mutate: [], validate: [{ name: 'checks', judge: createChecks(records, settings) }] };
}

function createChecks(records: Records, settings: JudgeSettings): Judge {
  const cluster = { ...records, settings };
  const check = createCheckJudge(cluster);
  return (admission) => {
    const verdict = check(admission);
    if (verdict.allowed) return verdict;
    return { ...verdict, isPerhapsLate: isPerhapsLate(checkRequest(admission, cluster)) };
  };
}
