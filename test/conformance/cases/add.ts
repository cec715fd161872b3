import { requireError, requireNone, requireSuccess } from '../expect.ts';
import { listForeignFields, listFormFaults } from '../form.ts';
import { type Case, Failure, type Outcome, VERSIONS, type World } from '../model.ts';
import { attach, findLink, listDamage, listOwnAddresses, requireNothingLeft } from '../probes.ts';

const SOURCE = '§2 ADD';
const PARALLEL = 5;

const made: readonly Case[] = [
  {
    ...{ id: 'add/interface', title: 'makes CNI_IFNAME in CNI_NETNS: MAC, addresses and routes as its result says' },
    ...{ source: SOURCE, level: 'MUST', versions: VERSIONS },
    run: async (world) => requireNone(await listDamage(world, await attach(world)), 'after ADD'),
  },
  {
    ...{ id: 'add/result-form', title: "the result has the form of the configuration's version" },
    ...{ source: '§5 Success', level: 'MUST', versions: VERSIONS },
    run: async (world) => {
      const { sandbox, result } = await attach(world);
      requireNone(listFormFaults(result, { version: world.version, ...sandbox }), 'result');
    },
  },
  {
    ...{ id: 'add/result-fields', title: 'the result has no field of a later or an earlier version' },
    ...{ source: '§5 Success, Released versions', level: 'practice', versions: VERSIONS },
    run: async (world) => {
      const { result } = await attach(world);
      requireNone(listForeignFields(result, world.version), 'result');
    },
  },
  {
    ...{ id: 'add/reserved-keys', title: 'takes runtimeConfig, args and keys of cni.dev/ that mean nothing to it' },
    ...{ source: '§1 Reserved keys', level: 'MUST', versions: VERSIONS },
    run: async (world) => {
      const config = { runtimeConfig: {}, args: { cni: { labels: [] } }, 'cni.dev/unknown': [] };
      requireSuccess(await world.call('ADD', await world.sandbox(), { config }), 'ADD');
    },
  },
  {
    ...{ id: 'add/without-args', title: 'needs no CNI_ARGS' },
    ...{ source: `${SOURCE}, Optional parameters`, level: 'MUST', versions: VERSIONS },
    run: async (world) => {
      const outcome = await world.call('ADD', await world.sandbox(), { env: { CNI_ARGS: undefined } });
      requireSuccess(outcome, 'ADD without CNI_ARGS');
    },
  },
  {
    ...{ id: 'add/without-path', title: 'needs no CNI_PATH' },
    ...{ source: `${SOURCE}, Optional parameters`, level: 'MUST', versions: VERSIONS },
    run: async (world) => {
      const outcome = await world.call('ADD', await world.sandbox(), { env: { CNI_PATH: undefined } });
      requireSuccess(outcome, 'ADD without CNI_PATH');
    },
  },
  {
    ...{ id: 'add/second-interface', title: 'the same container again with another CNI_IFNAME: both are there' },
    ...{ source: SOURCE, level: 'MUST', versions: VERSIONS },
    run: async (world) => {
      const first = await attach(world);
      const second = await attach(world, await world.further(first.sandbox, 'net1'));
      requireNone(await listDamage(world, first), 'first interface');
      if ((await findLink(world, second.sandbox.netns, 'net1')) === undefined) throw new Failure('there is no net1');
    },
  },
  {
    ...{ id: 'add/parallel', title: `${PARALLEL} containers at the same time: each has its own address` },
    ...{ source: '§3 Lifecycle', level: 'MUST', versions: VERSIONS },
    run: async (world) => {
      const sandboxes = [];
      for (let index = 0; index < PARALLEL; index += 1) sandboxes.push(await world.sandbox());
      const added = await Promise.all(sandboxes.map((sandbox) => attach(world, sandbox)));
      const addresses = added.flatMap(({ sandbox, result }) => listOwnAddresses(result, sandbox));
      if (new Set(addresses).size !== addresses.length) throw new Failure(`addresses are ${addresses.join(', ')}`);
      for (const each of added) requireNone(await listDamage(world, each), each.sandbox.containerId);
    },
  },
];

