import type { Transport } from '../../src/kube/index.ts';
import type { FakeApiServer, Fault } from '../../src/kube/testing/fake-api-server.ts';
import type { NbClient } from '../../src/ovn/database.ts';
import { ConnectionError } from '../../src/ovsdb/index.ts';
import { type Stage, type Started, type StartOptions, until } from './stage.ts';

/** When the process dies: before its n-th write takes effect, or after, but before it learns of it. */
export type Death = { readonly write: number; readonly when: 'before' | 'after' };

const LEASES = 'coordination.k8s.io/v1/leases';
const WRITES = ['create', 'update', 'patch', 'delete'];

/** What is left of the writes until the end; `dead` is what everybody else sees of it. */
export type Mortal = { readonly dead: boolean; readonly writes: number; readonly wrapNb: (nb: NbClient) => NbClient };

/**
 * Lets the operator that is started next die at the chosen write, to the API server or to the database; counts the
 * writes there were. `trouble` may give another fault for a request, for what fails without anybody's death.
 */
export function arrangeDeath(api: FakeApiServer, death: Death, trouble?: () => Fault | undefined): Mortal {
  const fate = createFate(death);
  api.fault = ({ verb, collection }) => {
    if (fate.dead) return 'reset';
    if (collection === LEASES || !WRITES.includes(verb)) return undefined;
    const end = fate.next();
    if (end !== undefined) return end === 'before' ? 'reset' : 'lostAnswer';
    return trouble?.();
  };
  return fate;
}

/** The same on any API server: the process is cut off from it at its own end. */
export function arrangeCut(death: Death): Mortal & Required<Pick<StartOptions, 'wrapTransport'>> {
  const fate = createFate(death);
  const wrapTransport = (transport: Transport): Transport =>
    replaceMethod(transport, 'request', async (request) => {
      if (fate.dead) throw new Error('the process is dead');
      if ((request.method ?? 'GET') === 'GET' || request.path.includes('/leases')) return transport.request(request);
      const end = fate.next();
      if (end === 'before') throw new Error('the process is dead');
      const answer = await transport.request(request);
      if (end === 'after') throw new Error('the process is dead');
      return answer;
    });
  return Object.assign(fate, { wrapTransport });
}

function createFate(death: Death): Mortal & { next(): Death['when'] | undefined } {
  const state = { writes: 0, dead: false };
  const next = (): Death['when'] | undefined => {
    state.writes += 1;
    if (state.writes !== death.write) return undefined;
    state.dead = true;
    return death.when;
  };
  const wrapNb = (nb: NbClient): NbClient => {
    const { client } = nb;
    const transactAndSync: typeof client.transactAndSync = async (operations, options) => {
      const end = state.dead ? 'before' : next();
      if (end === 'before') throw new ConnectionError('the process is dead');
      const results = await client.transactAndSync(operations, options);
      if (end === 'after') throw new ConnectionError('the process is dead');
      return results;
    };
    return { ...nb, client: replaceMethod(client, 'transactAndSync', transactAndSync) };
  };
  return {
    get dead() {
      return state.dead;
    },
    get writes() {
      return state.writes;
    },
    next,
    wrapNb,
  };
}

/** The same object with one method of its own. */
export function replaceMethod<T extends object, K extends keyof T>(object: T, name: K, method: T[K]): T {
  return new Proxy(object, {
    get: (target, key) => {
      if (key === name) return method;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** The operator lives until it dies or has written nothing for so long. */
export async function live(mortal: Mortal, restMs: number): Promise<void> {
  let last = -1;
  let since = performance.now();
  await until('death or rest', async () => {
    if (mortal.writes !== last) since = performance.now();
    last = mortal.writes;
    return mortal.dead || performance.now() - since > restMs;
  });
}

/** The dead one is buried and its lease has run out: the next one may begin. */
export async function bury({ api }: Stage, operator: Started): Promise<void> {
  await operator.stop();
  api.fault = undefined;
  freeLease(api);
}

/** Nobody waits for the end of one whose holder had no time to give it back. */
export function freeLease(api: FakeApiServer): void {
  for (const { metadata } of api.storage.list(LEASES)) {
    api.storage.remove(LEASES, `${metadata.namespace}/${metadata.name}`);
  }
}

/** Numbers in [0, 1), the same ones for the same seed (mulberry32). */
export function createDice(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
