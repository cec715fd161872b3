import { execFileSync } from 'node:child_process';
import { deleteGate, ensureGate } from './gate.ts';
import { withNetns } from './netns.ts';
import { runNft } from './nft.ts';
import { createTestNetns, type TestNetns, until } from './testing.ts';

/**
 * A masquerading guest between two launchers, in namespaces. The guest is a namespace of its own, so that its kernel's
 * sessions move with it; a switch in a further one is the cable that QEMU moves. The remote's bridge floods, as OVN
 * delivers to both launchers until the commit.
 */
export type MigrationLab = {
  remote: TestNetns;
  guest: TestNetns;
  source: TestNetns;
  target: TestNetns;
  /** From here on the guest runs behind the target. */
  move: () => void;
  /** OVN delivers to the target alone, the gate is gone. */
  commit: () => void;
  remove: () => void;
};
export type Wiring = { nft: string; sysctls: readonly string[] };

export const POD = { 4: '10.16.0.5', 6: 'fd00:10::5' } as const;
export const FAR = { 4: '10.16.0.9', 6: 'fd00:10::9' } as const;
export const GUEST = { 4: '10.0.2.2', 6: 'fd10:0:2::2' } as const;
const POD_MAC = '0a:58:0a:10:00:05';
const GATEWAY_MAC = '02:00:00:00:00:00';

/** `wiring`: what KubeVirt makes of a masquerading launcher, its NAT rules above all. */
export async function createMigrationLab(wiring: Wiring): Promise<MigrationLab> {
  const all = { remote: make(), guest: make(), source: make(), target: make(), cable: make() };
  const remove = () => {
    for (const netns of Object.values(all)) netns.remove();
  };
  try {
    return { ...(await wire(all, wiring)), remove };
  } catch (error) {
    remove();
    throw error;
  }
}

const make = () => createTestNetns();
type Namespaces = Record<'remote' | 'guest' | 'source' | 'target' | 'cable', TestNetns>;

async function wire(all: Namespaces, wiring: Wiring): Promise<Omit<MigrationLab, 'remove'>> {
  const { remote, guest, source, target, cable } = all;
  makeRemote(remote, source, target);
  makeCable(cable, { guest, source, target });
  ensureGate(target, { interface: 'eth0', binding: 'masquerade' });
  for (const launcher of [source, target]) makeLauncher(launcher, wiring);
  for (const netns of [remote, source, target]) await allForwarding(netns);
  const plug = (port: string, state: number) => cable.run(`bridge link set dev ${port} state ${state}`);
  plug('target', 0);
  makeGuest(guest);
  await allForwarding(cable, ['guest', 'source']);
  const move = () => {
    plug('source', 0);
    plug('target', 3);
  };
  const commit = () => {
    remote.run(`bridge fdb replace ${POD_MAC} dev target master static`);
    deleteGate(target, 'eth0');
  };
  return { remote, guest, source, target, move, commit };
}

function runLines(netns: TestNetns, lines: readonly string[]): void {
  execFileSync('ip', ['netns', 'exec', netns.name, 'sh', '-ec', lines.join('\n')], { encoding: 'utf8' });
}

type Port = { ifname: string; state: string };

async function allForwarding(netns: TestNetns, ports?: readonly string[]): Promise<void> {
  await until('every port forwarding', () =>
    (JSON.parse(netns.run('bridge -j link')) as Port[])
      .filter(({ ifname }) => ports?.includes(ifname) ?? true)
      .every(({ state }) => state === 'forwarding'),
  );
}

