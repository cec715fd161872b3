import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applyThings, type Context, expectSoon, findThing, getThing, listThings, type Thing } from '../demo/context.ts';
import { RELEASE_NAMESPACE } from '../demo/install.ts';
import { findPodPid } from '../demo/pods.ts';
import { kubectl } from '../kubectl.ts';
import { findProcess } from '../process.ts';
import { expectReady, formatWebPod, pings, runIn } from '../scenarios/things.ts';
import { expectGuest, formatMachine } from '../scenarios/vms.ts';
import { closeNamespace, openNamespace, openWorld } from '../scenarios/world.ts';
import { startRecorder } from '../timeline/recorder.ts';
import { listGuests } from './guests.ts';

const NAMESPACE = 'lost';
const VM = { namespace: NAMESPACE, name: 'survivor' };
const PEER = { namespace: NAMESPACE, name: 'peer' };
/** Without OVN's central, which runs on the first node. */
const LOST = 'node3';
const MARK = 'lab.mooring.dev/lost';
const PROGRAMS = [
  ['mooring-agent', 'agent'],
  ['mooring-ovn-node', 'ovs'],
  ['mooring-ovn-node', 'controller'],
] as const;

let context: Context;
let frozen: number[] = [];

/** A process and all that it has started. */
function listTree(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(/\s+/).filter(Boolean);
  return [pid, ...children.flatMap((child) => listTree(Number(child)))];
}

async function findProgram(app: string, container: string): Promise<number[]> {
  const pods = await listThings(context, 'pods', ['-n', RELEASE_NAMESPACE, '-l', `app=${app}`]);
  const pod = pods.find((one) => one.spec.nodeName === LOST);
  if (pod === undefined) throw new Error(`no ${app} on ${LOST}`);
  return listTree(await findPodPid(context, pod, container));
}

/** Stops kubelet, agent, Open vSwitch, ovn-controller and the guests of the node, in the midst of whatever they do. */
async function freezeNode(): Promise<void> {
  const kubelet = findProcess(context.lab.dir, `kubelet-${LOST}`)?.pid;
  const guests = (await listGuests(context.lab, NAMESPACE, VM.name)).filter(({ node }) => node === LOST);
  const programs = await Promise.all(PROGRAMS.map(([app, container]) => findProgram(app, container)));
  frozen = [kubelet, ...programs.flat(), ...guests.map(({ record }) => record.qemu?.pid)].flatMap((pid) => pid ?? []);
  await kubectl(context.lab, ['annotate', 'node', LOST, `${MARK}=true`]);
  await kubectl(context.lab, ['cordon', LOST]);
  for (const pid of frozen) process.kill(pid, 'SIGSTOP');
}

function thawNode(): void {
  for (const pid of frozen.splice(0)) process.kill(pid, 'SIGCONT');
}

async function restoreNode(): Promise<void> {
  thawNode();
  await kubectl(context.lab, ['annotate', 'node', LOST, `${MARK}-`]);
  await kubectl(context.lab, ['uncordon', LOST]);
}

const onlyOn = async <T>(nodes: readonly string[], work: () => Promise<T>): Promise<T> => {
  const others = context.lab.nodes.map(({ name }) => name).filter((name) => !nodes.includes(name));
  await kubectl(context.lab, ['cordon', ...others]);
  return work().finally(() => kubectl(context.lab, ['uncordon', ...others]));
};

const port = (): Promise<Thing> => getThing(context, 'lp', `${VM.name}.default.vm`, NAMESPACE);

beforeAll(async () => {
  context = await openWorld();
  await openNamespace(context, NAMESPACE);
  await onlyOn(['node1'], async () => {
    await applyThings(context, [formatWebPod(PEER)]);
    await expectReady(context, NAMESPACE, [PEER.name]);
  });
  await onlyOn([LOST], async () => {
    await applyThings(context, [formatMachine({ ...VM, running: true })]);
    await expectGuest(context, VM);
  });
});

afterAll(async () => {
  await restoreNode();
  await closeNamespace(context, NAMESPACE);
});

describe('a VM whose node is lost', () => {
  it('starts elsewhere with its address, and the old node that comes back with its guest takes nothing and doubles nothing', async () => {
    const before = await port();
    const [ip] = before.spec.ips as [string];
    const old = await getThing(context, 'vmi', VM.name, NAMESPACE);
    expect(before.status.node).toBe(LOST);
    await freezeNode();
    const launchers = ['-n', NAMESPACE, '-l', `vm.kubevirt.io/name=${VM.name}`];
    await kubectl(context.lab, ['delete', 'pods', ...launchers, '--force', '--grace-period=0', '--wait=false']);
    await expectSoon('the VM running elsewhere', 90, async () => {
      const vmi = await findThing(context, 'vmi', VM.name, NAMESPACE);
      const moved = vmi !== undefined && vmi.metadata.uid !== old.metadata.uid && vmi.status?.nodeName !== LOST;
      return moved && vmi.status?.phase === 'Running' ? true : undefined;
    });
    expect(await pings(context, PEER, ip, 30)).toBe(true);
    const after = await port();
    expect([after.spec.ips, after.spec.mac]).toEqual([before.spec.ips, before.spec.mac]);
    expect(after.status.node).not.toBe(LOST);

    await using recorder = await startRecorder(context.lab, { namespace: NAMESPACE, vmi: VM.name });
    const since = Date.now();
    thawNode();
    // The old guest runs again, and nobody has told it to end.
    const answers = await runIn(context, NAMESPACE, PEER.name, `ping -c 20 -w 30 ${ip}`);
    expect(answers).toContain('20 packets received');
    expect(answers).not.toMatch(/dup/i);
    const guests = await listGuests(context.lab, NAMESPACE, VM.name);
    expect(guests.map(({ node }) => node)).toContain(LOST);
    await restoreNode();
    await expectSoon('the old guest ended', 60, async () =>
      (await listGuests(context.lab, NAMESPACE, VM.name)).every(({ node }) => node !== LOST) ? true : undefined,
    );
    expect(await pings(context, PEER, ip, 3)).toBe(true);
    const places = recorder.listMarks(since).filter(({ lane }) => lane === 'Northbound' || lane === 'Southbound');
    expect(places.map(({ label }) => label).filter((label) => label !== `default: ${after.status.node}`)).toEqual([]);
    expect((await port()).status.node).toBe(after.status.node);
  });
});
