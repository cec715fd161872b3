import { requireError, requireNone, requireSilence } from '../expect.ts';
import { listForeignFields, listIpamFaults } from '../form.ts';
import {
  type Case,
  type Change,
  Failure,
  listVersionsOf,
  NotApplicable,
  type Result,
  VERSIONS,
  type World,
} from '../model.ts';
import { type Added, attach, findLink, requireNothingLeft } from '../probes.ts';

const ADD = '§4, §5 Delegated plugins';
const DEL = '§2 DEL, §4';
const PARALLEL = 5;

const listAddresses = ({ ips = [] }: Result): string[] => ips.map(({ address }) => address);

const added: readonly Case[] = [
  {
    ...{ id: 'ipam/result-form', title: 'ADD: addresses, and neither interfaces nor an index to them' },
    ...{ source: ADD, level: 'MUST', versions: VERSIONS },
    run: async (world) => {
      const { result } = await attach(world);
      requireNone(listIpamFaults(result, world.version), 'result');
    },
  },
  {
    ...{ id: 'ipam/result-fields', title: 'ADD: no field of a later or an earlier version' },
    ...{ source: '§5 Success, Released versions', level: 'practice', versions: VERSIONS },
    run: async (world) => {
      const { result } = await attach(world);
      requireNone(listForeignFields(result, world.version), 'result');
    },
  },
  {
    ...{ id: 'ipam/makes-nothing', title: 'ADD: makes no interface' },
    ...{ source: ADD, level: 'practice', versions: VERSIONS },
    run: async (world) => {
      const { sandbox } = await attach(world);
      const link = await findLink(world, sandbox.netns, sandbox.ifname);
      if (link !== undefined) throw new Failure(`${sandbox.ifname} is in the namespace`);
    },
  },
  {
    ...{ id: 'ipam/parallel', title: `ADD for ${PARALLEL} containers at the same time: each has its own address` },
    ...{ source: '§3 Lifecycle', level: 'MUST', versions: VERSIONS },
    run: async (world) => {
      const sandboxes = [];
      for (let index = 0; index < PARALLEL; index += 1) sandboxes.push(await world.sandbox());
      const all = await Promise.all(sandboxes.map((sandbox) => attach(world, sandbox)));
      const addresses = all.flatMap(({ result }) => listAddresses(result));
      if (new Set(addresses).size !== addresses.length) throw new Failure(`addresses are ${addresses.join(', ')}`);
    },
  },
  {
    ...{ id: 'ipam/again', title: 'ADD, DEL, ADD of the same container: an address again' },
    ...{ source: '§3 Lifecycle', level: 'practice', versions: VERSIONS },
    run: async (world) => {
      const { sandbox } = await attach(world);
      requireSilence(await world.call('DEL', sandbox), 'DEL');
      if (listAddresses((await attach(world, sandbox)).result).length === 0) throw new Failure('no address');
    },
  },
];

/** The ways that an outer plugin hands a DEL on, which has them from its runtime. */
const WAYS: readonly (readonly [string, string, Change])[] = [
  ['plain', 'success, nothing is printed, nothing is left', {}],
  ['without-netns', 'without CNI_NETNS: the same', { env: { CNI_NETNS: undefined } }],
  ['netns-gone', 'CNI_NETNS has vanished: the same', { env: { CNI_NETNS: '/run/netns/mcf-never-made' } }],
];

const deleted = WAYS.map(
  ([id, what, change]): Case => ({
    ...{ id: `ipam/del-${id}`, title: `DEL: ${what}`, source: DEL, level: 'MUST', versions: VERSIONS },
    run: async (world) => {
      const { sandbox } = await attach(world);
      for (const time of ['DEL', 'second DEL']) requireSilence(await world.call('DEL', sandbox, change), time);
      await requireNothingLeft(world, sandbox);
    },
  }),
);

const others: readonly Case[] = [
  {
    ...{ id: 'ipam/del-without-add', title: 'DEL without any ADD: success' },
    ...{ source: DEL, level: 'MUST', versions: VERSIONS },
    run: async (world) => requireSilence(await world.call('DEL', await world.sandbox()), 'DEL'),
  },
  {
    ...{ id: 'ipam/check', title: 'CHECK right after ADD, with the result of the outer plugin: success' },
    ...{ source: '§2 CHECK, §4', level: 'MUST', versions: listVersionsOf('CHECK') },
    run: async (world) => requireSilence(await check(world, await attach(world)), 'CHECK'),
  },
  {
    ...{ id: 'ipam/check-after-del', title: 'CHECK after DEL: an error, the reservation is gone' },
    ...{ source: '§2 CHECK', level: 'SHOULD', versions: listVersionsOf('CHECK') },
    run: async (world) => {
      const one = await attach(world);
      requireSilence(await world.call('DEL', one.sandbox), 'DEL');
      requireError(await check(world, one), 'CHECK after DEL');
    },
  },
  {
    ...{ id: 'ipam/gc', title: 'GC frees what is not listed, and leaves what is listed alone' },
    ...{ source: '§2 GC, §4', level: 'SHOULD', versions: listVersionsOf('GC') },
    run: async (world) => {
      const { leftovers } = world.running;
      if (leftovers === undefined) throw new NotApplicable('what it leaves on the node cannot be seen from outside');
      const [stays, stale] = [await attach(world), await attach(world)];
      const { containerId, ifname } = stays.sandbox;
      const config = { 'cni.dev/valid-attachments': [{ containerID: containerId, ifname }] };
      requireSilence(await world.call('GC', undefined, { config }), 'GC');
      await requireNothingLeft(world, stale.sandbox);
      if ((await leftovers(stays.sandbox)).length === 0) throw new Failure('the listed one is gone');
    },
  },
];

/** What the outer plugin has made of the addresses. */
function check(world: World, { sandbox, result }: Added) {
  const interfaces = [{ name: sandbox.ifname, mac: '02:00:00:00:0d:0d', sandbox: sandbox.path }];
  const ips = (result.ips ?? []).map((ip) => ({ ...ip, interface: 0 }));
  return world.call('CHECK', sandbox, { config: { prevResult: { ...result, interfaces, ips } } });
}

export const ipamCases: readonly Case[] = [...added, ...deleted, ...others];
