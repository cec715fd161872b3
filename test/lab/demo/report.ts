import { type BindingRow, checkBindings } from './bindings.ts';
import type { Connectivity } from './connectivity.ts';
import type { Migration } from './migrations.ts';
import type { Networks } from './networks/story.ts';
import { checkTold } from './networks/told.ts';
import type { Released } from './released.ts';
import type { Restart } from './vms.ts';

/** `out/demo/report.json`. */
export type Report = {
  cluster: { kubernetes: string; ovn: string; nodes: number };
  connectivity: Connectivity;
  /** The same VM by each binding. */
  bindings: BindingRow[];
  restarts: Restart[];
  migrations: Migration[];
  released: Released;
  nics: Networks['nics'];
  neighbours: Networks['neighbours'];
  pool: Networks['pool'];
  /** A guest with many NICs and no DHCP client. */
  told: Networks['told'];
  timings: {
    setupSeconds: number;
    labUpSeconds: number;
    installSeconds: number;
    totalSeconds: number;
    cniAddMs: { n: number; p50: number; p99: number };
  };
  /** Promises that did not hold; empty when all did. */
  broken: string[];
};

/** At most this much silence beyond QEMU's own downtime, for bridge. */
export const GAP_BEYOND_DOWNTIME_MS = 150;
export const ADD_P50_MS = 150;

/** Every promise of the demo that the figures break, as sentences. */
export function findBroken(report: Omit<Report, 'broken'>): string[] {
  const connectivity = Object.entries(report.connectivity).flatMap(([way, holds]) =>
    holds ? [] : [`no connection: ${way}`],
  );
  const counts: string[] = [];
  if (report.restarts.length < 3) counts.push(`only ${report.restarts.length} restarts`);
  if (!report.restarts.some((r) => r.nodeBefore !== r.nodeAfter)) counts.push('no restart led to another node');
  if (report.migrations.filter((m) => m.binding === 'bridge').length < 5)
    counts.push('fewer than 5 migrations of the bridge-bound VM');
  if (!report.migrations.some((m) => m.operatorKilled)) counts.push('the operator was not killed during a migration');
  if (!report.released.freed) counts.push(`${report.released.ip} was not freed`);
  if (report.timings.cniAddMs.p50 > ADD_P50_MS) counts.push(`ADD p50 is ${report.timings.cniAddMs.p50} ms`);
  return [
    ...connectivity,
    ...counts,
    ...checkNetworks(report),
    ...checkBindings(report.bindings),
    ...checkTold(report.told),
    ...report.restarts.flatMap(checkRestart),
    ...report.migrations.flatMap(checkMigration),
  ];
}

function checkNetworks({ nics, neighbours, pool }: Omit<Networks, 'told'>): string[] {
  const counts = [
    ...(nics.length < 4 ? [`only ${nics.length} NICs of the VM with four`] : []),
    ...(nics.some(({ ips }) => ips.length === 2) ? [] : ['no NIC has addresses of both families']),
  ];
  const ofNics = nics.flatMap((nic) => {
    const name = `NIC ${nic.nic} of ${nic.vm} (${nic.ips.join(' ')})`;
    return [
      ...(nic.reachable ? [] : [`${name} was not reached from its network`]),
      ...(nic.sameAfterRestart ? [] : [`${name} changed with the restart`]),
      ...(nic.sameAfterMigration ? [] : [`${name} changed with the migration`]),
    ];
  });
  const ofNeighbours = neighbours.filter(({ reachable }) => !reachable);
  const ofPool = pool.filter(({ ip, wanted, sameAfterRestart }) => ip !== wanted || !sameAfterRestart);
  return [
    ...counts,
    ...ofNics,
    ...ofNeighbours.map(({ pod, nic, ips }) => `${nic} of ${pod} (${ips.join(' ')}) was not reached`),
    ...ofPool.map(({ pod, ip, wanted }) => `${pod} has ${ip}, its place in the pool is ${wanted}`),
  ];
}

function checkRestart(restart: Restart): string[] {
  const same = restart.ipBefore === restart.ipAfter && restart.macBefore === restart.macAfter;
  return same
    ? []
    : [
        `${restart.vm} came back as ${restart.ipAfter} ${restart.macAfter}, was ${restart.ipBefore} ${restart.macBefore}`,
      ];
}

function checkMigration(migration: Migration): string[] {
  const broken: string[] = [];
  const name = `${migration.vm} ${migration.from} -> ${migration.to}`;
  const beyond = migration.longestGapMs - migration.qemuDowntimeMs;
  if (migration.from === migration.to) broken.push(`${name}: did not move`);
  if (migration.binding === 'bridge' && beyond > GAP_BEYOND_DOWNTIME_MS)
    broken.push(`${name}: ${Math.round(beyond)} ms of silence beyond QEMU's downtime`);
  if (migration.memory !== 'Migration') broken.push(`${name}: its memory went over the ${migration.memory} network`);
  if (!migration.tcpSurvived) broken.push(`${name}: the TCP stream did not survive`);
  return broken;
}

