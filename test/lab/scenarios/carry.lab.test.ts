import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applyThings, type Context, expectSoon, listThings, type Thing } from '../demo/context.ts';
import { findPodPid } from '../demo/pods.ts';
import { nodeExec } from '../kubectl.ts';
import { type Prober, startProber } from '../probe/prober.ts';
import { type StreamKind, streamOf } from '../probe/records.ts';
import { getNode } from '../state.ts';
import { type Recorder, startRecorder } from '../timeline/recorder.ts';
import { expectAnswers, expectHome, expectStep, findPlace, listLaunchers, startMove } from './moving.ts';
import { expectReady, formatWebPod } from './things.ts';
import { expectGuest, formatMachine, inGuest } from './vms.ts';
import { closeNamespace, expectEvent, openNamespace, openWorld } from './world.ts';

/**
 * A masquerading guest with declared ports holds sessions with a pod on each node, some of which it has begun, and the
 * remote speaks every 20 ms: most likely also first after the move. Without its launcher's entries the target resets them.
 */
const NAMESPACE = 'carry';
const VM = { namespace: NAMESPACE, name: 'caller' };
const LISTEN = 7007;
/** Where agents ask each other for connections. */
const PEER_PORT = 9477;
const MOVES = 4;

let context: Context;
let recorder: Recorder;
let prober: Prober;
let pods: Thing[];

type Interface = { name: string; bridge?: object; masquerade?: object; ports?: object[] };
type Vm = { spec: { template: { spec: { domain: { devices: { interfaces: Interface[] } } } } } };

function formatCaller(): object {
  const vm = formatMachine({ ...VM, running: true }) as Vm;
  const ports = ['TCP', 'UDP'].map((protocol) => ({ name: `echo-${protocol.toLowerCase()}`, protocol, port: 7 }));
  vm.spec.template.spec.domain.devices.interfaces = [{ name: 'default', masquerade: {}, ports }];
  return vm;
}

beforeAll(async () => {
  context = await openWorld();
  await openNamespace(context, NAMESPACE);
  const nodes = context.lab.nodes.map(({ name }) => name);
  const names = nodes.map((node) => `remote-${node}`);
  await applyThings(context, [
    formatCaller(),
    ...nodes.map((node) => formatWebPod({ namespace: NAMESPACE, name: `remote-${node}`, node })),
  ]);
  const ready = await expectReady(context, NAMESPACE, names);
  pods = names.flatMap((name) => ready.get(name) ?? []);
  await expectGuest(context, VM);
  recorder = await startRecorder(context.lab, { namespace: NAMESPACE, vmi: VM.name });
  const pids = await Promise.all(pods.map((pod) => findPodPid(context, pod, 'main')));
  const netns = pids.map((pid) => `/proc/${pid}/ns/net`);
  const { ip } = await findPlace(context, VM);
  const { cache } = context.lab;
  const speed = { intervalUs: 10_000, tcpMs: 20, listen: LISTEN };
  prober = await startProber({
    cacheDir: cache,
    dir: '/dev/shm',
    name: `carry-${process.pid}`,
    ipv4: ip,
    netns,
    ...speed,
  });
  await inGuest(context, VM, `dial ${LISTEN} ${pods.map(({ status }) => String(status.podIP)).join(' ')}`);
  await expectAnswers(prober, pods.length);
});

afterAll(async () => {
  await prober[Symbol.asyncDispose]();
  await recorder[Symbol.asyncDispose]();
  await closeNamespace(context, NAMESPACE);
});

const BOTH = ['in4', 'out4'] as const;

/** Awaits an answer of every session of these kinds from now on: the first bytes are the remote's. */
async function expectSessions(kinds: readonly StreamKind[] = BOTH): Promise<void> {
  const since = Date.now();
  const streams = pods.flatMap((_pod, place) => kinds.map((kind) => streamOf(place, kind)));
  await expectSoon(`answers of every session ${kinds.join(' and ')}`, 20, async () => {
    const spoke = new Set(
      prober.recording
        .read()
        .flatMap((record) => (record.type === 'answer' && record.sent >= since ? [record.stream] : [])),
    );
    return streams.every((stream) => spoke.has(stream)) ? true : undefined;
  });
}

/** How often the agent of a node has taken in a whole table. */
async function countCarried(node: string): Promise<number> {
  const { mgmtIp } = getNode(context.lab, node);
  const answer = await fetch(`http://${mgmtIp}:9476/metrics`, { signal: AbortSignal.timeout(5000) });
  return Number(/^mooring_agent_carry_ms_count (\d+)$/m.exec(await answer.text())?.[1] ?? 0);
}

/** Migrates the VM and awaits that it is at home on another node, with answers of these sessions; gives that node. */
async function migrate(move: string, kinds: readonly StreamKind[] = BOTH): Promise<string> {
  const home = await findPlace(context, VM);
  const since = await startMove(context, VM, move);
  await expectStep(recorder, since, 'VMIM', 'Succeeded');
  const node = await expectSoon('the port on another node', 20, async () => {
    const place = await findPlace(context, VM);
    return place.node === home.node ? undefined : place.node;
  });
  await expectHome(context, { recorder, vm: VM }, { ...home, node });
  await expectSessions(kinds);
  return node;
}

/** Sessions of these sorts that ended since. */
const listClosed = (since: number, kinds: readonly StreamKind[]): string[] =>
  pods.flatMap((pod, place) =>
    kinds
      .filter((kind) =>
        prober.recording
          .read()
          .some((record) => record.type === 'closed' && record.at >= since && record.stream === streamOf(place, kind)),
      )
      .map((kind) => `${pod.metadata.name} ${kind}`),
  );

/** Nobody reaches the agents' port on any node while `work` runs. */
async function withoutPeers(work: () => Promise<void>): Promise<void> {
  const onEveryNode = (...commands: string[]) =>
    Promise.all(context.lab.nodes.map((node) => nodeExec(context.lab, node, ['nft', commands.join('; ')])));
  await onEveryNode(
    'add table inet carry-test',
    'add chain inet carry-test input { type filter hook input priority -300; }',
    `add rule inet carry-test input tcp dport ${PEER_PORT} drop`,
  );
  try {
    await work();
  } finally {
    await onEveryNode('delete table inet carry-test');
  }
}

describe('case 6: a masquerading guest with declared ports', () => {
  it(`keeps every session over ${MOVES} migrations, also those that it has begun itself`, async () => {
    await expectSessions();
    const begun = Date.now();
    for (let count = 1; count <= MOVES; count += 1) {
      const before = new Map(
        await Promise.all(context.lab.nodes.map(async ({ name }) => [name, await countCarried(name)] as const)),
      );
      const node = await migrate(`move-${count}`);
      expect(await countCarried(node)).toBe((before.get(node) ?? 0) + 1);
    }
    expect(listClosed(begun, ['in4', 'out4'])).toEqual([]);
    const events = await listThings(context, 'events', ['-n', NAMESPACE]);
    expect(events.filter((event) => (event as { reason?: string }).reason === 'ConnectionsNotCarried')).toEqual([]);
  });

  it('whose agents cannot reach each other migrates all the same, keeps what others have begun, and says so', async () => {
    const begun = Date.now();
    let home = '';
    await withoutPeers(async () => {
      home = await migrate('move-alone', ['in4']);
    });
    const target = (await listLaunchers(context, VM)).find(({ spec }) => spec.nodeName === home);
    const message = await expectEvent(context, NAMESPACE, target?.metadata.name ?? '', 'ConnectionsNotCarried');
    expect(message).toContain('were not carried over');
    expect(listClosed(begun, ['in4'])).toEqual([]);
  });
});
