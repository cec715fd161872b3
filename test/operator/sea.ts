import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { type Fleet, startFleet } from './fleet.ts';
import { bury } from './mortal.ts';
import { type Stage, type Started, type StartOptions, startStage, until } from './stage.ts';
import { createVoyage, type Leg, type Voyage } from './voyage.ts';

/** What one test has to itself, and what all tests of a file share. */
export type Sea = {
  readonly stage: Stage;
  readonly fleet: Fleet;
  readonly voyage: Voyage;
  /** The operator that runs; replaced by `restart`. */
  readonly operator: Started;
  /** The operator ends as by a kill, and another one begins; resolves after its first pass. */
  restart(options?: StartOptions): Promise<void>;
  stop(): Promise<void>;
  /** What the agent does on each node that has an attachment. */
  plug(node: string, name?: string): Promise<void>;
  unplug(node: string, name?: string): Promise<void>;
  /** The interface of that name on a node, which is this test's own. */
  nameOf(name: string): string;
  whenBound(binding: string): Promise<void>;
  /** A guest on n1, bound there; gives its launcher. */
  start(): Promise<string>;
  /** A migration to that node whose target is wired. */
  prepare(node: string, name?: string): Promise<Leg>;
  /** Status and reason of a condition of the LogicalPort, as `True/Bound`. */
  findCondition(type: string): string | undefined;
};

type State = { stage?: Stage; fleet?: Fleet; voyage?: Voyage; operator?: Started; count: number };

/** A stage with northd and real nodes for a test file; each test has a VM and an operator of its own. */
export function useSea(nodes: readonly string[], options: StartOptions = {}): Sea {
  const state: State = { count: 0 };
  const sea = createSea(state, options);
  beforeAll(async () => {
    state.stage = await startStage();
    state.fleet = await startFleet(state.stage, nodes);
  });
  afterAll(async () => {
    await state.fleet?.[Symbol.asyncDispose]();
    await state.stage?.[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    state.operator = await sea.stage.start(options);
    state.count += 1;
    state.voyage = createVoyage(sea.stage, `vm${state.count}`);
  });
  afterEach(async () => {
    sea.voyage[Symbol.dispose]();
    await bury(sea.stage, sea.operator);
    await Promise.all(nodes.map((node) => sea.fleet.ship(node).revive()));
  });
  return sea;
}

function createSea(state: State, options: StartOptions): Sea {
  const get = <K extends 'stage' | 'fleet' | 'voyage' | 'operator'>(name: K): NonNullable<State[K]> => {
    const value = state[name];
    if (value === undefined) throw new Error(`no ${name} outside of a test`);
    return value;
  };
  const nameOf = (name: string) => `${name}${state.count}`;
  const sea: Sea = {
    get stage() {
      return get('stage');
    },
    get fleet() {
      return get('fleet');
    },
    get voyage() {
      return get('voyage');
    },
    get operator() {
      return get('operator');
    },
    nameOf,
    stop: () => bury(sea.stage, sea.operator),
    restart: async (changed = options) => {
      await bury(sea.stage, sea.operator);
      const next = await sea.stage.start(changed);
      state.operator = next;
      await until('first pass', async () => next.log.lines.some(({ message }) => message === 'first pass done'));
    },
    plug: async (node, name = 'tap') => {
      const { voyage, fleet } = sea;
      await fleet.ship(node).plug(nameOf(name), { lsp: voyage.lsp, uid: await voyage.whenPort() });
    },
    unplug: (node, name = 'tap') => sea.fleet.ship(node).unplug(nameOf(name)),
    whenBound: (binding) => whenBound(sea, binding),
    start: async () => {
      const pod = sea.voyage.board('n1');
      await sea.plug('n1');
      await sea.whenBound('n1 |  | up');
      return pod;
    },
    prepare: async (node, name) => {
      const leg = sea.voyage.prepare(node);
      await sea.plug(node, name);
      await until('two chassis', async () => sea.fleet.findBinding(sea.voyage.lsp)?.includes(` ${node} `) || undefined);
      return leg;
    },
    findCondition: (type) => {
      const found = sea.stage.findPort(sea.voyage.port)?.status?.conditions?.find((one) => one.type === type);
      return found && `${found.status}/${found.reason}`;
    },
  };
  return sea;
}

async function whenBound({ fleet, voyage }: Sea, binding: string): Promise<void> {
  let last: string | undefined;
  await until(`bound as ${binding}`, async () => {
    last = fleet.findBinding(voyage.lsp);
    return last === binding || undefined;
  }).catch((error: unknown) => {
    throw new Error(`bound as ${last}; asked ${voyage.asked.join(' > ')}`, { cause: error });
  });
}
