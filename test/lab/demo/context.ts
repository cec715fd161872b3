import { type ChildProcess, spawn } from 'node:child_process';
import type { KubeObject } from '../../../src/kube/types.ts';
import { findKind, parseSelection, readList, readObject, tryCreate } from '../api.ts';
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

/** The object; throws DemoError when there is none. */
export async function getThing(context: Context, kind: string, name: string, namespace = NAMESPACE): Promise<Thing> {
  const found = await findThing(context, kind, name, namespace);
  if (found === undefined) throw new DemoError(`there is no ${kind} ${name} in ${namespace}`);
  return found;
}

/** The object, or undefined when the API says that there is none. */
export async function findThing(
  context: Context,
  kind: string,
  name: string,
  namespace = NAMESPACE,
): Promise<Thing | undefined> {
  const known = findKind(kind);
  if (known !== undefined) return (await readObject(context.lab, known, { namespace, name })) as Thing | undefined;
  const text = await kubectl(context.lab, ['-n', namespace, 'get', kind, name, '-o', 'json', '--ignore-not-found']);
  return text.trim() === '' ? undefined : (JSON.parse(text) as Thing);
}

/** Objects of a kind; `flags` are kubectl's. */
export async function listThings(
  context: Context,
  kind: string,
  flags: readonly string[] = ['-n', NAMESPACE],
): Promise<Thing[]> {
  const [known, selection] = [findKind(kind), parseSelection(flags)];
  if (known !== undefined && selection !== undefined) {
    return (await readList(context.lab, known, selection)) as Thing[];
  }
  return (JSON.parse(await kubectl(context.lab, ['get', kind, ...flags, '-o', 'json'])) as { items: Thing[] }).items;
}

/** As `kubectl apply` does, which is only needed for what is there already. */
export async function applyThings(context: Context, things: readonly object[]): Promise<void> {
  const items: object[] = [];
  for (const thing of things) {
    if (!(await tryCreate(context.lab, thing as KubeObject))) items.push(thing);
    else if ((thing as KubeObject).kind === 'Namespace') await expectAccount(context, thing as KubeObject);
  }
  if (items.length === 0) return;
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
  await kubectl(context.lab, ['apply', '-f', '-'], { input });
}

/** A controller gives each new namespace the account without which no pod is admitted. */
const expectAccount = (context: Context, { metadata }: KubeObject): Promise<Thing> =>
  expectSoon(`a service account in ${metadata?.name}`, 30, () =>
    findThing(context, 'serviceaccount', 'default', metadata?.name),
  );

/** Awaits a value; throws DemoError with `what` when it does not come in time. */
export async function expectSoon<T>(what: string, seconds: number, check: () => Promise<T | undefined>): Promise<T> {
  const value = await waitFor(check, seconds * 1000);
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
