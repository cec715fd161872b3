import { join } from 'node:path';
import type { Activation } from '../../api/activation.ts';
import {
  type Clock,
  createQueue,
  createRunner,
  type EventRecorder,
  type Logger,
  type Metrics,
  type Outcome,
  type Random,
  type Resource,
} from '../../kube/index.ts';
import type { OpenFlow } from '../../ovs/openflow/openflow.ts';
import { type Aside, createAside } from './aside.ts';
import { createCalls } from './calls.ts';
import { type Carrier, createCarrier } from './carry/carry.ts';
import type { Registry } from './carry/published.ts';
import type { Pod, RunningCluster } from './cluster.ts';
import type { Context, Links } from './context.ts';
import { removeServedGates } from './gates.ts';
import { createGuardLoop } from './guard/guard.ts';
import { type InstallOptions, installConflist, installShim, removeConflist, uninstall } from './install.ts';
import { createJournal } from './journal.ts';
import { createNetworkLoop } from './networks/loop.ts';
import type { Networks } from './networks/networks.ts';
import type { AttachMode } from './networks/who.ts';
import { createNodeGateway } from './node-gateway.ts';
import type { Controller } from './ovn-controller.ts';
import type { Ports } from './ports.ts';
import { createReaper, type Reaper } from './reaper.ts';
import { createCniServer } from './server.ts';
import { NO_OVS } from './status.ts';
import { createStrays, type Strays, type StraysOptions } from './strays/watch.ts';
import { ASIDE_FOLDER } from './unreadable.ts';
import { answer, refuse, type Served } from './verbs.ts';
import { createZombieReaper } from './zombies.ts';

export type AgentOptions = {
  readonly node: string;
  /** Stopped by whoever made them, as are the links and the ports' client. */
  readonly cluster: RunningCluster;
  readonly ports: Ports;
  readonly links: Links;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** The unix socket of the shim. */
  readonly socket: string;
  /** Journal and spool. */
  readonly stateDir: string;
  readonly install: InstallOptions;
  /** Bytes, for subnets that name no MTU; 0 takes what the operator tells this node. */
  readonly defaultMtu: number;
  /** Whether pods' first interfaces are ours: only then the node has a gateway, and the runtime our configuration. */
  readonly primary: boolean;
  /** Addresses of others that the node itself depends on: no pod gets a route of the node to such a one. */
  readonly reserved?: readonly string[];
  /** Who opens the target of a migration; gate if absent. */
  readonly activation?: Activation;
  /** Whether this agent attaches what a pod's networks annotation asks for. */
  readonly attachNetworks: AttachMode;
  /** Types of others' plugins that NADs may name; none for any. */
  readonly pluginTypes?: readonly string[];
  /** Writes network-status. */
  readonly podWriter: Pick<Resource<Pod>, 'patchStatus'>;
  /** Where this node's tunnels end, and who serves them; none: nobody watches for packets that go astray. */
  readonly tunnels?: Pick<StraysOptions, 'findSettings' | 'appctl' | 'underlay'>;
  /** The integration bridge, to keep ports from speaking as servers and to count what they spoof; none: neither. */
  readonly openflow?: OpenFlow;
  /** Where agents meet to carry tracked connections; none: they do not. */
  readonly carry?: Registry & { readonly port: number };
  /** This node's ovn-controller, for STATUS; none: it is not asked. */
  readonly controller?: Controller;
  /** Our own process id; as the first process of a container the agent has to reap orphans. */
  readonly pid?: number;
  readonly deadlines?: Context['deadlines'];
  /** Milliseconds between two rounds of the reaper (20 s). */
  readonly reapMs?: number;
};

export type Agent = {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Why no ADD can be served, undefined when one can. */
  findObstacle(): string | undefined;
};

const DEADLINES = { addMs: 60_000, otherMs: 20_000 };
const SECOND = 1000;
const RETRY_MS = 2 * SECOND;

