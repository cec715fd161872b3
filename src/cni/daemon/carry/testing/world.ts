import type { LogicalPort } from '../../../../api/types.gen.ts';
import {
  type Clock,
  createResource,
  createTransport,
  type EventNote,
  type KubeObject,
  LEASE,
  type Lease,
  systemClock,
} from '../../../../kube/index.ts';
import { type FakeApiServer, startFakeApiServer } from '../../../../kube/testing/fake-api-server.ts';
import { createRecordingLogger } from '../../../../kube/testing/recording-logger.ts';
import type { Links } from '../../context.ts';
import type { Journal, JournalEntry } from '../../journal.ts';
import { type Carrier, createCarrier } from '../carry.ts';

/** One node's carrier, with the cluster that it sees. */
export type CarryNode = {
  readonly address: string;
  readonly log: ReturnType<typeof createRecordingLogger>;
  readonly events: { readonly regarding: KubeObject; readonly note: EventNote }[];
  readonly metrics: string[];
  journal: JournalEntry[];
  /** Shows these ports and takes turns until one asks for no further soon. */
  show(...ports: LogicalPort[]): void;
  /** Another agent on the same node: what the first one knew is gone, its key too. */
  restart(): Promise<void>;
  stop(): Promise<void>;
};

export type NodeOptions = { readonly links: Links; readonly journal: JournalEntry[]; readonly clock?: Clock };

/** Nodes on loopback addresses of their own, and an API server over HTTP for their Leases. */
export type CarryWorld = {
  readonly api: FakeApiServer;
  readonly port: number;
  readonly registry: { readonly leases: ReturnType<typeof createResource<Lease>>; readonly namespace: string };
  startNode(name: string, options: NodeOptions): Promise<CarryNode>;
  stop(): Promise<void>;
};

let worlds = 0;

export async function startCarryWorld(): Promise<CarryWorld> {
  const api = await startFakeApiServer();
  const transport = createTransport({ endpoint: api.endpoint, clock: systemClock });
  const registry = { leases: createResource<Lease>(transport, LEASE), namespace: 'mooring-system' };
  worlds += 1;
  // Nodes of different tests never share an address, so one port serves them all.
  const prefix = `127.${(process.pid % 200) + 20}.${worlds}`;
  const nodes: CarryNode[] = [];
  const port = 9477;
  return {
    api,
    port,
    registry,
    startNode: async (name, options) => {
      const node = createNode({ name, address: `${prefix}.${nodes.length + 1}`, registry, port, ...options });
      nodes.push(node);
      await node.restart();
      return node;
    },
    stop: async () => {
      await Promise.all(nodes.map((node) => node.stop()));
      await transport.close();
      await api.stop();
    },
  };
}

type Parts = NodeOptions & Pick<CarryWorld, 'registry' | 'port'> & { readonly name: string; readonly address: string };

function createNode({ name, address, registry, port, links, journal, clock = systemClock }: Parts): CarryNode {
  const log = createRecordingLogger();
  const events: CarryNode['events'] = [];
  const metrics: string[] = [];
  const seen = { ports: [] as readonly LogicalPort[], carrier: undefined as Carrier | undefined };
  const timers = new Set<NodeJS.Timeout>();
  const object = { metadata: { name, uid: `uid-${name}` }, status: { addresses: [{ type: 'InternalIP', address }] } };
  const node: CarryNode = {
    ...{ address, log, events, metrics, journal },
    show: (...ports) => {
      seen.ports = ports;
      void turn();
    },
    restart: async () => {
      await node.stop();
      seen.carrier = createCarrier({
        context: {
          node: name,
          links,
          journal: { list: () => node.journal } as unknown as Journal,
          events: { record: (regarding, note) => void events.push({ regarding, note }) },
          cluster: { hasSynced: () => true, listPorts: () => seen.ports, findNode: () => object },
          ...{ clock, log },
          metrics: {
            count: (metric, labels = {}) => void metrics.push([metric, ...Object.values(labels)].join(' ')),
            observe: (metric) => void metrics.push(metric),
          },
        },
        ...{ random: () => 0, registry, port },
      });
      await turn();
    },
    stop: async () => {
      for (const timer of timers) clearTimeout(timer);
      timers.clear();
      const { carrier } = seen;
      seen.carrier = undefined;
      await running;
      await carrier?.stop();
    },
  };
  let running: Promise<void> = Promise.resolve();
  const signal = new AbortController().signal;
  const turn = (): Promise<void> => {
    running = running.then(async () => {
      const outcome = await seen.carrier?.turn(signal);
      if (outcome === undefined || !('requeueAfterMs' in outcome)) return;
      const timer = setTimeout(() => {
        timers.delete(timer);
        void turn();
      }, outcome.requeueAfterMs);
      timers.add(timer);
    });
    return running;
  };
  return node;
}
