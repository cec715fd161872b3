import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Pod, VirtualMachineInstance, VirtualMachineInstanceMigration } from '../api/objects.ts';
import type { ObjectMeta } from '../api/types.gen.ts';
import { EXPECTED } from './derive.flows.expected.ts';
import { deriveMigration } from './derive.ts';
import type { MigrationInput, MigrationState } from './input.ts';
import { parseLauncher, parseVmi, parseVmim } from './parse.ts';

const FLOWS = resolve(import.meta.dirname, '../../test/fixtures/kubevirt-v1.8.4/flows');

type Recorded = { kind: string; metadata: ObjectMeta };
type Step = { step: string; changes: { type: string; kind: string; name: string }[]; objects: Recorded[] };
type World = ReadonlyMap<string, Recorded>;

const readFlow = (name: string): Step[] => JSON.parse(readFileSync(join(FLOWS, `${name}.json`), 'utf8')) as Step[];
const names = readdirSync(FLOWS).flatMap((file) => (file.endsWith('.json') ? [file.slice(0, -5)] : []));

/** The world after a step: what was deleted is gone, what was recorded replaces what was known. */
function advance(world: World, step: Step): World {
  const next = new Map(world);
  for (const change of step.changes) if (change.type === 'DELETED') next.delete(`${change.kind}/${change.name}`);
  for (const object of step.objects) next.set(`${object.kind}/${object.metadata.name}`, object);
  return next;
}

function listKind<T>(world: World, kind: string): T[] {
  return [...world.values()].filter((object) => object.kind === kind) as unknown as T[];
}

/** One input per VMI that the world has or that a pod still remembers. */
function listInputs(world: World): [string, MigrationInput][] {
  const vmis = listKind<VirtualMachineInstance>(world, 'VirtualMachineInstance');
  const vmims = listKind<VirtualMachineInstanceMigration>(world, 'VirtualMachineInstanceMigration');
  const launchers = listKind<Pod>(world, 'Pod').flatMap((pod) => parseLauncher(pod) ?? []);
  return vmis.map((vmi) => [
    vmi.metadata.name,
    {
      vmi: parseVmi(vmi),
      vmims: vmims.filter((vmim) => vmim.spec?.vmiName === vmi.metadata.name).map(parseVmim),
      launchers: launchers.filter((pod) => pod.vmiUid === vmi.metadata.uid),
    },
  ]);
}

/** `vm: phase chassis | roles`, the parts that decide traffic. */
function describeState(name: string, state: MigrationState): string {
  const roles = state.holds.map((hold) => `${hold.role}@${hold.launcher.node}`).join(' ');
  return `${name}: ${state.phase} ${state.requestedChassis.join(',')} | ${roles}`;
}

const describeWorld = (world: World): string[] =>
  listInputs(world).map(([name, input]) => describeState(name, deriveMigration(input)));

function walk(steps: readonly Step[]): string[] {
  let world: World = new Map();
  return steps.flatMap((step) => {
    world = advance(world, step);
    return describeWorld(world).map((line) => `${step.step} > ${line}`);
  });
}

describe('recorded flows of KubeVirt v1.8.4', () => {
  it.each(names)('%s: KubeVirt lists every launcher of a VMI in its activePods, at every step', (name) => {
    let world: World = new Map();
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
    expect(Object.keys(EXPECTED).sort()).toEqual(names.sort());
  });

  it.each(names)('%s: the state after each step', (name) => {
    expect(walk(readFlow(name))).toEqual(EXPECTED[name]);
  });

  it.each(names)('%s: the order in which objects arrive does not matter', (name) => {
    let world: World = new Map();
    for (const step of readFlow(name)) {
      world = advance(world, step);
      const reversed = new Map([...world].reverse());
      expect(describeWorld(reversed).sort()).toEqual(describeWorld(world).sort());
    }
  });

  it.each(names)('%s: deletions and terminal VMIMs of the past that come again change nothing', (name) => {
    const steps = readFlow(name);
    let world: World = new Map();
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
