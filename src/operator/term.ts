import { formatOwner } from '../api/owner.ts';
import { createQueue, createRunner, type Outcome, type Random, type Timer } from '../kube/index.ts';
import { takeEpoch } from '../ovn/epoch.ts';
import { ownerOf } from '../ovn/kind.ts';
import { KINDS as ROW_KINDS } from '../ovn/kinds.ts';
import { EpochLost } from '../ovn/problems.ts';
import { SWITCH } from '../ovn/switch.ts';
import { createWriter } from '../ovn/writer.ts';
import { rebuildJoinPool } from '../plan/networks/node.ts';
import { createMacTurns } from '../plan/ports/mac-turns.ts';
import type { Context, Turn } from './context.ts';
import { ensureCurrent } from './current.ts';
import { ensureDefaultSubnet } from './default-subnet.ts';
import { createFirstPass } from './first-pass.ts';
import { followForeign } from './foreign.ts';
import { createHurry } from './hurry.ts';
import { createInbox, type TermInbox } from './inbox.ts';
import { listJoinRecords } from './join.ts';
import { formatWorkloadKey, getPortKey } from './keys.ts';
import { listKubevirtKeys } from './kubevirt/route.ts';
import { followLeftovers } from './leftovers.ts';
import { routeMtu } from './mtu.ts';
import { listPodKeys } from './pod/spare.ts';
import { listPolicyKeys } from './policy/route.ts';
import { reconcile } from './reconcile.ts';
import { getOwnerKey, routeChanges } from './routing.ts';
import { whenWorldReady } from './world.ts';

export type TermOptions = {
  readonly context: Context;
  readonly defaultCidr: string;
  readonly random: Random;
  /** Keys worked on at the same time. */
  readonly concurrency: number;
  /** Time between two looks at everything, in ms. */
  readonly resyncMs: number;
};

const UPLINKS_MS = 5000;

/** The cache's own event brings the key again anyway, most often sooner. */
const BEHIND_MS = 250;

/** What does not change from turn to turn. */
type TermState = Omit<Turn, 'since' | 'wake'>;

/**
 * Leads for one term: waits until everything has been read, begins an epoch, then works until the signal ends it.
 * Resolves when all work has stopped. Throws EpochLost when another leader has begun, and what `takeEpoch` throws.
 */
export async function runTerm(options: TermOptions, term: number, signal: AbortSignal): Promise<void> {
  const { context } = options;
  await whenWorldReady(context.world, signal);
  await context.nb.client.whenLive(signal);
  const epoch = await takeEpoch(context.nb.client, context.settings.cluster, term);
  context.log.info({ term, epoch: String(epoch.value) }, 'epoch begun');
  if (context.settings.primary) await ensureDefaultSubnet(context, options.defaultCidr, signal);
  await Promise.all([waitForUplinks(context, signal), ensureCurrent(context, signal)]);
  context.addresses.forgetPending();
  const writer = createWriter({
    client: context.nb.client,
    epoch,
    log: (event, fields) => context.log.warn(fields, event),
  });
  const state: TermState = {
    ...context,
    writer,
    joinPool: rebuildJoinPool(
      context.world.nodes.store.list(),
      listJoinRecords(context.nb, context.settings.cluster),
      context.settings,
    ),
    blocked: new Map(),
    pending: new Map(),
    late: new Map(),
    unwritten: new Map(),
    steps: new Map(),
    macTurns: createMacTurns(),
    refused: new Map(),
    heard: new Set(),
    signal,
  };
  await work(options, state);
  await writer.idle();
}

/** The MTU comes from the Southbound database; an outage of it keeps nobody from leading. */
async function waitForUplinks({ bindings, log }: Context, signal: AbortSignal): Promise<void> {
  const patience = AbortSignal.any([signal, AbortSignal.timeout(UPLINKS_MS)]);
  await bindings.whenLive(patience).catch(() => {
    if (!signal.aborted) log.warn({}, 'the Southbound database cannot be reached; the MTU of uplinks is not known yet');
  });
}

