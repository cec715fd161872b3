import { afterAll, beforeAll, expect, it } from 'vitest';
import { applyThings, type Context, getThing, listThings } from '../demo/context.ts';
import { formatVm } from '../demo/manifests.ts';
import { kubectl } from '../kubectl.ts';
import { findProcess, isAlive } from '../process.ts';
import { closeNamespace, openNamespace, openWorld } from '../scenarios/world.ts';
import { startKubevirt, stopKubevirt } from './start.ts';

const NAMESPACE = 'external';
const LABEL = 'kubevirt.io/schedulable';
let context: Context;

beforeAll(async () => {
  context = await openWorld();
  await openNamespace(context, NAMESPACE);
  await stopKubevirt(context.lab);
  await startKubevirt(context.lab, 'external');
});

afterAll(async () => {
  await stopKubevirt(context.lab);
  await startKubevirt(context.lab, 'internal');
  await closeNamespace(context, NAMESPACE);
});

const runs = (name: string): boolean => {
  const record = findProcess(context.lab.dir, name);
  return record !== undefined && isAlive(record);
};

it('with --kubevirt=external nothing but somebody else touches a VirtualMachine, while the node half runs', async () => {
  expect([runs('kubevirt-handler'), runs('kubevirt-controller')]).toEqual([true, false]);
  const vm = formatVm('untouched', 'bridge') as { metadata: { namespace: string } };
  vm.metadata.namespace = NAMESPACE;
  await applyThings(context, [vm]);
  const before = await getThing(context, 'vm', 'untouched', NAMESPACE);
  // The node half is at work once it has put back what it keeps on the nodes.
  await kubectl(context.lab, ['label', 'nodes', '--all', `${LABEL}-`]);
  await expect.poll(() => countLabelled(), { timeout: 60_000, interval: 500 }).toBe(context.lab.nodes.length);
  const after = await getThing(context, 'vm', 'untouched', NAMESPACE);
  expect(after.metadata).toEqual(before.metadata);
  expect(after.spec).toEqual(before.spec);
  expect(after.status).toBeUndefined();
  expect(await listThings(context, 'vmi', ['-n', NAMESPACE])).toEqual([]);
  expect(await listThings(context, 'pods', ['-n', NAMESPACE])).toEqual([]);
});

async function countLabelled(): Promise<number> {
  const nodes = await listThings(context, 'nodes', []);
  return nodes.filter((node) => node.metadata.labels?.[LABEL] !== undefined).length;
}
