import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execute, PROGRAMS } from '../call.ts';
import { requireNone, requireResult } from '../expect.ts';
import {
  type Case,
  Failure,
  listVersionsOf,
  NotApplicable,
  type Outcome,
  type Sandbox,
  VERSIONS,
  type World,
} from '../model.ts';
import { listDamage, requireGone, requireNothingLeft } from '../probes.ts';

const SOURCE = '§3; libcni';

/** libcni's own runtime with one network, for one sandbox. */
type Tool = { readonly sandbox: Sandbox; run(verb: string): Promise<Outcome> };

/** What libcni remembers stands in one folder for the whole machine: the tool gets another one in its place. */
const WITH_CACHE = 'mkdir -p /var/lib/cni && mount --bind "$0" /var/lib/cni && exec "$@"';

/** The network has the plugin, and `more` behind it. */
async function createTool(world: World, more: readonly object[] = []): Promise<Tool> {
  const { running, version } = world;
  const place = await world.sandbox();
  const folder = await mkdtemp(join(tmpdir(), 'mcf-cnitool-'));
  const [networks, cache] = [join(folder, 'net.d'), join(folder, 'cache')];
  for (const each of [networks, cache]) await mkdir(each);
  const { name, ...config } = running.config();
  const list = { cniVersion: version, name, plugins: [config, ...more] };
  await writeFile(join(networks, '10-conformance.conflist'), JSON.stringify(list));
  const env = {
    ...{ PATH: PROGRAMS, NETCONFPATH: networks, CNI_PATH: running.path },
    ...(place.args === '' ? {} : { CNI_ARGS: place.args }),
  };
  const call = ['nsenter', `--net=/run/netns/${running.netns}`, running.tools.cnitool];
  const run = (verb: string): Promise<Outcome> => {
    return execute(['unshare', '--mount', 'sh', '-c', WITH_CACHE, cache, ...call, verb, String(name), place.path], env);
  };
  world.defer(async () => {
    await run('del');
    await rm(folder, { recursive: true, force: true });
  });
  return { sandbox: { ...place, containerId: formatContainer(place.path) }, run };
}

/** The container's id, as cnitool makes it. */
function formatContainer(path: string): string {
  return `cnitool-${createHash('sha512').update(path).digest('hex').slice(0, 20)}`;
}

/** Throws Failure with what the tool has said, which has gone through libcni. */
async function must(tool: Tool, verb: string): Promise<Outcome> {
  const outcome = await tool.run(verb);
  requireFine(outcome, verb);
  return outcome;
}

function requireFine({ exit, stdout, stderr }: Outcome, verb: string): void {
  if (exit !== 0) throw new Failure(`cnitool ${verb}: ${(stderr || stdout).trim().slice(0, 240)}`);
}

/** The life of an attachment, as far as the version has verbs for it. */
async function live(world: World, tool: Tool): Promise<void> {
  if (world.version === '1.1.0') await must(tool, 'status');
  const result = requireResult(await must(tool, 'add'), 'cnitool add');
  requireNone(await listDamage(world, { sandbox: tool.sandbox, result }), 'after cnitool add');
  if (world.version !== '0.3.1') await must(tool, 'check');
  await must(tool, 'del');
  await requireGone(world, tool.sandbox);
  await must(tool, 'del');
  await requireNothingLeft(world, tool.sandbox);
}

const TUNING = { type: 'tuning', mac: '02:00:00:00:0e:0e', mtu: 1280 };

export const cnitoolCases: readonly Case[] = [
  {
    ...{ id: 'cnitool/life', title: 'driven by cnitool: status, add, check, del, del' },
    ...{ source: SOURCE, level: 'MUST', versions: VERSIONS },
    run: async (world) => live(world, await createTool(world)),
  },
  {
    ...{ id: 'cnitool/list', title: 'driven by cnitool, with tuning behind it: the same' },
    ...{ source: SOURCE, level: 'MUST', versions: VERSIONS },
    run: async (world) => {
      const dataDir = await mkdtemp(join(tmpdir(), 'mcf-tuning-'));
      const tool = await createTool(world, [{ ...TUNING, dataDir }]);
      world.defer(() => rm(dataDir, { recursive: true, force: true }));
      await live(world, tool);
    },
  },
  {
    ...{ id: 'cnitool/gc', title: 'driven by cnitool: the container dies, gc leaves nothing' },
    ...{ source: SOURCE, level: 'MUST', versions: listVersionsOf('GC') },
    run: async (world) => {
      const { leftovers } = world.running;
      if (leftovers === undefined) throw new NotApplicable('what it leaves on the node cannot be seen from outside');
      const tool = await createTool(world);
      await must(tool, 'add');
      await world.exec(undefined, 'ip', 'netns', 'delete', tool.sandbox.netns);
      if ((await leftovers(tool.sandbox)).length === 0) throw new Failure('nothing was left before gc');
      const outcome = await tool.run('gc');
      await requireNothingLeft(world, tool.sandbox);
      requireFine(outcome, 'gc');
    },
  },
];
