import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { KubevirtMode, LabState } from './state.ts';

type Hook = {
  readonly startKubevirt?: (lab: LabState, mode: KubevirtMode) => Promise<void>;
  readonly stopKubevirt?: (lab: LabState) => Promise<void>;
};

async function loadHook(): Promise<Hook> {
  const path = join(import.meta.dirname, 'kubevirt/start.ts');
  return existsSync(path) ? ((await import(pathToFileURL(path).href)) as Hook) : {};
}

/** Starts KubeVirt's stand-in: both halves, or with `external` only the one on the nodes. False when there is none. */
export async function startKubevirt(lab: LabState, mode: KubevirtMode): Promise<boolean> {
  const hook = await loadHook();
  await hook.startKubevirt?.(lab, mode);
  return hook.startKubevirt !== undefined;
}

/** Ends whatever startKubevirt began. */
export async function stopKubevirt(lab: LabState): Promise<void> {
  const hook = await loadHook();
  await hook.stopKubevirt?.(lab);
}
