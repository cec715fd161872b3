import { spawn } from 'node:child_process';
import { access, mkdtemp, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CniOutcome, TestNode, TestPod } from './node.ts';
import { run } from './processes.ts';

const VERSION = 'v1.9.1';
const PLUGINS = ['main/macvlan', 'main/bridge', 'meta/portmap', 'meta/tuning', 'meta/bandwidth', 'meta/sbr'];

/** The folder with the reference plugins; built once per machine, for which Go has to be there. */
export async function ensurePlugins(): Promise<string> {
  const folder = join(tmpdir(), `mooring-cni-plugins-${VERSION}`);
  if (await isOurs(folder)) return folder;
  const fresh = await mkdtemp(`${folder}-`);
  const modules = PLUGINS.map((name) => `github.com/containernetworking/plugins/plugins/${name}@${VERSION}`);
  await run(['go', 'install', '-trimpath', '-ldflags', '-s -w', ...modules], { GOBIN: fresh, CGO_ENABLED: '0' });
  try {
    await rename(fresh, folder);
  } catch (error) {
    // Another test was faster.
    await rm(fresh, { recursive: true });
    if (!(await isOurs(folder))) throw error;
  }
  return folder;
}

/** In a folder that everybody may write, only what is our own is run. */
async function isOurs(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found?.uid === process.getuid?.();
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

type Config = { readonly type: string; readonly [key: string]: unknown };

/** A list of plugins for one interface of one pod, run as a runtime does (CNI SPEC.md, section 3). */
export type ListCall = {
  readonly pod: TestPod;
  readonly ifname: string;
  readonly cniVersion: string;
  readonly name: string;
  readonly plugins: readonly Config[];
  /** By capability; each plugin gets those that it lists. */
  readonly runtime?: Readonly<Record<string, unknown>>;
  /** Appended to CNI_ARGS, as Multus does. */
  readonly args?: string;
};

export type Lists = {
  /** Gives the final result; throws what a plugin has said. */
  add(call: ListCall): Promise<Record<string, unknown>>;
  /** CHECK or DEL of the whole list with the result of the ADD, if there is one. */
  each(command: 'CHECK' | 'DEL', call: ListCall, prevResult?: unknown): Promise<void>;
};

/** Runs lists on a test's node, our shim being one plugin of the path. */
export async function createLists(node: TestNode): Promise<Lists> {
  const plugins = await ensurePlugins();
  const netns = (await node.exec(undefined, 'ip', 'netns', 'identify')).trim();
  const at = { netns, path: [join(node.folder, 'cni-bin'), plugins] };
  const runOne = async (command: string, call: ListCall, config: Config, prevResult: unknown): Promise<string> => {
    const outcome = await runPlugin(at, { command, call, stdin: formatConfig(call, config, prevResult) });
    if (outcome.exit !== 0) throw new Error(`${config.type} ${command}: ${outcome.output}`);
    return outcome.output;
  };
  return {
    add: async (call) => {
      let result: unknown;
      for (const config of call.plugins) result = JSON.parse(await runOne('ADD', call, config, result));
      return result as Record<string, unknown>;
    },
    each: async (command, call, prevResult) => {
      const order = command === 'DEL' ? call.plugins.toReversed() : call.plugins;
      for (const config of order) await runOne(command, call, config, prevResult);
    },
  };
}

function formatConfig(call: ListCall, config: Config, prevResult: unknown): string {
  const capabilities = Object.keys((config.capabilities ?? {}) as object);
  const wanted = Object.entries(call.runtime ?? {}).filter(([key]) => capabilities.includes(key));
  return JSON.stringify({
    cniVersion: call.cniVersion,
    name: call.name,
    ...config,
    ...(wanted.length === 0 ? {} : { runtimeConfig: Object.fromEntries(wanted) }),
    ...(prevResult === undefined ? {} : { prevResult }),
  });
}

type PluginRun = { readonly command: string; readonly call: ListCall; readonly stdin: string };

async function runPlugin(at: { netns: string; path: string[] }, { command, call, stdin }: PluginRun) {
  const { pod, ifname, plugins, args = '' } = call;
  const { type } = JSON.parse(stdin) as Config;
  const found = await Promise.all(at.path.map((folder) => isThere(join(folder, type))));
  const folder = at.path[found.indexOf(true)];
  if (folder === undefined) throw new Error(`no plugin ${type} for ${plugins.length} plugins`);
  const identity = `K8S_POD_NAMESPACE=default;K8S_POD_NAME=${pod.name};K8S_POD_UID=${pod.uid}`;
  const env = {
    PATH: process.env.PATH,
    CNI_COMMAND: command,
    CNI_CONTAINERID: pod.containerId,
    CNI_IFNAME: ifname,
    CNI_NETNS: `/run/netns/${pod.netns}`,
    CNI_ARGS: `IgnoreUnknown=1;${identity}${args === '' ? '' : `;${args}`}`,
    CNI_PATH: at.path.join(':'),
  };
  const startedAt = performance.now();
  const child = spawn('nsenter', [`--net=/run/netns/${at.netns}`, join(folder, type)], {
    env,
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += String(chunk);
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(stdin);
  return new Promise<CniOutcome>((finished) => {
    child.once('close', (exit, signal) => finished({ exit, signal, output, ms: performance.now() - startedAt }));
  });
}
