import { requireError, requireSilence } from '../expect.ts';
import {
  type Case,
  type Crippled,
  listVersionsBefore,
  listVersionsOf,
  NotApplicable,
  VERSIONS,
  type World,
} from '../model.ts';
import { attach, requireNothingLeftSoon } from '../probes.ts';

const SOURCE = '§2 STATUS';

async function cripple(world: World): Promise<Crippled> {
  const crippled = await world.running.cripple?.();
  if (crippled === undefined) throw new NotApplicable('it depends on nothing that could be taken away');
  world.defer(crippled.heal);
  return crippled;
}

export const statusCases: readonly Case[] = [
  {
    ...{ id: 'status/ready', title: 'when ADD can be served: success, nothing is printed' },
    ...{ source: SOURCE, level: 'MUST', versions: listVersionsOf('STATUS') },
    run: async (world) => requireSilence(await world.call('STATUS'), 'STATUS'),
  },
  {
    ...{ id: 'status/few-variables', title: 'needs no variable but CNI_COMMAND and CNI_PATH' },
    ...{ source: SOURCE, level: 'MUST', versions: listVersionsOf('STATUS') },
    run: async (world) => {
      const names = ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_ARGS'];
      const env = Object.fromEntries(names.map((name) => [name, undefined]));
      requireSilence(await world.call('STATUS', undefined, { env }), 'STATUS');
    },
  },
  {
    ...{ id: 'status/without-path', title: 'needs no CNI_PATH' },
    ...{ source: `${SOURCE}, Optional parameters`, level: 'MUST', versions: listVersionsOf('STATUS') },
    run: async (world) => {
      requireSilence(await world.call('STATUS', undefined, { env: { CNI_PATH: undefined } }), 'STATUS');
    },
  },
  {
    ...{ id: 'status/unable', title: 'when ADD cannot be served: code 50 or 51' },
    ...{ source: `${SOURCE}, §5 Error`, level: 'MUST', versions: listVersionsOf('STATUS') },
    run: async (world) => {
      const { what, change } = await cripple(world);
      requireError(await world.call('STATUS', undefined, change), `STATUS while ${what}`, { codes: [50, 51] });
    },
  },
  {
    ...{ id: 'status/unable-error', title: 'when ADD cannot be served: any error' },
    ...{ source: SOURCE, level: 'MUST', versions: listVersionsOf('STATUS') },
    run: async (world) => {
      const { what, change } = await cripple(world);
      requireError(await world.call('STATUS', undefined, change), `STATUS while ${what}`);
    },
  },
  {
    ...{ id: 'status/unable-del', title: 'DEL meanwhile: success, and once all is well again nothing is left' },
    ...{ source: '§2 DEL', level: 'SHOULD', versions: VERSIONS },
    run: async (world) => {
      const { sandbox } = await attach(world);
      const { what, change, heal } = await cripple(world);
      requireSilence(await world.call('DEL', sandbox, change), `DEL while ${what}`);
      await heal();
      await requireNothingLeftSoon(world, sandbox);
    },
  },
  {
    ...{ id: 'status/too-old', title: 'in a version without STATUS: code 1' },
    ...{ source: '§5 Error, code 1; libcni', level: 'practice', versions: listVersionsBefore('STATUS') },
    run: async (world) => requireError(await world.call('STATUS'), 'STATUS', { codes: [1] }),
  },
];
