import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applyThings, type Context, expectSoon, findThing, type Thing } from '../demo/context.ts';
import { kubectl } from '../kubectl.ts';
import { guestPings } from './case-vms.ts';
import { expectAnswers, listClosed, probeFrom, startMove } from './moving.ts';
import { asks, expectReady, formatSubnet, formatWebPod, type Pod, pings, removeAll } from './things.ts';
import { expectGuest, expectPort, formatMachine, inGuest } from './vms.ts';
import { closeNamespace, expectCondition, openNamespace, openWorld } from './world.ts';

/**
 * Case 11 of docs/developers/kubevirt-cases.md: NetworkPolicies for a guest by bridge. Two pods are in its namespace, one of
 * them with a label, and one is in another.
 */
const NAMESPACE = 'policies';
const OTHERS = 'policies-others';
const SUBNET = 'policies';
const VM = { namespace: NAMESPACE, name: 'guarded' };
const FRIEND = { namespace: NAMESPACE, name: 'friend' };
const NEIGHBOUR = { namespace: NAMESPACE, name: 'neighbour' };
const STRANGER = { namespace: OTHERS, name: 'stranger' };
const BRIDGED = { 'kubevirt.io/allow-pod-bridge-network-live-migration': 'true' };
const ECHO = 7;
const WEB = 80;

let context: Context;
let ips: string[];
let friend: Thing;

const formatPolicy = (spec: object): object => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name: 'guard', namespace: NAMESPACE },
  spec,
});
const GUEST = { podSelector: { matchLabels: { 'vm.kubevirt.io/name': VM.name } } };

async function tidy(): Promise<void> {
  await Promise.all([closeNamespace(context, NAMESPACE), closeNamespace(context, OTHERS)]);
  await removeAll(context, 'subnets.mooring.dev', [SUBNET]);
}

beforeAll(async () => {
  context = await openWorld();
  await tidy();
  await Promise.all([openNamespace(context, NAMESPACE), openNamespace(context, OTHERS)]);
  const [one = '', two = '', three = ''] = context.lab.nodes.map(({ name }) => name);
  const spec = { cidrBlock: '10.66.0.0/24,fd00:66::/64', namespaces: [NAMESPACE, OTHERS], enableDHCP: true };
  await applyThings(context, [formatSubnet(SUBNET, { ...spec, enableIPv6RA: true })]);
  await expectCondition(context, ['subnets.mooring.dev', SUBNET], { type: 'Ready', status: 'True', reason: 'Ready' });
  await applyThings(context, [
    formatMachine({ ...VM, running: true, annotations: BRIDGED }),
    formatWebPod({ ...FRIEND, node: one }),
    formatWebPod({ ...NEIGHBOUR, node: two }),
    formatWebPod({ ...STRANGER, node: three }),
  ]);
  const ready = await expectReady(context, NAMESPACE, [FRIEND.name, NEIGHBOUR.name]);
  await expectReady(context, OTHERS, [STRANGER.name]);
  friend = ready.get(FRIEND.name) as Thing;
  await kubectl(context.lab, ['-n', NAMESPACE, 'label', 'pod', FRIEND.name, 'role=friend']);
  await expectGuest(context, VM);
  await inGuest(context, VM, `setsid echod ${WEB} >/dev/null 2>&1 &`);
  ips = (await expectPort(context, VM, ({ status }) => status?.phase === 'Bound')).spec.ips;
});

afterAll(tidy);

type Reached = { ping: string[]; echo: string[]; web: string[] };
const PODS: readonly Pod[] = [FRIEND, NEIGHBOUR, STRANGER];

/** Who reaches the guest by what, in both families. */
async function listReached(): Promise<Reached> {
  const reached: Reached = { ping: [], echo: [], web: [] };
  for (const pod of PODS) {
    const says = async (port: number, ip: string) =>
      (await asks(context, pod, ip, { port, seconds: 1 })).includes('GET /');
    const all = async (check: (ip: string) => Promise<boolean>) => (await Promise.all(ips.map(check))).every(Boolean);
    if (await all((ip) => pings(context, pod, ip, 1))) reached.ping.push(pod.name);
    if (await all((ip) => says(ECHO, ip))) reached.echo.push(pod.name);
    if (await all((ip) => says(WEB, ip))) reached.web.push(pod.name);
  }
  return reached;
}

