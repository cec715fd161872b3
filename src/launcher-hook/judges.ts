import type { Judge } from './admission.ts';
import { type BindingDefaults, createBindingJudge } from './binding/plan.ts';
import { checkRequest, createCheckJudge, isPerhapsLate } from './checks/check.ts';
import type { Records } from './records.ts';
import type { Judges } from './server/hook.ts';

/** Who judges VirtualMachines and VirtualMachineInstances. `defaults` are of the same flags as the operator's. */
export function createJudges(records: Records, defaults: BindingDefaults): Judges {
  return {
    mutate: [{ name: 'bindings', judge: createBindingJudge(records, defaults) }],
    validate: [{ name: 'checks', judge: createChecks(records, defaults) }],
  };
}

/** The checks, which want to be asked again where only a cache that is behind may have made them deny. */
function createChecks(records: Records, settings: BindingDefaults): Judge {
  const cluster = { ...records, settings };
  const check = createCheckJudge(cluster);
  return (admission) => {
    const verdict = check(admission);
    if (verdict.allowed) return verdict;
    return { ...verdict, isPerhapsLate: isPerhapsLate(checkRequest(admission, cluster)) };
  };
}
