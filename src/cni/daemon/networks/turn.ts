import { MULTUS_NETWORKS } from '../../../api/annotations.ts';
import type { EventNote } from '../../../kube/index.ts';
import { matchNetworks } from '../../../plan/requests/match-networks.ts';
import { PRIMARY_INTERFACE } from '../../../plan/requests/types.ts';
import type { Pod } from '../cluster.ts';
import { isSamePod } from '../cluster.ts';
import { withDeadline } from '../deadline.ts';
import { CniError, toCniError } from '../errors.ts';
import { adopt } from './adopt.ts';
import { attach, detach } from './attach.ts';
import { isSameNetns } from './chain.ts';
import { setDefaultRoutes } from './default-route.ts';
import type { LedgerEntry } from './ledger.ts';
import { laneOf, type Self } from './networks.ts';
import { planStatus, publishStatus } from './publish.ts';
import type { Selected } from './selected.ts';
import { planTask, readNetworks, type Sandbox } from './tasks.ts';

/** One pod at one moment: what is attached, and what its annotation asks for. */
type Scene = { readonly pod: Pod; readonly first: LedgerEntry; readonly signal: AbortSignal };

/**
 * Brings the networks of a running pod to what its annotation says now: takes away what went, attaches what is new, and
 * says so in network-status. Only interfaces that this agent has attached are touched. What fails is told in an event and
 * keeps nothing else back; it is thrown at the end, for the queue to come again.
 */
export async function turn(self: Self, podKey: string, stop: AbortSignal): Promise<void> {
  const pod = self.context.cluster
    .listPods()
    .find(({ metadata }) => `${metadata?.namespace}/${metadata?.name}` === podKey);
  if (pod === undefined || isOver(pod)) return;
  const first = await findFirst(self, pod);
  if (first === undefined) return;
  await self.lanes.run(laneOf(first.containerId), (overtaken) => {
    const changed = watchList(self, pod);
    return withDeadline(self.context.clock, self.context.deadlines.addMs, [stop, overtaken, changed.signal], (signal) =>
      bring(self, { pod, first, signal }),
    ).finally(changed.end);
  });
}

const isOver = ({ metadata, status }: Pod): boolean =>
  metadata?.deletionTimestamp !== undefined || status?.phase === 'Succeeded' || status?.phase === 'Failed';

/** The pod's living sandbox; of two the one that was made last. */
async function findFirst(self: Self, pod: Pod): Promise<LedgerEntry | undefined> {
  const isItsOwn = ({ state, pod: { uid } }: { state: string; pod: { uid: string } }) =>
    state === 'attached' && isSamePod(pod, uid);
  const found = self.ledger.list().findLast((entry) => entry.first && isItsOwn(entry) && isSameNetns(entry));
  return (
    found ??
    adopt(
      self,
      pod,
      self.context.journal.list().findLast((entry) => entry.ifname === PRIMARY_INTERFACE && isItsOwn(entry)),
    )
  );
}

/** Ends the turn when the list changes under it: what it waits for may be asked for no more. */
function watchList({ context: { cluster } }: Self, { metadata }: Pod) {
  const abort = new AbortController();
  const identity = { namespace: metadata?.namespace ?? '', name: metadata?.name ?? '', uid: metadata?.uid ?? '' };
  const before = metadata?.annotations?.[MULTUS_NETWORKS];
  const end = cluster.onChange(() => {
    const now = cluster.findPod(identity);
    if (now?.metadata?.annotations?.[MULTUS_NETWORKS] === before) return;
    abort.abort(new CniError('tryAgain', 'the list of networks has changed meanwhile'));
  });
  return { signal: abort.signal, end };
}

async function bring(self: Self, { pod, first, signal }: Scene): Promise<void> {
  const { ledger } = self;
  if (ledger.find(first) !== first) return;
  const further = ledger.listSandbox(first.containerId).filter((entry) => !entry.first);
  const present = further.flatMap((entry) => (entry.nad === undefined ? [] : [{ ...entry, nad: entry.nad }]));
  const failures: unknown[] = [];
  const attempt = async (what: string, step: () => Promise<unknown>) => {
    try {
      signal.throwIfAborted();
      await step();
    } catch (error) {
      if (!signal.aborted) tell(self, pod, { what, error });
      failures.push(error);
    }
  };
  const selections = readList(self, pod, first);
  if (selections === undefined) return;
  const { wanted, detach: gone } = matchNetworks(selections, present);
  for (const entry of gone.toReversed()) await attempt('Detach', () => detach(self, entry, signal));
  const hasWayOut = (entry: LedgerEntry | undefined) => entry?.wayOut === true;
  const heir = wanted.find(({ present: entry }) => hasWayOut(entry));
  if (gone.some(hasWayOut)) await attempt('Detach', () => returnWayOut(self, first, heir));
  await Promise.all(
    wanted.map(({ selected, present: entry }, index) => {
      if (isDone(entry, index)) return undefined;
      return attempt('Attach', async () => {
        if (entry?.state === 'attached') return ledger.put({ ...entry, order: index + 1 });
        const task = await planTask(describe(first), { selected, order: index + 1 }, self);
        await attach(self, task, signal)
          .then((made) => setDefaultRoutes(self.context, [made], [task]))
          .catch((error: unknown) => undo(self, task, error));
        return undefined;
      });
    }),
  );
  const text = planStatus(pod, ledger.listSandbox(first.containerId));
  await attempt('Attach', () => publishStatus(self.pods, pod, text, signal));
  for (const failure of failures) throw failure;
}

/** The way out went with the network that had it: to another one that asked for it, or back to the first interface. */
function returnWayOut(
  { context }: Self,
  first: LedgerEntry,
  heir: { selected: Selected; present?: LedgerEntry } | undefined,
): Promise<void> {
  const { present: entry = first, selected } = heir ?? {};
  const requests = { defaultRoute: selected?.requests.defaultRoute ?? [] };
  return setDefaultRoutes(context, [entry], [{ ifname: entry.ifname, requests }]);
}

/** Undefined for a list that cannot be understood: what is attached stays until it can be. */
function readList(self: Self, pod: Pod, first: LedgerEntry): Selected[] | undefined {
  try {
    return readNetworks(pod, first.pod.namespace);
  } catch (error) {
    tell(self, pod, { what: 'Attach', error });
    return undefined;
  }
}

const isDone = (entry: LedgerEntry | undefined, index: number): boolean =>
  entry?.state === 'attached' && entry.order === index + 1;

const describe = ({ containerId, netns, pod, cniArgs }: LedgerEntry): Sandbox => ({ containerId, netns, pod, cniArgs });

async function undo(self: Self, key: { containerId: string; ifname: string }, error: unknown): Promise<never> {
  const entry = self.ledger.find(key);
  if (entry !== undefined) await detach(self, entry).catch(() => undefined);
  throw error;
}

function tell({ context }: Self, pod: Pod, { what, error }: { what: string; error: unknown }): void {
  const { message } = toCniError(error);
  const reason = what === 'Attach' ? 'AttachFailed' : 'DetachFailed';
  const note: EventNote = { type: 'Warning', reason, action: what, note: message };
  context.events.record({ apiVersion: 'v1', kind: 'Pod', ...pod }, note);
}
