import { KINDS } from '../../src/api/group.ts';
import type { LogicalPort } from '../../src/api/types.gen.ts';
import { createReflector, type KubeObject, type ResourceKind, systemClock } from '../../src/kube/index.ts';
import { type Bindings, createBindings } from '../../src/ovn/bindings.ts';
import { createNbClient, createSbClient, type NbClient } from '../../src/ovn/database.ts';
import { type Logical_Switch_PortRow, NB } from '../../src/ovn/schema/nb.gen.ts';
import { createIndex } from '../../src/ovsdb/index.ts';
import type { Client } from '../../test/lab/kubevirt/client.ts';
import type { Pod, Vmi, Vmim } from '../../test/lab/kubevirt/objects.ts';
import type { PortView } from './port-history.ts';

/** What the benchmark sees of the cluster, with the time at which it saw it; it asks nobody else. */
export type Witness = AsyncDisposable & {
  findVmi(name: string): Vmi | undefined;
  findVmim(name: string): Vmim | undefined;
  findPort(name: string): LogicalPort | undefined;
  listPods(): Pod[];
  /** Every state of a switch port since `forget`, oldest first. */
  historyOf(lsp: string): readonly PortView[];
  /** When a step of a migration was first seen, by its UID: `ready`, `failed`, or `Running` and the other phases. */
  seenAt(uid: string, step: string): number | undefined;
  /** Awaits what is to become true; throws with `what` when it does not within `seconds`. */
  until<T>(what: string, seconds: number, check: () => T | undefined): Promise<T>;
  forget(): void;
};

const CONNECT_MS = 30_000;

export type WitnessOptions = {
  readonly client: Client;
  readonly nb: string;
  readonly sb: string;
  readonly namespace: string;
};

/** Follows the namespace's objects and both databases; resolves when all are known. */
export async function createWitness({ client, nb, sb, namespace }: WitnessOptions): Promise<Witness> {
  const notes = createNotes();
  const follow = <T extends KubeObject>(kind: ResourceKind) =>
    createReflector<T>({
      transport: client.transport,
      log: client.log,
      clock: systemClock,
      random: Math.random,
      backoff: { baseMs: 100, maxMs: 1000 },
      kind,
      namespace,
    });
  const vmis = follow<Vmi & KubeObject>(KINDS.vmi);
  const vmims = follow<Vmim & KubeObject>(KINDS.vmim);
  const pods = follow<Pod & KubeObject>(KINDS.pod);
  const ports = follow<LogicalPort & KubeObject>(KINDS.logicalPort);
  vmis.onChange(({ object }) => noteVmi(notes, object));
  vmims.onChange(({ type, object }) => noteVmim(notes, object, type === 'deleted'));
  const reflectors = [vmis, vmims, pods, ports];
  for (const reflector of reflectors) {
    reflector.onChange(() => notes.wake());
    reflector.start();
  }
  const databases = await followDatabases({ nb, sb }, notes);
  await Promise.all(reflectors.map((reflector) => reflector.whenSynced()));
  const keyOf = (name: string): string => `${namespace}/${name}`;
  return {
    findVmi: (name) => vmis.store.get(keyOf(name)),
    findVmim: (name) => vmims.store.get(keyOf(name)),
    findPort: (name) => ports.store.get(keyOf(name)),
    listPods: () => pods.store.list(),
    historyOf: (lsp) => notes.histories.get(lsp) ?? [],
    seenAt: (uid, step) => notes.seen.get(`${uid} ${step}`),
    until: notes.until,
    forget: notes.forget,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([...reflectors.map((reflector) => reflector.stop()), databases.stop()]);
    },
  };
}

type Notes = ReturnType<typeof createNotes>;

