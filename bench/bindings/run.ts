import type { Scene } from './ends.ts';
import { openMacvtap } from './macvtap.ts';
import { type Book, type Effort, type Item, measureRounds } from './measure.ts';
import { type Binding, planCases } from './plan.ts';
import { openPods, openStage, type Stage, type StageOptions } from './stage.ts';
import { openVms } from './vms.ts';

export type RunOptions = Omit<StageOptions, 'macvlan'> & {
  readonly bindings: readonly Binding[];
  readonly effort: Effort;
};

/**
 * Measures all bindings in one run and returns how many nodes the lab has. A binding that cannot be set up is noted, the
 * others are measured. Whatever stops the run, what was seen until then is in the book.
 */
export async function runBindings({ bindings, effort, ...options }: RunOptions, book: Book): Promise<number> {
  await using stage = await openStage({ ...options, macvlan: bindings.includes('macvlanPod') });
  const interrupted = new Promise<never>((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => reject(new Error(signal)));
  });
  interrupted.catch(() => undefined); // the race below sees it, unless nothing is measured any more
  try {
    await Promise.race([measureBindings(stage, { bindings, effort }, book), interrupted]);
  } catch (error) {
    book.failures.push(`the run ended early: ${error instanceof Error ? error.message : String(error)}`);
  }
  return stage.context.lab.nodes.length;
}

async function measureBindings(
  stage: Stage,
  { bindings, effort }: { bindings: readonly Binding[]; effort: Effort },
  book: Book,
): Promise<void> {
  const { say } = stage.context;
  say(`starting guests: ${bindings.filter((binding) => !isPods(binding)).join(', ')}`);
  const items = await Promise.all(bindings.map((binding) => openItems(stage, binding, book)));
  await measureRounds(items.flat(), effort, { book, say });
}

/** The rows of a binding with their ends; none when it cannot be set up. */
async function openItems(stage: Stage, binding: Binding, book: Book): Promise<Item[]> {
  try {
    const { target, from } = await openScene(stage, binding);
    return planCases(binding).map((one) => ({ one, from: from(one.path, one.placement), target }));
  } catch (error) {
    const what = `${binding}: ${error instanceof Error ? error.message : String(error)}`;
    book.failures.push(what);
    stage.context.say(`  FAILED ${what}`);
    return [];
  }
}

const isPods = (binding: Binding): binding is 'pod' | 'macvlanPod' => binding === 'pod' || binding === 'macvlanPod';

async function openScene(stage: Stage, binding: Binding): Promise<Scene> {
  if (isPods(binding)) return openPods(stage, binding);
  return binding === 'macvtap' ? openMacvtap(stage) : openVms(stage, binding);
}
