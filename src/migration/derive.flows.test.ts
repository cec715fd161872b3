import { describe, expect, it } from 'vitest';
import {
  advance,
  FLOW_NAMES,
  listInputs,
  listKind,
  type Recorded,
  type RecordedStep,
  type RecordedWorld,
  readFlow,
} from '../../test/migration/recorded.ts';
import type { Pod, VirtualMachineInstance, VirtualMachineInstanceMigration } from '../api/objects.ts';
import { EXPECTED } from './derive.flows.expected.ts';
import { deriveMigration } from './derive.ts';
import type { MigrationState } from './input.ts';
import { parseLauncher } from './parse.ts';

/** `vm: phase chassis | roles`, the parts that decide traffic. */
function describeState(name: string, state: MigrationState): string {
  const roles = state.holds.map((hold) => `${hold.role}@${hold.launcher.node}`).join(' ');
  return `${name}: ${state.phase} ${state.requestedChassis.join(',')} | ${roles}`;
}

const describeWorld = (world: RecordedWorld): string[] =>
  listInputs(world).map(([name, input]) => describeState(name, deriveMigration(input)));

function walk(steps: readonly RecordedStep[]): string[] {
  let world: RecordedWorld = new Map();
  return steps.flatMap((step) => {
    world = advance(world, step);
    return describeWorld(world).map((line) => `${step.step} > ${line}`);
  });
}

describe('recorded flows of KubeVirt v1.8.4', () => {
  it.each([...FLOW_NAMES])('%s: KubeVirt lists every launcher of a VMI in its activePods, at every step', (name) => {
    let world: RecordedWorld = new Map();
    for (const step of readFlow(name)) {
      world = advance(world, step);
      for (const vmi of listKind<VirtualMachineInstance>(world, 'VirtualMachineInstance')) {
        const own = listKind<Pod>(world, 'Pod').filter((pod) => parseLauncher(pod)?.vmiUid === vmi.metadata.uid);
        const listed = Object.keys(vmi.status?.activePods ?? {});
        expect(listed).toEqual(expect.arrayContaining(own.map((pod) => pod.metadata.uid)));
      }
    }
  });

  it('has an expectation for each flow', () => {
    expect(Object.keys(EXPECTED).sort()).toEqual([...FLOW_NAMES].sort());
  });

  it.each([...FLOW_NAMES])('%s: the state after each step', (name) => {
    expect(walk(readFlow(name))).toEqual(EXPECTED[name]);
  });

  it.each([...FLOW_NAMES])('%s: the order in which objects arrive does not matter', (name) => {
    let world: RecordedWorld = new Map();
    for (const step of readFlow(name)) {
      world = advance(world, step);
      const reversed = new Map([...world].reverse());
      expect(describeWorld(reversed).sort()).toEqual(describeWorld(world).sort());
    }
  });

  it.each([...FLOW_NAMES])('%s: deletions and terminal VMIMs of the past that come again change nothing', (name) => {
    const steps = readFlow(name);
    let world: RecordedWorld = new Map();
    const ended = new Map<string, Recorded>();
    for (const step of steps) {
      world = advance(world, step);
      for (const vmim of listKind<VirtualMachineInstanceMigration>(world, 'VirtualMachineInstanceMigration')) {
        const over = ['Succeeded', 'Failed'].includes(vmim.status?.phase ?? '');
        if (over) ended.set(`again-${vmim.metadata.uid}`, vmim as Recorded);
      }
      expect(describeWorld(new Map([...world, ...ended])).sort()).toEqual(describeWorld(world).sort());
    }
  });
});