const again: readonly Case[] = [
  {
    ...{ id: 'add/taken', title: 'an interface of that name exists already, not made by us: an error, and it stays' },
    ...{ source: SOURCE, level: 'MUST', versions: VERSIONS },
    run: async (world) => {
      const sandbox = await world.sandbox();
      const { netns, ifname } = sandbox;
      await world.exec(netns, 'ip', 'link', 'add', ifname, 'address', '02:00:00:00:0f:0f', 'type', 'bridge');
      requireError(await world.call('ADD', sandbox), 'ADD');
      const link = await findLink(world, netns, ifname);
      if (link?.mac !== '02:00:00:00:0f:0f') throw new Failure(`${ifname} of somebody else is gone`);
    },
  },
  {
    ...{ id: 'add/twice', title: 'the same ADD twice without a DEL: an error' },
    ...{ source: SOURCE, level: 'MUST', versions: VERSIONS },
    run: async (world) => {
      const { sandbox } = await attach(world);
      requireError(await world.call('ADD', sandbox), 'second ADD');
    },
  },
  {
    ...{ id: 'add/twice-harmless', title: 'the same ADD twice leaves the first attachment as it was' },
    ...{ source: 'a runtime that lost its state', level: 'practice', versions: VERSIONS },
    run: async (world) => {
      const first = await attach(world);
      await world.call('ADD', first.sandbox);
      requireNone(await listDamage(world, first), 'after the second ADD');
    },
  },
  {
    ...{ id: 'add/after-del', title: 'ADD, DEL, ADD of the same container: attached again' },
    ...{ source: '§3 Lifecycle', level: 'practice', versions: VERSIONS },
    run: async (world) => {
      const { sandbox } = await attach(world);
      requireSuccess(await world.call('DEL', sandbox), 'DEL');
      requireNone(await listDamage(world, await attach(world, sandbox)), 'after the second ADD');
    },
  },
];

/** An ADD that names a namespace that cannot be used. */
async function addInto(world: World, path: string): Promise<Outcome> {
  const sandbox = await world.sandbox();
  const outcome = await world.call('ADD', sandbox, { env: { CNI_NETNS: path } });
  requireError(outcome, `ADD with CNI_NETNS ${path}`);
  requireSuccess(await world.call('DEL', sandbox, { env: { CNI_NETNS: '' } }), 'DEL after it');
  await requireNothingLeft(world, sandbox);
  return outcome;
}

const findOwn = ({ running }: World): string => `/run/netns/${running.netns}`;

const elsewhere: readonly Case[] = [
  {
    ...{ id: 'add/netns-missing', title: 'CNI_NETNS does not exist: an error, and after DEL nothing is left' },
    ...{ source: `${SOURCE}, §3 Lifecycle`, level: 'MUST', versions: VERSIONS },
    run: async (world) => void (await addInto(world, '/run/netns/mcf-never-made')),
  },
  {
    ...{ id: 'add/netns-file', title: 'CNI_NETNS is an ordinary file: an error, and after DEL nothing is left' },
    ...{ source: `${SOURCE}, §3 Lifecycle`, level: 'MUST', versions: VERSIONS },
    run: async (world) => void (await addInto(world, '/etc/passwd')),
  },
  {
    ...{ id: 'add/netns-own', title: "CNI_NETNS is the node's own namespace: an error" },
    ...{ source: 'libcni: code 8', level: 'practice', versions: VERSIONS },
    run: async (world) => {
      const sandbox = await world.sandbox();
      world.defer(() => world.exec(undefined, 'ip', 'link', 'delete', sandbox.ifname).catch(() => undefined));
      requireError(await world.call('ADD', sandbox, { env: { CNI_NETNS: findOwn(world) } }), 'ADD');
    },
  },
  {
    ...{ id: 'add/netns-own-clean', title: "CNI_NETNS is the node's own namespace: the node has no interface more" },
    ...{ source: 'safety of the node', level: 'practice', versions: VERSIONS },
    run: async (world) => {
      const sandbox = await world.sandbox();
      world.defer(() => world.exec(undefined, 'ip', 'link', 'delete', sandbox.ifname).catch(() => undefined));
      await world.call('ADD', sandbox, { env: { CNI_NETNS: findOwn(world) } });
      const link = await findLink(world, undefined, sandbox.ifname);
      if (link !== undefined) throw new Failure(`the node has an interface ${sandbox.ifname} now`);
    },
  },
];

export const addCases: readonly Case[] = [...made, ...again, ...elsewhere];
