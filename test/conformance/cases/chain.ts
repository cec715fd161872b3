import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { callPlugin, PROGRAMS } from '../call.ts';
import { requireNone, requireResult, requireSilence, requireSuccess } from '../expect.ts';
import { listFormFaults } from '../form.ts';
import { type Case, Failure, listVersionsOf, type Outcome, type Result, VERSIONS, type World } from '../model.ts';
import { type Added, attach, findLink, listOwnAddresses, requireGone } from '../probes.ts';

const SOURCE = '§2 ADD, §5 Success';

/** What an imaginary plugin before us has made: a device of the node, an address on it, and DNS. */
function formatBefore(version: string): Result {
  const family = version.startsWith('0.') ? { version: '4' } : {};
  return {
    cniVersion: version,
    interfaces: [{ name: 'before0', mac: '02:00:00:00:0b:0b' }],
    ips: [{ ...family, address: '198.51.100.7/24', interface: 0 }],
    dns: { nameservers: ['198.51.100.53'] },
  };
}

async function addAfter(world: World): Promise<Added> {
  const sandbox = await world.sandbox();
  const change = { config: { prevResult: formatBefore(world.version) } };
  return { sandbox, result: requireResult(await world.call('ADD', sandbox, change), 'ADD with prevResult') };
}

const behind: readonly Case[] = [
  {
    ...{ id: 'chain/passes-on', title: 'as a later plugin: what prevResult has is in its result' },
    ...{ source: SOURCE, level: 'MUST', versions: VERSIONS },
    run: async (world) => {
      const { result } = await addAfter(world);
      const names = (result.interfaces ?? []).map(({ name }) => name);
      if (!names.includes('before0')) throw new Failure(`interfaces are ${names.join(', ')}: before0 is lost`);
      const addresses = (result.ips ?? []).map(({ address }) => address);
      if (!addresses.includes('198.51.100.7/24')) throw new Failure(`ips are ${addresses.join(', ')}: one is lost`);
    },
  },
  {
    ...{ id: 'chain/indexes', title: 'as a later plugin: its addresses point to its own interface' },
    ...{ source: SOURCE, level: 'MUST', versions: VERSIONS },
    run: async (world) => {
      const { sandbox, result } = await addAfter(world);
      requireNone(listFormFaults(result, { version: world.version, ...sandbox }), 'result');
      const link = await findLink(world, sandbox.netns, sandbox.ifname);
      const own = listOwnAddresses(result, sandbox);
      const isRight = own.length > 0 && own.every((address) => link?.addresses.includes(address) === true);
      if (!isRight)
        throw new Failure(`${own.join(', ') || 'no address'} for ${sandbox.ifname}: ${link?.addresses.join()}`);
    },
  },
];

/** The reference plugin `tuning` as the next one of the list: it changes the interface and its result. */
async function tune(world: World, verb: string, { sandbox, result }: Added): Promise<Outcome> {
  const { tools, netns, path } = world.running;
  const { containerId, ifname } = sandbox;
  const dataDir = join(tmpdir(), `${containerId}-tuning`);
  world.defer(() => rm(dataDir, { recursive: true, force: true }));
  const config = { cniVersion: world.version, name: world.running.config().name, type: 'tuning', dataDir };
  const stdin = JSON.stringify({ ...config, mac: '02:00:00:00:0c:0c', mtu: 1280, prevResult: result });
  const variables = { CNI_COMMAND: verb, CNI_CONTAINERID: containerId, CNI_IFNAME: ifname, CNI_NETNS: sandbox.path };
  const env = { PATH: PROGRAMS, ...variables, CNI_PATH: path };
  return callPlugin({ binary: join(tools.plugins, 'tuning'), netns, env, stdin });
}

async function addWithTuning(world: World): Promise<Added> {
  const added = await attach(world);
  return { ...added, result: requireResult(await tune(world, 'ADD', added), 'ADD of tuning') };
}

const before: readonly Case[] = [
  {
    ...{ id: 'chain/before-tuning', title: 'followed by tuning: its result is one that the next plugin can read' },
    ...{ source: '§3 Adding an attachment', level: 'MUST', versions: VERSIONS },
    run: async (world) => {
      const { sandbox, result } = await addWithTuning(world);
      requireNone(listFormFaults(result, { version: world.version, ...sandbox }), 'final result');
    },
  },
  {
    ...{ id: 'chain/check-after-tuning', title: 'followed by tuning, which changes MAC and MTU: CHECK succeeds' },
    ...{ source: '§2 CHECK', level: 'MUST', versions: listVersionsOf('CHECK') },
    run: async (world) => {
      const { sandbox, result } = await addWithTuning(world);
      requireSilence(await world.call('CHECK', sandbox, { config: { prevResult: result } }), 'CHECK');
    },
  },
  {
    ...{ id: 'chain/del-after-tuning', title: 'followed by tuning: DEL in reverse order removes everything' },
    ...{ source: '§3 Deleting an attachment', level: 'MUST', versions: VERSIONS },
    run: async (world) => {
      const added = await addWithTuning(world);
      requireSuccess(await tune(world, 'DEL', added), 'DEL of tuning');
      const change = world.version === '0.3.1' ? {} : { config: { prevResult: added.result } };
      requireSilence(await world.call('DEL', added.sandbox, change), 'DEL');
      await requireGone(world, added.sandbox);
    },
  },
];

export const chainCases: readonly Case[] = [...behind, ...before];
