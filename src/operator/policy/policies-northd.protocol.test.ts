import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startNb, type TestNb } from '../../../test/ovn/database.ts';
import { startServer, type TestServer } from '../../../test/ovsdb/server.ts';
import { findSchema, runTool, spawnTool } from '../../../test/ovsdb/tools.ts';
import type { NetworkPolicy } from '../../api/objects.ts';
import { formatExternalIds } from '../../api/owner.ts';
import { planOperations } from '../../ovn/plan-operations.ts';
import { SWITCH_PORT } from '../../ovn/switch-port.ts';
import type { Wanted, WantedPort } from '../../ovn/wanted.ts';
import { applyPlan } from '../../ovsdb/apply.ts';
import { formatDhcpRow, planSubnets } from '../../plan/networks/subnet.ts';
import { planSubnetRows } from '../../plan/networks/subnet-rows.ts';
import { makeSubnet, makeTestSettings } from '../../plan/networks/testing/subnets.ts';
import { planVpc } from '../../plan/networks/vpc.ts';
import { makeEndpoint, makePolicy, planTest } from '../../plan/policies/testing/policies.ts';
import { mergeWanted, NOTHING } from '../../plan/rows.ts';
import { deriveMac } from '../../plan/settings.ts';

/** Policies on real switches: what northd makes of the rows, and where ovn-trace sees packets go. */
const settings = makeTestSettings();
const SUBNETS = [
  makeSubnet('net1', { cidrBlock: '10.0.1.0/24,fd01:1::/64', enableDHCP: true, enableIPv6RA: true }),
  makeSubnet('net2', {
    cidrBlock: '10.0.2.0/24,fd01:2::/64',
    private: true,
    allowSubnets: ['10.0.1.11', 'fd01:1::11'],
  }),
];
/** Pods by what they are called in the table below: switch port, subnet and last part of the addresses, labels. */
const HOSTS = {
  web: { key: 'a/web', net: 1, last: 10, labels: { app: 'web' } },
  db: { key: 'a/db', net: 1, last: 11, labels: { app: 'db' } },
  other: { key: 'b/other', net: 1, last: 12, labels: { app: 'db' } },
  vault: { key: 'a/vault', net: 2, last: 13, labels: { app: 'vault' } },
  shut: { key: 'a/shut', net: 2, last: 14, labels: { app: 'shut' } },
} as const;
type Name = keyof typeof HOSTS;
const NAMES = Object.keys(HOSTS) as Name[];

const POLICIES: readonly NetworkPolicy[] = [
  makePolicy(
    {
      podSelector: { matchLabels: { app: 'web' } },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [
        {
          from: [{ podSelector: { matchLabels: { app: 'db' } } }],
          ports: [{ port: 80 }, { port: 8000, endPort: 8010 }],
        },
        { from: [{ ipBlock: { cidr: '192.0.2.0/24', except: ['192.0.2.128/25'] } }] },
      ],
      egress: [
        { to: [{ namespaceSelector: { matchLabels: { team: 'b' } } }], ports: [{ protocol: 'UDP' }, { port: 'http' }] },
      ],
    },
    'web',
  ),
  makePolicy(
    { podSelector: { matchLabels: { app: 'vault' } }, ingress: [{ from: [{ namespaceSelector: {} }] }] },
    'vault',
  ),
  makePolicy({ podSelector: { matchLabels: { app: 'shut' } } }, 'shut'),
];

const lspOf = (name: Name): string => `pod/${HOSTS[name].key}/eth0`;
const macOf = (name: Name): string => `00:00:00:00:0${HOSTS[name].net}:${HOSTS[name].last}`;
const ipsOf = (name: Name): [string, string] => {
  const { net, last } = HOSTS[name];
  return [`10.0.${net}.${last}`, `fd01:${net}::${last}`];
};
const IDS = planVpc('default', settings).routers[0]?.externalIds ?? new Map();

