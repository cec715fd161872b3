import { describe, expect, it } from 'vitest';
import { formatHtml, formatTimeline } from './html.ts';
import type { Timeline } from './migrations.ts';
import { findBroken, listTables, type Report } from './report.ts';

const timeline: Timeline = {
  name: 'm1',
  probes: [{ sent: 0, received: 2 }, { sent: 10 }, { sent: 20 }, { sent: 30, received: 33 }],
  marks: [
    { at: 5, lane: 'VMIM', label: 'Running <now>' },
    { at: 12, lane: 'guest', label: 'stops on the source' },
    { at: 14, lane: 'Southbound', label: 'default: node1 + node2' },
  ],
  stream: { sentLines: 2, echoedLines: 2, longestStallMs: 31 },
};

const report: Report = {
  cluster: { kubernetes: 'v1', ovn: '25.03', nodes: 3 },
  connectivity: {
    podToPodSameNode: true,
    podToPodOtherNode: true,
    podToVm: true,
    vmToPod: true,
    podToOutside: true,
    nodeToPod: true,
  },
  bindings: (['bridge', 'masquerade', 'managedTap'] as const).map((binding) => ({
    ...{ binding, vm: `${binding}-vm`, outsideIp: '10.16.0.9', migrated: true, tcpSurvived: true },
    guestIp: binding === 'masquerade' ? '10.0.2.2' : '10.16.0.9',
    ...{ dhcpServer: binding === 'managedTap' ? 'OVN' : 'KubeVirt', restartedSameAddress: true },
  })),
  restarts: ['a', 'b', 'c'].map((nodeAfter) => ({
    ...{ vm: 'vm', ipBefore: '10.16.0.9', ipAfter: '10.16.0.9', macBefore: '0a:00', macAfter: '0a:00' },
    ...{ nodeBefore: 'a', nodeAfter },
  })),
  migrations: Array.from({ length: 5 }, (_, index) => ({
    ...{ vm: 'vm', binding: 'bridge', from: 'a', to: 'b', sent: 100, lost: 1, longestGapMs: 90, qemuDowntimeMs: 5 },
    ...{ tcpSurvived: true, operatorKilled: index === 2, memory: 'Migration' },
  })),
  released: { ip: '10.16.0.9', freed: true },
  nics: ['default', 'left', 'right', 'storage'].map((nic, at) => ({
    ...{ vm: 'four', nic, subnet: 'biz', ips: [`172.20.0.${at}`, `fd00::${at}`], mac: `0a:0${at}` },
    ...{ reachable: true, sameAfterRestart: true, sameAfterMigration: true },
  })),
  neighbours: [{ pod: 'n', nic: 'mac0', subnet: 'macvlan', ips: ['172.30.0.50'], reachable: true }],
  pool: [{ pod: 'pooled-0', ip: '10.16.200.11', wanted: '10.16.200.11', sameAfterRestart: true }],
  told: {
    ...{ vm: 'told-vm', dhcpClients: 0 },
    nics: ['default', 'storage'].map((nic, at) => ({
      ...{
        vm: 'told-vm',
        nic,
        subnet: 'biz',
        ips: [`172.20.1.${at}`],
        mac: `0a:1${at}`,
        inGuest: true,
        reachable: true,
      },
    })),
  },
  timings: {
    setupSeconds: 1,
    labUpSeconds: 1,
    installSeconds: 1,
    totalSeconds: 1,
    cniAddMs: { n: 9, p50: 40, p99: 90 },
  },
  broken: [],
};

describe('the timeline of a migration', () => {
  it('shows each probe once, the lost ones apart, and shades the longest silence', () => {
    const svg = formatTimeline(timeline);
    for (const panel of svg.split('</svg>').slice(0, 2)) {
      expect(panel.match(/<circle/g)).toHaveLength(2);
      expect(panel.match(/class="lost"/g)).toHaveLength(2);
      expect(panel.match(/class="gap"/g)).toHaveLength(1);
      expect(panel).toContain('default: node1 + node2');
    }
    expect(svg).toContain('4 probes, 2 lost, longest gap 31 ms; TCP kept, 2 lines');
  });

  it('escapes what comes from the cluster', () => {
    expect(formatTimeline(timeline)).toContain('Running &lt;now&gt;');
    expect(formatHtml({ ...report, broken: ['<script>'] }, [timeline])).not.toContain('<script>');
  });
});

