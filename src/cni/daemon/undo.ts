import type { Logger } from '../../kube/index.ts';

/** What has to be taken back when a later step fails: registered before each acquisition, run last in first out. */
export type Undo = {
  /** `run` is told what could not be taken back before it. */
  add(what: string, run: (failed: readonly string[]) => Promise<void>): void;
  /** Takes all back; one that fails is logged and the next ones still run. Says what failed. */
  run(): Promise<string[]>;
};

export function createUndo(log: Logger): Undo {
  const steps: { what: string; run: (failed: readonly string[]) => Promise<void> }[] = [];
  return {
    add: (what, run) => {
      steps.push({ what, run });
    },
    run: async () => {
      const failed: string[] = [];
      for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
        try {
          await step.run(failed);
        } catch (error) {
          log.warn({ err: error, what: step.what }, 'could not be undone now; the reaper will');
          failed.push(step.what);
        }
      }
      return failed;
    },
  };
}