function makePort(name: Name): WantedPort {
  const address = [macOf(name), ...ipsOf(name)].join(' ');
  const { net } = HOSTS[name];
  return {
    switch: `subnet/net${net}`,
    name: lspOf(name),
    type: '',
    addresses: [address],
    portSecurity: [address],
    options: new Map(),
    ...(net === 1 ? { dhcpv4: formatDhcpRow('net1', 4), dhcpv6: formatDhcpRow('net1', 6) } : {}),
    externalIds: IDS,
  };
}

const NODE: WantedPort = {
  switch: 'join',
  name: 'node/n1',
  type: '',
  addresses: [`${deriveMac('node/n1')} 100.64.0.3 fd00:100:64::3`],
  portSecurity: [],
  options: new Map(),
  externalIds: IDS,
};

let nb: TestNb;
let sb: TestServer & AsyncDisposable;
let northd: ChildProcess;

function planNetwork(): Wanted {
  const plans = planSubnets(SUBNETS, settings, new Set());
  const rows = SUBNETS.map((subnet) => {
    const plan = plans.get(subnet.metadata.name);
    if (plan === undefined) throw new Error('fixture');
    return planSubnetRows(subnet, plan, settings, undefined);
  });
  return mergeWanted([planVpc('default', settings), ...rows, { ...NOTHING, ports: [...NAMES.map(makePort), NODE] }]);
}

function planPolicyRows(policies: readonly NetworkPolicy[]): Wanted {
  const http = [{ name: 'http', protocol: 'TCP', port: 8080 }] as const;
  const endpoints = NAMES.map((name) => makeEndpoint(HOSTS[name].key, HOSTS[name].labels, http));
  const { groups, acls } = planTest(policies, endpoints);
  const find = (port: string) => nb.nb.observed.findByKey(SWITCH_PORT, port).map(({ _uuid }) => _uuid);
  const externalIds = formatExternalIds(settings.cluster, { kind: 'PolicyGroup', name: 'all', uid: '' });
  const portGroups = [...groups].map(([name, ports]) => ({ name, ports: ports.flatMap(find), externalIds }));
  return { ...NOTHING, portGroups, groupAcls: acls };
}

const NETWORK_OWNERS = ['Vpc/default', 'Subnet/net1', 'Subnet/net2'];
const POLICY_OWNERS = ['PolicyGroup/all', ...POLICIES.map(({ metadata }) => `NetworkPolicy/a/${metadata.name}`)];

/** Writes the rows and waits until northd has made flows of them. */
async function program(make: () => Wanted, owners: readonly string[]): Promise<void> {
  const scope = { cluster: settings.cluster, owners };
  await applyPlan(nb.nb.client, () => planOperations(nb.nb.observed, make(), scope));
  await runTool('ovn-nbctl', [`--db=${nb.server.remote}`, '--timeout=30', '--wait=sb', 'sync']);
}

