import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Pod, VirtualMachineInstance, VirtualMachineInstanceMigration } from '../../src/api/objects.ts';
import type { ObjectMeta } from '../../src/api/types.gen.ts';
import type { MigrationInput } from '../../src/migration/input.ts';
import { parseLauncher, parseVmi, parseVmim } from '../../src/migration/parse.ts';

const FLOWS = resolve(import.meta.dirname, '../fixtures/kubevirt-v1.8.4/flows');

export type Recorded = { kind: string; metadata: ObjectMeta };
export type RecordedStep = {
  step: string;
  changes: { type: string; kind: string; name: string }[];
  objects: Recorded[];
};
export type RecordedWorld = ReadonlyMap<string, Recorded>;

export const FLOW_NAMES: readonly string[] = readdirSync(FLOWS).flatMap((file) =>
  file.endsWith('.json') ? [file.slice(0, -5)] : [],
);

export const readFlow = (name: string): RecordedStep[] =>
  JSON.parse(readFileSync(join(FLOWS, `${name}.json`), 'utf8')) as RecordedStep[];

/** The world after a step: what was deleted is gone, what was recorded replaces what was known. */
export function advance(world: RecordedWorld, step: RecordedStep): RecordedWorld {
  const next = new Map(world);
  for (const change of step.changes) if (change.type === 'DELETED') next.delete(`${change.kind}/${change.name}`);
  for (const object of step.objects) next.set(`${object.kind}/${object.metadata.name}`, object);
  return next;
}

export function listKind<T>(world: RecordedWorld, kind: string): T[] {
  return [...world.values()].filter((object) => object.kind === kind) as unknown as T[];
}

/** One input per VMI that the world has. */
export function listInputs(world: RecordedWorld): [string, MigrationInput][] {
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

/** The states of one VM of a flow, one after the other. */
export function listRecordedHistories(): [string, MigrationInput[]][] {
  return FLOW_NAMES.flatMap((flow) => {
    const histories = new Map<string, MigrationInput[]>();
    let world: RecordedWorld = new Map();
    for (const step of readFlow(flow)) {
      world = advance(world, step);
      for (const [vm, input] of listInputs(world)) histories.set(vm, [...(histories.get(vm) ?? []), input]);
    }
    return [...histories].map(([vm, inputs]): [string, MigrationInput[]] => [`${flow} ${vm}`, inputs]);
  });
}
