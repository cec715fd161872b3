import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startNb, type TestNb } from '../../test/ovn/database.ts';
import { startServer, type TestServer } from '../../test/ovsdb/server.ts';
import { findSchema, runTool, spawnTool } from '../../test/ovsdb/tools.ts';
import { planOperations } from '../ovn/plan-operations.ts';
import type { Wanted, WantedPort } from '../ovn/wanted.ts';
import { applyPlan } from '../ovsdb/apply.ts';
import { listOptionNames } from '../plan/networks/dhcp-options.ts';
import type { ActiveGateway } from '../plan/networks/gateway.ts';
import { formatDhcpRow, planSubnets } from '../plan/networks/subnet.ts';
import { planSubnetRows } from '../plan/networks/subnet-rows.ts';
import { makeSubnet, makeTestSettings } from '../plan/networks/testing/subnets.ts';
import { planVpc } from '../plan/networks/vpc.ts';
import { mergeWanted, NOTHING } from '../plan/rows.ts';
import { deriveMac } from '../plan/settings.ts';

const settings = makeTestSettings();
const SUBNETS = [
  makeSubnet('net1', {
    cidrBlock: '10.0.1.0/24,fd01:1::/64',
    private: true,
    allowSubnets: ['10.0.3.0/24'],
    enableDHCP: true,
    enableIPv6RA: true,
    dhcp: {
      dnsServers: ['10.0.0.53', 'fd01::53'],
      ntpServers: ['10.0.0.3'],
      domainName: 'example.org',
      searchDomains: ['example.org', 'corp.example.org'],
      routes: [
        { dst: '192.0.2.0/24', gw: '10.0.1.9' },
        { dst: 'fd09::/48', gw: 'fd01:1::1' },
      ],
    },
    dhcpV4Options: 'tftp_server=boot.example.org,bootfile_name=pxe.0,T1=1800,next_server=10.0.0.9',
    dhcpV6Options: 'domain_search=lab.example.org',
  }),
  makeSubnet('net2', { cidrBlock: '10.0.2.0/24,fd01:2::/64', gatewayType: 'centralized', gatewayNode: 'n1,n2' }),
  makeSubnet('net3', { cidrBlock: '10.0.3.0/24,fd01:3::/64' }),
];
const plans = planSubnets(SUBNETS, settings, new Set());

/** A guest `x` of net1 is `net1/x`, with .x and ::x as its addresses. */
function makeGuest(subnet: string, last: number): WantedPort {
  const index = subnet.slice(3);
  const address = `${macOf(subnet, last)} 10.0.${index}.${last} fd01:${index}::${last}`;
  return {
    switch: `subnet/${subnet}`,
    name: `${subnet}/${last}`,
    type: '',
    addresses: [address],
    portSecurity: [address],
    options: new Map(),
    ...(subnet === 'net1' ? { dhcpv4: formatDhcpRow('net1', 4), dhcpv6: formatDhcpRow('net1', 6) } : {}),
    externalIds: IDS,
  };
}
const IDS = planVpc('default', settings).routers[0]?.externalIds ?? new Map();
const macOf = (subnet: string, last: number): string => `00:00:00:00:0${subnet.slice(3)}:${last}`;
const routerMac = (subnet: string): string => deriveMac(`vpc/default/subnet/${subnet}`);

function makeNode(name: string, last: number): WantedPort {
  const addresses = [`${deriveMac(`node/${name}`)} 100.64.0.${last} fd00:100:64::${last}`];
  const place = { switch: 'join', name: `node/${name}`, type: '' as const, addresses };
  return { ...place, portSecurity: [], options: new Map(), externalIds: IDS };
}

function makeWanted(active: ActiveGateway | undefined): Wanted {
  const guests = [makeGuest('net1', 10), makeGuest('net1', 11), makeGuest('net2', 10), makeGuest('net3', 10)];
  const ports = [...guests, makeNode('n1', 3), makeNode('n2', 4)];
  const rows = SUBNETS.map((subnet) => {
    const plan = plans.get(subnet.metadata.name);
    if (plan === undefined) throw new Error('fixture');
    return planSubnetRows(subnet, plan, settings, active);
  });
  return mergeWanted([planVpc('default', settings), ...rows, { ...NOTHING, ports }]);
}

let nb: TestNb;
let sb: TestServer & AsyncDisposable;
let northd: ChildProcess;