beforeAll(async () => {
  nb = await startNb();
  sb = await startServer({ schemaPath: findSchema('ovn/ovn-sb.ovsschema'), database: 'OVN_Southbound' });
  const databases = [`--ovnnb-db=${nb.server.remote}`, `--ovnsb-db=${sb.remote}`];
  northd = spawnTool('ovn-northd', [...databases, `--unixctl=${join(sb.dir, 'northd.ctl')}`, '-vconsole:off'], sb.dir);
  await program(planNetwork, NETWORK_OWNERS);
  await program(() => planPolicyRows(POLICIES), POLICY_OWNERS);
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

/** The ports that a packet reaches; `state` is what connection tracking says of it, whoever asks. */
async function trace(inport: string, datapath: string, packet: string, state = 'new'): Promise<string[]> {
  const flow = `inport == "${inport}" && ${packet}`;
  const states = Array.from({ length: 4 }, () => `--ct=${state}`);
  const output = await runTool('ovn-trace', [`--db=${sb.remote}`, '--minimal', ...states, datapath, flow]);
  return [...output.matchAll(/output\("([^"]+)"\)/g)].map(([, port = '']) => port);
}

type Sending = { family?: 4 | 6; state?: string; source?: string };
type From = Name | 'node' | 'outside';
const isPod = (name: string): name is Name => name in HOSTS;

/** Where a packet comes in, and what it needs to be taken there. */
function findStart(from: From): { inport: string; datapath: string; mac: string; router: string } {
  if (!isPod(from)) {
    const [inport, datapath] = ['node/n1', 'join'];
    return { inport, datapath, mac: deriveMac(inport), router: deriveMac('vpc/default/join') };
  }
  const { net } = HOSTS[from];
  const router = deriveMac(`vpc/default/subnet/net${net}`);
  return { inport: lspOf(from), datapath: `subnet/net${net}`, mac: macOf(from), router };
}

const NODE_IPS = { 4: '100.64.0.3', 6: 'fd00:100:64::3' } as const;
const addressOf = (name: Name, family: 4 | 6): string => ipsOf(name)[family === 4 ? 0 : 1];
const isNeighbour = (from: From, to: string): to is Name =>
  isPod(from) && isPod(to) && HOSTS[from].net === HOSTS[to].net;

/** A packet from a pod, a node or the outside to a pod or an address. */
function send(from: From, to: string, upper: string, { family = 4, state, source }: Sending = {}): Promise<string[]> {
  const { inport, datapath, mac, router } = findStart(from);
  const here = source ?? (isPod(from) ? addressOf(from, family) : NODE_IPS[family]);
  const target = isPod(to) ? addressOf(to, family) : to;
  const eth = `eth.src == ${mac} && eth.dst == ${isNeighbour(from, to) ? macOf(to) : router}`;
  const ip = `ip${family}.src == ${here} && ip${family}.dst == ${target} && ip.ttl == 64`;
  return trace(inport, datapath, `${eth} && ${ip} && ${upper}`, state);
}

const tcp = (port: number) => `tcp && tcp.dst == ${port}`;
const PING = 'icmp4 && icmp4.type == 8 && icmp4.code == 0';

describe('a policy for pods of the own namespace and some ports', () => {
  it.each<[string, Name, Name, string, Sending, boolean]>([
    ['its peer at its port', 'db', 'web', tcp(80), {}, true],
    ['its peer at its port, IPv6', 'db', 'web', tcp(80), { family: 6 }, true],
    ['its peer within its range of ports', 'db', 'web', tcp(8010), {}, true],
    ['its peer beyond that', 'db', 'web', tcp(8011), {}, false],
    ['its peer by another protocol', 'db', 'web', 'udp && udp.dst == 80', {}, false],
    ['its peer by ping', 'db', 'web', PING, {}, false],
    ['such a pod of another namespace', 'other', 'web', tcp(80), {}, false],
    ['such a pod of another namespace, IPv6', 'other', 'web', tcp(80), { family: 6 }, false],
    ['a pod on another switch', 'vault', 'web', tcp(80), {}, false],
    ['anybody with an answer', 'other', 'web', tcp(80), { state: 'est,rpl' }, true],
    ['anybody who goes on with what was never allowed', 'other', 'web', tcp(80), { state: 'est' }, false],
    ['its peer that goes on', 'db', 'web', tcp(80), { state: 'est' }, true],
  ])('%s: %s to %s', async (...[, from, to, packet, options, passes]) => {
    expect(await send(from, to, packet, options)).toEqual(passes ? [lspOf(to)] : []);
  });

  it.each<[string, string, boolean]>([
    ['the block', '192.0.2.5', true],
    ['its exception', '192.0.2.200', false],
    ['elsewhere', '198.51.100.1', false],
    ['a node', '100.64.0.3', true],
  ])('addresses of %s', async (_where, source, passes) => {
    expect(await send('outside', 'web', tcp(1234), { source })).toEqual(passes ? [lspOf('web')] : []);
  });

  it('a node by IPv6', async () => {
    expect(await send('node', 'web', tcp(1234), { family: 6 })).toEqual([lspOf('web')]);
  });
});

describe('a policy for what goes out', () => {
  it.each<[string, Name | string, string, Sending, string[]]>([
    ['to the namespace by its protocol', 'other', 'udp && udp.dst == 5', {}, [lspOf('other')]],
    ['to the namespace by its protocol, IPv6', 'other', 'udp && udp.dst == 5', { family: 6 }, [lspOf('other')]],
    ['to the namespace at a port by name', 'other', tcp(8080), {}, [lspOf('other')]],
    ['to the namespace at another port', 'other', tcp(80), {}, []],
    ['to its own namespace', 'db', 'udp && udp.dst == 5', {}, []],
    ['to the outside', '198.51.100.1', tcp(443), {}, []],
    ['in answer to anybody', 'db', tcp(4321), { state: 'est,rpl' }, [lspOf('db')]],
  ])('%s', async (...[, to, packet, options, reached]) => {
    expect(await send('web', to, packet, options)).toEqual(reached);
  });

  it('does not keep a guest from asking for an address, its neighbours and its router', async () => {
    const me = `eth.src == ${macOf('web')}`;
    const [ip, ip6] = ipsOf('web');
    const arp = `${me} && eth.dst == ff:ff:ff:ff:ff:ff && arp.op == 1 && arp.sha == ${macOf('web')} && arp.spa == ${ip} && arp.tpa == 10.0.1.11`;
    const ns = `${me} && eth.dst == 33:33:ff:00:00:11 && ip6.src == ${ip6} && ip6.dst == ff02::1:ff00:11 && ip.ttl == 255 && icmp6.type == 135 && icmp6.code == 0 && nd.target == fd01:1::11 && nd.sll == ${macOf('web')}`;
    const dhcp4 = `${me} && eth.dst == ff:ff:ff:ff:ff:ff && ip4.src == 0.0.0.0 && ip4.dst == 255.255.255.255 && ip.ttl == 64 && udp.src == 68 && udp.dst == 67`;
    const dhcp6 = `${me} && eth.dst == 33:33:00:01:00:02 && ip6.src == fe80::200:ff:fe00:110 && ip6.dst == ff02::1:2 && ip.ttl == 1 && udp.src == 546 && udp.dst == 547`;
    for (const packet of [arp, ns, dhcp4, dhcp6]) {
      expect(await trace(lspOf('web'), 'subnet/net1', packet), packet).toContain(lspOf('web'));
    }
  });
});

describe('a private subnet and a policy', () => {
  it.each<[string, Name, Name, Sending, boolean]>([
    ['whom both admit', 'db', 'vault', {}, true],
    ['whom both admit, IPv6', 'db', 'vault', { family: 6 }, true],
    ['a neighbour that the policy admits', 'shut', 'vault', {}, true],
    ['whom the policy admits and the subnet does not', 'other', 'vault', {}, false],
    ['whom the policy admits and the subnet does not, IPv6', 'other', 'vault', { family: 6 }, false],
    ['whom the subnet admits and the policy does not', 'db', 'shut', {}, false],
    ['a neighbour that the policy does not admit', 'vault', 'shut', {}, false],
    ['an answer', 'other', 'shut', { state: 'est,rpl' }, true],
  ])('%s: %s to %s', async (...[, from, to, options, passes]) => {
    expect(await send(from, to, tcp(80), options)).toEqual(passes ? [lspOf(to)] : []);
  });

  it('and a node, which both admit', async () => {
    expect(await send('node', 'shut', tcp(80))).toEqual([lspOf('shut')]);
  });
});

describe('a switch', () => {
  /** Flows that send packets to connection tracking (ovn-northd(8), Pre-ACLs). */
  const listTracked = async () => {
    const flows = await runTool('ovn-sbctl', [`--db=${sb.remote}`, 'lflow-list', 'subnet/net1']);
    return flows.split('\n').filter((flow) => /ls_(in|out)_pre_acl\b.*reg0\[0\] = 1/.test(flow));
  };

  it('without isolated ports sends nothing through connection tracking', async () => {
    expect((await listTracked()).length).toBeGreaterThan(0);
    await program(() => planPolicyRows([]), POLICY_OWNERS);
    expect(await listTracked()).toEqual([]);
    await program(() => planPolicyRows(POLICIES.filter(({ metadata }) => metadata.name !== 'web')), POLICY_OWNERS);
    expect(await listTracked()).toEqual([]);
    await program(() => planPolicyRows(POLICIES), POLICY_OWNERS);
  });
});
