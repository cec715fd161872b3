import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommand } from '../command.ts';
import { applyThings, type Context, expectSoon, findThing, getThing, listThings, type Thing } from '../demo/context.ts';
import { kubectl } from '../kubectl.ts';
import { findFigures, type MigrationFigures } from '../kubevirt/handler/figures.ts';
import { removeAll } from './things.ts';
import { expectGuest, formatMachine, inGuest } from './vms.ts';
import { closeNamespace, expectCondition, expectEvent, openNamespace, openWorld } from './world.ts';

const NAMESPACE = 'apart';
const NETWORK = 'apart';
const NAD = `mooring-migration-${NETWORK}`;
const SUBNET = `migration-${NETWORK}`;
const RANGE = /^172\.31\.7\.\d+$/;
const VM = { namespace: NAMESPACE, name: 'busy' };
const STATUS = 'k8s.v1.cni.cncf.io/network-status';
const NETWORKS = 'k8s.v1.cni.cncf.io/networks';
const MIB = 2 ** 20;
const LINKS = ['migration', 'underlay', 'eth0'] as const;
const NOISE_MS = 5000;

/** Bytes that all nodes have sent by each kind of link. */
type Traffic = Record<(typeof LINKS)[number], number>;
/** What a migration came to, and what went by the links meanwhile beyond their noise. */
type Move = { state: Record<string, unknown>; figures: MigrationFigures; sent: Traffic };

let context: Context;

const network = {
  apiVersion: 'mooring.dev/v1alpha1',
  kind: 'MigrationNetwork',
  metadata: { name: NETWORK },
  spec: { uplink: { interface: 'migration' }, cidrBlock: '172.31.7.0/24', bandwidth: '48Mi' },
};

async function readTraffic(): Promise<Traffic> {
  const total: Traffic = { migration: 0, underlay: 0, eth0: 0 };
  for (const { netns } of context.lab.nodes) {
    const text = await runCommand(['ip', '-n', netns, '-j', '-s', 'link', 'show']);
    const links = JSON.parse(text) as { ifname: string; stats64: { tx: { bytes: number } } }[];
    for (const link of LINKS) total[link] += links.find(({ ifname }) => ifname === link)?.stats64.tx.bytes ?? 0;
  }
  return total;
}

const differ = (a: Traffic, b: Traffic, factor = 1): Traffic => ({
  migration: a.migration - b.migration * factor,
  underlay: a.underlay - b.underlay * factor,
  eth0: a.eth0 - b.eth0 * factor,
});

/** Moves the VM to another node and counts; a quiet while before it tells what the links carry without it. */
async function move(name: string): Promise<Move> {
  const quiet = await readTraffic();
  await wait(NOISE_MS);
  const before = await readTraffic();
  const since = performance.now();
  await startMove(name);
  await expectPhase(name, 'Succeeded');
  const took = performance.now() - since;
  const sent = differ(differ(await readTraffic(), before), differ(before, quiet), took / NOISE_MS);
  const state = (await getThing(context, 'vmi', VM.name, NAMESPACE)).status.migrationState;
  const figures = findFigures(context.lab.dir, String(state.migrationUid));
  if (figures === undefined) throw new Error('the migration left no figures');
  await expectLaunchers(1);
  return { state, figures, sent };
}

const startMove = (name: string): Promise<void> =>
  applyThings(context, [
    {
      apiVersion: 'kubevirt.io/v1',
      kind: 'VirtualMachineInstanceMigration',
      metadata: { name, namespace: NAMESPACE },
      spec: { vmiName: VM.name },
    },
  ]);

const expectPhase = (name: string, wanted: string): Promise<true> =>
  expectSoon(`migration ${name} ${wanted}`, 90, async () => {
    const phase = String((await findThing(context, 'vmim', name, NAMESPACE))?.status?.phase);
    if (phase !== wanted && ['Succeeded', 'Failed'].includes(phase)) throw new Error(`${name} is ${phase}`);
    return phase === wanted ? true : undefined;
  });

