import { type BindingDefaults, createBindingJudge } from './binding/plan.ts';
import { createCheckJudge } from './checks/check.ts';
import type { Records } from './records.ts';
import type { Judges } from './server/hook.ts';

/** Who judges VirtualMachines and VirtualMachineInstances. `defaults` are of the same flags as the operator's. */
export function createJudges(records: Records, defaults: BindingDefaults): Judges {
  return {
    mutate: [{ name: 'bindings', judge: createBindingJudge(records, defaults) }],
    validate: [{ name: 'checks', judge: createCheckJudge({ ...records, settings: defaults }) }],
  };
}