/** The node agent: the CNI socket and the loops beside it, each level-triggered under one key. */
export function createAgent(options: AgentOptions): Agent {
  const { cluster, ports, clock, random, log, metrics } = options;
  const findObstacle = (): string | undefined => {
    if (!cluster.hasSynced()) return 'the API server has not been read yet';
    if (!ports.isLive()) return NO_OVS;
    return options.primary ? gateway.findObstacle() : undefined;
  };
  const context: Served & { networks?: Networks } = {
    ...options,
    findMtu: () => options.defaultMtu || gateway.findMtu(),
    journal: createJournal(options.stateDir, log),
    calls: createCalls(),
    deadlines: options.deadlines ?? DEADLINES,
    findObstacle,
  };
  const gateway = createNodeGateway(context, options.reserved);
  const loop = createNetworkLoop({
    ...{ context, cluster, random, mode: options.attachNetworks, pods: options.podWriter, stateDir: options.stateDir },
    ...{ binDir: options.install.binDir, confDir: options.install.confDir, pluginTypes: options.pluginTypes ?? [] },
  });
  context.networks = loop.networks;
  const carrier =
    options.carry && createCarrier({ context, random, registry: options.carry, port: options.carry.port });
  const strays = options.tunnels && createStrays({ ...options.tunnels, clock, log, metrics });
  const folders = { spool: join(options.stateDir, 'spool'), aside: join(options.stateDir, ASIDE_FOLDER) };
  const reaper = createReaper(context, folders, loop.networks);
  const aside = createAside(context, folders.aside);
  const queue = createQueue({ clock, random, backoff: { baseMs: 200, maxMs: 30 * SECOND } });
  const loops = createLoops(context, { reaper, aside, gateway, carrier, strays, options, wake: queue.add });
  const reconcile = async (key: string, signal: AbortSignal): Promise<Outcome> => {
    try {
      return (await loops.get(key)?.(signal)) ?? { done: true };
    } catch (error) {
      // No error ends a loop: a runner would drop the key of one that is not worth a retry as it stands.
      if (signal.aborted) throw error;
      log.warn({ loop: key, err: error }, 'a loop has failed and goes on');
      return { requeueAfterMs: RETRY_MS };
    }
  };
  const runner = createRunner({ queue, reconcile, concurrency: 3, clock, log, metrics });
  const server = createCniServer({
    path: options.socket,
    clock,
    log,
    answer: (request, caller) => answer(context, request, caller),
    refuse,
  });
  const wake = () => {
    for (const key of ['gateway', 'gates', 'carry']) queue.add(key);
  };
  const guard = () => queue.add('guard');
  let ends: (() => void)[] = [];
  return {
    findObstacle,
    start: async () => {
      await context.journal.load();
      await loop.networks.load();
      await reaper.takeSpool().catch((err: unknown) => log.warn({ err }, 'the spool cannot be read now'));
      await installShim(options.install);
      await server.start();
      ends = [cluster.onChange(wake), ports.onChange(wake), ports.onChange(guard)];
      runner.start();
      loop.start();
      for (const key of loops.keys()) queue.add(key);
    },
    stop: async () => {
      for (const end of ends) end();
      await server.stop();
      await Promise.all([runner.stop(), loop.stop()]);
      await carrier?.stop();
      await strays?.stop();
      // Calls whose callers were cut off take back what they have made.
      await context.calls.drain();
      if (options.install.removeAtEnd === true) {
        await uninstall(options.install);
        log.info({}, 'plugin and network configuration are removed');
      }
    },
  };
}

type Loop = (signal: AbortSignal) => Promise<Outcome>;
type Parts = {
  readonly reaper: Reaper;
  readonly aside: Aside;
  readonly gateway: ReturnType<typeof createNodeGateway>;
  readonly carrier: Carrier | undefined;
  readonly strays: Strays | undefined;
  readonly options: AgentOptions;
  readonly wake: (key: string) => void;
};

/** The one list of loops. */
function createLoops(context: Context, parts: Parts): ReadonlyMap<string, Loop> {
  const { reaper, aside, gateway, carrier, strays, options, wake } = parts;
  const reapMs = options.reapMs ?? 20 * SECOND;
  let said = '';
  const install: Loop = async () => {
    const obstacle = context.findObstacle();
    if (obstacle !== undefined) {
      if (obstacle !== said) context.log.info({ obstacle }, 'not ready');
      said = obstacle;
      return { requeueAfterMs: SECOND };
    }
    await installShim(options.install);
    if (!options.primary) await removeConflist(options.install);
    else if (await installConflist(options.install)) context.log.info({}, 'ready: the runtime may use us');
    said = '';
    return { requeueAfterMs: 60 * SECOND };
  };
  const guard: [string, Loop][] =
    options.openflow === undefined ? [] : [['guard', createGuardLoop(context, options.openflow)]];
  return new Map<string, Loop>([
    [
      'gateway',
      async (signal) => {
        if (!context.cluster.hasSynced() || !context.ports.isLive()) return { requeueAfterMs: SECOND };
        if (!options.primary) {
          await gateway.remove(signal);
          return { done: true };
        }
        const before = gateway.findObstacle();
        await gateway.ensure(signal);
        if (before !== gateway.findObstacle()) wake('install');
        return { requeueAfterMs: 30 * SECOND };
      },
    ],
    [
      'gates',
      async () => {
        await removeServedGates(context);
        return { done: true };
      },
    ],
    ['carry', async (signal) => carrier?.turn(signal) ?? { done: true }],
    ['strays', async () => strays?.turn() ?? { done: true }],
    [
      'reap',
      async () => {
        await reaper.replaySpool();
        await reaper.round();
        return { requeueAfterMs: reapMs };
      },
    ],
    ['install', install],
    ['aside', repeat(aside.round, reapMs)],
    ...(options.pid === 1 ? [['zombies', createZombies(context, options.pid, reapMs)] as const] : []),
    ...guard,
  ]);
}

const repeat =
  (round: () => Promise<unknown>, everyMs: number): Loop =>
  async () => {
    await round();
    return { requeueAfterMs: everyMs };
  };

function createZombies({ links, log }: Context, parent: number, everyMs: number): Loop {
  return repeat(createZombieReaper({ links, log, parent }).round, everyMs);
}