/** The next migration waits until only one launcher is left. */
const expectLaunchers = (count: number): Promise<true> =>
  expectSoon(`${count} launchers`, 60, async () => {
    const pods = await listThings(context, 'pods', ['-n', NAMESPACE, '-l', 'kubevirt.io=virt-launcher']);
    return pods.filter(({ status }) => !['Succeeded', 'Failed'].includes(status.phase)).length === count || undefined;
  });

const listHandlers = (): Promise<Thing[]> =>
  listThings(context, 'pods', ['-n', 'kubevirt', '-l', 'kubevirt.io=virt-handler']);

type Attached = { name: string; interface: string; ips?: string[] };

/** What a virt-handler has on the migration network, by what its pod says. */
function findAttached(pod: Thing): Attached | undefined {
  const all = JSON.parse(pod.metadata.annotations?.[STATUS] ?? '[]') as Attached[];
  return all.find((one) => one.interface === 'migration0');
}

/** Awaits that every node's virt-handler is ready and is, or is not, on the migration network. */
const expectHandlers = (attached: boolean): Promise<Thing[]> =>
  expectSoon(`every virt-handler ${attached ? 'on' : 'off'} the migration network`, 120, async () => {
    const pods = await listHandlers();
    const ready = pods.filter(
      (pod) =>
        pod.metadata.deletionTimestamp === undefined &&
        pod.status.containerStatuses?.[0]?.ready === true &&
        (findAttached(pod) !== undefined) === attached,
    );
    return ready.length === context.lab.nodes.length && pods.length === ready.length ? ready : undefined;
  });

const getMigrations = async (): Promise<Record<string, unknown>> =>
  (await getThing(context, 'kubevirt', 'kubevirt', 'kubevirt')).spec.configuration?.migrations ?? {};

const tidy = async (): Promise<void> => {
  await closeNamespace(context, NAMESPACE);
  await removeAll(context, 'migrationnetworks.mooring.dev', [NETWORK]);
};

beforeAll(async () => {
  context = await openWorld();
  await tidy();
  await expectHandlers(false);
  await openNamespace(context, NAMESPACE);
  const annotations = { 'kubevirt.io/allow-pod-bridge-network-live-migration': '' };
  await applyThings(context, [formatMachine({ ...VM, running: true, annotations }), network]);
  await expectGuest(context, VM);
  await inGuest(context, VM, 'dirty 40 20');
});

afterAll(tidy);

describe('with a MigrationNetwork', () => {
  it('every virt-handler gets an address of ours on it, and the status says so for each node', async () => {
    const pods = await expectHandlers(true);
    const addresses = pods.map((pod) => findAttached(pod)?.ips?.[0] ?? '');
    for (const address of addresses) expect(address).toMatch(RANGE);
    expect(new Set(addresses).size).toBe(context.lab.nodes.length);
    await expectCondition(context, ['migrationnetworks.mooring.dev', NETWORK], {
      type: 'Ready',
      status: 'True',
      reason: 'Ready',
    });
    const { status } = await getThing(context, 'migrationnetworks.mooring.dev', NETWORK);
    const told = new Map((status.nodes as { node: string; address: string }[]).map((one) => [one.node, one.address]));
    expect(told).toEqual(new Map(pods.map((pod, at) => [String(pod.spec.nodeName), addresses[at]])));
    expect(await getMigrations()).toMatchObject({ network: NAD, bandwidthPerMigration: '48Mi' });
  });

  it('the memory of a guest crosses it and no other link', async () => {
    const { state, figures, sent } = await move('apart');
    const bytes = figures.transferredBytes ?? 0;
    expect(bytes).toBeGreaterThan(40 * MIB);
    expect(sent.migration).toBeGreaterThan(bytes);
    expect(sent.underlay).toBeLessThan(MIB);
    expect(sent.eth0).toBeLessThan(MIB);
    expect(state).toMatchObject({ targetNodeAddress: figures.address, migrationNetworkType: 'migration' });
    expect([figures.address, figures.fromAddress]).toEqual([
      expect.stringMatching(RANGE),
      expect.stringMatching(RANGE),
    ]);
  });

  it('the status tells by which address the memory went', async () => {
    await expectCondition(context, ['migrationnetworks.mooring.dev', NETWORK], {
      type: 'MemoryApart',
      status: 'True',
      reason: 'MemoryOnMigrationNetwork',
    });
    const vmi = await getThing(context, 'vmi', VM.name, NAMESPACE);
    const { status } = await getThing(context, 'migrationnetworks.mooring.dev', NETWORK);
    const { targetNodeAddress: address, migrationUid: uid } = vmi.status.migrationState;
    expect(status.lastMigrations[0]).toMatchObject({
      vmi: `${NAMESPACE}/${VM.name}`,
      uid,
      address,
      network: 'Migration',
    });
  });
});