beforeAll(async () => {
  nb = await startNb();
  sb = await startServer({ schemaPath: findSchema('ovn/ovn-sb.ovsschema'), database: 'OVN_Southbound' });
  const databases = [`--ovnnb-db=${nb.server.remote}`, `--ovnsb-db=${sb.remote}`];
  const control = `--unixctl=${join(sb.dir, 'northd.ctl')}`;
  northd = spawnTool('ovn-northd', [...databases, control, '-vconsole:off'], sb.dir);
  await program({ node: 'n2', ips: ['100.64.0.4', 'fd00:100:64::4'] });
});
afterAll(async () => {
  if (northd?.exitCode === null) {
    const gone = once(northd, 'exit');
    northd.kill('SIGKILL');
    await gone;
  }
  await sb?.[Symbol.asyncDispose]();
  await nb?.[Symbol.asyncDispose]();
});

/** Writes the rows and waits until northd has made flows of them. */
async function program(active: ActiveGateway | undefined): Promise<void> {
  const owners = ['Vpc/default', ...SUBNETS.map(({ metadata }) => `Subnet/${metadata.name}`)];
  const scope = { cluster: settings.cluster, owners };
  await applyPlan(nb.nb.client, () => planOperations(nb.nb.observed, makeWanted(active), scope));
  await runTool('ovn-nbctl', [`--db=${nb.server.remote}`, '--timeout=30', '--wait=sb', 'sync']);
}

