import { createReflector, type Reflector, type ReflectorOptions } from '../reflector.ts';
import type { ResourceKind } from '../resource.ts';
import { createTransport, type Transport } from '../transport.ts';
import type { KubeObject } from '../types.ts';
import { eventually } from './eventually.ts';
import { type FakeApiServer, startFakeApiServer } from './fake-api-server.ts';
import { createFakeClock, type FakeClock } from './fake-clock.ts';
import { createRecordingLogger } from './recording-logger.ts';

/** A kind for tests. */
export const PODS: ResourceKind = { group: '', version: 'v1', plural: 'pods', namespaced: true, kind: 'Pod' };
/** Its name in the fake server's storage. */
export const POD_COLLECTION = 'v1/pods';

/** A server, a clock and a transport that end with the test. */
export type Harness = {
  server: FakeApiServer;
  clock: FakeClock;
  transport: Transport;
  log: ReturnType<typeof createRecordingLogger>;
  addPod(name: string, extra?: object): void;
  reflect(options?: Partial<ReflectorOptions<KubeObject>>): Reflector<KubeObject>;
  /** Lets the next wait after a failure pass and gives its length. */
  passBackoff(): Promise<number>;
  [Symbol.asyncDispose](): Promise<void>;
};

/** For `await using`. Nothing moves but by `clock.advance`. */
export async function createHarness(): Promise<Harness> {
  const server = await startFakeApiServer();
  const clock = createFakeClock();
  const log = createRecordingLogger();
  const transport = createTransport({ endpoint: server.endpoint, clock });
  const reflectors: Reflector<KubeObject>[] = [];
  let passed = 0;
  return {
    server,
    clock,
    transport,
    log,
    addPod: (name, extra) => {
      server.storage.create(POD_COLLECTION, { ...extra, metadata: { name, namespace: 'a' } });
    },
    reflect: (options) => {
      const reflector = createReflector({ transport, kind: PODS, clock, random: () => 0.5, log, ...options });
      reflectors.push(reflector);
      reflector.start();
      return reflector;
    },
    passBackoff: async () => {
      const waits = () => log.lines.filter((line) => typeof line.fields.delayMs === 'number');
      const line = await eventually('a wait after a failure', () => waits()[passed]);
      passed += 1;
      const delayMs = Number(line.fields.delayMs);
      await eventually('the timer of the wait', () => clock.pending().includes(delayMs));
      clock.advance(delayMs);
      return delayMs;
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(reflectors.map((reflector) => reflector.stop()));
      await transport.close();
      await server.stop();
    },
  };
}

/** The keys of a store, sorted. */
export function keysOf(reflector: Reflector<KubeObject>): string[] {
  return reflector.store
    .list()
    .map((pod) => `${pod.metadata?.namespace}/${pod.metadata?.name}`)
    .sort();
}