/** The bridge's ports have no IPv6 of their own, or their kernel would speak into the launchers. */
function makeRemote(remote: TestNetns, source: TestNetns, target: TestNetns): void {
  runLines(remote, [
    'sysctl -qw net.ipv6.conf.default.disable_ipv6=1',
    'ip link add br0 address 0a:58:0a:10:00:09 type bridge stp_state 0 mcast_snooping 0',
    'sysctl -qw net.ipv6.conf.br0.disable_ipv6=0',
    ...joinBridge('br0', 'source', `eth0 address ${POD_MAC} netns ${source.name}`),
    ...joinBridge('br0', 'target', `eth0 address ${POD_MAC} netns ${target.name}`),
    `ip addr add ${FAR[4]}/24 dev br0`,
    `ip addr add ${FAR[6]}/64 dev br0 nodad`,
    'ip link set br0 up',
    `ip neigh replace ${POD[4]} lladdr ${POD_MAC} dev br0 nud permanent`,
    `ip neigh replace ${POD[6]} lladdr ${POD_MAC} dev br0 nud permanent`,
  ]);
}

function joinBridge(bridge: string, port: string, peer: string): string[] {
  return [
    `ip link add ${port} type veth peer name ${peer}`,
    `ip link set ${port} master ${bridge} up`,
    `bridge link set dev ${port} learning off`,
  ];
}

/** The launchers hear the guest and never each other. */
function makeCable(cable: TestNetns, ends: { guest: TestNetns; source: TestNetns; target: TestNetns }): void {
  runLines(cable, [
    'sysctl -qw net.ipv6.conf.default.disable_ipv6=1',
    'ip link add cable type bridge stp_state 0 mcast_snooping 0',
    'ip link set cable up',
    ...joinBridge('cable', 'guest', `eth0 netns ${ends.guest.name}`),
    ...joinBridge('cable', 'source', `tap0 netns ${ends.source.name}`),
    ...joinBridge('cable', 'target', `tap0 netns ${ends.target.name}`),
    'bridge link set dev source isolated on',
    'bridge link set dev target isolated on',
  ]);
}

/** A guest that says nothing of its own accord: no link-local address, no reports, its gateway known. */
function makeGuest(guest: TestNetns): void {
  const quiet = 'chain out { type filter hook output priority 0; icmpv6 type { 131, 133, 143 } drop; }';
  withNetns(guest, () => runNft(`table ip6 quiet {\n${quiet}\n}\n`));
  runLines(guest, [
    'sysctl -qw net.ipv6.conf.eth0.accept_ra=0',
    'ip link set eth0 addrgenmode none up',
    `ip addr add ${GUEST[4]}/24 dev eth0`,
    `ip addr add ${GUEST[6]}/120 dev eth0 nodad`,
    `ip neigh replace 10.0.2.1 lladdr ${GATEWAY_MAC} dev eth0 nud permanent`,
    `ip neigh replace fd10:0:2::1 lladdr ${GATEWAY_MAC} dev eth0 nud permanent`,
    'ip route add default via 10.0.2.1',
    'ip -6 route add default via fd10:0:2::1',
  ]);
}

/** What ADD leaves (liberal tracking, addresses that are ready at once), then what virt-handler makes of it (fixtures/kubevirt-v1.8.4/netns-masquerade.txt). */
function makeLauncher(launcher: TestNetns, { nft, sysctls }: Wiring): void {
  runLines(launcher, [
    'sysctl -qw net.netfilter.nf_conntrack_tcp_be_liberal=1',
    'sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.eth0.accept_dad=0',
    `ip addr add ${POD[4]}/24 dev eth0`,
    `ip addr add ${POD[6]}/64 dev eth0 nodad`,
    'ip link set eth0 up',
    `ip link add k6t-eth0 address ${GATEWAY_MAC} type bridge stp_state 0`,
    'ip addr add 10.0.2.1/24 dev k6t-eth0',
    'ip addr add fd10:0:2::1/120 dev k6t-eth0 nodad',
    'ip link set k6t-eth0 up',
    'ip link set tap0 master k6t-eth0 up',
    ...sysctls.map((line) => `sysctl -qw ${line}`),
  ]);
  withNetns(launcher, () => runNft(nft));
}
