import { describe, expect, it } from 'vitest';
import { type FlowObject, loadFlow } from '../flows.ts';
import type { Pod, Vmi, Vmim } from '../objects.ts';
import { judgeEviction, judgeMigration } from './judge.ts';

/** The newest record of an object up to a step of a recorded flow. */
function find<T>(flow: string, until: string, kind: string, name?: string): T {
  const steps = loadFlow(flow);
  const at = steps.findIndex(({ step }) => step === until);
  const all = steps.slice(0, at + 1).flatMap(({ objects }) => objects);
  const found = all.filter((one) => one.kind === kind && (name === undefined || one.metadata?.name === name)).at(-1);
  if (found === undefined) throw new Error(`${flow} has no ${kind}`);
  return found as FlowObject as T;
}

const noteOf = (flow: string, step: string) => loadFlow(flow).find((one) => one.step === step)?.note ?? '';

describe('an eviction of a launcher', () => {
  const source = find<Pod>('evacuation', 'running', 'Pod');
  const name = source.metadata.name ?? '';

  it('is refused as recorded, and marks the VMI so that it is moved', () => {
    const refusal = judgeEviction(source, find<Vmi>('evacuation', 'running', 'VirtualMachineInstance'));
    expect(refusal).toMatchObject({ code: 429, evacuate: true });
    expect(noteOf('evacuation', 'evict-called')).toContain(refusal?.message);
  });

  it('asked for again while the guest moves does not mark the VMI again', () => {
    const refusal = judgeEviction(source, find<Vmi>('evacuation', 'copy-started', 'VirtualMachineInstance'));
    expect(refusal).toEqual({ code: 429, message: expect.stringContaining('evacuation') });
  });

  it('is refused for the source that the guest has left, until that one has ended', () => {
    const vmi = find<Vmi>('evacuation', 'target-reports-interfaces', 'VirtualMachineInstance');
    const refusal = judgeEviction(source, vmi);
    expect(refusal?.evacuate).toBeUndefined();
    expect(noteOf('evacuation', 'evict-source-again')).toContain(refusal?.message);
    expect(judgeEviction(find<Pod>('evacuation', 'source-completed', 'Pod', name), vmi)).toBeUndefined();
  });

  it('is allowed when nothing is to be moved: no VMI, or one with strategy None', () => {
    const vmi = find<Vmi>('evacuation', 'running', 'VirtualMachineInstance');
    expect(judgeEviction(source, undefined)).toBeUndefined();
    expect(judgeEviction(source, { ...vmi, spec: { ...vmi.spec, evictionStrategy: 'None' } })).toBeUndefined();
  });

  it('of a guest that cannot move is refused, and allowed with LiveMigrateIfPossible', () => {
    const vmi = find<Vmi>('evacuation', 'running', 'VirtualMachineInstance');
    const fixed = { ...vmi, status: { ...vmi.status, conditions: [{ type: 'LiveMigratable', status: 'False' }] } };
    expect(judgeEviction(source, fixed)).toEqual({
      code: 429,
      message: expect.stringContaining('not live-migratable'),
    });
    const spec = { ...vmi.spec, evictionStrategy: 'LiveMigrateIfPossible' };
    expect(judgeEviction(source, { ...fixed, spec })).toBeUndefined();
  });
});

describe('a second migration', () => {
  const first = (step: string) => find<Vmim>('migrate-back-to-back', step, 'VirtualMachineInstanceMigration');
  const second = { metadata: { name: 'b' }, spec: { vmiName: 'mig2' } };

  it.each(['a-second-while-running', 'a-second-after-end'])('is refused with the message of step %s', (step) => {
    const refusal = judgeMigration(second, [first(step)]);
    expect(refusal?.code).toBe(400);
    expect(noteOf('migrate-back-to-back', step)).toContain(refusal?.message);
  });

  it('is allowed once the first has ended, and beside one of another VMI', () => {
    const ended = { ...first('a-second-after-end'), status: { phase: 'Succeeded' } };
    expect(judgeMigration(second, [ended])).toBeUndefined();
    const other = { ...first('a-second-while-running'), spec: { vmiName: 'other' } };
    expect(judgeMigration(second, [other])).toBeUndefined();
  });
});
