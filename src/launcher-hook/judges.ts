import { type BindingDefaults, createBindingJudge } from './binding/plan.ts';
import { createChangeJudge } from './changes/judge.ts';
import { createCheckJudge } from './checks/check.ts';
import { createSidecarJudge } from './inject/plan.ts';
import type { SidecarImage } from './inject/sidecars.ts';
import type { Records } from './records.ts';
import type { Judges } from './server/hook.ts';

/**
 * Who judges VirtualMachines and VirtualMachineInstances. `defaults` are of the same flags as the operator's; without a
 * sidecar's image launchers get none.
 */
export function createJudges(records: Records, defaults: BindingDefaults, sidecar?: SidecarImage): Judges {
  const bindings = { name: 'bindings', judge: createBindingJudge(records, defaults) };
  const sidecars = sidecar && { name: 'sidecar', judge: createSidecarJudge(records, sidecar) };
  const cluster = { ...records, settings: defaults };
  return {
    mutate: sidecars === undefined ? [bindings] : [bindings, sidecars],
    validate: [
      { name: 'checks', judge: createCheckJudge(cluster) },
      { name: 'changes', judge: createChangeJudge(cluster) },
    ],
  };
}
