import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommand } from '../command.ts';
import { applyThings, type Context, expectSoon, findThing, getThing, listThings, type Thing } from '../demo/context.ts';
import { findPodPid } from '../demo/pods.ts';
import { kubectl, nodeExec } from '../kubectl.ts';
import { expectReady, formatNad, formatSubnet, formatWebPod, patchThing, pings, removeAll, runIn } from './things.ts';
import { conditionOf, expectGuest, expectPort, formatMachine, inGuest } from './vms.ts';
import { closeNamespace, expectCondition, expectEvent, loseNamespace, openNamespace, openWorld } from './world.ts';

const NAMESPACE = 'pods-lab';
const BOUND = 'pods-bound';
const SUBNETS = ['pods-extra', 'pods-net'];
const POOL = 'pods-pool';
const POOLED = ['10.56.0.2', '10.56.0.3'];
const NETWORKS = 'k8s.v1.cni.cncf.io/networks';
const ON_NET = { 'ovn.kubernetes.io/logical_switch': 'pods-net' };
const VM = { namespace: NAMESPACE, name: 'victim' };
const machine = () => formatMachine({ ...VM, running: true, nads: { extra: 'extra' } });
const pod = (name: string, annotations: Record<string, string> = {}, namespace = NAMESPACE) =>
  formatWebPod({ namespace, name, annotations });
const at = (name: string) => ({ namespace: NAMESPACE, name });

let context: Context;

async function tidy(): Promise<void> {
  await Promise.all([closeNamespace(context, NAMESPACE), closeNamespace(context, BOUND)]);
  await removeAll(context, 'ippools.mooring.dev', [POOL]);
  await removeAll(context, 'subnets.mooring.dev', SUBNETS);
}

beforeAll(async () => {
  context = await openWorld();
  await tidy();
  await Promise.all([openNamespace(context, NAMESPACE), openNamespace(context, BOUND)]);
  await applyThings(context, [
    formatSubnet('pods-extra', { cidrBlock: '10.55.0.0/24', provider: `extra.${NAMESPACE}.ovn` }),
    formatSubnet('pods-net', { cidrBlock: '10.56.0.0/24' }),
    {
      apiVersion: 'mooring.dev/v1alpha1',
      kind: 'IPPool',
      metadata: { name: POOL },
      spec: { subnet: 'pods-net', ips: [POOLED.join('..')], namespaces: [BOUND] },
    },
    formatNad(NAMESPACE, 'extra'),
  ]);
  await expectCondition(context, ['ippools.mooring.dev', POOL], { type: 'Ready', status: 'True', reason: 'Ready' });
  await applyThings(context, [machine(), pod('wanderer'), pod('neighbour', { [NETWORKS]: 'extra' })]);
  await expectReady(context, NAMESPACE, ['wanderer', 'neighbour']);
});

afterAll(tidy);

describe('a node', () => {
  it('lists our tables with an nft that is older than the library that wrote them', async () => {
    for (const node of context.lab.nodes) {
      expect(await nodeExec(context.lab, node, ['nft', 'list', 'ruleset'])).toContain('table ip mooring');
    }
  });
});

type Status = { name: string; interface?: string; ips?: string[]; mac?: string; default?: boolean };

/** What the pod's own annotation says of an interface. */
async function findStatus(name: string, link: string): Promise<Status | undefined> {
  const { metadata } = await getThing(context, 'pod', name, NAMESPACE);
  const text = metadata.annotations?.['k8s.v1.cni.cncf.io/network-status'] ?? '[]';
  return (JSON.parse(text) as Status[]).find((entry) => entry.interface === link);
}

const ask = (name: string, annotations: Record<string, string | null>): Promise<void> =>
  patchThing(context, ['-n', NAMESPACE, 'pod', name], { metadata: { annotations } });

describe('the list of networks of a running pod', () => {
  it('brings a NIC when one is added, in place', async () => {
    expect(await runIn(context, NAMESPACE, 'wanderer', 'ip link show net1 2>&1')).toContain('find');
    await ask('wanderer', { [NETWORKS]: 'extra' });
    const status = await expectSoon('net1 in network-status', 20, () => findStatus('wanderer', 'net1'));
    const port = await getThing(context, 'lp', 'wanderer.net1.pod', NAMESPACE);
    expect(status).toMatchObject({ name: `${NAMESPACE}/extra`, ips: port.spec.ips, mac: port.spec.mac });
    expect(await runIn(context, NAMESPACE, 'wanderer', 'ip addr show net1')).toContain(`${port.spec.ips[0]}/24`);
    const [target = ''] = (await findStatus('neighbour', 'net1'))?.ips ?? [];
    expect(await pings(context, at('wanderer'), target)).toBe(true);
  });

  it('takes it away when it is struck off, with its LogicalPort, and leaves the first one alone', async () => {
    await ask('wanderer', { [NETWORKS]: null });
    await expectSoon('the LogicalPort of net1 gone', 20, async () =>
      (await findThing(context, 'lp', 'wanderer.net1.pod', NAMESPACE)) === undefined ? true : undefined,
    );
    expect(await runIn(context, NAMESPACE, 'wanderer', 'ip link show net1 2>&1')).toContain('find');
    await expectSoon('net1 out of network-status', 20, async () =>
      (await findStatus('wanderer', 'net1')) === undefined ? true : undefined,
    );
    expect(await pings(context, at('wanderer'), context.lab.outside.address)).toBe(true);
    expect((await getThing(context, 'pod', 'wanderer', NAMESPACE)).status.containerStatuses[0].restartCount).toBe(0);
  });
});

