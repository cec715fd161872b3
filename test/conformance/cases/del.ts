import { requireNone, requireSilence, requireSuccess } from '../expect.ts';
import { type Case, type Change, Failure, VERSIONS, type World } from '../model.ts';
import { attach, findLink, listDamage, requireGone, requireNothingLeft } from '../probes.ts';

const SOURCE = '§2 DEL';

/** DEL of an attached sandbox in one of the ways that a runtime calls it: no error, nothing printed, nothing left. */
async function deleteAs(world: World, change: Change, before: (netns: string) => Promise<void>): Promise<void> {
  const { sandbox } = await attach(world);
  await before(sandbox.netns);
  requireSilence(await world.call('DEL', sandbox, change), 'DEL');
  await requireNothingLeft(world, sandbox);
}

const asItIs = async () => undefined;
/** Takes the name of a namespace away, as a runtime does before a late DEL; the kernel ends the namespace then. */
const dropNetns = (world: World) => (netns: string) =>
  world.exec(undefined, 'ip', 'netns', 'delete', netns).then(() => undefined);

const removed: readonly Case[] = [
  {
    ...{ id: 'del/removes', title: 'with prevResult: the interface is gone, nothing is printed, nothing is left' },
    ...{ source: SOURCE, level: 'MUST', versions: VERSIONS },
    run: async (world) => {
      const { sandbox, result } = await attach(world);
      // Below 0.4.0 a runtime hands no result to DEL.
      const change = world.version === '0.3.1' ? {} : { config: { prevResult: result } };
      requireSilence(await world.call('DEL', sandbox, change), 'DEL');
      await requireGone(world, sandbox);
      await requireNothingLeft(world, sandbox);
    },
  },
  {
    ...{ id: 'del/without-result', title: 'without prevResult: the same' },
    ...{ source: `${SOURCE}; 0.4.0`, level: 'MUST', versions: VERSIONS.slice(1) },
    run: async (world) => {
      const { sandbox } = await attach(world);
      requireSilence(await world.call('DEL', sandbox), 'DEL');
      await requireGone(world, sandbox);
      await requireNothingLeft(world, sandbox);
    },
  },
  {
    ...{ id: 'del/without-netns', title: 'without CNI_NETNS: success, and nothing is left on the node' },
    ...{ source: `${SOURCE}, Optional parameters`, level: 'MUST', versions: VERSIONS },
    run: (world) => deleteAs(world, { env: { CNI_NETNS: undefined } }, asItIs),
  },
  {
    ...{ id: 'del/empty-netns', title: 'with an empty CNI_NETNS, as containerd writes it: the same' },
    ...{ source: 'containerd, garbage collection', level: 'practice', versions: VERSIONS },
    run: (world) => deleteAs(world, { env: { CNI_NETNS: '' } }, asItIs),
  },
  {
    ...{ id: 'del/without-optional', title: 'without CNI_ARGS and CNI_PATH: the same' },
    ...{ source: `${SOURCE}, Optional parameters`, level: 'MUST', versions: VERSIONS },
    run: (world) => deleteAs(world, { env: { CNI_ARGS: undefined, CNI_PATH: undefined } }, asItIs),
  },
  {
    ...{ id: 'del/netns-gone', title: 'CNI_NETNS has vanished: success, and nothing is left on the node' },
    ...{ source: SOURCE, level: 'SHOULD', versions: VERSIONS },
    run: (world) => deleteAs(world, {}, dropNetns(world)),
  },
  {
    ...{ id: 'del/interface-gone', title: 'the interface has vanished: success, and nothing is left on the node' },
    ...{ source: SOURCE, level: 'MUST', versions: VERSIONS },
    run: (world) =>
      deleteAs(world, {}, (netns) => world.exec(netns, 'ip', 'link', 'delete', 'eth0').then(() => undefined)),
  },
];

const repeated: readonly Case[] = [
  {
    ...{ id: 'del/thrice', title: 'three times: success each time' },
    ...{ source: SOURCE, level: 'MUST', versions: VERSIONS },
    run: async (world) => {
      const { sandbox } = await attach(world);
      for (const what of ['DEL', 'second DEL', 'third DEL']) requireSilence(await world.call('DEL', sandbox), what);
    },
  },
  {
    ...{ id: 'del/without-add', title: 'without any ADD: success' },
    ...{ source: SOURCE, level: 'MUST', versions: VERSIONS },
    run: async (world) => requireSilence(await world.call('DEL', await world.sandbox()), 'DEL'),
  },
  {
    ...{
      id: 'del/result-of-the-past',
      title: 'with a prevResult whose sandbox is gone, and an empty CNI_NETNS: success',
    },
    ...{ source: 'containerd, after a reboot', level: 'practice', versions: VERSIONS.slice(1) },
    run: async (world) => {
      const { sandbox, result } = await attach(world);
      await dropNetns(world)(sandbox.netns);
      const change = { env: { CNI_NETNS: '' }, config: { prevResult: result } };
      requireSilence(await world.call('DEL', sandbox, change), 'DEL');
      await requireNothingLeft(world, sandbox);
    },
  },
];

const others: readonly Case[] = [
  {
    ...{ id: 'del/other-interface', title: 'of one interface leaves the other one of the container alone' },
    ...{ source: `${SOURCE}, §3`, level: 'MUST', versions: VERSIONS },
    run: async (world) => {
      const first = await attach(world);
      const second = await attach(world, await world.further(first.sandbox, 'net1'));
      requireSuccess(await world.call('DEL', second.sandbox), 'DEL of net1');
      await requireGone(world, second.sandbox);
      requireNone(await listDamage(world, first), 'eth0');
    },
  },
  {
    ...{ id: 'del/other-container', title: 'of one container leaves another one alone' },
    ...{ source: `${SOURCE}, §3`, level: 'MUST', versions: VERSIONS },
    run: async (world) => {
      const [gone, stays] = [await attach(world), await attach(world)];
      requireSuccess(await world.call('DEL', gone.sandbox), 'DEL');
      requireNone(await listDamage(world, stays), 'the other container');
    },
  },
  {
    ...{ id: 'del/netns-own', title: "with the node's own namespace: an interface of that name on the node stays" },
    ...{ source: 'safety of the node', level: 'practice', versions: VERSIONS },
    run: async (world) => {
      const sandbox = await world.sandbox();
      await world.exec(undefined, 'ip', 'link', 'add', sandbox.ifname, 'type', 'bridge');
      world.defer(() => world.exec(undefined, 'ip', 'link', 'delete', sandbox.ifname).catch(() => undefined));
      await world.call('DEL', sandbox, { env: { CNI_NETNS: `/run/netns/${world.running.netns}` } });
      const link = await findLink(world, undefined, sandbox.ifname);
      if (link === undefined) throw new Failure(`it has removed ${sandbox.ifname} from the node`);
    },
  },
];

export const delCases: readonly Case[] = [...removed, ...repeated, ...others];