describe('a virt-handler that goes in the middle of a migration', () => {
  it('fails it, and the guest stays where it was; the next one waits for the new virt-handler', async () => {
    const { nodeName } = (await getThing(context, 'vmi', VM.name, NAMESPACE)).status;
    await inGuest(context, VM, 'dirty 60 3000');
    await startMove('broken');
    await expectPhase('broken', 'Running');
    const { targetNode } = (await getThing(context, 'vmi', VM.name, NAMESPACE)).status.migrationState;
    const target = (await listHandlers()).find(({ spec }) => spec.nodeName === targetNode);
    await kubectl(context.lab, ['-n', 'kubevirt', 'delete', 'pod', target?.metadata.name ?? '', '--wait=false']);
    await expectPhase('broken', 'Failed');
    const vmi = await getThing(context, 'vmi', VM.name, NAMESPACE);
    expect(vmi.status).toMatchObject({ nodeName, phase: 'Running', migrationState: { failed: true } });
    await inGuest(context, VM, 'dirty 40 20');
    await expectLaunchers(1);
    await startMove('mended');
    await expectPhase('mended', 'Succeeded');
    await expectLaunchers(1);
  });
});

describe('a MigrationNetwork that is deleted', () => {
  it('says what it does, and takes back all that it had set', async () => {
    const flags = ['migrationnetworks.mooring.dev', NETWORK, '--wait=false'];
    await kubectl(context.lab, ['delete', ...flags]);
    // First that KubeVirt takes them off, then for which of them it waits.
    expect(await expectEvent(context, 'default', NETWORK, 'InUse')).toMatch(/^being deleted; .*virt-handler/);
    const pods = await expectHandlers(false);
    await expectSoon('the MigrationNetwork gone', 60, async () =>
      (await findThing(context, 'migrationnetworks.mooring.dev', NETWORK)) === undefined ? true : undefined,
    );
    expect(await getMigrations()).not.toHaveProperty('network');
    expect(await getMigrations()).not.toHaveProperty('bandwidthPerMigration');
    expect(await findThing(context, 'net-attach-def', NAD, 'kubevirt')).toBeUndefined();
    expect(await findThing(context, 'subnets.mooring.dev', SUBNET)).toBeUndefined();
    for (const { metadata } of pods) expect(metadata.annotations ?? {}).not.toHaveProperty([NETWORKS]);
  });

  it('leaves the memory to the pod network, by the addresses of the virt-handlers there', async () => {
    const { state, figures, sent } = await move('together');
    const target = (await listHandlers()).find(({ spec }) => spec.nodeName === state.targetNode);
    expect(state).toMatchObject({ targetNodeAddress: target?.status.podIP, migrationNetworkType: 'pod' });
    expect(sent.underlay).toBeGreaterThan(figures.transferredBytes ?? Number.POSITIVE_INFINITY);
    expect(sent.migration).toBeLessThan(MIB);
    expect(sent.eth0).toBeLessThan(MIB);
  });
});
