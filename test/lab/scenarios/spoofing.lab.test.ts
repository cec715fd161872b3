import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommand } from '../command.ts';
import { applyThings, type Context, expectSoon, findThing, type Thing } from '../demo/context.ts';
import { findPodPid } from '../demo/pods.ts';
import { formatUdp, formatUdp6, packIp6, type Station } from '../probe/frames.ts';
import { FALSE_PREFIX, HONEST, LIES, type Scene } from '../probe/lies.ts';
import { expectReady, formatSubnet, formatWebPod, pings, removeAll } from './things.ts';
import { expectGuest6, expectPort, formatMachine, inGuest } from './vms.ts';
import { closeNamespace, openNamespace, openWorld } from './world.ts';

const NAMESPACE = 'spoofing';
const SUBNET = 'spoofing-net';
const ON_NET = { 'ovn.kubernetes.io/logical_switch': SUBNET };
const FORGER = { namespace: NAMESPACE, name: 'forger' };
const LISTENER = { namespace: NAMESPACE, name: 'listener' };
/** A pod whose address is stolen, and one that watches what comes. */
const [VICTIM, WATCHER] = ['victim', 'watcher'].map((name) => ({ namespace: NAMESPACE, name }));

let context: Context;
let forger: Station;
let victim: Station;
let watcher: Station;
let watcherPid: number;

async function tidy(): Promise<void> {
  await closeNamespace(context, NAMESPACE);
  await removeAll(context, 'subnets.mooring.dev', [SUBNET]);
}

const stationOf = ({ spec }: Thing): Station => ({ mac: spec.mac, ip: spec.ips[0], ip6: spec.ips[1] });
const findPodPort = async (name: string): Promise<Station> => {
  const port = await findThing(context, 'lp', `${name}.eth0.pod`, NAMESPACE);
  if (port === undefined) throw new Error(`no LogicalPort of pod ${name}`);
  return stationOf(port);
};

/** Counts what comes to the watcher, whoever it is for: honest frames, and whatever has the mark of a spoofed one. */
const formatWatch = (): string => `table netdev seen {
  counter honest {}
  counter spoofed {}
  chain in {
    type filter hook ingress device eth0 priority 0;
    ether saddr ${forger.mac} ip saddr ${forger.ip} udp dport ${HONEST.target} counter name honest
    ether saddr ${forger.mac} ip6 saddr ${forger.ip6} udp dport ${HONEST.target} counter name honest
    ether saddr ${victim.mac} udp dport ${HONEST.target} counter name spoofed
    ether saddr ${forger.mac} ip saddr ${victim.ip} counter name spoofed
    ether saddr ${forger.mac} ip6 saddr ${victim.ip6} counter name spoofed
    ether saddr ${forger.mac} arp saddr ip != ${forger.ip} counter name spoofed
    ether saddr ${forger.mac} icmpv6 type nd-router-advert counter name spoofed
    ether saddr ${forger.mac} icmpv6 type nd-neighbor-advert @th,64,128 0x${packIp6(victim.ip6)} counter name spoofed
    ether saddr ${forger.mac} udp sport { 67, 547 } counter name spoofed
  }
}`;

const inWatcher = (...command: string[]) =>
  runCommand(['nsenter', `--net=/proc/${watcherPid}/ns/net`, '--', ...command]);
const readCounter = async (name: string): Promise<number> =>
  Number(/packets (\d+)/.exec(await inWatcher('nft', 'list', 'counter', 'netdev', 'seen', name))?.[1]);

/** Frames of the forger's port that its node's agent has counted as dropped. */
async function readMetric(cause: string): Promise<number> {
  const port = await expectPort(context, FORGER, ({ status }) => status?.phase === 'Bound');
  const node = context.lab.nodes.find(({ name }) => name === port.status.node);
  const answer = await fetch(`http://${node?.mgmtIp}:9476/metrics`, { signal: AbortSignal.timeout(5000) });
  const lines = (await answer.text()).split('\n').filter((line) => line.startsWith('mooring_agent_spoofed_frames{'));
  const label = `port="vm/${NAMESPACE}/${FORGER.name}/default"`;
  const line = lines.find((one) => one.includes(label) && one.includes(`cause="${cause}"`));
  return Number(line?.split(' ').at(-1) ?? 0);
}

const send = (frames: readonly string[]) => inGuest(context, FORGER, `frame eth0 ${frames.join(' ')}`);

beforeAll(async () => {
  context = await openWorld();
  await tidy();
  await openNamespace(context, NAMESPACE);
  await applyThings(context, [
    formatSubnet(SUBNET, { cidrBlock: '10.73.0.0/24,fd00:73::/64', enableDHCP: true, enableIPv6RA: true }),
    ...[VICTIM, WATCHER].flatMap((pod) => (pod === undefined ? [] : [formatWebPod({ ...pod, annotations: ON_NET })])),
    formatMachine({ ...FORGER, running: true, annotations: ON_NET }),
    formatMachine({ ...LISTENER, running: true, annotations: ON_NET, binding: 'managedtap' }),
  ]);
  const pods = await expectReady(context, NAMESPACE, ['victim', 'watcher']);
  await Promise.all([expectGuest6(context, FORGER), expectGuest6(context, LISTENER)]);
  forger = stationOf(await expectPort(context, FORGER, ({ status }) => status?.phase === 'Bound'));
  [victim, watcher] = await Promise.all([findPodPort('victim'), findPodPort('watcher')]);
  const pod = pods.get('watcher');
  if (pod === undefined) throw new Error('no watcher');
  watcherPid = await findPodPid(context, pod, 'main');
  await inWatcher('nft', formatWatch());
});

afterAll(tidy);

const makeScene = (): Scene => ({ forger, victim, watcher, gateway: '10.73.0.1' });

describe('F57 a guest that spoofs', () => {
  it('is heard in its own name', async () => {
    const frames = [
      formatUdp({ from: forger, to: watcher }, HONEST),
      formatUdp6({ from: forger, to: watcher }, HONEST),
    ];
    await send(frames);
    await expectSoon('both frames', 10, async () => ((await readCounter('honest')) === 2 ? true : undefined));
  });

  it.each(LIES)('%s: dropped and counted', async (_what, cause, make) => {
    const frames = make(makeScene());
    const [honest, before] = [await readCounter('honest'), await readMetric(cause)];
    await send([...frames, formatUdp({ from: forger, to: watcher }, HONEST)]);
    // What was sent behind them has come, so they have not.
    await expectSoon('the honest frame behind', 10, async () =>
      (await readCounter('honest')) > honest ? true : undefined,
    );
    expect(await readCounter('spoofed')).toBe(0);
    await expectSoon(`${frames.length} more of ${cause}`, 25, async () =>
      (await readMetric(cause)) >= before + frames.length ? true : undefined,
    );
  });

  it('has changed nothing for its neighbours', async () => {
    const addresses = await inGuest(context, LISTENER, 'ip -6 addr show eth0; ip -6 route');
    expect(addresses).not.toContain(FALSE_PREFIX.slice(0, -1));
    const [neighbours4, neighbours6] = [await inWatcher('ip', 'neigh'), await inWatcher('ip', '-6', 'neigh')];
    expect(`${neighbours4}${neighbours6}`).not.toMatch(new RegExp(`(${victim.ip}|${victim.ip6}) .*${forger.mac}`));
    const from = { namespace: NAMESPACE, name: 'watcher' };
    expect(await Promise.all([victim.ip, victim.ip6].map((ip) => pings(context, from, ip)))).toEqual([true, true]);
  });
});
