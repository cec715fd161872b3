import { describe, expect, it } from 'vitest';
import { noMetrics, systemClock } from '../kube/index.ts';
import { createRecordingLogger } from '../kube/testing/recording-logger.ts';
import { createFirstPass } from './first-pass.ts';

function start() {
  const log = createRecordingLogger();
  const pass = createFirstPass({ clock: systemClock, metrics: noMetrics, log });
  return { pass, told: () => log.lines.filter(({ message }) => message === 'first pass done') };
}

describe('the first pass', () => {
  it('is told when the last key has had its turn, and only once', () => {
    const { pass, told } = start();
    pass.begin(new Set(['pod/a/x', 'vm/a/y']));
    pass.done('pod/a/x');
    pass.done('pod/a/x');
    expect(told()).toEqual([]);
    pass.done('vm/a/y');
    pass.done('vm/a/y');
    expect(told()).toMatchObject([{ fields: { keys: 2 } }]);
  });

  it('does not wait for keys that came after its begin', () => {
    const { pass, told } = start();
    pass.begin(new Set(['pod/a/x']));
    pass.done('pod/a/later');
    expect(told()).toEqual([]);
    pass.done('pod/a/x');
    expect(told()).toHaveLength(1);
  });

  it('is told at once when there is nothing to look at', () => {
    const { pass, told } = start();
    pass.begin(new Set());
    expect(told()).toHaveLength(1);
  });
});
