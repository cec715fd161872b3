import { type ChildProcess, spawn } from 'node:child_process';
import { waitFor } from '../command.ts';
import { kubectl } from '../kubectl.ts';
import type { LabState } from '../state.ts';
import { NAMESPACE } from './manifests.ts';

/** Any Kubernetes object as it comes from the API. */
export type Thing = {
  metadata: {
    name: string;
    namespace?: string;
    uid: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    ownerReferences?: { kind: string; name: string; uid: string }[];
    deletionTimestamp?: string;
  };
  // biome-ignore lint/suspicious/noExplicitAny: the demo reads objects of many kinds
  spec: any;
  // biome-ignore lint/suspicious/noExplicitAny: the demo reads objects of many kinds
  status: any;
};

/** Everything a step of the demo needs. */
export type Context = {
  readonly lab: LabState;
  readonly root: string;
  readonly out: string;
  readonly say: (message: string) => void;
  /** Processes that the demo started and that must not outlive it. */
  readonly children: Set<ChildProcess>;
};

/** A promise that did not hold; the demo goes on and ends with a non-zero exit code. */
export class DemoError extends Error {
  override readonly name = 'DemoError';
}

export async function getThing(context: Context, kind: string, name: string, namespace = NAMESPACE): Promise<Thing> {
  return JSON.parse(await kubectl(context.lab, ['-n', namespace, 'get', kind, name, '-o', 'json'])) as Thing;
}

/** The object, or undefined when the API says that there is none. */
export async function findThing(
  context: Context,
  kind: string,
  name: string,
  namespace = NAMESPACE,
): Promise<Thing | undefined> {
  const text = await kubectl(context.lab, ['-n', namespace, 'get', kind, name, '-o', 'json', '--ignore-not-found']);
  return text.trim() === '' ? undefined : (JSON.parse(text) as Thing);
}

export async function listThings(
  context: Context,
  kind: string,
  flags: readonly string[] = ['-n', NAMESPACE],
): Promise<Thing[]> {
  return (JSON.parse(await kubectl(context.lab, ['get', kind, ...flags, '-o', 'json'])) as { items: Thing[] }).items;
}

export async function applyThings(context: Context, things: readonly object[]): Promise<void> {
  const list = { apiVersion: 'v1', kind: 'List', items: things };
  await kubectl(context.lab, ['apply', '-f', '-'], { input: JSON.stringify(list) });
}

/** Awaits a value; throws DemoError with `what` when it does not come in time. */
export async function expectSoon<T>(what: string, seconds: number, check: () => Promise<T | undefined>): Promise<T> {
  const value = await waitFor(check, seconds * 1000, 200);
  if (value === undefined) throw new DemoError(`${what} did not happen within ${seconds} s`);
  return value;
}

/** Starts a program that is ended with the demo. */
export function startChild(context: Context, argv: readonly string[]): ChildProcess {
  const [file = '', ...rest] = argv;
  const child = spawn(file, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
  context.children.add(child);
  child.once('close', () => context.children.delete(child));
  return child;
}