/** What was seen, and who waits for something. */
function createNotes() {
  const seen = new Map<string, number>();
  const histories = new Map<string, PortView[]>();
  const waiters = new Set<() => void>();
  return {
    seen,
    histories,
    note: (uid: string | undefined, step: string): void => {
      const key = `${uid} ${step}`;
      if (uid !== undefined && !seen.has(key)) seen.set(key, Date.now());
    },
    wake: (): void => {
      for (const waiter of waiters) waiter();
    },
    forget: (): void => {
      seen.clear();
      for (const [lsp, history] of histories) histories.set(lsp, history.slice(-1));
    },
    until: async <T>(what: string, seconds: number, check: () => T | undefined): Promise<T> => {
      const now = check();
      if (now !== undefined) return now;
      const { promise, resolve, reject } = Promise.withResolvers<T>();
      const look = (): void => {
        try {
          const value = check();
          if (value !== undefined) resolve(value);
        } catch (error) {
          reject(error); // not into the watch that woke us
        }
      };
      const timer = setTimeout(() => reject(new Error(`${what}: not within ${seconds} s`)), seconds * 1000);
      waiters.add(look);
      try {
        return await promise;
      } finally {
        waiters.delete(look);
        clearTimeout(timer);
      }
    },
  };
}

function noteVmi({ note }: Notes, { status }: Vmi): void {
  const state = status?.migrationState;
  if (state === undefined) return;
  if (state.targetNodeDomainReadyTimestamp !== undefined) note(state.migrationUid, 'ready');
  if (state.failed === true || state.abortStatus === 'Succeeded') note(state.migrationUid, 'failed');
}

function noteVmim({ note }: Notes, { metadata, status }: Vmim, isGone: boolean): void {
  const { uid } = metadata;
  if (status?.phase !== undefined) note(uid, status.phase);
  if (status?.phase === 'Failed' || (isGone && status?.phase !== 'Succeeded')) note(uid, 'failed');
}

async function followDatabases(remotes: { nb: string; sb: string }, notes: Notes) {
  const nb = createNbClient({ remotes: [remotes.nb] });
  const sb = createSbClient({ remotes: [remotes.sb] });
  const bindings = createBindings(sb);
  const requests = createRequests(nb);
  const look = (lsp: string): void => {
    const view = viewOf(lsp, bindings, requests(lsp));
    const history = notes.histories.get(lsp) ?? [];
    if (history.length > 0 && isSameView(history.at(-1), view)) return;
    notes.histories.set(lsp, [...history, view]);
    notes.wake();
  };
  bindings.onPortChange((lsps) => lsps.forEach(look));
  nb.client.onChange((changes) => {
    for (const { table, old, new: row } of changes)
      if (table === NB.Logical_Switch_Port.name) look(String((row ?? old)?.name));
  });
  nb.client.start();
  sb.client.start();
  const limit = AbortSignal.timeout(CONNECT_MS);
  await Promise.all([nb.client.whenLive(limit), sb.client.whenLive(limit)]);
  return { stop: () => Promise.all([nb.client.stop(), sb.client.stop()]) };
}

/** `requested-chassis` of a switch port by its name. */
function createRequests(nb: NbClient): (lsp: string) => string[] {
  const byName = createIndex(nb.client, NB.Logical_Switch_Port.name, (row) =>
    typeof row.name === 'string' ? row.name : undefined,
  );
  return (lsp) => {
    const row = byName.get(lsp)[0] as Logical_Switch_PortRow | undefined;
    return (row?.options.get('requested-chassis') ?? '').split(',').filter((name) => name !== '');
  };
}

function viewOf(lsp: string, bindings: Bindings, requested: readonly string[]): PortView {
  const found = bindings.findPortBinding(lsp);
  const { chassis, additionalChassis = [] } = found ?? {};
  return { at: Date.now(), requested, additional: additionalChassis, ...(chassis === undefined ? {} : { chassis }) };
}

function isSameView(a: PortView | undefined, b: PortView): boolean {
  const tell = (view: PortView | undefined): string =>
    [view?.chassis, view?.requested.join(), view?.additional.join()].join('|');
  return tell(a) === tell(b);
}
