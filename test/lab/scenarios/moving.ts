import { expect } from 'vitest';
import { applyThings, type Context, expectSoon, findThing, getThing, listThings, type Thing } from '../demo/context.ts';
import { RELEASE_NAMESPACE } from '../demo/install.ts';
import { findPodPid } from '../demo/pods.ts';
import { kubectl } from '../kubectl.ts';
import { type Prober, startProber } from '../probe/prober.ts';
import { STREAM_KINDS } from '../probe/records.ts';
import type { Mark, Recorder } from '../timeline/recorder.ts';
import type { Machine } from './vms.ts';

/** Where a VM is and what it is called on the network. */
export type Place = { readonly node: string; readonly ip: string; readonly mac: string };

export async function findPlace(context: Context, { namespace, name }: Machine): Promise<Place> {
  const { spec, status } = await getThing(context, 'lp', `${name}.default.vm`, namespace);
  return { node: String(status?.node ?? ''), ip: String(spec.ips[0]), mac: String(spec.mac) };
}

/** Creates the VMIM; gives the moment from which on marks are its own. */
export async function startMove(context: Context, { namespace, name }: Machine, move: string): Promise<number> {
  const since = Date.now();
  const vmim = {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachineInstanceMigration',
    metadata: { name: move, namespace },
    spec: { vmiName: name },
  };
  await applyThings(context, [vmim]);
  return since;
}

export async function abortMove(context: Context, { namespace }: Machine, move: string): Promise<void> {
  await kubectl(context.lab, ['-n', namespace, 'delete', 'vmim', move, '--wait=false']);
}

export const isMark =
  (lane: Mark['lane'], ...labels: string[]) =>
  (mark: Mark) =>
    mark.lane === lane && labels.includes(mark.label);

/** Awaits a step of the one migration that goes on. */
export const expectStep = (recorder: Recorder, since: number, lane: Mark['lane'], ...labels: string[]): Promise<Mark> =>
  recorder.expectMark(`${lane}: ${labels.join(' or ')}`, since, isMark(lane, ...labels));

/**
 * Awaits that the port is where it belongs and nowhere else: LogicalPort, Northbound and Southbound agree on one node,
 * the VM has the address it had, and nothing of a migration is left.
 */
export async function expectHome(
  context: Context,
  { recorder, vm }: { recorder: Recorder; vm: Machine },
  { node, ip, mac }: Place,
): Promise<void> {
  await expectSoon(`${vm.name} at home on ${node}`, 30, async () => {
    const { northbound, southbound } = recorder.describe('default');
    const port = await findThing(context, 'lp', `${vm.name}.default.vm`, vm.namespace);
    const holders = (port?.spec.attachments ?? []) as { node: string; role: string }[];
    const isAlone = holders.length > 0 && holders.every((holder) => holder.node === node && holder.role === 'Source');
    const isThere = northbound === node && southbound === node && port?.status?.phase === 'Bound';
    return isAlone && isThere ? true : undefined;
  });
  expect(await findPlace(context, vm)).toEqual({ node, ip, mac });
}

/** Probes of the VM from the pods' namespaces, each millisecond by UDP and over TCP streams both ways. */
export async function probeFrom(context: Context, pods: readonly Thing[], ip: string): Promise<Prober> {
  const pids = await Promise.all(pods.map((pod) => findPodPid(context, pod, 'main')));
  const netns = pids.map((pid) => `/proc/${pid}/ns/net`);
  const { cache } = context.lab;
  return startProber({
    cacheDir: cache,
    dir: '/dev/shm',
    name: `moves-${process.pid}`,
    ipv4: ip,
    netns,
    intervalUs: 10_000,
  });
}

/** Awaits that every place has answers by UDP again, from now on. */
export async function expectAnswers({ recording }: Prober, places: number): Promise<void> {
  const since = Date.now();
  const missing = async (): Promise<number[]> => {
    const spoke = new Set<number>();
    for (const record of recording.read()) {
      if (record.type === 'answer' && record.sent >= since) spoke.add(Math.floor(record.stream / STREAM_KINDS.length));
    }
    return Array.from({ length: places }, (_, place) => place).filter((place) => !spoke.has(place));
  };
  await expectSoon('answers at every place', 20, async () => ((await missing()).length === 0 ? true : undefined));
}

/** TCP streams that ended since; none may. */
export const listClosed = ({ recording }: Prober, since: number): number[] =>
  recording.read().flatMap((record) => (record.type === 'closed' && record.at >= since ? [record.stream] : []));

/** The launchers of a VM that have not ended, by node. */
export async function listLaunchers(context: Context, { namespace, name }: Machine): Promise<Thing[]> {
  const pods = await listThings(context, 'pods', ['-n', namespace, '-l', `vm.kubevirt.io/name=${name}`]);
  return pods.filter(({ status }) => status?.phase !== 'Succeeded' && status?.phase !== 'Failed');
}

/** Signals a program of ours on a node, or of OVN's; throws when it is not there. */
export async function signalProgram(
  context: Context,
  { app, container, node }: { app: string; container: string; node?: string },
  signal: NodeJS.Signals,
): Promise<void> {
  const pods = await listThings(context, 'pods', ['-n', RELEASE_NAMESPACE, '-l', `app=${app}`]);
  const pod = pods.find((candidate) => node === undefined || candidate.spec.nodeName === node);
  if (pod === undefined) throw new Error(`no ${app} on ${node ?? 'any node'}`);
  process.kill(await findPodPid(context, pod, container), signal);
}