const expectReached = (wanted: Reached): Promise<true> =>
  expectSoon(`${JSON.stringify(wanted)} reached`, 60, async () => {
    const reached = await listReached();
    return JSON.stringify(reached) === JSON.stringify(wanted) ? true : undefined;
  });

const names = (...pods: Pod[]): string[] => pods.map(({ name }) => name);
const all = (...pods: Pod[]): Reached => ({ ping: names(...pods), echo: names(...pods), web: names(...pods) });

describe('case 11: NetworkPolicies on a virtual machine', () => {
  it('case 11: none: everybody reaches it', async () => {
    await expectReached(all(...PODS));
  });

  it('case 11: deny all: nobody reaches it, it reaches others, and kubelets reach their pods', async () => {
    await applyThings(context, [formatPolicy({ podSelector: {}, policyTypes: ['Ingress'] })]);
    await expectReached(all());
    const { status } = (await findThing(context, 'pod', STRANGER.name, OTHERS)) as Thing;
    expect(await guestPings(context, VM, status.podIP)).toBe(true);
    await applyThings(context, [formatWebPod({ namespace: NAMESPACE, name: 'probed', probed: true })]);
    await expectReady(context, NAMESPACE, ['probed']);
  });

  it('case 11: same namespace', async () => {
    await applyThings(context, [formatPolicy({ ...GUEST, ingress: [{ from: [{ podSelector: {} }] }] })]);
    await expectReached(all(FRIEND, NEIGHBOUR));
  });

  it('case 11: by label', async () => {
    const from = [{ podSelector: { matchLabels: { role: 'friend' } } }];
    await applyThings(context, [formatPolicy({ ...GUEST, ingress: [{ from }] })]);
    await expectReached(all(FRIEND));
  });

  it('case 11: port 80 only', async () => {
    const ports = [{ protocol: 'TCP', port: WEB }];
    await applyThings(context, [formatPolicy({ ...GUEST, ingress: [{ ports }] })]);
    await expectReached({ ping: [], echo: [], web: names(...PODS) });
  });

  it('case 11: what is established goes on over a live migration', async () => {
    const from = [{ podSelector: { matchLabels: { role: 'friend' } } }];
    await applyThings(context, [formatPolicy({ ...GUEST, ingress: [{ from }] })]);
    await expectReached(all(FRIEND));
    await using prober = await probeFrom(context, [friend], ips[0] ?? '');
    await expectAnswers(prober, 1);
    const before = await expectPort(context, VM, ({ status }) => status?.phase === 'Bound');
    const since = await startMove(context, VM, 'move');
    await expectSoon('the migration succeeded', 90, async () =>
      (await findThing(context, 'vmim', 'move', NAMESPACE))?.status?.phase === 'Succeeded' ? true : undefined,
    );
    await expectPort(context, VM, ({ status }) => status?.phase === 'Bound' && status.node !== before.status.node);
    await expectAnswers(prober, 1);
    expect(listClosed(prober, since)).toEqual([]);
    await expectReached(all(FRIEND));
  });

  it('case 11: nothing goes out but the question for an address', async () => {
    await applyThings(context, [formatPolicy({ ...GUEST, policyTypes: ['Egress'] })]);
    await expectReached(all(...PODS));
    const { status } = (await findThing(context, 'pod', STRANGER.name, OTHERS)) as Thing;
    expect(await guestPings(context, VM, status.podIP, { tries: 2 })).toBe(false);
    const line = 'udhcpc -i eth0 -n -q -t 3 -s /bin/true >/dev/null 2>&1 && echo leased';
    expect(await inGuest(context, VM, line)).toContain('leased');
  });

  it('case 11: gone: everybody reaches it again', async () => {
    await kubectl(context.lab, ['-n', NAMESPACE, 'delete', 'networkpolicy', '--all']);
    await expectReached(all(...PODS));
  });
});
