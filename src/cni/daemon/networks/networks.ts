import type { Resource } from '../../../kube/index.ts';
import { PRIMARY_INTERFACE } from '../../../plan/requests/types.ts';
import type { WireRequest } from '../../protocol.ts';
import { type Calls, createCalls } from '../calls.ts';
import type { Pod } from '../cluster.ts';
import type { Context } from '../context.ts';
import { withDeadline } from '../deadline.ts';
import { doBeside, doEach } from '../each.ts';
import { CniError } from '../errors.ts';
import { explain } from '../explain.ts';
import { formatKey } from '../journal.ts';
import type { AttachmentKey, AttachRequest } from '../request.ts';
import { addSingle } from '../single.ts';
import { until } from '../until.ts';
import { type Attacher, attachAll, detach } from './attach.ts';
import { checkChain, isSameNetns, readNetnsId } from './chain.ts';
import { asJson, type Json } from './json.ts';
import { createLedger, LEDGER_VERSION, type LedgerEntry } from './ledger.ts';
import type { Nad } from './plan-chain.ts';
import { planSandboxes } from './plan-reap-sandboxes.ts';
import { isConcerned, planStatus, publishStatus } from './publish.ts';
import { convertResult } from './results.ts';
import { describeSandbox, type Nads, planFirst, planFurther } from './tasks.ts';
import { type AttachMode, isOurTurn, OUR_TYPES } from './who.ts';

export type NetworksOptions = {
  readonly context: Context;
  readonly mode: AttachMode;
  readonly binDir: string;
  readonly confDir: string;
  readonly stateDir: string;
  readonly pods: Pick<Resource<Pod>, 'patchStatus'>;
  /** From a watch; the kind may not be served. */
  readonly findNad: (namespace: string, name: string) => Nad | undefined;
  /** Types of others' plugins that NADs may name; none for any. */
  readonly pluginTypes?: readonly string[];
  /** Asks for a turn for a pod, `namespace/name`, soon. */
  readonly wake: (podKey: string) => void;
};

/** All networks of the pods of this node, where nobody else attaches them. */
export type Networks = {
  readonly self: Self;
  load(): Promise<void>;
  /** Is this the call for a pod's first interface, or one that was chained behind another plugin's? */
  concerns(request: AttachRequest): boolean;
  /** ADD of the whole pod, all networks or none: the result of the first interface. Throws CniError. */
  add(request: WireRequest, attach: AttachRequest, caller: AbortSignal): Promise<Json>;
  /** Is this interface the one whose DEL means the whole sandbox? */
  isWhole(key: AttachmentKey): boolean;
  /** DEL of the whole sandbox. What a plugin cannot do now is left to the reaper. */
  delete(containerId: string): Promise<void>;
  /** Writes down that the sandbox has to go, for the reaper. */
  defer(containerId: string): Promise<void>;
  /** CHECK by the plugins of others; says whether the first interface is somebody else's. Throws CniError. */
  check(key: AttachmentKey): Promise<boolean>;
  /** GC: removes the sandboxes whose first interface the runtime does not list. */
  gc(cniName: string, valid: ReadonlySet<string>): Promise<void>;
  /** An interface that goes with its sandbox, whatever a list for one network says. */
  keeps(key: AttachmentKey): boolean;
  /** One round of the reaper; says how many were removed. Throws at the end what failed. */
  reap(): Promise<number>;
};

/** What the parts of this folder share. */
export type Self = Attacher &
  Omit<NetworksOptions, 'binDir'> & {
    readonly lanes: Calls;
    readonly need: Nads['need'];
    /** Sandboxes that the last round of the reaper suspected. */
    readonly suspects: { now: ReadonlySet<string> };
  };

const NAD_WAIT_MS = 3000;

export const laneOf = (containerId: string): AttachmentKey => ({ containerId, ifname: '' });

export function isChained({ config }: AttachRequest): boolean {
  return OUR_TYPES.includes(config.type) && config.fields.get('mode') === 'networks';
}

