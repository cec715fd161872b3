import type { ChildProcess } from 'node:child_process';
import { access, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { end, type Processes, run } from './processes.ts';

/** A whole OVN of one node: both central databases, northd, Open vSwitch in user space, ovn-controller. Real programs. */
export type TestOvn = {
  readonly ovsDb: string;
  nbctl(...args: string[]): Promise<string>;
  sbctl(...args: string[]): Promise<string>;
  vsctl(...args: string[]): Promise<string>;
  /** Stops the local database in its tracks until it is resumed. */
  suspendDatabase(): Promise<{ resume(): void }>;
  /** Kills ovs-vswitchd and starts it again: it makes its devices anew. */
  restartSwitch(): Promise<void>;
  /** Kills one program; `start` brings it back. */
  stop(program: Stoppable): Promise<{ start(): void }>;
};

/** The local database, the Southbound one, and who carries the latter out on the node. */
export type Stoppable = 'database' | 'southbound' | 'controller';

const SCHEMAS = '/usr/share';

/** Starts OVN in the folder and the network namespace; `node` becomes the chassis. */
export async function startOvn(
  processes: Processes,
  folder: string,
  at: { netns: string; node: string },
): Promise<TestOvn> {
  await mkdir(folder, { recursive: true });
  const env = {
    OVS_RUNDIR: folder,
    OVN_RUNDIR: folder,
    OVS_LOGDIR: folder,
    OVN_LOGDIR: folder,
    OVS_SYSCONFDIR: folder,
  };
  const inNetns = ['nsenter', `--net=/run/netns/${at.netns}`];
  const sockets = { ovs: `unix:${folder}/db.sock`, nb: `unix:${folder}/nb.sock`, sb: `unix:${folder}/sb.sock` };
  const start = (...command: string[]) =>
    processes.start([...inNetns, ...command], { env: { ...process.env, ...env } });
  await createDatabase(folder, 'conf', `${SCHEMAS}/openvswitch/vswitch.ovsschema`);
  await createDatabase(folder, 'nb', `${SCHEMAS}/ovn/ovn-nb.ovsschema`);
  await createDatabase(folder, 'sb', `${SCHEMAS}/ovn/ovn-sb.ovsschema`);
  const starts = createStarts(start, folder, sockets);
  const running = new Map<Stoppable, ChildProcess>([
    ['database', starts.database()],
    ['southbound', starts.southbound()],
  ]);
  starts.northbound();
  await Promise.all(['db', 'nb', 'sb'].map((name) => waitForFile(join(folder, `${name}.sock`))));
  const vsctl = (...args: string[]) => run(['ovs-vsctl', `--db=${sockets.ovs}`, '--timeout=10', ...args], env);
  await vsctl('--no-wait', 'init');
  const ids = {
    'system-id': at.node,
    hostname: at.node,
    'ovn-remote': sockets.sb,
    'ovn-encap-type': 'geneve',
    'ovn-encap-ip': '127.0.0.1',
    'ovn-bridge-datapath-type': 'netdev',
  };
  const pairs = Object.entries(ids).map(([key, value]) => `external_ids:${key}=${JSON.stringify(value)}`);
  await vsctl('--no-wait', 'set', 'Open_vSwitch', '.', ...pairs);
  let vswitchd = starts.vswitchd();
  starts.northd();
  running.set('controller', starts.controller());
  return {
    ovsDb: sockets.ovs,
    vsctl,
    suspendDatabase: async () => {
      const database = running.get('database');
      database?.kill('SIGSTOP');
      return { resume: () => void database?.kill('SIGCONT') };
    },
    restartSwitch: async () => {
      await end(vswitchd, 'SIGKILL');
      vswitchd = starts.vswitchd();
    },
    stop: async (program) => {
      const child = running.get(program);
      if (child !== undefined) await end(child, 'SIGKILL');
      return { start: () => void running.set(program, starts[program]()) };
    },
    nbctl: (...args) => run(['ovn-nbctl', `--db=${sockets.nb}`, '--timeout=10', ...args], env),
    sbctl: (...args) => run(['ovn-sbctl', `--db=${sockets.sb}`, '--timeout=10', ...args], env),
  };
}

type Sockets = { readonly ovs: string; readonly nb: string; readonly sb: string };

/** How each program is started. */
function createStarts(start: (...command: string[]) => ChildProcess, folder: string, sockets: Sockets) {
  const control = (name: string) => `--unixctl=${folder}/${name}.ctl`;
  const serve = (name: string, socket: string) => {
    const file = join(folder, `${name}.db`);
    return start('ovsdb-server', file, `--remote=p${socket}`, control(`${name}-server`), '-vconsole:off');
  };
  const databases = [`--ovnnb-db=${sockets.nb}`, `--ovnsb-db=${sockets.sb}`];
  const pidfile = [`--pidfile=${folder}/ovn-controller.pid`, '--overwrite-pidfile'];
  const log = `--log-file=${folder}/ovn-controller.log`;
  return {
    database: () => serve('conf', sockets.ovs),
    northbound: () => serve('nb', sockets.nb),
    southbound: () => serve('sb', sockets.sb),
    vswitchd: () => start('ovs-vswitchd', sockets.ovs, '--disable-system', '-vconsole:off', control('vswitchd')),
    northd: () => start('ovn-northd', ...databases, '-vconsole:off', control('northd')),
    controller: () => start('ovn-controller', sockets.ovs, '-vconsole:off', log, ...pidfile),
  };
}

async function createDatabase(folder: string, name: string, schema: string): Promise<void> {
  await run(['ovsdb-tool', 'create', join(folder, `${name}.db`), schema]);
}

/** Waits until the file is there, 40 s at most: on a busy machine a program takes 10 s to start. */
export async function waitForFile(path: string): Promise<void> {
  const until = performance.now() + 40_000;
  for (;;) {
    try {
      return await access(path);
    } catch (error) {
      if (performance.now() > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
