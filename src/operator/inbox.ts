import type { LogicalPort } from '../api/types.gen.ts';
import type { Clock, Priority, Queue } from '../kube/index.ts';
import { type Key, parseKey } from './keys.ts';
import type { Inbox } from './routing.ts';
import type { World } from './world.ts';

/** The way into the queue of a term. */
export type TermInbox = Inbox & {
  /** Keys that nothing happened to, as far as is known: events go before them. */
  check(key: string): void;
  /** When the first event came in that the key's next turn is for (monotonic ms); forgotten by asking. */
  takeSince(key: string): number | undefined;
};

/** Gives each key its place: migrations first, then what an event asks for or was left undone, then all else. */
export function createInbox(
  queue: Queue,
  world: World,
  clock: Clock,
  onNews: (key: string) => void = () => {},
): TermInbox {
  const since = new Map<string, number>();
  const check = (key: string) => queue.add(key, isUnsettled(world, key) ? 'event' : 'check');
  return {
    add: (key) => {
      if (!since.has(key)) since.set(key, clock.now());
      queue.add(key, findPriority(world, key));
      onNews(key);
    },
    addAfter: (key, delayMs) => queue.addAfter(key, delayMs),
    check,
    takeSince: (key) => {
      const at = since.get(key);
      since.delete(key);
      return at;
    },
  };
}

const FINAL: readonly (string | undefined)[] = ['Succeeded', 'Failed'];

/** A guest that is on its way to another node cannot wait. */
function findPriority({ vmims }: World, key: string): Priority {
  const isMoving = key.startsWith('vm/') && vmims.store.byIndex('key', key).some(isUnderWay);
  return isMoving ? 'urgent' : 'event';
}

const isUnderWay = ({ status }: { status?: { phase?: string } }): boolean => !FINAL.includes(status?.phase);

/**
 * True when something is to be done for the key for all that the caches show, so that a new leader does it before it
 * looks at the thousands of others. A guess: each key gets its turn all the same.
 */
export function isUnsettled(world: World, text: string): boolean {
  const key = tryParse(text);
  if (key === undefined) return false;
  if (key.kind === 'rows') return false;
  if (key.kind !== 'vm' && key.kind !== 'pod') return true;
  if (findPriority(world, text) === 'urgent') return true;
  const ports = world.ports.store.byIndex('key', text);
  if (ports.length === 0) return wantsPorts(world, key);
  const isLate = key.kind === 'vm' ? findLateGuest(world, key) : findLatePod(world, key);
  return ports.some((port) => isUnderWork(port) || isLate(port));
}

type Workload = Key & { readonly namespace: string };

/** A guest has a launcher, and nobody holds its port yet. */
function findLateGuest({ vmis }: World, { namespace, name }: Workload): (port: LogicalPort) => boolean {
  const launchers = Object.keys(vmis.store.get(`${namespace}/${name}`)?.status?.activePods ?? {});
  return ({ spec }) => launchers.length > 0 && (spec.attachments ?? []).length === 0;
}

/** A pod came back under its name, and the port is still that of the one before. */
function findLatePod({ pods }: World, { namespace, name }: Workload): (port: LogicalPort) => boolean {
  const uid = pods.store.get(`${namespace}/${name}`)?.metadata.uid;
  return ({ spec }) => uid !== undefined && spec.owner.uid !== uid;
}

/** Names in owner references are free text: what is no key is told of by its turn. */
function tryParse(text: string): Key | undefined {
  try {
    return parseKey(text);
  } catch {
    return undefined;
  }
}

function wantsPorts({ pods, vms, vmis }: World, { kind, namespace, name }: Workload): boolean {
  const id = `${namespace}/${name}`;
  if (kind === 'vm') return vms.store.get(id) !== undefined || vmis.store.get(id) !== undefined;
  const pod = pods.store.get(id);
  return pod?.spec?.nodeName !== undefined && pod.spec.hostNetwork !== true && !FINAL.includes(pod.status?.phase);
}

/** Held by a launcher or a pod, and not bound yet. */
function isUnderWork({ spec, status }: LogicalPort): boolean {
  return (spec.attachments ?? []).length > 0 && status?.phase !== 'Bound';
}
