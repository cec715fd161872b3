import { describe, expect, it } from 'vitest';
import type { KubeNode } from '../objects.ts';
import { isLost, needsBeat, needsMark } from './nodes.ts';

const capacity = { 'devices.kubevirt.io/kvm': '1k', 'ephemeral-storage': '100Gi' };
const node = (schedulable: string | undefined, lost: boolean, has = capacity): KubeNode => ({
  metadata: {
    labels: schedulable === undefined ? {} : { 'kubevirt.io/schedulable': schedulable },
    annotations: lost ? { 'lab.mooring.dev/lost': 'true' } : {},
  },
  status: { capacity: has },
});

describe('a node', () => {
  it.each([
    ['new', node(undefined, false), true, false],
    ['tended', node('true', false), false, false],
    ['without the devices', { ...node('true', false), status: {} }, true, false],
    ['lost a moment ago', node('true', true), false, true],
    ['lost', node('false', true), false, false],
    ['back', node('false', false), true, false],
  ])('that is %s gets what it lacks', (_, known, beat, mark) => {
    expect([needsBeat(known), needsMark(known)]).toEqual([beat, mark]);
  });

  it('nobody has heard of is not lost', () => expect(isLost(undefined)).toBe(false));
});
