import { parseLspName } from '../../src/api/names.ts';
import { SB } from '../../src/ovn/schema/sb.gen.ts';
import {
  createIndex,
  createOvsdbClient,
  deleteOp,
  insertOp,
  type Operation,
  type OvsdbClient,
  type Row,
  updateOp,
  whereUuid,
} from '../../src/ovsdb/index.ts';
import { encodeColumns } from '../../src/ovsdb/typed.ts';

/**
 * What northd and a hundred ovn-controllers would do about ports, and nothing else: a switch port gets a Port_Binding, and
 * the chassis of its `requested-chassis`, if it is one of ours, claims it.
 */
export type ChassisFarm = AsyncDisposable & {
  /** Switch ports of pods and VMs in the Northbound database now. */
  countPorts(): number;
  hasPort(name: string): boolean;
  /** Stops and starts acting; what happened meanwhile is not made up for. */
  pause(): void;
  whenConnected(): Promise<void>;
};

type Binding = { readonly uuid: string; chassis: string | undefined };

const FLUSH_MS = 10;
const MAX_BATCH = 500;
const KEYS_PER_DATAPATH = 32_000;
const DATAPATHS = 8;

export async function startChassisFarm(nb: string, sb: string, nodes: readonly string[]): Promise<ChassisFarm> {
  const nbClient = createOvsdbClient({
    remotes: [nb],
    database: 'OVN_Northbound',
    tables: { Logical_Switch_Port: { columns: ['name', 'options'] } },
  });
  const sbClient = createOvsdbClient({ remotes: [sb], database: 'OVN_Southbound', tables: {} });
  nbClient.start();
  sbClient.start();
  await Promise.all([nbClient.whenLive(), sbClient.whenLive()]);
  const farm = await registerChassis(sbClient, nodes);
  const byName = createIndex(nbClient, 'Logical_Switch_Port', nameOf);
  const worker = createWorker({ sbClient, farm, find: (name) => byName.get(name)[0] });
  const follow = nbClient.onChange((changes) => {
    for (const { old, new: row } of changes) worker.look(nameOf(row ?? old) ?? '');
  });
  for (const row of nbClient.table('Logical_Switch_Port').values()) worker.look(nameOf(row) ?? '');
  return {
    countPorts: () =>
      [...nbClient.table('Logical_Switch_Port').values()].filter((row) => nameOf(row) !== undefined).length,
    hasPort: (name) => byName.get(name).length > 0,
    pause: follow,
    whenConnected: () => nbClient.whenLive(),
    [Symbol.asyncDispose]: async () => {
      follow();
      worker.stop();
      await Promise.all([nbClient.stop(), sbClient.stop()]);
    },
  };
}

/** Only ports of pods and VMs; those of nodes and routers are nobody's business here. */
function nameOf(row: Row | undefined): string | undefined {
  const name = row?.name;
  return typeof name === 'string' && parseLspName(name) !== undefined ? name : undefined;
}

type Farm = { readonly chassis: ReadonlyMap<string, string>; readonly datapaths: readonly string[] };

async function registerChassis(sb: OvsdbClient, nodes: readonly string[]): Promise<Farm> {
  const operations = nodes.flatMap((name, index) => {
    const ip = `192.168.${Math.floor(index / 250)}.${(index % 250) + 1}`;
    const encap = encodeColumns(SB.Encap, { type: 'geneve', ip, chassis_name: name });
    const chassis = encodeColumns(SB.Chassis, { name, hostname: name, encaps: [`encap_${index}`] });
    return [insertOp(SB.Encap.name, encap, { uuidName: `encap_${index}` }), insertOp(SB.Chassis.name, chassis)];
  });
  const paths = Array.from({ length: DATAPATHS }, (_, index) =>
    insertOp(SB.Datapath_Binding.name, encodeColumns(SB.Datapath_Binding, { tunnel_key: BigInt(index + 1) })),
  );
  const results = await sb.transact([...operations, ...paths]);
  const uuidAt = (index: number): string => results[index]?.uuid ?? '';
  return {
    chassis: new Map(nodes.map((name, index) => [name, uuidAt(index * 2 + 1)])),
    datapaths: paths.map((_, index) => uuidAt(operations.length + index)),
  };
}

type WorkerOptions = {
  readonly sbClient: OvsdbClient;
  readonly farm: Farm;
  readonly find: (name: string) => Row | undefined;
};

/** One transaction at a time; a port that changes while it is written is looked at again. */
function createWorker({ sbClient, farm, find }: WorkerOptions) {
  const bindings = new Map<string, Binding>();
  const dirty = new Set<string>();
  let made = 0;
  let running = false;
  let timer: NodeJS.Timeout | undefined;

  const plan = (name: string): { operation: Operation; settle: (uuid: string | undefined) => void } | undefined => {
    const row = find(name);
    const known = bindings.get(name);
    if (row === undefined) {
      if (known === undefined) return undefined;
      const operation = deleteOp(SB.Port_Binding.name, whereUuid(known.uuid));
      return { operation, settle: () => void bindings.delete(name) };
    }
    if (known === undefined) {
      const operation = insertOp(SB.Port_Binding.name, makeBinding(farm, name, made++));
      // Northd makes the row; the chassis sees it and claims it in a transaction of its own.
      return {
        operation,
        settle: (uuid) => {
          if (uuid !== undefined) bindings.set(name, { uuid, chassis: undefined });
          dirty.add(name);
        },
      };
    }
    const wanted = findRequested(farm, row);
    if (wanted === known.chassis) return undefined;
    const columns = { chassis: wanted, up: wanted !== undefined };
    const operation = updateOp(SB.Port_Binding.name, whereUuid(known.uuid), encodeColumns(SB.Port_Binding, columns));
    return {
      operation,
      settle: () => {
        known.chassis = wanted;
      },
    };
  };
  const flush = async (): Promise<void> => {
    timer = undefined;
    running = true;
    const names = [...dirty].slice(0, MAX_BATCH);
    for (const name of names) dirty.delete(name);
    const steps = names.flatMap((name) => plan(name) ?? []);
    if (steps.length > 0) {
      const results = await sbClient.transact(steps.map((step) => step.operation));
      steps.forEach((step, index) => void step.settle(results[index]?.uuid));
    }
    running = false;
    schedule();
  };
  const schedule = (): void => {
    if (running || dirty.size === 0 || timer !== undefined) return;
    timer = setTimeout(() => void flush().catch(fail), FLUSH_MS);
  };
  return {
    look: (name: string) => {
      if (name === '') return;
      dirty.add(name);
      schedule();
    },
    stop: () => {
      clearTimeout(timer);
      dirty.clear();
    },
  };
}

/** A farm that stopped would make every measurement hang: better to end at once. */
function fail(error: unknown): never {
  process.stderr.write(`the simulated chassis failed: ${String(error)}\n`);
  process.exit(1);
}

function makeBinding({ datapaths }: Farm, name: string, index: number) {
  const datapath = datapaths[Math.floor(index / KEYS_PER_DATAPATH)] ?? '';
  const tunnel_key = BigInt((index % KEYS_PER_DATAPATH) + 1);
  return encodeColumns(SB.Port_Binding, { logical_port: name, datapath, tunnel_key });
}

function findRequested({ chassis }: Farm, row: Row): string | undefined {
  const options = row.options instanceof Map ? (row.options as ReadonlyMap<string, string>) : new Map<string, string>();
  const [first = ''] = (options.get('requested-chassis') ?? '').split(',');
  return chassis.get(first);
}
