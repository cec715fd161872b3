import type { Scene } from './ends.ts';
import type { Row } from './figures.ts';
import { openMacvtap } from './macvtap.ts';
import type { Measured } from './measure.ts';
import { type Binding, type Case, planCases } from './plan.ts';
import { openPods, openStage, type Stage, type StageOptions } from './stage.ts';
import { openVms } from './vms.ts';

/** Everything that a run has seen. */
export type Seen = { readonly rows: Row[]; readonly failures: string[]; nodes: number };

export type RunOptions = Omit<StageOptions, 'macvlan'> & { readonly bindings: readonly Binding[] };

/**
 * Measures one binding after the other; guests of one are gone before the next ones start. A binding that cannot be set up
 * is noted, and the next one is measured. Whatever stops the run, what was seen until then is kept.
 */
export async function runBindings(
  { bindings, ...options }: RunOptions,
  seen: Seen,
  measure: (scene: Scene, cases: readonly Case[]) => Promise<Measured>,
): Promise<void> {
  const macvlan = bindings.includes('macvlanPod');
  await using stage = await openStage({ ...options, macvlan });
  seen.nodes = stage.context.lab.nodes.length;
  const interrupted = new Promise<never>((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => reject(new Error(signal)));
  });
  interrupted.catch(() => undefined); // the race below sees it, unless nothing is measured any more
  try {
    for (const binding of bindings) await Promise.race([measureOne(binding), interrupted]);
  } catch (error) {
    seen.failures.push(`the run ended early: ${error instanceof Error ? error.message : String(error)}`);
  }

  async function measureOne(binding: Binding): Promise<void> {
    options.say(`${binding}: ${isPods(binding) ? 'measuring' : 'starting three guests, then measuring'}`);
    try {
      await using scene = await openScene(stage, binding);
      const { rows, failures } = await measure(scene, planCases(binding));
      seen.rows.push(...rows);
      seen.failures.push(...failures);
    } catch (error) {
      const what = `${binding}: ${error instanceof Error ? error.message : String(error)}`;
      seen.failures.push(what);
      options.say(`  FAILED ${what}`);
    }
  }
}

const isPods = (binding: Binding): binding is 'pod' | 'macvlanPod' => binding === 'pod' || binding === 'macvlanPod';

async function openScene(stage: Stage, binding: Binding): Promise<Scene & AsyncDisposable> {
  if (isPods(binding)) return { ...openPods(stage, binding), [Symbol.asyncDispose]: () => Promise.resolve() };
  return binding === 'macvtap' ? openMacvtap(stage) : openVms(stage, binding);
}
