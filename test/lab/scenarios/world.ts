import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { env } from 'node:process';
import type { Context, Thing } from '../demo/context.ts';
import { applyThings, expectSoon, findThing, listThings } from '../demo/context.ts';
import { installChart, isInstalled, RELEASE_NAMESPACE } from '../demo/install.ts';
import { formatIdle } from '../demo/manifests.ts';
import { kubectl } from '../kubectl.ts';
import { listGuests } from '../kubevirt/guests.ts';
import { findStartTime } from '../process.ts';
import { findStateDir, loadState } from '../state.ts';

/** The lab as it is. */
export function findWorld(): Context {
  const root = resolve(import.meta.dirname, '../../..');
  const out = join(root, 'out/lab-tests');
  mkdirSync(out, { recursive: true });
  return { lab: loadState(findStateDir(env)), root, out, say: console.log, children: new Set() };
}

/**
 * The lab with the chart installed from this checkout, for lab tests. A run installs it once, in setup.ts; here only
 * what another file has left behind is put right.
 */
export async function openWorld(): Promise<Context> {
  const context = findWorld();
  if (!(await isInstalled(context))) await installChart(context);
  return context;
}

/** Labels of a namespace in which the webhook refuses nothing: for what the operator is to say by itself. */
export const UNJUDGED = { 'mooring.dev/webhook': 'ignore' } as const;

/** A fresh namespace for one test file; an old one of that name is removed first. */
export async function openNamespace(
  context: Context,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<void> {
  await closeNamespace(context, name);
  await expectGone(context, name);
  await applyThings(context, [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } }]);
}

/**
 * Ends all that runs in a namespace and deletes it. What is left of it then runs nothing and holds no address: nobody
 * needs to wait for the controller that takes it away, which begins after five seconds.
 */
export async function closeNamespace(context: Context, name: string): Promise<void> {
  if ((await findThing(context, 'namespace', name)) === undefined) return;
  await kubectl(context.lab, ['-n', name, 'delete', 'vm,vmi', '--all', '--wait=false']);
  await endPods(context, name);
  await kubectl(context.lab, ['delete', 'namespace', name, '--ignore-not-found', '--wait=false']);
}

/** Deletes a namespace under all that runs in it, as its owner may, and awaits that it is gone. */
export async function loseNamespace(context: Context, name: string): Promise<void> {
  await kubectl(context.lab, ['delete', 'namespace', name, '--wait=false']);
  await endPods(context, name);
  await expectGone(context, name);
}

/**
 * Awaits that the guests have been shut down, and then ends every pod: a launcher without a guest outlives SIGTERM until
 * its grace period of half a minute is over.
 */
async function endPods(context: Context, namespace: string): Promise<void> {
  const machines = await listThings(context, 'vmi', ['-n', namespace]);
  await expectSoon(`the guests of ${namespace} shut down`, 60, async () => {
    const guests = await Promise.all(machines.map(({ metadata }) => listGuests(context.lab, namespace, metadata.name)));
    const qemus = guests.flat().flatMap(({ record }) => record.qemu ?? []);
    return qemus.every(({ pid, start }) => findStartTime(pid) !== start) || undefined;
  });
  const flags = ['--all', '--grace-period=1', '--timeout=60s'];
  await kubectl(context.lab, ['-n', namespace, 'delete', 'pods', ...flags]);
}

const expectGone = (context: Context, namespace: string): Promise<true> =>
  expectSoon(`namespace ${namespace} gone`, 120, async () =>
    (await findThing(context, 'namespace', namespace)) === undefined ? true : undefined,
  );

/** A pod that only sleeps. */
export function formatSleeper(
  namespace: string,
  name: string,
  more: Partial<Record<'annotations', Record<string, string>>> = {},
): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, ...more },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [formatIdle()],
    },
  };
}

/** Awaits an event of that reason on an object; returns its message. */
export async function expectEvent(
  context: Context,
  namespace: string,
  object: string,
  reason: string,
): Promise<string> {
  return expectSoon(`event ${reason} on ${object}`, 30, async () => {
    const selector = `involvedObject.name=${object},reason=${reason}`;
    const events = await listThings(context, 'events', ['-n', namespace, '--field-selector', selector]);
    return (events as unknown as { message: string }[]).at(-1)?.message;
  });
}

type Condition = { type: string; status: string; reason: string; message: string };

/** Awaits that a condition of a cluster object has a status and a reason; returns its message. */
export function expectCondition(
  context: Context,
  [kind, name]: readonly [kind: string, name: string],
  wanted: { type: string; status: string; reason: string },
): Promise<string> {
  return expectSoon(`${wanted.type}=${wanted.status} (${wanted.reason}) on ${kind} ${name}`, 30, async () => {
    const conditions: Condition[] = (await findThing(context, kind, name))?.status?.conditions ?? [];
    return conditions.find((c) => c.type === wanted.type && c.status === wanted.status && c.reason === wanted.reason)
      ?.message;
  });
}

export async function expectRunning(context: Context, namespace: string, pod: string, seconds = 30): Promise<Thing> {
  return expectSoon(`pod ${namespace}/${pod} running`, seconds, async () => {
    const pods = await listThings(context, 'pods', ['-n', namespace]);
    return pods.find((candidate) => candidate.metadata.name === pod && candidate.status?.phase === 'Running');
  });
}

/** Restart counts of Mooring's own programs, by pod and container. */
export async function getRestarts(context: Context): Promise<Map<string, number>> {
  const pods = await listThings(context, 'pods', ['-n', RELEASE_NAMESPACE]);
  return new Map(
    pods.flatMap((pod) =>
      ((pod.status.containerStatuses ?? []) as { name: string; restartCount: number }[]).map(
        (container) => [`${pod.metadata.name}/${container.name}`, container.restartCount] as const,
      ),
    ),
  );
}