/** The ports that a packet reaches, by the flows that northd made; `state` is what connection tracking would say. */
async function trace(from: string, packet: string, state: string): Promise<string[]> {
  const where = from.startsWith('node/') ? 'join' : `subnet/${from.split('/')[0]}`;
  const flow = `inport == "${from}" && ${packet}`;
  const args = [`--db=${sb.remote}`, '--minimal', `--ct=${state}`, `--ct=${state}`, where, flow];
  const output = await runTool('ovn-trace', args);
  return [...output.matchAll(/output\("([^"]+)"\)/g)].map(([, port = '']) => port);
}

/** Where a guest or a node stands. */
function findHost(name: string): { mac: string; ips: [string, string]; router: string } {
  const [place = '', last = ''] = name.split('/');
  if (place === 'node') {
    const end = last === 'n1' ? 3 : 4;
    const ips: [string, string] = [`100.64.0.${end}`, `fd00:100:64::${end}`];
    return { mac: deriveMac(name), ips, router: deriveMac('vpc/default/join') };
  }
  const index = place.slice(3);
  const ips: [string, string] = [`10.0.${index}.${last}`, `fd01:${index}::${last}`];
  return { mac: macOf(place, Number(last)), ips, router: routerMac(place) };
}

/** TCP from a guest or a node to an address: to a neighbour's MAC, to the router's for all others. */
function formatTcp(from: string, to: string): string {
  const { mac, ips, router } = findHost(from);
  const family = to.includes(':') ? 6 : 4;
  const source = ips[family === 4 ? 0 : 1];
  const neighbour = ['net1/10', 'net1/11'].map(findHost).find((host) => host.ips.includes(to));
  const target = from.startsWith('net1/') ? (neighbour?.mac ?? router) : router;
  const ip = `ip${family}.src == ${source} && ip${family}.dst == ${to} && ip.ttl == 64`;
  return `eth.src == ${mac} && eth.dst == ${target} && ${ip} && tcp && tcp.dst == 80`;
}

describe('a private subnet', () => {
  it.each<[string, string, string, string, string[]]>([
    ['a stranger of the VPC begins', 'net2/10', '10.0.1.10', 'new', []],
    ['a stranger begins, IPv6', 'net2/10', 'fd01:1::10', 'new', []],
    ['whoever is allowed begins', 'net3/10', '10.0.1.10', 'new', ['net1/10']],
    ['whoever is allowed in the other family only begins', 'net3/10', 'fd01:1::10', 'new', []],
    ['a neighbour begins', 'net1/11', '10.0.1.10', 'new', ['net1/10']],
    ['a neighbour begins, IPv6', 'net1/11', 'fd01:1::10', 'new', ['net1/10']],
    ['a node begins, as for a probe', 'node/n1', '10.0.1.10', 'new', ['net1/10']],
    ['a node begins, IPv6', 'node/n1', 'fd01:1::10', 'new', ['net1/10']],
    ['it begins to the VPC', 'net1/10', '10.0.2.10', 'new', ['net2/10']],
    ['it begins to the outside', 'net1/10', '198.51.100.1', 'new', ['gateway']],
    ['it begins to the outside, IPv6', 'net1/10', '2001:db8::1', 'new', ['gateway']],
    ['a stranger answers', 'net2/10', '10.0.1.10', 'est,rpl', ['net1/10']],
    ['a stranger goes on with what it may not begin', 'net2/10', '10.0.1.10', 'inv', []],
  ])('%s: %s to %s', async (...[, from, to, state, expected]) => {
    expect(await trace(from, formatTcp(from, to), state)).toEqual(expected);
  });

  // ovn-trace 23.03 ends with a failed assertion on router solicitations; their flow is looked at below.
  it('answers neighbour solicitation, ARP and DHCP', async () => {
    const me = `eth.src == ${macOf('net1', 10)}`;
    const arp = `${me} && eth.dst == ff:ff:ff:ff:ff:ff && arp.op == 1 && arp.sha == ${macOf('net1', 10)} && arp.spa == 10.0.1.10 && arp.tpa == 10.0.1.11`;
    const ns = `${me} && eth.dst == 33:33:ff:00:00:11 && ip6.src == fd01:1::10 && ip6.dst == ff02::1:ff00:11 && ip.ttl == 255 && icmp6.type == 135 && icmp6.code == 0 && nd.target == fd01:1::11 && nd.sll == ${macOf('net1', 10)}`;
    const dhcp4 = `${me} && eth.dst == ff:ff:ff:ff:ff:ff && ip4.src == 0.0.0.0 && ip4.dst == 255.255.255.255 && ip.ttl == 64 && udp.src == 68 && udp.dst == 67`;
    const dhcp6 = `${me} && eth.dst == 33:33:00:01:00:02 && ip6.src == fe80::200:ff:fe00:110 && ip6.dst == ff02::1:2 && ip.ttl == 1 && udp.src == 546 && udp.dst == 547`;
    for (const packet of [arp, ns, dhcp4, dhcp6]) {
      expect(await trace('net1/10', packet, 'new'), packet).toContain('net1/10');
    }
  });
});

describe('a centralized subnet', () => {
  const out = () => trace('net2/10', formatTcp('net2/10', '198.51.100.1'), 'new');
  const out6 = () => trace('net2/10', formatTcp('net2/10', '2001:db8::1'), 'new');

  it('goes out by its node, and everything else stays as it is', async () => {
    expect([await out(), await out6()]).toEqual([['node/n2'], ['node/n2']]);
    expect(await trace('net2/10', formatTcp('net2/10', '10.0.3.10'), 'new')).toEqual(['net3/10']);
    expect(await trace('net2/10', formatTcp('net2/10', 'fd01:3::10'), 'new')).toEqual(['net3/10']);
    expect(await trace('net2/10', formatTcp('net2/10', '100.64.0.3'), 'new')).toEqual(['node/n1']);
    expect(await trace('net3/10', formatTcp('net3/10', '198.51.100.1'), 'new')).toEqual(['gateway']);
    expect(await trace('node/n1', formatTcp('node/n1', '10.0.2.10'), 'new')).toEqual(['net2/10']);
  });

  it('goes out by the other node after a failover, and nowhere without a node', async () => {
    await program({ node: 'n1', ips: ['100.64.0.3', 'fd00:100:64::3'] });
    expect([await out(), await out6()]).toEqual([['node/n1'], ['node/n1']]);
    await program(undefined);
    expect([await out(), await out6()]).toEqual([[], []]);
    expect(await trace('net2/10', formatTcp('net2/10', '10.0.3.10'), 'new')).toEqual(['net3/10']);
  });
});

describe('northd', () => {
  it.each([
    [4, 'DHCP_Options', ['server_mac']],
    // The two for booting came after OVN 23.03, which some distributions still have.
    [6, 'DHCPv6_Options', ['dhcpv6_stateless', 'bootfile_name', 'bootfile_name_alt']],
  ] as const)('knows the options that we let through, family %s', async (family, table, ours) => {
    const args = [`--db=${sb.remote}`, '--bare', '--columns=name', 'list', table];
    const known = new Set((await runTool('ovn-sbctl', args)).split(/\s+/));
    const missing = listOptionNames(family).filter((name) => !known.has(name));
    expect(ours).toEqual(expect.arrayContaining(missing));
  });

  it('has flows for advertisements and both families of DHCP', async () => {
    const flows = await runTool('ovn-sbctl', [`--db=${sb.remote}`, 'lflow-list']);
    expect(flows).toMatch(/put_nd_ra_opts\(addr_mode = "dhcpv6_stateful".*mtu = 1400.*prefix = fd01:1::\/64/);
    expect(flows).toMatch(
      /put_dhcp_opts\(offerip = 10\.0\.1\.10,.*classless_static_route = \{192\.0\.2\.0\/24, 10\.0\.1\.9, 0\.0\.0\.0\/0, 10\.0\.1\.1\}/,
    );
    expect(flows).toMatch(
      /put_dhcpv6_opts\(ia_addr = fd01:1::10,.*dns_server = fd01::53, domain_search = "lab\.example\.org"/,
    );
  });
});
