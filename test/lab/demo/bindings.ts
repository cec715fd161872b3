import { once } from 'node:events';
import { waitFor } from '../command.ts';
import { type Context, startChild } from './context.ts';
import { type DemoBinding, DHCP } from './manifests.ts';
import type { Migration } from './migrations.ts';
import { findPodPid, getClient } from './pods.ts';
import { type Restart, runInVm } from './vms.ts';

/** One binding as the report has it: the same VM, but for its binding. */
export type BindingRow = {
  binding: DemoBinding;
  vm: string;
  /** The address that the guest itself has. */
  guestIp: string;
  /** The address by which a pod sees a connection of the guest. */
  outsideIp: string;
  /** Whose DHCP server answered the guest: KubeVirt or OVN; else the address that it answered by. */
  dhcpServer: string;
  migrated: boolean;
  tcpSurvived: boolean;
  restartedSameAddress: boolean;
};

/** What was seen from within a guest; empty where nothing was. */
export type Look = Pick<BindingRow, 'binding' | 'vm' | 'guestIp' | 'outsideIp' | 'dhcpServer'>;

const MIRROR_PORT = 8099;
/** Says to whoever connects by which address it sees him. */
const MIRROR = `require('node:net').createServer((s) => { s.on('error', () => {}); s.end('seen ' + s.remoteAddress + '\\n'); }).listen(${MIRROR_PORT}, '0.0.0.0', () => console.log('ready'))`;
const LOOK_MS = 20_000;

/** KubeVirt's servers answer by the address of the in-pod bridge: with bridge a made-up one, with masquerade the guest's gateway. */
const KUBEVIRT = /^(169\.254\.75\.1\d*|10\.0\.2\.1)$/;

/** Whose server it is that answers by this address. */
export function nameServer(address: string): string {
  if (KUBEVIRT.test(address)) return 'KubeVirt';
  return address === DHCP.gateway ? 'OVN' : address;
}

/** Parses what the guest's shell printed: its address, what it keeps of its lease, and the mirror's answer. */
export function parseLook(output: string): Omit<Look, 'binding' | 'vm'> {
  const find = (pattern: RegExp): string => pattern.exec(output)?.[1] ?? '';
  return {
    guestIp: find(/\binet ([\d.]+)\//),
    outsideIp: find(/^seen ([\d.]+)$/m),
    dhcpServer: nameServer(find(/^serverid=([\d.]+)$/m)),
  };
}

/** Looks from within each guest, with a pod as the other end. */
export async function lookAtGuests(
  context: Context,
  vms: readonly { vm: string; binding: DemoBinding }[],
): Promise<Look[]> {
  const client = await getClient(context, context.lab.nodes[0]?.name ?? '');
  const netns = `--net=/proc/${await findPodPid(context, client, 'main')}/ns/net`;
  const mirror = startChild(context, ['nsenter', netns, process.execPath, '-e', MIRROR]);
  try {
    await once(mirror.stdout ?? mirror, 'data');
    const looks: Look[] = [];
    for (const one of vms) looks.push({ ...one, ...(await lookFrom(context, one.vm, String(client.status.podIP))) });
    return looks;
  } finally {
    mirror.kill('SIGKILL');
  }
}

async function lookFrom(context: Context, vm: string, mirror: string): Promise<Omit<Look, 'binding' | 'vm'>> {
  const line = `ip -4 addr show dev eth0; cat /run/lease.eth0; nc -w 3 ${mirror} ${MIRROR_PORT} </dev/null`;
  let last = parseLook('');
  await waitFor(
    async () => {
      last = parseLook((await runInVm(context, vm, line)).output);
      return Object.values(last).every((value) => value !== '') ? true : undefined;
    },
    LOOK_MS,
    500,
  );
  return last;
}

/** Joins what guests saw with what became of their VMs. What never happened did not hold. */
export function deriveBindings(
  looks: readonly Look[],
  restarts: readonly Restart[],
  migrations: readonly Migration[],
): BindingRow[] {
  const all = <T>(list: readonly T[], holds: (one: T) => boolean): boolean => list.length > 0 && list.every(holds);
  return looks.map((look) => {
    const moves = migrations.filter(({ vm }) => vm === look.vm);
    const starts = restarts.filter(({ vm }) => vm === look.vm);
    return {
      ...look,
      migrated: all(moves, ({ from, to }) => from !== to),
      tcpSurvived: all(moves, ({ tcpSurvived }) => tcpSurvived),
      restartedSameAddress: all(
        starts,
        (one) => one.ipBefore === one.ipAfter && one.macBefore === one.macAfter && one.ipAfter === look.outsideIp,
      ),
    };
  });
}

/** What the guest of each binding is promised (docs/bindings.md): an address of its own or KubeVirt's, and a server. */
const PROMISES: Readonly<Record<DemoBinding, { guestIp?: string; dhcpServer: string }>> = {
  bridge: { dhcpServer: 'KubeVirt' },
  masquerade: { guestIp: '10.0.2.2', dhcpServer: 'KubeVirt' },
  managedTap: { dhcpServer: 'OVN' },
};

/** Promises about bindings that the rows break, as sentences. */
export function checkBindings(rows: readonly BindingRow[]): string[] {
  const bindings = Object.keys(PROMISES) as DemoBinding[];
  const absent = bindings.filter((binding) => rows.every((row) => row.binding !== binding));
  return [...absent.map((binding) => `no VM with ${binding}`), ...rows.flatMap(checkRow)];
}

function checkRow(row: BindingRow): string[] {
  const { guestIp = row.outsideIp, dhcpServer } = PROMISES[row.binding];
  const name = `${row.vm} (${row.binding})`;
  const checks: [string, boolean][] = [
    [`nobody saw a connection of the guest`, row.outsideIp !== ''],
    [`the guest has ${row.guestIp || 'no address'} instead of ${guestIp}`, row.guestIp === guestIp],
    [`the guest's DHCP server was ${row.dhcpServer || 'none'} instead of ${dhcpServer}`, row.dhcpServer === dhcpServer],
    ['it did not migrate', row.migrated],
    ['its TCP connection did not survive the migration', row.tcpSurvived],
    ['it had another address after a restart', row.restartedSameAddress],
  ];
  return checks.flatMap(([what, holds]) => (holds ? [] : [`${name}: ${what}`]));
}