describe('F54: a pod that claims the address of a VM', () => {
  it.each([
    [
      'in its list of networks',
      'listed',
      (ip: string) => ({ [NETWORKS]: JSON.stringify([{ name: 'extra', ips: [ip] }]) }),
    ],
    [
      'by an annotation of the network',
      'annotated',
      (ip: string) => ({ [NETWORKS]: 'extra', [`extra.${NAMESPACE}.ovn.kubernetes.io/ip_address`]: ip }),
    ],
  ])('%s is refused', async (_how, name, request) => {
    const { spec } = await expectPort(context, VM, ({ spec: { ips } }) => ips.length > 0, 'extra');
    await applyThings(context, [pod(name, request(spec.ips[0]))]);
    expect(await expectEvent(context, NAMESPACE, name, 'AddressInUse')).toContain(spec.ips[0]);
    expect((await getThing(context, 'pod', name, NAMESPACE)).status.phase).toBe('Pending');
    await kubectl(context.lab, ['-n', NAMESPACE, 'delete', 'pod', name]);
  });

  it('on the wire, with its address on a NIC of its own, takes nothing from it', async () => {
    await expectGuest(context, VM);
    const { spec } = await expectPort(context, VM, ({ status }) => status?.phase === 'Bound', 'extra');
    const ip = String(spec.ips[0]);
    const thief = await getThing(context, 'pod', 'neighbour', NAMESPACE);
    const inside = ['nsenter', `--net=/proc/${await findPodPid(context, thief, 'main')}/ns/net`];
    await ask('wanderer', { [NETWORKS]: 'extra' });
    await expectSoon('net1 in network-status', 20, () => findStatus('wanderer', 'net1'));
    expect(await pings(context, at('wanderer'), ip, 10)).toBe(true);
    await runCommand([...inside, 'ip', 'addr', 'add', `${ip}/24`, 'dev', 'net1']);
    await runCommand([...inside, 'busybox', 'arping', '-A', '-c', '3', '-I', 'net1', ip]);
    expect(await runIn(context, NAMESPACE, 'wanderer', `ping -c 10 -i 0.2 -W 2 ${ip}`)).toContain(
      '10 packets received',
    );
    expect(await runIn(context, NAMESPACE, 'wanderer', 'cat /proc/net/arp')).toMatch(
      new RegExp(`^${ip.replaceAll('.', '\\.')} .*${String(spec.mac)}`, 'm'),
    );
  });
});

describe('an IPPool that lists a namespace', () => {
  it('serves the pods of that namespace alone', async () => {
    await applyThings(context, [
      pod('inside', ON_NET, BOUND),
      pod('outside', ON_NET),
      pod('beggar', { ...ON_NET, 'ovn.kubernetes.io/ip_pool': POOL }),
    ]);
    const inside = (await expectReady(context, BOUND, ['inside'])).get('inside');
    const outside = (await expectReady(context, NAMESPACE, ['outside'])).get('outside');
    expect(POOLED).toContain(inside?.status.podIP);
    expect(POOLED).not.toContain(outside?.status.podIP);
    expect(await expectEvent(context, NAMESPACE, 'beggar', 'PoolNotAllowed')).toContain(POOL);
    expect(await pings(context, at('outside'), String(inside?.status.podIP))).toBe(true);
  });
});

/** What a backup tool writes into an empty cluster: the object without what the API server gives it, and of another cluster. */
function formatRestored({ metadata, spec, ...kind }: Thing): object {
  const { name, namespace, labels, ownerReferences, finalizers } = metadata as Thing['metadata'] & {
    finalizers?: string[];
  };
  const annotations = { ...metadata.annotations, 'mooring.dev/cluster-uid': '00000000-0000-4000-8000-000000000000' };
  const { status: _, ...rest } = kind;
  return { ...rest, metadata: { name, namespace, labels, annotations, ownerReferences, finalizers }, spec };
}

describe('a namespace that is lost and restored from a backup of another cluster', () => {
  it('has its VM with the same addresses, although the VM is a new object', async () => {
    const saved = await listThings(context, 'lp', ['-n', NAMESPACE]);
    const ours = saved.filter(({ spec }) => spec.owner.name === VM.name);
    expect(ours).toHaveLength(2);
    await loseNamespace(context, NAMESPACE);
    await openNamespace(context, NAMESPACE);
    await applyThings(context, [formatNad(NAMESPACE, 'extra'), ...saved.map(formatRestored)]);
    const waiting = await expectPort(context, VM, (port) => conditionOf(port, 'Allocated').reason === 'Restored');
    expect(waiting.metadata.uid).not.toBe(ours[0]?.metadata.uid);
    await applyThings(context, [machine()]);
    await expectGuest(context, VM);
    for (const { spec } of ours) {
      const port = await expectPort(context, VM, ({ status }) => status?.phase === 'Bound', spec.nic as string);
      expect([port.spec.ips, port.spec.mac]).toEqual([spec.ips, spec.mac]);
      expect(port.spec.owner.uid).not.toBe(spec.owner.uid);
    }
    expect(await inGuest(context, VM, 'cat /run/lease.eth0')).toContain(`ip=${ours.find(isFirst)?.spec.ips[0]}`);
    await expectSoon('the ports of lost pods released', 20, async () =>
      (await listThings(context, 'lp', ['-n', NAMESPACE])).length === ours.length ? true : undefined,
    );
  });
});

const isFirst = ({ spec }: Thing): boolean => spec.nic === 'default';
