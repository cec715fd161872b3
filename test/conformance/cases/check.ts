import { requireError, requireNone, requireSilence, requireSuccess } from '../expect.ts';
import { type Case, listVersionsBefore, listVersionsOf, NotApplicable, type Outcome, type World } from '../model.ts';
import { type Added, attach, listDamage, listOwnAddresses } from '../probes.ts';

const SOURCE = '§2 CHECK';
const VERSIONS = listVersionsOf('CHECK');

const check = (world: World, { sandbox, result }: Added, change: object = {}): Promise<Outcome> =>
  world.call('CHECK', sandbox, { config: { prevResult: { ...result, ...change } } });

/** Something of the result is taken away behind the plugin's back: CHECK must say so. */
type Loss = { readonly id: string; readonly what: string; take(world: World, added: Added): Promise<unknown> };

const LOSSES: readonly Loss[] = [
  {
    ...{ id: 'interface', what: 'the interface was removed' },
    take: (world, { sandbox }) => world.exec(sandbox.netns, 'ip', 'link', 'delete', sandbox.ifname),
  },
  {
    ...{ id: 'address', what: 'the address was removed' },
    take: async (world, { sandbox, result }) => {
      const [address] = listOwnAddresses(result, sandbox);
      if (address === undefined) throw new NotApplicable('its result has no address');
      await world.exec(sandbox.netns, 'ip', 'address', 'delete', address, 'dev', sandbox.ifname);
    },
  },
  {
    ...{ id: 'route', what: 'a route was removed' },
    take: async (world, { sandbox, result }) => {
      const [route] = result.routes ?? [];
      if (route === undefined) throw new NotApplicable('its result has no route');
      await world.exec(sandbox.netns, 'ip', 'route', 'delete', route.dst, 'dev', sandbox.ifname);
    },
  },
  {
    ...{ id: 'down', what: 'the interface was set down' },
    take: (world, { sandbox }) => world.exec(sandbox.netns, 'ip', 'link', 'set', sandbox.ifname, 'down'),
  },
  {
    ...{ id: 'mac', what: 'the MAC was changed' },
    take: ({ exec }, { sandbox }) =>
      exec(sandbox.netns, 'ip', 'link', 'set', sandbox.ifname, 'address', '02:0a:0b:0c:0d:0e'),
  },
  {
    ...{ id: 'netns', what: 'the namespace has vanished' },
    take: (world, { sandbox }) => world.exec(undefined, 'ip', 'netns', 'delete', sandbox.netns),
  },
];

const lost = LOSSES.map(
  ({ id, what, take }): Case => ({
    ...{ id: `check/lost-${id}`, title: `${what}: an error`, source: SOURCE, level: 'SHOULD', versions: VERSIONS },
    run: async (world) => {
      const added = await attach(world);
      await take(world, added);
      requireError(await check(world, added), `CHECK after ${what}`);
    },
  }),
);

const intact: readonly Case[] = [
  {
    ...{ id: 'check/right-after-add', title: 'right after ADD: success, nothing is printed, nothing is changed' },
    ...{ source: SOURCE, level: 'MUST', versions: VERSIONS },
    run: async (world) => {
      const added = await attach(world);
      for (const what of ['CHECK', 'second CHECK']) requireSilence(await check(world, added), what);
      requireNone(await listDamage(world, added), 'after CHECK');
    },
  },
  {
    ...{ id: 'check/consults-result', title: 'prevResult has an address that the interface lacks: an error' },
    ...{ source: SOURCE, level: 'MUST', versions: VERSIONS },
    run: async (world) => {
      const added = await attach(world);
      const index = (added.result.interfaces ?? []).findIndex(({ name }) => name === added.sandbox.ifname);
      const family = world.version === '0.4.0' ? { version: '4' } : {};
      const more = { ...family, address: '192.0.2.77/32', interface: index };
      requireError(await check(world, added, { ips: [...(added.result.ips ?? []), more] }), 'CHECK');
    },
  },
  {
    ...{ id: 'check/later-plugin', title: 'a later plugin has taken a route out, of the result too: success' },
    ...{ source: SOURCE, level: 'MUST', versions: VERSIONS },
    run: async (world) => {
      const added = await attach(world);
      const [route, ...kept] = added.result.routes ?? [];
      if (route === undefined) throw new NotApplicable('its result has no route');
      await world.exec(added.sandbox.netns, 'ip', 'route', 'delete', route.dst, 'dev', added.sandbox.ifname);
      requireSuccess(await check(world, added, { routes: kept }), 'CHECK');
    },
  },
];

const outside: readonly Case[] = [
  {
    ...{ id: 'check/after-del', title: 'after DEL: an error' },
    ...{ source: SOURCE, level: 'practice', versions: VERSIONS },
    run: async (world) => {
      const added = await attach(world);
      requireSuccess(await world.call('DEL', added.sandbox), 'DEL');
      requireError(await check(world, added), 'CHECK after DEL');
    },
  },
  {
    ...{ id: 'check/too-old', title: 'in a version without CHECK: code 1' },
    ...{ source: '§5 Error, code 1; libcni', level: 'practice', versions: listVersionsBefore('CHECK') },
    run: async (world) => requireError(await check(world, await attach(world)), 'CHECK', { codes: [1] }),
  },
];

export const checkCases: readonly Case[] = [...intact, ...lost, ...outside];
