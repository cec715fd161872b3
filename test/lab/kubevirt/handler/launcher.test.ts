import { describe, expect, it } from 'vitest';
import type { Pod } from '../objects.ts';
import { findContainerId, parseTasks } from './launcher.ts';

const ID = 'c'.repeat(64);

describe('containers of a node', () => {
  it('gives the processes of those that run', () => {
    const text = `TASK    PID    STATUS    \n${ID}    4711    RUNNING\n${'d'.repeat(64)}    0    STOPPED\n`;
    expect(parseTasks(text)).toEqual(new Map([[ID, 4711]]));
  });

  it('may be none', () => expect(parseTasks('TASK    PID    STATUS\n').size).toBe(0));
});

describe("a launcher's container", () => {
  const withId = (containerID: string): Pod => ({
    metadata: {},
    spec: {},
    status: { containerStatuses: [{ name: 'compute', ready: true, containerID }] },
  });

  it('is found by its id', () => expect(findContainerId(withId(`containerd://${ID}`))).toBe(ID));

  it.each(['', 'containerd://', `cri-o://${ID}`, `containerd://${ID}/../x`])('is not taken from "%s"', (id) => {
    expect(findContainerId(withId(id))).toBeUndefined();
  });

  it('is absent before it was started', () => expect(findContainerId({ metadata: {}, spec: {} })).toBeUndefined());
});
