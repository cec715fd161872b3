import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applyThings, type Context, expectSoon, findThing } from '../demo/context.ts';
import { type Prober, startProber } from '../probe/prober.ts';
import { type StreamKind, streamOf } from '../probe/records.ts';
import {
  expectEndpoints,
  findNetns,
  formatCaseVm,
  formatService,
  getLauncher,
  guestPings,
  listReported,
  PING_HEADERS,
} from './case-vms.ts';
import { startMove } from './moving.ts';
import { asks, expectReady, formatSubnet, formatWebPod, removeAll } from './things.ts';
import { expectGuest, expectPort, inGuest, type Machine } from './vms.ts';
import { closeNamespace, expectCondition, openNamespace, openWorld } from './world.ts';

/**
 * Cases of KubeVirt's own network suite with masquerade, by the numbers of docs/developers/kubevirt-cases.md: one guest
 * with all its ports open, one with a single one, on a subnet of both families.
 */
const NAMESPACE = 'cases-nat';
const SUBNET = 'cases-nat';
const at = (name: string): Machine => ({ namespace: NAMESPACE, name });
const [ALL, SOME, NEAR, FAR] = [at('all'), at('some'), at('near'), at('far')];
const LABELS = { app: 'cases-nat' };
const ECHO = 7;
/** The port that libvirt in the launcher migrates by: it is the guest's all the same. */
const HIGH = 49_152;
/** Behind KubeVirt's NAT, where the stand-in advertises nothing by IPv6. */
const BY_HAND = 'ip -6 addr add fd10:0:2::2/120 dev eth0; ip -6 route replace default via fd10:0:2::1';
const KINDS: readonly StreamKind[] = ['in4', 'in6'];

let context: Context;

async function tidy(): Promise<void> {
  await closeNamespace(context, NAMESPACE);
  await removeAll(context, 'subnets.mooring.dev', [SUBNET]);
}

beforeAll(async () => {
  context = await openWorld();
  await tidy();
  await openNamespace(context, NAMESPACE);
  const [one = '', , three = ''] = context.lab.nodes.map(({ name }) => name);
  const ports = [{ protocol: 'TCP', port: ECHO }];
  await applyThings(context, [
    formatSubnet(SUBNET, { cidrBlock: '10.63.0.0/24,fd00:63::/64', namespaces: [NAMESPACE] }),
  ]);
  await expectCondition(context, ['subnets.mooring.dev', SUBNET], { type: 'Ready', status: 'True', reason: 'Ready' });
  await applyThings(context, [
    formatCaseVm({ ...ALL, labels: LABELS, nics: { default: { masquerade: true } } }),
    formatCaseVm({ ...SOME, node: one, nics: { default: { masquerade: true, ports } } }),
    formatWebPod({ ...NEAR, node: one }),
    formatWebPod({ ...FAR, node: three }),
    formatService(NAMESPACE, 'cases', LABELS),
  ]);
  await expectReady(context, NAMESPACE, [NEAR.name, FAR.name]);
  for (const vm of [ALL, SOME]) {
    await expectGuest(context, vm);
    await inGuest(context, vm, `${BY_HAND}; setsid echod ${HIGH} >/dev/null 2>&1 &`);
  }
});

afterAll(tidy);

async function findIps(vm: Machine): Promise<string[]> {
  return (await expectPort(context, vm, ({ status }) => status?.phase === 'Bound')).spec.ips;
}

describe('case 5: masquerade', () => {
  it.each([
    ['IPv4', 0],
    ['IPv6', 1],
  ])(
    'without declared ports serves all of them by %s, also the high one that migrations use',
    async (_family, index) => {
      const ip = (await findIps(ALL))[index] ?? '';
      for (const pod of [NEAR, FAR]) {
        expect(await asks(context, pod, ip, { port: ECHO })).toContain('GET /');
        expect(await asks(context, pod, ip, { port: HIGH })).toContain('GET /');
      }
    },
  );

  it.each([
    ['IPv4', 0],
    ['IPv6', 1],
  ])('with declared ports serves those and no other by %s', async (_family, index) => {
    const ip = (await findIps(SOME))[index] ?? '';
    expect(await asks(context, FAR, ip, { port: ECHO })).toContain('GET /');
    expect(await asks(context, FAR, ip, { port: HIGH })).toBe('');
  });

  it('leads out, to another guest behind its own NAT, in both families', async () => {
    for (const ip of await findIps(ALL)) {
      const line = `printf 'GET /\\r\\n' | timeout 3 nc ${ip} ${ECHO}`;
      expect(await inGuest(context, SOME, line)).toContain('GET /');
    }
  });
});