async function work(options: TermOptions, state: TermState): Promise<void> {
  const { clock, log, metrics, settings } = state;
  const over = Promise.withResolvers<void>();
  const queue = createQueue({ clock, random: options.random });
  const hurry = createHurry(clock);
  const inbox = createInbox(queue, state.world, clock, hurry.press);
  const wake = (subnet?: string) => {
    for (const [key, subnets] of state.blocked) if (subnet === undefined || subnets.includes(subnet)) inbox.add(key);
    if (subnet === undefined) return;
    for (const port of state.world.ports.store.byIndex('conflict', subnet)) inbox.add(getPortKey(port));
  };
  const firstPass = createFirstPass(state);
  const run = async (key: string): Promise<Outcome> => {
    if (state.ownWrites.isBehind(key)) return { requeueAfterMs: BEHIND_MS };
    const since = inbox.takeSince(key);
    const outcome = await hurry.run(key, state.signal, (signal) => reconcile({ ...state, wake, since, signal }, key));
    firstPass.done(key);
    return outcome;
  };
  const runner = createRunner({
    queue,
    reconcile: run,
    concurrency: options.concurrency,
    clock,
    log,
    metrics,
    onTerminal: (_key, error) => {
      if (error instanceof EpochLost) over.reject(error);
    },
  });
  state.signal.addEventListener('abort', () => over.resolve(), { once: true });
  if (state.signal.aborted) return;
  // The router and the join switch first, then switches that are not there, as in an empty database: all else hangs on them.
  await run(`vpc/${settings.defaultVpc}`);
  // What fails now has its turn again below, where failures are told.
  await Promise.allSettled(listBareSubnets(state).map((name) => run(`subnet/${name}`)));
  const ends = [
    state.world.vmis.onNews(({ object }) => {
      state.heard.add(formatWorkloadKey('vm', object.metadata.namespace ?? '', object.metadata.name));
    }),
    followLeftovers(state, (subnet) => {
      wake(subnet);
      inbox.add(`subnet/${subnet}`);
    }),
    routeChanges(state, inbox, wake),
    routeMtu(state, inbox),
    wakeWithDatabase(state, wake),
    resyncRegularly(options, state, inbox),
  ];
  firstPass.begin(listEverything(state));
  runner.start();
  try {
    await over.promise;
  } finally {
    for (const end of ends) end();
    await runner.stop();
  }
}

/** Subnets of ours without a switch. */
function listBareSubnets({ addresses, nb, settings }: TermState): string[] {
  const isBare = (name: string) =>
    nb.observed.findByOwner(SWITCH, settings.cluster, formatOwner({ kind: 'Subnet', name })).length === 0;
  return [...addresses.plans().values()].flatMap(({ name, ovn, usable }) =>
    ovn && usable && isBare(name) ? name : [],
  );
}

/** What could not be written while the database was away is tried as soon as it is back. */
function wakeWithDatabase({ nb }: TermState, wake: () => void): () => void {
  return nb.client.onState((event) => {
    if (event.state === 'live') wake();
  });
}

/** Looks at everything once at the start and then regularly, by the same turns as for any change. */
function resyncRegularly(options: TermOptions, state: TermState, inbox: TermInbox): () => void {
  let timer: Timer | undefined;
  const foreign = followForeign(state);
  const resync = () => {
    foreign.refresh();
    for (const key of listEverything(state)) inbox.check(key);
    timer = state.clock.schedule(options.resyncMs, resync);
  };
  resync();
  return () => {
    timer?.cancel();
    foreign.end();
  };
}

/** The keys of all objects, and of all rows of ours: rows without an owner come to light here. */
function listEverything(state: TermState): Set<string> {
  const { world, nb, settings } = state;
  const nameKey = ({ metadata }: { metadata: { namespace?: string; name: string } }) =>
    formatWorkloadKey('vm', metadata.namespace ?? '', metadata.name);
  const owners = ROW_KINDS.flatMap((kind) =>
    nb.observed.findByCluster(kind, settings.cluster).flatMap((row) => ownerOf(row) ?? []),
  );
  return new Set([
    ...world.subnets.store.list().map((subnet) => `subnet/${subnet.metadata.name}`),
    ...world.vpcs.store.list().map((vpc) => `vpc/${vpc.metadata.name}`),
    ...world.ipPools.store.list().map((pool) => `ippool/${pool.metadata.name}`),
    ...world.migrationNetworks.store.list().map((network) => `migrationnetwork/${network.metadata.name}`),
    ...listKubevirtKeys(state),
    ...listPolicyKeys(state),
    ...world.nodes.store.list().map((node) => `node/${node.metadata.name}`),
    ...world.vms.store.list().map(nameKey),
    ...world.vmis.store.list().map(nameKey),
    ...world.pods.store.list().flatMap((pod) => listPodKeys(state, pod)),
    ...world.ports.store.list().map(getPortKey),
    ...owners.map((owner) => getOwnerKey(state, owner)),
  ]);
}