export function createNetworks(options: NetworksOptions): Networks {
  const { context } = options;
  const ledger = createLedger(options.stateDir, context.log);
  const self: Self = {
    ...options,
    ledger,
    lanes: createCalls(),
    need: (...at) => waitForNad(options, ...at),
    suspects: { now: new Set() },
  };
  return {
    self,
    load: ledger.load,
    concerns: (request) =>
      OUR_TYPES.includes(request.config.type) && (request.ifname === PRIMARY_INTERFACE || isChained(request)),
    add: (request, call, caller) => addPod(self, { request, call }, caller),
    isWhole: (key) => ledger.find(key)?.first ?? key.ifname === PRIMARY_INTERFACE,
    delete: (containerId) => deleteSandbox(self, containerId),
    defer: (containerId) =>
      doEach(ledger.listSandbox(containerId), (entry) => ledger.put({ ...entry, state: 'detaching' })),
    check: async (key) => {
      const entry = ledger.find(key);
      if (entry === undefined) return false;
      await withDeadline(context.clock, context.deadlines.otherMs, [], (signal) => checkChain(self, entry, signal));
      return !entry.plugins.some((plugin) => OUR_TYPES.includes(plugin.type));
    },
    gc: (cniName, valid) => {
      const stale = ledger
        .list()
        .filter((entry) => entry.first && entry.cniName === cniName && !valid.has(formatKey(entry)));
      const idle = stale.filter(({ containerId }) => !self.lanes.isBusy(laneOf(containerId)));
      return doEach(idle, ({ containerId }) => deleteSandbox(self, containerId));
    },
    keeps: (key) => ledger.find(key) !== undefined,
    reap: () => reap(self),
  };
}

async function waitForNad({ context, findNad }: NetworksOptions, namespace: string, name: string): Promise<Nad> {
  const about = `NetworkAttachmentNotFound: NetworkAttachmentDefinition ${namespace}/${name} does not exist`;
  // Made just before the pod, it may be on its way to us.
  return withDeadline(context.clock, NAD_WAIT_MS, [], (signal) =>
    until(context.cluster.onChange, () => findNad(namespace, name), signal),
  ).catch(() => {
    throw new CniError('invalidConfig', about);
  });
}

/** The result of the plugin before us, unchanged. */
function passOn(request: AttachRequest): Json {
  const result = asJson(request.config.fields.get('prevResult'));
  if (result !== undefined) return result;
  throw new CniError('invalidConfig', '"mode": "networks" is for a plugin that comes after another one in its list');
}

/** A call as it came, and as it was read. */
type Call = { readonly request: WireRequest; readonly call: AttachRequest };

async function addPod(self: Self, { request, call }: Call, caller: AbortSignal): Promise<Json> {
  const { context, lanes } = self;
  const outcome = lanes.run(laneOf(call.containerId), (overtaken) =>
    withDeadline(context.clock, context.deadlines.addMs, [caller, overtaken], async (signal) => {
      const pod = await until(context.cluster.onChange, () => context.cluster.findPod(call.pod), signal);
      if (isAlone(self, call, pod) || !(await isOurTurn(self.mode, self.confDir))) {
        return isChained(call) ? passOn(call) : addSingle(context, request, signal);
      }
      const entries = await attachPod(self, { call, pod }, signal);
      await publish(self, { pod, entries, signal });
      const [first] = entries;
      return first?.result === undefined ? passOn(call) : convertResult(first.result, call.config.cniVersion);
    }),
  );
  return outcome.catch((error: unknown) => {
    // Our own part of the call has said about what it is.
    if (error instanceof CniError && error.message.startsWith('pod ')) throw error;
    throw explain(context, { request: call, stage: 'pod' }, error);
  });
}

/**
 * Asks for no network and has none: it costs what one interface costs, and is in the journal only. When its annotation
 * changes, it is adopted. An interface that another plugin has made is in no journal.
 */
function isAlone({ ledger }: Self, call: AttachRequest, pod: Pod): boolean {
  return !isConcerned(pod) && !isChained(call) && ledger.listSandbox(call.containerId).length === 0;
}