/** One table of the report; `title` says what its lines are. */
export type ReportTable = {
  readonly title: string;
  readonly head: readonly string[];
  readonly lines: readonly (readonly string[])[];
};

const formatTable = ({ head, lines }: ReportTable): string => {
  const cells = [head, ...lines];
  const widths = head.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string => `  ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ')}`;
  const [first = [], ...others] = cells;
  return [line(first), line(widths.map((width) => '-'.repeat(width))), ...others.map(line)].join('\n');
};

const yes = (value: boolean): string => (value ? 'yes' : 'NO');

function listBindings(rows: readonly BindingRow[]): ReportTable {
  return {
    title: 'The same VM by each binding',
    head: [
      ...['binding', 'VM', 'address in the guest', 'seen outside', 'DHCP by'],
      ...['migrated live', 'TCP survived', 'same address after restart'],
    ],
    lines: rows.map((row) => [
      ...[row.binding, row.vm, row.guestIp, row.outsideIp, row.dhcpServer],
      ...[yes(row.migrated), yes(row.tcpSurvived), yes(row.restartedSameAddress)],
    ]),
  };
}

/** The tables that the demo ends with, as text. */
export const formatTables = (report: Report): string => listTables(report).map(formatTable).join('\n\n');

type Cell = string | number;

const table = (title: string, head: readonly string[], rows: readonly (readonly Cell[])[]): ReportTable => ({
  title,
  head,
  lines: rows.map((row) => row.map(String)),
});

/** What the report shows, table by table. */
export function listTables(report: Report): ReportTable[] {
  return [
    table(
      'Connections',
      ['connection', 'works'],
      Object.entries(report.connectivity).map(([way, holds]) => [way, yes(holds)]),
    ),
    listBindings(report.bindings),
    table(
      'Restarts',
      ['restarted', 'from', 'to', 'IP', 'MAC', 'same'],
      report.restarts.map((r) => [
        r.vm,
        r.nodeBefore,
        r.nodeAfter,
        r.ipAfter,
        r.macAfter,
        yes(checkRestart(r).length === 0),
      ]),
    ),
    table(
      'Live migrations',
      ['migrated', 'binding', 'from', 'to', 'sent', 'lost', 'gap ms', 'downtime ms', 'TCP', 'memory', 'operator'],
      report.migrations.map((m) => [
        m.vm,
        m.binding,
        m.from,
        m.to,
        m.sent,
        m.lost,
        m.longestGapMs,
        m.qemuDowntimeMs,
        m.tcpSurvived ? 'kept' : 'LOST',
        m.memory,
        m.operatorKilled ? 'killed' : '',
      ]),
    ),
    table(
      'The VM with four NICs',
      ['NIC', 'subnet', 'addresses', 'MAC', 'reached', 'same after restart', 'after migration'],
      report.nics.map((n) => [
        `${n.vm} ${n.nic}`,
        n.subnet,
        n.ips.join(' '),
        n.mac,
        yes(n.reachable),
        yes(n.sameAfterRestart),
        yes(n.sameAfterMigration),
      ]),
    ),
    table(
      'Pods on the same networks',
      ['pod', 'address from', 'addresses', 'works'],
      [
        ...report.neighbours.map((n) => [`${n.pod} ${n.nic}`, n.subnet, n.ips.join(' '), yes(n.reachable)]),
        ...report.pool.map((p) => [p.pod, `pool, ${p.wanted}`, p.ip, yes(p.sameAfterRestart)]),
      ],
    ),
    table(
      'Guests without DHCP, configured by cloud-init data',
      ['without DHCP', 'subnet', 'addresses', 'MAC', 'configured', 'reached'],
      report.told.nics.map((n) => [
        `${n.vm} ${n.nic}`,
        n.subnet,
        n.ips.join(' '),
        n.mac,
        yes(n.inGuest),
        yes(n.reachable),
      ]),
    ),
    listTimings(report),
  ];
}

function listTimings({ timings, released }: Report): ReportTable {
  return table(
    'Timings',
    ['timing', 'value'],
    [
      ['setup', `${timings.setupSeconds} s`],
      ['lab up', `${timings.labUpSeconds} s`],
      ['helm install', `${timings.installSeconds} s`],
      ['in total', `${timings.totalSeconds} s`],
      [`CNI ADD, ${timings.cniAddMs.n} calls`, `p50 ${timings.cniAddMs.p50} ms, p99 ${timings.cniAddMs.p99} ms`],
      ['address freed after delete', `${released.ip} ${yes(released.freed)}`],
    ],
  );
}
