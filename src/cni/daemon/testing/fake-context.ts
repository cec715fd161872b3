import type { LogicalPort, Subnet } from '../../../api/types.gen.ts';
import type { EventNote } from '../../../kube/index.ts';
import { createFakeClock, type FakeClock } from '../../../kube/testing/fake-clock.ts';
import { createRecordingLogger } from '../../../kube/testing/recording-logger.ts';
import type { Job } from '../../../netlink/jobs.ts';
import { createCalls } from '../calls.ts';
import type { Pod } from '../cluster.ts';
import type { Context } from '../context.ts';
import { formatKey, type Journal, type JournalEntry } from '../journal.ts';
import type { OvsPort } from '../ports.ts';
import type { AttachRequest } from '../request.ts';

/** A step that a test can make fail or hold: `journal.put`, `links.attachVeth`, `ports.ensurePod`, `ports.remove`, … */
export type Fault = (step: string) => Promise<void> | void;

/** The daemon's world in memory, for failures that the real one cannot be made to show at a chosen moment. */
export type FakeWorld = {
  readonly context: Context;
  readonly clock: FakeClock;
  readonly log: ReturnType<typeof createRecordingLogger>;
  readonly steps: string[];
  readonly pods: Map<string, Pod>;
  readonly ports: Map<string, OvsPort>;
  readonly links: Set<string>;
  readonly entries: Map<string, JournalEntry>;
  readonly events: EventNote[];
  /** Addresses that OVN on the node depends on. */
  readonly peers: string[];
  fault: Fault;
  port: LogicalPort | undefined;
  subnet: Subnet | undefined;
  live: boolean;
  /** The API has been read. */
  synced: boolean;
  obstacle: string | undefined;
  /** OVN says so for each new port. */
  installs: boolean;
  change(): void;
};

export const REQUEST: AttachRequest = {
  containerId: 'c1',
  ifname: 'eth0',
  netns: '/run/netns/x',
  pod: { namespace: 'shop', name: 'web', uid: 'u1' },
  config: { cniVersion: '1.0.0', name: 'mooring', type: 'mooring', fields: new Map() },
};

const PORT = {
  metadata: { name: 'web.eth0.pod', namespace: 'shop', uid: 'lp1' },
  spec: {
    owner: { kind: 'Pod', name: 'web', uid: 'u1' },
    nic: 'eth0',
    subnet: 'default',
    ips: ['10.16.0.5'],
    mac: '02:00:0a:10:00:05',
    attachments: [{ podName: 'web', podUID: 'u1', node: 'n1', interface: 'eth0', role: 'Source' }],
  },
} as unknown as LogicalPort;
const SUBNET = { metadata: { name: 'default' }, spec: { cidrBlock: '10.16.0.0/16' } } as unknown as Subnet;

/** A pod with its port and subnet on a node where everything works. */
export function createFakeWorld(): FakeWorld {
  const listeners = new Set<() => void>();
  const clock = createFakeClock();
  const log = createRecordingLogger();
  const world: Omit<FakeWorld, 'context'> = {
    clock,
    log,
    steps: [],
    pods: new Map([['shop/web', { metadata: { namespace: 'shop', name: 'web', uid: 'u1' } }]]),
    ports: new Map(),
    links: new Set(),
    entries: new Map(),
    events: [],
    peers: [],
    fault: () => undefined,
    port: PORT,
    subnet: SUBNET,
    live: true,
    synced: true,
    obstacle: undefined,
    installs: true,
    change: () => {
      for (const listener of listeners) listener();
    },
  };
  const onChange = (listener: () => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  const context: Context = {
    node: 'n1',
    cluster: {
      hasSynced: () => world.synced,
      findPod: ({ namespace, name }) => world.pods.get(`${namespace}/${name}`),
      listPods: () => [...world.pods.values()],
      findPort: () => world.port,
      listPorts: () => (world.port === undefined ? [] : [world.port]),
      findSubnet: () => world.subnet,
      listSubnets: () => (world.subnet === undefined ? [] : [world.subnet]),
      findNode: () => undefined,
      onChange,
    },
    ports: createFakePorts(world, onChange),
    links: { run: (job) => runFake(world, job) as never },
    journal: createFakeJournal(world),
    calls: createCalls(),
    events: { record: (_regarding, note) => void world.events.push(note) },
    clock,
    log,
    metrics: { count: () => undefined, observe: () => undefined },
    deadlines: { addMs: 60_000, otherMs: 20_000 },
    findMtu: () => 1400,
    findObstacle: () => world.obstacle,
  };
  return Object.assign(world, { context });
}

type World = Omit<FakeWorld, 'context'>;

async function take(world: World, step: string): Promise<void> {
  world.steps.push(step);
  await world.fault(step);
}

function createFakePorts(world: World, onChange: Context['ports']['onChange']): Context['ports'] {
  return {
    isLive: () => world.live,
    findBridge: () => ({ datapath: 'system' }),
    list: () => [...world.ports.values()],
    find: (name) => world.ports.get(name),
    listPeers: () => world.peers,
    onChange,
    ensurePod: async (port) => {
      await take(world, 'ports.ensurePod');
      world.ports.set(port.name, { ...port, installed: world.installs, error: undefined, ifIndex: 1 });
      return [];
    },
    ensureNode: () => take(world, 'ports.ensureNode'),
    remove: async (names) => {
      await take(world, 'ports.remove');
      for (const name of names) world.ports.delete(name);
    },
  };
}

async function runFake(world: World, job: Job): Promise<object> {
  await take(world, `links.${job.kind}`);
  if (job.kind === 'attachVeth') world.links.add(job.hostName);
  if (job.kind === 'detachVeth') world.links.delete(job.hostName);
  if (job.kind === 'checkVeth') return { problems: [] };
  if (job.kind === 'configureNodePorts') return { ports: [], refused: [] };
  if (job.kind !== 'listLinks') return {};
  return { links: [...world.links].map((name) => ({ name, alias: 'mooring shop/web/eth0' })) };
}

function createFakeJournal(world: World): Journal {
  return {
    load: async () => undefined,
    find: (key) => world.entries.get(formatKey(key)),
    list: () => [...world.entries.values()],
    put: async (entry) => {
      await take(world, 'journal.put');
      world.entries.set(formatKey(entry), entry);
    },
    delete: async (key) => {
      await take(world, 'journal.delete');
      world.entries.delete(formatKey(key));
    },
  };
}