async function attachPod(
  self: Self,
  at: { call: AttachRequest; pod: Pod },
  signal: AbortSignal,
): Promise<LedgerEntry[]> {
  const { call, pod } = at;
  const first = await planFirst(call, pod, self);
  const further = await planFurther(call, pod, self, self.context.cluster.listPorts());
  if (!isChained(call)) return attachAll(self, [first, ...further], signal);
  if (first.nad !== undefined) {
    const way = 'it needs Mooring as the first plugin of the list, or Multus';
    throw new CniError('invalidConfig', `the pod asks for ${first.nad} as its first network: ${way}`);
  }
  const foreign: LedgerEntry = {
    ...describeSandbox(call),
    ...{ version: LEDGER_VERSION, ifname: call.ifname, state: 'attached', first: true, network: first.network },
    ...{ cniName: first.network, netnsId: readNetnsId(call.netns), plugins: [], result: passOn(call), order: 0 },
  };
  if (further.length > 0) await self.ledger.put({ ...foreign, state: 'attaching' });
  try {
    const entries = await attachAll(self, further, signal);
    await self.ledger.put(foreign);
    return [foreign, ...entries];
  } catch (error) {
    await self.ledger.delete(foreign);
    throw error;
  }
}

const PUBLISH_MS = 5000;

/** Tells the pod. The networks are there whether or not it can be told now: a later turn tells it again. */
async function publish(
  self: Self,
  what: { pod: Pod; entries: readonly LedgerEntry[]; signal: AbortSignal },
): Promise<void> {
  const { context, pods } = self;
  await withDeadline(context.clock, PUBLISH_MS, [what.signal], (signal) =>
    publishStatus(pods, what.pod, planStatus(what.pod, what.entries), signal),
  ).catch((error: unknown) => {
    context.log.warn({ err: error, pod: what.pod.metadata?.name }, 'network-status cannot be written now');
    self.wake(`${what.pod.metadata?.namespace}/${what.pod.metadata?.name}`);
  });
}

function deleteSandbox(self: Self, containerId: string): Promise<void> {
  const { context, ledger, lanes } = self;
  if (ledger.listSandbox(containerId).length === 0 && !lanes.isBusy(laneOf(containerId))) return Promise.resolve();
  return lanes.overtake(laneOf(containerId), (overtaken) =>
    withDeadline(context.clock, context.deadlines.otherMs, [overtaken], async (signal) => {
      // All are marked first: whatever happens next, none is taken for a living one.
      for (const entry of ledger.listSandbox(containerId)) await ledger.put({ ...entry, state: 'detaching' });
      for (const entry of ledger.listSandbox(containerId).toReversed()) {
        await detach(self, entry, signal).catch((error: unknown) => {
          context.log.warn({ err: error, containerId }, 'DEL cannot be finished now; the reaper will');
        });
      }
    }),
  );
}

/** Sandboxes at a time; a plugin that hangs takes 10 s for each interface. */
const REAP_WIDTH = 8;

async function reap(self: Self): Promise<number> {
  const { context, ledger, lanes } = self;
  const pods = context.cluster.listPods();
  const uids = pods.flatMap(({ metadata }) => [metadata?.uid, metadata?.annotations?.['kubernetes.io/config.hash']]);
  const plan = planSandboxes({
    entries: ledger.list(),
    podUids: context.cluster.hasSynced() ? new Set(uids.filter((uid) => uid !== undefined)) : undefined,
    hasNetns: isSameNetns,
    isBusy: (containerId) => lanes.isBusy(laneOf(containerId)),
    suspects: self.suspects.now,
  });
  self.suspects.now = plan.suspects;
  const steps = [
    ...plan.remove.map((containerId) => () => deleteSandbox(self, containerId)),
    ...plan.repair.map((entry) => () => lanes.run(laneOf(entry.containerId), () => repair(self, entry))),
  ];
  await doBeside(steps, REAP_WIDTH, (step) => step());
  if (steps.length > 0)
    context.log.info({ remove: plan.remove, repair: plan.repair.map(formatKey) }, 'networks were reaped');
  return steps.length;
}

/** Only if it still is as it was seen. */
async function repair(self: Self, entry: LedgerEntry): Promise<void> {
  if (self.ledger.find(entry) === entry) await detach(self, entry);
}
