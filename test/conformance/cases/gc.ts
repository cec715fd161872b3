import { requireError, requireNone, requireSilence } from '../expect.ts';
import {
  type Case,
  Failure,
  listVersionsBefore,
  listVersionsOf,
  NotApplicable,
  type Sandbox,
  type World,
} from '../model.ts';
import { type Added, attach, listDamage } from '../probes.ts';

const SOURCE = '§2 GC';
const VERSIONS = listVersionsOf('GC');

/** libcni writes the list under both names (containernetworking/cni issue 1101). */
function formatList(sandboxes: readonly Sandbox[]): Record<string, unknown> {
  const list = sandboxes.map(({ containerId, ifname }) => ({ containerID: containerId, ifname }));
  return { 'cni.dev/valid-attachments': list, 'cni.dev/attachments': list };
}

const collect = (world: World, valid: readonly Sandbox[], more: object = {}) =>
  world.call('GC', undefined, { config: { ...formatList(valid), ...more } });

/** What is left of an attachment whose container has died without a DEL. Throws NotApplicable when that cannot be seen. */
async function leaveBehind(world: World): Promise<Added> {
  const { leftovers } = world.running;
  if (leftovers === undefined) throw new NotApplicable('what it leaves on the node cannot be seen from outside');
  const added = await attach(world);
  await world.exec(undefined, 'ip', 'netns', 'delete', added.sandbox.netns);
  if ((await leftovers(added.sandbox)).length === 0) throw new Failure('nothing was left before GC');
  return added;
}

async function requireCollected(world: World, { sandbox }: Added): Promise<void> {
  const left = (await world.running.leftovers?.(sandbox)) ?? [];
  if (left.length > 0) throw new Failure(`success, but left on the node: ${left.join(', ')}`);
}

const cases: readonly Case[] = [
  {
    ...{ id: 'gc/stale', title: 'frees what is not listed, and leaves what is listed alone' },
    ...{ source: SOURCE, level: 'SHOULD', versions: VERSIONS },
    run: async (world) => {
      const [stays, stale] = [await attach(world), await leaveBehind(world)];
      requireSilence(await collect(world, [stays.sandbox]), 'GC');
      await requireCollected(world, stale);
      requireNone(await listDamage(world, stays), 'the listed one');
    },
  },
  {
    ...{ id: 'gc/empty-list', title: 'with an empty list frees everything' },
    ...{ source: SOURCE, level: 'SHOULD', versions: VERSIONS },
    run: async (world) => {
      const stale = await leaveBehind(world);
      requireSilence(await collect(world, []), 'GC');
      await requireCollected(world, stale);
    },
  },
  {
    ...{ id: 'gc/all-listed', title: 'with everything listed: success, nothing is printed, nothing is changed' },
    ...{ source: SOURCE, level: 'MUST', versions: VERSIONS },
    run: async (world) => {
      const both = [await attach(world), await attach(world)];
      const listed = both.map(({ sandbox }) => sandbox);
      for (const what of ['GC', 'second GC']) requireSilence(await collect(world, listed), what);
      for (const each of both) requireNone(await listDamage(world, each), 'a listed one');
    },
  },
  {
    ...{ id: 'gc/no-list', title: 'without a list frees nothing' },
    ...{ source: 'safety of the node', level: 'practice', versions: VERSIONS },
    run: async (world) => {
      const stays = await attach(world);
      await world.call('GC');
      requireNone(await listDamage(world, stays), 'after GC without a list');
    },
  },
  {
    ...{ id: 'gc/other-network', title: "of another network's name frees nothing of this one" },
    ...{ source: `${SOURCE}, §3`, level: 'MUST', versions: VERSIONS },
    run: async (world) => {
      const stays = await attach(world);
      requireSilence(await collect(world, [], { name: 'another-network' }), 'GC');
      requireNone(await listDamage(world, stays), 'after GC of another network');
    },
  },
  {
    ...{ id: 'gc/too-old', title: 'in a version without GC: code 1' },
    ...{ source: '§5 Error, code 1; libcni', level: 'practice', versions: listVersionsBefore('GC') },
    run: async (world) => requireError(await collect(world, []), 'GC', { codes: [1] }),
  },
];

export const gcCases: readonly Case[] = cases;
