import { withDeadline } from '../deadline.ts';
import { CniError, toCniError } from '../errors.ts';
import type { PodIdentity } from '../request.ts';
import { addChain, deleteChain, type Hands, readNetnsId } from './chain.ts';
import { setDefaultRoutes } from './default-route.ts';
import { asText, getOwn } from './json.ts';
import { LEDGER_VERSION, type Ledger, type LedgerEntry } from './ledger.ts';
import type { Chain } from './plan-chain.ts';
import type { Requests } from './selected.ts';

/** One interface that is to be attached. */
export type Task = {
  readonly containerId: string;
  readonly ifname: string;
  readonly netns: string;
  readonly pod: PodIdentity;
  readonly first: boolean;
  readonly network: string;
  readonly nad?: string;
  readonly chain: Pick<Chain, 'name' | 'plugins' | 'ours'>;
  readonly requests: Requests;
  /** CNI_ARGS of the runtime for this pod. */
  readonly cniArgs: string;
  readonly order: number;
};

export type Attacher = Hands & { readonly ledger: Ledger };

/**
 * Attaches one interface. It is in the ledger before anything is made, so that it can be taken back whatever happens.
 * What an earlier attempt has left goes first; what is attached already stays. Throws CniError that names network and NAD.
 */
export async function attach(attacher: Attacher, task: Task, signal: AbortSignal): Promise<LedgerEntry> {
  const { ledger } = attacher;
  const former = ledger.find(task);
  const isSame = former?.state === 'attached' && isRepeat(former, task);
  if (isSame && !task.chain.ours) return former;
  if (former !== undefined && !isSame) await detach(attacher, former);
  try {
    return await carryOut(attacher, task, signal);
  } catch (error) {
    throw nameNetwork(task, error);
  }
}

async function carryOut(attacher: Attacher, task: Task, signal: AbortSignal): Promise<LedgerEntry> {
  const { ledger } = attacher;
  const entry = describeTask(task);
  await ledger.put(entry);
  const result = await addChain(attacher, entry, signal);
  signal.throwIfAborted();
  // The first interface counts as attached when all are: until then the whole sandbox is half of one.
  const attached: LedgerEntry = { ...entry, state: task.first ? 'attaching' : 'attached', result };
  // Of our own part the journal knows; a pod with no other network should not pay for a second record of it.
  if (!task.first || !task.chain.ours) await ledger.put(attached);
  return attached;
}

function describeTask(task: Task): LedgerEntry {
  return {
    version: LEDGER_VERSION,
    containerId: task.containerId,
    ifname: task.ifname,
    state: 'attaching',
    first: task.first,
    network: task.network,
    cniName: task.chain.name,
    ...(task.nad === undefined ? {} : { nad: task.nad }),
    netns: task.netns,
    netnsId: readNetnsId(task.netns),
    pod: task.pod,
    cniArgs: formatArgs(task),
    plugins: [...task.chain.plugins],
    ...(task.requests.defaultRoute === undefined ? {} : { wayOut: true as const }),
    order: task.order,
  };
}

/**
 * The same call again. A plugin of others is not called twice for one interface, the answer is the same; ours looks
 * whether all is as it was.
 */
function isRepeat(former: LedgerEntry, task: Task): boolean {
  return (
    former.netns === task.netns &&
    former.network === task.network &&
    former.netnsId === readNetnsId(task.netns) &&
    JSON.stringify(former.plugins) === JSON.stringify(task.chain.plugins)
  );
}

function nameNetwork(task: Task, error: unknown): CniError {
  const { code, message } = toCniError(error);
  if (task.nad === undefined) return error instanceof CniError ? error : new CniError(code, message, { cause: error });
  const types = task.chain.plugins.map((plugin) => asText(getOwn(plugin, 'type'))).join(', ');
  const about = `network ${task.nad} as ${task.ifname} (${types})`;
  return new CniError(code, `${about}: ${message}`, { cause: error });
}

/** As Multus has it: the runtime's arguments, then MAC and IP for plugins that know no capabilities. */
function formatArgs({ cniArgs, requests }: Task): string {
  const { mac, ips } = requests;
  const more = [...(mac === undefined ? [] : [`MAC=${mac}`]), ...(ips === undefined ? [] : [`IP=${ips.join(',')}`])];
  return [cniArgs, ...more].filter((part) => part !== '').join(';');
}

const DETACH_MS = 10_000;

/**
 * Takes one interface back, also half of one. Succeeds when nothing is there. When a plugin fails, the entry stays and
 * says so: the reaper tries again. Throws CniError then.
 */
export async function detach(attacher: Attacher, entry: LedgerEntry, outer?: AbortSignal): Promise<void> {
  const { context, ledger } = attacher;
  try {
    await withDeadline(context.clock, DETACH_MS, outer === undefined ? [] : [outer], (signal) =>
      deleteChain(attacher, entry, signal),
    );
  } catch (error) {
    if (entry.state !== 'detaching') await ledger.put({ ...entry, state: 'detaching' });
    const { code, message } = toCniError(error);
    throw new CniError(code, `network ${entry.network} as ${entry.ifname} cannot be detached: ${message}`, {
      cause: error,
    });
  }
  await ledger.delete(entry);
}

/**
 * Attaches all or none: the pod's first interface and ours beside each other, then those of other plugins beside each
 * other, which find a pod with its first interface as under Multus. The first failure ends the rest and is thrown.
 */
export async function attachAll(
  attacher: Attacher,
  tasks: readonly Task[],
  signal: AbortSignal,
): Promise<LedgerEntry[]> {
  const early = tasks.filter((task) => task.first || task.chain.ours);
  const late = tasks.filter((task) => !early.includes(task));
  try {
    const made = [...(await attachWave(attacher, early, signal)), ...(await attachWave(attacher, late, signal))];
    await setDefaultRoutes(attacher.context, made, tasks);
    const entries = made.map((entry): LedgerEntry => ({ ...entry, state: 'attached' }));
    for (const entry of entries) if (entry.first) await attacher.ledger.put(entry);
    return entries;
  } catch (error) {
    await undo(attacher, tasks);
    throw error;
  }
}

async function attachWave(attacher: Attacher, tasks: readonly Task[], signal: AbortSignal): Promise<LedgerEntry[]> {
  const others = new AbortController();
  const both = AbortSignal.any([signal, others.signal]);
  let first: unknown;
  const settled = await Promise.allSettled(
    tasks.map((task) =>
      attach(attacher, task, both).catch((error: unknown) => {
        first ??= error;
        others.abort(new CniError('fenced', 'another network of the pod has failed'));
        throw error;
      }),
    ),
  );
  if (first !== undefined) throw first;
  return settled.flatMap((item) => (item.status === 'fulfilled' ? [item.value] : []));
}

async function undo({ context, ...rest }: Attacher, tasks: readonly Task[]): Promise<void> {
  for (const task of tasks.toReversed()) {
    const entry = rest.ledger.find(task);
    if (entry === undefined) continue;
    await detach({ context, ...rest }, entry).catch((error: unknown) => {
      context.log.warn({ err: error }, 'could not be undone now; the reaper will');
    });
  }
}
