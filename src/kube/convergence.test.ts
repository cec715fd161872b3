import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { systemClock } from './clock.ts';
import { createReflector } from './reflector.ts';
import { eventually } from './testing/eventually.ts';
import { type FakeApiServer, type Fault, startFakeApiServer } from './testing/fake-api-server.ts';
import { createFakeClock } from './testing/fake-clock.ts';
import { POD_COLLECTION, PODS } from './testing/harness.ts';
import { createTransport } from './transport.ts';
import { type KubeObject, noLogger } from './types.ts';

type Step =
  | { do: 'write'; name: string; turn: number }
  | { do: 'remove'; name: string }
  | { do: 'fail'; times: number; fault: Fault }
  | { do: 'watches'; what: 'freeze' | 'end' | 'reset' | 'bookmark' | 'garbage' }
  | { do: 'mangle'; how: 'lose' | 'double' | 'reorder' | 'nothing' }
  | { do: 'compact' }
  | { do: 'restart' }
  | { do: 'pass'; ms: number };

const name = fc.constantFrom('p', 'q', 'r', 's');
const fault: fc.Arbitrary<Fault> = fc.constantFrom<Fault>(
  { status: 410, reason: 'Expired' },
  { status: 429, retryAfter: 2 },
  { status: 500 },
  { status: 503, retryAfter: 1 },
  { raw: '' },
  { raw: '{"type":"ERROR","object":{"code":410,"reason":"Expired"}}\n' },
  'reset',
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('write' as const), name, turn: fc.nat(99) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('remove' as const), name }) },
  fc.record({ do: fc.constant('fail' as const), times: fc.integer({ min: 1, max: 5 }), fault }),
  fc.record({
    do: fc.constant('watches' as const),
    what: fc.constantFrom('freeze' as const, 'end' as const, 'reset' as const, 'bookmark' as const, 'garbage' as const),
  }),
  fc.record({
    do: fc.constant('mangle' as const),
    how: fc.constantFrom('lose' as const, 'double' as const, 'reorder' as const, 'nothing' as const),
  }),
  fc.constant({ do: 'compact' as const }),
  fc.constant({ do: 'restart' as const }),
  { weight: 3, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(0, 300, 3000, 40_000) }) },
);

function write(server: FakeApiServer, name: string, turn: number): void {
  const { storage } = server;
  const exists = storage.list(POD_COLLECTION).some((one) => one.metadata.name === name);
  if (exists) storage.patch(POD_COLLECTION, `a/${name}`, { patch: { spec: { turn } } });
  else storage.create(POD_COLLECTION, { metadata: { name, namespace: 'a' } });
}

function remove(server: FakeApiServer, name: string): void {
  const found = server.storage.list(POD_COLLECTION).find((one) => one.metadata.name === name);
  if (found !== undefined) server.storage.remove(POD_COLLECTION, `a/${name}`);
}

function fail(server: FakeApiServer, times: number, fault: Fault): void {
  let left = times;
  server.fault = () => {
    left -= 1;
    return left >= 0 ? fault : undefined;
  };
}

function disturb(server: FakeApiServer, what: Extract<Step, { do: 'watches' }>['what']): void {
  for (const watch of server.watches) {
    if (what === 'garbage') watch.send('{"type":');
    else watch[what]();
  }
}

function mangle(server: FakeApiServer, how: Extract<Step, { do: 'mangle' }>['how']): void {
  let held: string[] = [];
  const ways = {
    nothing: undefined,
    lose: () => [],
    double: (line: string) => [line, line],
    reorder: (line: string) => {
      held = [line, ...held];
      return held.length < 3 ? [] : held.splice(0);
    },
  };
  server.mangle = ways[how];
}

async function run(server: FakeApiServer, step: Step, advance: (ms: number) => void): Promise<void> {
  if (step.do === 'write') write(server, step.name, step.turn);
  else if (step.do === 'remove') remove(server, step.name);
  else if (step.do === 'fail') fail(server, step.times, step.fault);
  else if (step.do === 'watches') disturb(server, step.what);
  else if (step.do === 'mangle') mangle(server, step.how);
  else await runLater(server, step, advance);
}

async function runLater(server: FakeApiServer, step: Step, advance: (ms: number) => void): Promise<void> {
  if (step.do === 'compact') server.storage.compact();
  if (step.do === 'restart') {
    await server.stop();
    await server.restart();
  }
  if (step.do === 'pass') {
    // Lets requests and events that are under way arrive, some of them.
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    advance(step.ms);
  }
}

const contentOf = (objects: readonly KubeObject[]) =>
  objects.map((one) => `${one.metadata?.name} ${one.metadata?.uid} ${one.metadata?.resourceVersion}`).sort();

describe('reflector', () => {
  it('ends with the content of the server, and handlers with that of the store, whatever went wrong before', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), fc.nat(4), async (steps, pageSize) => {
        const server = await startFakeApiServer();
        const clock = createFakeClock();
        const transport = createTransport({ endpoint: server.endpoint, clock: systemClock });
        const reflector = createReflector({
          transport,
          kind: PODS,
          clock,
          random: Math.random,
          log: noLogger,
          pageSize: pageSize + 1,
          relistMs: 60_000,
        });
        const told = new Map<string, KubeObject>();
        const contradictions: string[] = [];
        reflector.onChange((change) => {
          if (told.has(change.key) !== (change.type !== 'added')) contradictions.push(`${change.type} ${change.key}`);
          if (change.type === 'deleted') told.delete(change.key);
          else told.set(change.key, change.object);
        });
        reflector.start();
        for (const one of steps) await run(server, one, clock.advance);
        server.fault = undefined;
        server.mangle = undefined;
        const wanted = contentOf(server.storage.list(POD_COLLECTION));
        await eventually('the content of the server', () => {
          clock.advance(1000);
          return reflector.hasSynced() && String(contentOf(reflector.store.list())) === String(wanted);
        });
        expect(contentOf([...told.values()])).toEqual(wanted);
        expect(contradictions).toEqual([]);
        await reflector.stop();
        await transport.close();
        await server.stop();
      }),
      { numRuns: 60 },
    );
  });
});
