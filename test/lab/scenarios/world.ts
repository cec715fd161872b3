import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { env } from 'node:process';
import { tryCommand } from '../command.ts';
import type { Context, Thing } from '../demo/context.ts';
import { applyThings, expectSoon, listThings } from '../demo/context.ts';
import { installChart, RELEASE_NAMESPACE } from '../demo/install.ts';
import { formatIdle } from '../demo/manifests.ts';
import { kubectl } from '../kubectl.ts';
import { findStateDir, loadState } from '../state.ts';

/** The lab with the chart installed from this checkout, for lab tests. */
export async function openWorld(): Promise<Context> {
  const root = resolve(import.meta.dirname, '../../..');
  const out = join(root, 'out/lab-tests');
  mkdirSync(out, { recursive: true });
  const context: Context = { lab: loadState(findStateDir(env)), root, out, say: console.log, children: new Set() };
  await installChart(context);
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
  await applyThings(context, [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } }]);
}

export async function closeNamespace(context: Context, name: string): Promise<void> {
  const argv = ['delete', 'namespace', name, '--ignore-not-found', '--timeout=120s'];
  await kubectl(context.lab, argv, { timeoutMs: 130_000 });
}

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
    const text = await kubectl(context.lab, [
      '-n',
      namespace,
      'get',
      'events',
      '--field-selector',
      selector,
      '-o',
      'json',
    ]);
    return (JSON.parse(text) as { items: { message: string }[] }).items.at(-1)?.message;
  });
}

/** Awaits that a condition of an object has a status and a reason; returns its message. */
export function expectCondition(
  context: Context,
  flags: readonly string[],
  wanted: { type: string; status: string; reason: string },
): Promise<string> {
  return expectSoon(`${wanted.type}=${wanted.status} (${wanted.reason}) on ${flags.join(' ')}`, 30, async () => {
    const answer = await tryCommand([
      context.lab.bin.kubectl,
      '--kubeconfig',
      context.lab.adminKubeconfig,
      'get',
      ...flags,
      '-o',
      'json',
    ]);
    if (answer.code !== 0) return undefined;
    const thing = JSON.parse(answer.stdout) as Thing;
    const conditions = (thing.status?.conditions ?? []) as {
      type: string;
      status: string;
      reason: string;
      message: string;
    }[];
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