describe('the page', () => {
  const findTable = (page: string, title: string): string =>
    page.split('<h2>').find((part) => part.startsWith(`${title}</h2>`)) ?? '';

  it('has a table with a line for each binding, and shows what did not hold', () => {
    const bindings = report.bindings.map((row, at) => (at === 1 ? { ...row, tcpSurvived: false } : row));
    const table = findTable(formatHtml({ ...report, bindings }, []), 'The same VM by each binding');
    expect(table.match(/<tr>/g)).toHaveLength(4);
    expect(table).toContain('<td>masquerade</td><td>masquerade-vm</td><td>10.0.2.2</td><td>10.16.0.9</td>');
    expect(table.match(/class="no"/g)).toHaveLength(1);
  });

  it('has every table that the demo prints', () => {
    const page = formatHtml(report, []);
    for (const { title, lines } of listTables(report)) {
      const rows = findTable(page, title).match(/<tr>/g) ?? [];
      expect({ title, rows: rows.length }).toEqual({ title, rows: lines.length + 1 });
      expect(lines.length).toBeGreaterThan(0);
    }
    expect(findTable(page, 'Guests without DHCP, configured by cloud-init data')).toContain('told-vm');
  });
});

describe('broken promises', () => {
  it('are none when every figure holds', () => expect(findBroken(report)).toEqual([]));

  it.each([
    ['no connection: podToVm', { connectivity: { ...report.connectivity, podToVm: false } }],
    ['only 2 restarts', { restarts: report.restarts.slice(1) }],
    ['no restart led to another node', { restarts: report.restarts.map((r) => ({ ...r, nodeAfter: 'a' })) }],
    [
      'vm came back as 10.16.0.8 0a:00, was 10.16.0.9 0a:00',
      { restarts: report.restarts.map((r, i) => (i === 1 ? { ...r, ipAfter: '10.16.0.8' } : r)) },
    ],
    ['fewer than 5 migrations of the bridge-bound VM', { migrations: report.migrations.slice(1) }],
    [
      "vm a -> b: 151 ms of silence beyond QEMU's downtime",
      { migrations: report.migrations.map((m, i) => (i === 1 ? { ...m, longestGapMs: 156 } : m)) },
    ],
    [
      'vm a -> b: the TCP stream did not survive',
      { migrations: report.migrations.map((m, i) => (i === 1 ? { ...m, tcpSurvived: false } : m)) },
    ],
    [
      'vm a -> b: its memory went over the Pod network',
      { migrations: report.migrations.map((m, i) => (i === 1 ? { ...m, memory: 'Pod' } : m)) },
    ],
    [
      'the operator was not killed during a migration',
      { migrations: report.migrations.map((m) => ({ ...m, operatorKilled: false })) },
    ],
    ['only 3 NICs of the VM with four', { nics: report.nics.slice(1) }],
    ['no NIC has addresses of both families', { nics: report.nics.map((n) => ({ ...n, ips: ['172.20.0.1'] })) }],
    [
      'NIC left of four (172.20.0.1 fd00::1) was not reached from its network',
      { nics: report.nics.map((n, i) => ({ ...n, reachable: i !== 1 })) },
    ],
    [
      'NIC left of four (172.20.0.1 fd00::1) changed with the restart',
      { nics: report.nics.map((n, i) => ({ ...n, sameAfterRestart: i !== 1 })) },
    ],
    [
      'NIC storage of four (172.20.0.3 fd00::3) changed with the migration',
      { nics: report.nics.map((n, i) => ({ ...n, sameAfterMigration: i !== 3 })) },
    ],
    [
      'mac0 of n (172.30.0.50) was not reached',
      { neighbours: report.neighbours.map((n) => ({ ...n, reachable: false })) },
    ],
    [
      'pooled-0 has 10.16.0.7, its place in the pool is 10.16.200.11',
      { pool: report.pool.map((p) => ({ ...p, ip: '10.16.0.7' })) },
    ],
    [
      'managedTap-vm (managedTap): it did not migrate',
      { bindings: report.bindings.map((row, i) => (i === 2 ? { ...row, migrated: false } : row)) },
    ],
    ['10.16.0.9 was not freed', { released: { ip: '10.16.0.9', freed: false } }],
    ['ADD p50 is 151 ms', { timings: { ...report.timings, cniAddMs: { n: 1, p50: 151, p99: 151 } } }],
  ])('%s', (sentence, change) => {
    expect(findBroken({ ...report, ...change })).toEqual([sentence]);
  });
});