describe('case 7: the MTU of a guest behind NAT', () => {
  it('is that of its network, and packets of that size pass', async () => {
    const mtu = Number(await inGuest(context, ALL, 'cat /sys/class/net/eth0/mtu'));
    expect(await inGuest(context, SOME, 'cat /sys/class/net/eth0/mtu')).toContain(String(mtu));
    const outside = context.lab.outside.address;
    const { podIP } = (await getLauncher(context, ALL)).status;
    expect(await guestPings(context, SOME, podIP, { size: mtu - PING_HEADERS.ping })).toBe(true);
    expect(await guestPings(context, SOME, outside, { size: mtu - PING_HEADERS.ping })).toBe(true);
  });
});

describe('case 8: what KubeVirt reports of a NIC by masquerade', () => {
  it('are the addresses of the pod, which are those of the port', async () => {
    const { podIPs } = (await getLauncher(context, ALL)).status;
    const ips = await findIps(ALL);
    expect(podIPs.map(({ ip }: { ip: string }) => ip)).toEqual(ips);
    expect((await listReported(context, ALL)).get('default')).toMatchObject({ ipAddress: ips[0], ipAddresses: ips });
  });
});

/** Awaits an answer over every stream from now on. */
function expectStreams({ recording }: Prober): Promise<true> {
  const since = Date.now();
  return expectSoon('answers over every stream', 20, async () => {
    const answers = recording
      .read()
      .flatMap((record) => (record.type === 'answer' && record.sent >= since ? [record.stream] : []));
    return KINDS.every((kind) => answers.includes(streamOf(0, kind))) ? true : undefined;
  });
}

/** Migrates the VM and awaits its port on another node. */
async function migrate(vm: Machine): Promise<void> {
  const { status } = await expectPort(context, vm, ({ status: found }) => found?.phase === 'Bound');
  await startMove(context, vm, 'move');
  await expectSoon('the migration succeeded', 90, async () =>
    (await findThing(context, 'vmim', 'move', vm.namespace))?.status?.phase === 'Succeeded' ? true : undefined,
  );
  await expectPort(context, vm, ({ status: found }) => found?.phase === 'Bound' && found.node !== status.node);
}

describe('case 6: a live migration of a masquerading guest', () => {
  it('keeps connections of both families, addresses and endpoints', async () => {
    const ips = await findIps(ALL);
    const [ipv4 = '', ipv6 = ''] = ips;
    const service = { namespace: NAMESPACE, name: 'cases' };
    await expectEndpoints(context, service, [ipv4]);
    const far = (await expectReady(context, NAMESPACE, [FAR.name])).get(FAR.name);
    if (far === undefined) throw new Error('no pod to speak from');
    const netns = [await findNetns(context, far, 'main')];
    const where = { cacheDir: context.lab.cache, dir: '/dev/shm', name: `cases-${process.pid}` };
    await using prober = await startProber({ ...where, ipv4, ipv6, netns, intervalUs: 10_000 });
    await expectStreams(prober);
    const since = Date.now();
    await migrate(ALL);
    await expectStreams(prober);
    const closed = prober.recording
      .read()
      .flatMap((record) => (record.type === 'closed' && record.at >= since ? [record.stream] : []));
    expect(closed.filter((stream) => KINDS.some((kind) => streamOf(0, kind) === stream))).toEqual([]);
    expect(await findIps(ALL)).toEqual(ips);
    await expectSoon('one launcher', 30, async () => (await getLauncher(context, ALL).catch(() => undefined)) && true);
    await expectEndpoints(context, service, [ipv4]);
  });
});
