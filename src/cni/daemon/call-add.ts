import type { Context } from './context.ts';
import { withDeadline } from './deadline.ts';
import type { CniError } from './errors.ts';
import { explain } from './explain.ts';
import type { AttachRequest } from './request.ts';
import { createStages } from './stages.ts';
import { createUndo } from './undo.ts';
import type { Work } from './wire.ts';

export type AddCall = {
  readonly context: Context;
  readonly request: AttachRequest;
  /** Aborts when the runtime has gone away. */
  readonly caller: AbortSignal;
};

/**
 * Runs the work of one ADD after earlier calls for the same interface, within its deadline, takes back what it has made
 * when it fails, and tells of it: log, metrics, event. Throws CniError that names the stage.
 */
export async function callAdd<T>(call: AddCall, run: (work: Work, signal: AbortSignal) => Promise<T>): Promise<T> {
  const { context, request, caller } = call;
  const stages = createStages(context.clock);
  const work: Work = { context, request, stages, undo: createUndo(context.log) };
  const outcome = context.calls.run(request, (overtaken) =>
    withDeadline(context.clock, context.deadlines.addMs, [caller, overtaken], async (signal) => {
      try {
        signal.throwIfAborted();
        return await run(work, signal);
      } catch (error) {
        await work.undo.run();
        throw error;
      }
    }),
  );
  try {
    const done = await outcome;
    report(work, 'ok');
    return done;
  } catch (error) {
    const failure = explain(context, { request, stage: stages.current() }, error);
    report(work, 'failed', failure);
    throw failure;
  }
}

function report(work: Work, outcome: 'ok' | 'failed', error?: CniError): void {
  const { context, request, stages } = work;
  const spent = stages.finish();
  const { containerId, ifname, pod } = request;
  const fields = { verb: 'ADD', outcome, containerId, ifname, pod: `${pod.namespace}/${pod.name}`, ...spent };
  context.metrics.observe('add', spent.ms, { outcome });
  for (const [stage, ms] of Object.entries(spent.stages)) context.metrics.observe('add_stage', ms, { stage, outcome });
  if (error === undefined) {
    context.log.info(fields, 'add');
    return;
  }
  context.log.warn({ ...fields, stage: stages.current(), err: error }, 'add');
  const regarding = context.cluster.findPod(pod);
  if (regarding === undefined) return;
  const note = { type: 'Warning', reason: 'AttachFailed', action: 'Attach', note: error.message } as const;
  context.events.record({ apiVersion: 'v1', kind: 'Pod', ...regarding }, note);
}
