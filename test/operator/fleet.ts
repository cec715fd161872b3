import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { waitForFile } from '../../src/cni/daemon/testing/ovn.ts';
import { createProcesses, end, type Processes, run } from '../../src/cni/daemon/testing/processes.ts';
import { type Bindings, createBindings, type PortBinding } from '../../src/ovn/bindings.ts';
import { createSbClient } from '../../src/ovn/database.ts';
import { makeTempDir } from '../ovsdb/server.ts';
import type { Stage } from './stage.ts';

const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';

type Program = 'switch' | 'controller';

/** One node: Open vSwitch without a kernel, and ovn-controller. Real programs. */
export type Ship = {
  readonly node: string;
  /** What the agent does at ADD: an interface that is made for one LogicalPort. */
  plug(name: string, port: { readonly lsp: string; readonly uid: string }): Promise<void>;
  unplug(name: string): Promise<void>;
  /** A frame that comes out of the interface. */
  send(name: string, hex: string): Promise<void>;
  kill(...programs: Program[]): Promise<void>;
  /** Starts what does not run. */
  revive(): Promise<void>;
};

/** Nodes and northd beside a stage's databases. */
export type Fleet = AsyncDisposable & {
  ship(node: string): Ship;
  readonly northd: { kill(): Promise<void>; start(): void; pause(): void; resume(): void };
  /** A logical port as the Southbound database has it: `chassis | additional chassis | up or down`. */
  findBinding(lsp: string): string | undefined;
  readonly bindings: Bindings;
  sbctl(...args: string[]): Promise<string>;
  /** Resolves when every chassis has done what the Northbound database asks for; none may be dead. */
  sync(): Promise<void>;
};

export async function startFleet(stage: Pick<Stage, 'nb' | 'sb'>, nodes: readonly string[]): Promise<Fleet> {
  const dir = makeTempDir();
  const processes = createProcesses();
  const remotes = { nb: stage.nb.server.remote, sb: stage.sb.remote };
  const sbctl = (...args: string[]) => run(['ovn-sbctl', `--db=${remotes.sb}`, '--timeout=10', ...args]);
  // ovn-controller of 23.03 falls over when it meets another chassis before northd has made this row.
  await sbctl('init');
  const ships = new Map<string, Ship>();
  for (const [index, node] of nodes.entries()) {
    const place = { folder: join(dir.path, node), node, ip: `127.0.1.${index + 1}`, sb: remotes.sb };
    ships.set(node, await launchShip(processes, place));
  }
  const sb = createSbClient({ remotes: [remotes.sb], backoff: { minMs: 10, maxMs: 50 } });
  sb.client.start();
  await sb.client.whenLive();
  const bindings = createBindings(sb);
  return {
    ship: (node) => {
      const ship = ships.get(node);
      if (ship === undefined) throw new Error(`no node ${node}`);
      return ship;
    },
    northd: runNorthd(processes, dir.path, remotes),
    sbctl,
    sync: async () => void (await run(['ovn-nbctl', `--db=${remotes.nb}`, '--timeout=20', '--wait=hv', 'sync'])),
    bindings,
    findBinding: (lsp) => formatBinding(bindings.findPortBinding(lsp)),
    [Symbol.asyncDispose]: async () => {
      await sb.client.stop();
      await processes.stop();
      dir.remove();
    },
  };
}

function runNorthd(processes: Processes, folder: string, { nb, sb }: { nb: string; sb: string }): Fleet['northd'] {
  const log = [`--log-file=${folder}/northd.log`, `--unixctl=${folder}/northd.ctl`, '-vconsole:off'];
  const start = () => processes.start(['ovn-northd', `--ovnnb-db=${nb}`, `--ovnsb-db=${sb}`, ...log]);
  let northd = start();
  return {
    kill: () => end(northd, 'SIGKILL'),
    start: () => {
      northd = start();
    },
    pause: () => void northd.kill('SIGSTOP'),
    resume: () => void northd.kill('SIGCONT'),
  };
}

type Place = { readonly folder: string; readonly node: string; readonly ip: string; readonly sb: string };

async function launchShip(processes: Processes, { folder, node, ip, sb }: Place): Promise<Ship> {
  await mkdir(folder, { recursive: true });
  const env = {
    OVS_RUNDIR: folder,
    OVN_RUNDIR: folder,
    OVS_LOGDIR: folder,
    OVN_LOGDIR: folder,
    OVS_SYSCONFDIR: folder,
  };
  const start = (...command: string[]) => processes.start(command, { env: { ...process.env, ...env } });
  const remote = `unix:${folder}/db.sock`;
  await run(['ovsdb-tool', 'create', join(folder, 'conf.db'), SCHEMA]);
  start('ovsdb-server', join(folder, 'conf.db'), `--remote=p${remote}`, `--unixctl=${folder}/db.ctl`, '-vconsole:off');
  await waitForFile(join(folder, 'db.sock'));
  const vsctl = (...args: string[]) => run(['ovs-vsctl', `--db=${remote}`, '--timeout=10', ...args], env);
  await vsctl('--no-wait', 'init');
  const ids = { 'system-id': node, hostname: node, 'ovn-remote': sb, 'ovn-encap-type': 'geneve', 'ovn-encap-ip': ip };
  const pairs = Object.entries(ids).map(([key, value]) => `external_ids:${key}=${JSON.stringify(value)}`);
  await vsctl('--no-wait', 'set', 'Open_vSwitch', '.', ...pairs);
  const make = {
    switch: () =>
      start(
        'ovs-vswitchd',
        remote,
        '--enable-dummy=override',
        '--disable-system',
        '-vconsole:off',
        `--unixctl=${folder}/vswitchd.ctl`,
      ),
    controller: () => start('ovn-controller', remote, '-vconsole:off', `--log-file=${folder}/ovn-controller.log`),
  };
  const running = { switch: make.switch(), controller: make.controller() };
  return {
    node,
    plug: async (name, { lsp, uid }) => {
      const ids = [`external_ids:iface-id=${JSON.stringify(lsp)}`, `external_ids:iface-id-ver=${JSON.stringify(uid)}`];
      await vsctl(
        '--no-wait',
        '--may-exist',
        'add-port',
        'br-int',
        name,
        '--',
        'set',
        'Interface',
        name,
        'type=dummy',
        ...ids,
      );
    },
    unplug: async (name) => void (await vsctl('--no-wait', '--if-exists', 'del-port', 'br-int', name)),
    send: async (name, hex) =>
      void (await run(['ovs-appctl', '-t', `${folder}/vswitchd.ctl`, 'netdev-dummy/receive', name, hex], env)),
    kill: async (...programs) => {
      for (const program of programs) await end(running[program], 'SIGKILL');
    },
    revive: async () => {
      for (const program of ['switch', 'controller'] as const) {
        const child = running[program];
        if (child.exitCode !== null || child.signalCode !== null) running[program] = make[program]();
      }
    },
  };
}

/** `chassis | additional chassis | up`; undefined for a port that northd has not made. */
function formatBinding(binding: PortBinding | undefined): string | undefined {
  if (binding === undefined) return undefined;
  const { chassis = '', additionalChassis, up } = binding;
  return `${chassis} | ${additionalChassis.join()} | ${up ? 'up' : 'down'}`;
}

/** A guest's announcement (RFC 903), as QEMU sends it after it has resumed. */
export function formatRarp(mac: string): string {
  const own = mac.replaceAll(':', '');
  return `ffffffffffff${own}80350001080006040003${own}00000000${own}00000000`;
}
