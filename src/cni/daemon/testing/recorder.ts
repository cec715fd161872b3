import { access, chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** One call of the recording plugin, as it saw it. */
export type PluginCall = {
  readonly type: string;
  readonly env: Readonly<Record<string, string>>;
  readonly config: { readonly name: string; readonly prevResult?: object; readonly runtimeConfig?: object };
};

/** A plugin of somebody else: a real program that makes real interfaces and writes down how it was called. */
export type Recorder = {
  readonly calls: () => Promise<PluginCall[]>;
  /** `ADD b`: every ADD of network b fails, or hangs, until `allow`. */
  fail(what: string): Promise<void>;
  hang(what: string): Promise<void>;
  allow(): Promise<void>;
  /** Waits until a call that hangs has begun. */
  untilHanging(): Promise<void>;
  /** Ids of processes of the plugin that still run. */
  listProcesses(): Promise<number[]>;
};

/**
 * The plugin's text. It makes a bridge as interface; with `ipam` it asks that plugin for addresses, as macvlan does; when
 * it comes after another plugin it hands that one's result on.
 */
const formatProgram = (folder: string): string => `#!${process.execPath}
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const folder = ${JSON.stringify(folder)};
const { CNI_COMMAND: command, CNI_NETNS: netns, CNI_IFNAME: name, CNI_PATH: dir } = process.env;
const stdin = fs.readFileSync(0, 'utf8');
const config = JSON.parse(stdin);
const env = Object.fromEntries(Object.entries(process.env).filter(([key]) => key.startsWith('CNI_')));
const line = { type: path.basename(process.argv[1]), env, config };
fs.appendFileSync(path.join(folder, 'calls'), JSON.stringify(line) + '\\n');
const what = command + ' ' + config.name;
const has = (kind) => fs.existsSync(path.join(folder, kind)) && fs.readFileSync(path.join(folder, kind), 'utf8') === what;
const refuse = (msg) => {
  process.stdout.write(JSON.stringify({ cniVersion: config.cniVersion, code: 100, msg }));
  process.exit(1);
};
const ip = (...args) => {
  const done = spawnSync('nsenter', ['--net=' + netns, 'ip', ...args], { encoding: 'utf8' });
  if (done.status !== 0) refuse(done.stderr);
};
const askIpam = () => {
  const done = spawnSync(path.join(dir, config.ipam.type), [], { input: stdin, env: process.env, encoding: 'utf8' });
  if (done.status !== 0) refuse(JSON.parse(done.stdout).msg);
  return done.stdout === '' ? undefined : JSON.parse(done.stdout);
};
if (has('hang')) {
  fs.writeFileSync(path.join(folder, 'hanging'), String(process.pid));
  setInterval(() => undefined, 1000);
} else if (has('fail')) refuse('it was told to fail');
else if (command === 'ADD' && config.prevResult) process.stdout.write(JSON.stringify(config.prevResult));
else if (command === 'ADD') {
  const mac = config.runtimeConfig?.mac ?? '02:00:00:00:00:' + (process.pid % 90 + 10);
  const wished = (config.runtimeConfig?.ips ?? []).map((address) => ({ address }));
  const given = config.ipam ? askIpam().ips : wished;
  ip('link', 'add', name, 'address', mac, 'type', 'bridge');
  for (const { address } of given) ip('addr', 'add', address, 'dev', name);
  ip('link', 'set', name, 'up');
  const ips = given.map((item) => ({ ...item, interface: 0 }));
  const result = { cniVersion: config.cniVersion, interfaces: [{ name, mac, sandbox: netns }], ips };
  process.stdout.write(JSON.stringify(result));
} else if (command === 'DEL' && !config.chained) {
  if (config.ipam) askIpam();
  if (netns) spawnSync('nsenter', ['--net=' + netns, 'ip', 'link', 'delete', name]);
}
`;

/** Puts the plugin into a node's folder for plugins, under each of the names. */
export async function installRecorder(nodeFolder: string, types: readonly string[]): Promise<Recorder> {
  const folder = join(nodeFolder, 'recorder');
  const file = (name: string) => join(folder, name);
  await mkdir(folder, { recursive: true });
  await mkdir(join(nodeFolder, 'cni-bin'), { recursive: true });
  for (const type of types) {
    const path = join(nodeFolder, 'cni-bin', type);
    await writeFile(path, formatProgram(folder));
    await chmod(path, 0o755);
  }
  return {
    calls: async () => {
      const text = await readFile(file('calls'), 'utf8').catch(() => '');
      return text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as PluginCall);
    },
    fail: (what) => writeFile(file('fail'), what),
    hang: (what) => writeFile(file('hang'), what),
    allow: async () => {
      for (const name of ['fail', 'hang', 'hanging']) await rm(file(name), { force: true });
    },
    untilHanging: async () => {
      const isThere = () =>
        access(file('hanging')).then(
          () => true,
          () => false,
        );
      while (!(await isThere())) await delay(10);
    },
    listProcesses: async () => {
      const pid = Number(await readFile(file('hanging'), 'utf8').catch(() => '0'));
      const state = pid === 0 ? '' : await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      return state === '' ? [] : [pid];
    },
  };
}
