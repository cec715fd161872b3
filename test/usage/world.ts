import { join } from 'node:path';
import { tryCommand } from '../lab/command.ts';
import { type Context, expectSoon, findThing, listThings, type Thing } from '../lab/demo/context.ts';
import { kubectl } from '../lab/kubectl.ts';
import { UNJUDGED } from '../lab/scenarios/world.ts';

const file = (name: string): string => join(import.meta.dirname, `${name}.yaml`);
const LIMIT = { timeoutMs: 130_000 };

/** Applies files of this folder exactly as a user would. */
export async function applyFiles(context: Context, names: readonly string[]): Promise<void> {
  await kubectl(context.lab, ['apply', ...names.flatMap((name) => ['-f', file(name)])], LIMIT);
}

/** The same past the webhook, which would refuse them at once: for what the operator says. */
export async function applyUnjudged(context: Context, names: readonly string[]): Promise<void> {
  const label = (...words: string[]) =>
    kubectl(context.lab, ['label', 'namespace', 'default', '--overwrite', ...words]);
  const entries = Object.entries(UNJUDGED);
  await label(...entries.map(([key, value]) => `${key}=${value}`));
  await applyFiles(context, names).finally(() => label(...entries.map(([key]) => `${key}-`)));
}

/** Deletes what the files name and waits until it is gone; what is not there is passed over. */
export async function deleteFiles(context: Context, names: readonly string[]): Promise<void> {
  const flags = ['--ignore-not-found', '--timeout=120s'];
  await kubectl(context.lab, ['delete', ...flags, ...names.flatMap((name) => ['-f', file(name)])], LIMIT);
}

/** Runs a shell line in a pod; returns what it prints. */
export async function runInPod(context: Context, pod: string, line: string): Promise<string> {
  const { lab } = context;
  const argv = [lab.bin.kubectl, '--kubeconfig', lab.adminKubeconfig, '-n', 'default', 'exec', pod, '--'];
  const { code, stdout, stderr } = await tryCommand([...argv, '/bin/sh', '-c', line], { timeoutMs: 30_000 });
  if (code !== 0) throw new Error(`${pod}: ${line}: ${stderr}`);
  return stdout;
}

export function expectRunning(context: Context, pod: string, namespace = 'default'): Promise<Thing> {
  return expectSoon(`pod ${namespace}/${pod} running`, 60, async () => {
    const found = await findThing(context, 'pod', pod, namespace);
    return found?.status?.phase === 'Running' ? found : undefined;
  });
}

/** The LogicalPorts of an owner in `default`, by NIC. */
export async function getPorts(context: Context, owner: string): Promise<Map<string, Thing>> {
  const ports = await listThings(context, 'lp', ['-n', 'default']);
  return new Map(ports.filter(({ spec }) => spec.owner.name === owner).map((port) => [port.spec.nic as string, port]));
}

/** Awaits that a NIC of an owner has an address. */
export function expectIps(context: Context, owner: string, nic: string): Promise<string[]> {
  return expectSoon(`an address for NIC ${nic} of ${owner}`, 30, async () => {
    const ips = (await getPorts(context, owner)).get(nic)?.spec.ips as string[] | undefined;
    return ips !== undefined && ips.length > 0 ? ips : undefined;
  });
}

type Condition = { type: string; status: string; reason: string; message: string };

/** Awaits the reason for which a NIC has no address; returns the message. */
export function expectRefusal(context: Context, owner: string, nic: string): Promise<Condition> {
  return expectSoon(`a reason why NIC ${nic} of ${owner} has no address`, 30, async () => {
    const conditions = (await getPorts(context, owner)).get(nic)?.status?.conditions as Condition[] | undefined;
    return conditions?.find(({ type, status }) => type === 'Allocated' && status === 'False');
  });
}
