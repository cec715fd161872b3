import { describe, expect, it } from 'vitest';
import type { Thing } from './context.ts';
import { isRolledOut } from './install.ts';

const thing = (generation: number, spec: object, status?: object): Thing => ({
  metadata: { name: 'x', uid: 'u', ...{ generation } },
  spec,
  status,
});
const whole = { observedGeneration: 3, updatedReplicas: 2, readyReplicas: 2 };
const everywhere = { observedGeneration: 3, desiredNumberScheduled: 3, updatedNumberScheduled: 3, numberReady: 3 };

describe('isRolledOut', () => {
  it.each<[string, object, object | undefined, boolean]>([
    ['a Deployment with all its pods', { replicas: 2 }, whole, true],
    [
      'a Deployment that was changed and not looked at yet',
      { replicas: 2 },
      { ...whole, observedGeneration: 2 },
      false,
    ],
    ['a Deployment with a pod of before', { replicas: 2 }, { ...whole, updatedReplicas: 1 }, false],
    ['a Deployment with a pod that is not ready', { replicas: 2 }, { ...whole, readyReplicas: 1 }, false],
    ['a Deployment without any ready pod', { replicas: 2 }, { observedGeneration: 3, updatedReplicas: 2 }, false],
    ['a Deployment that was scaled down to nothing', { replicas: 0 }, { observedGeneration: 3 }, false],
    ['a Deployment that nobody has looked at', { replicas: 2 }, undefined, false],
    ['a DaemonSet on every node', {}, everywhere, true],
    ['a DaemonSet with a pod of before', {}, { ...everywhere, updatedNumberScheduled: 2 }, false],
    ['a DaemonSet with a pod that is not ready', {}, { ...everywhere, numberReady: 2 }, false],
    ['a DaemonSet that no node takes', {}, { ...everywhere, desiredNumberScheduled: 0, numberReady: 0 }, false],
  ])('%s', (_what, spec, status, wanted) => {
    expect(isRolledOut(thing(3, spec, status))).toBe(wanted);
  });
});
