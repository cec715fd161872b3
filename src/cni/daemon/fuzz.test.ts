import { describe, expect, test } from 'vitest';
import { formatRequest, LIMITS, parseRequest, WireError, type WireRequest } from '../protocol.ts';
import { parseAsked } from './asked.ts';
import { checkSupported } from './capabilities.ts';
import type { Context } from './context.ts';
import { CniError } from './errors.ts';
import { parseArgs, parseAttach, parseCommand, parseConfig, parseKey, parseValidAttachments } from './request.ts';
import { parsePrevResult } from './result.ts';
import { createFakeWorld, type FakeWorld } from './testing/fake-context.ts';
import { listRecordings, readRecording } from './testing/recorded.ts';
import { answer } from './verbs.ts';

/** Together a million, as the fault catalogue asks (F40, F59). */
const ROUNDS = { wire: 250_000, config: 350_000, args: 250_000, env: 130_000, calls: 20_000 };
const TIMEOUT = 300_000;

type Random = { readonly below: (limit: number) => number; readonly pick: <T>(list: readonly T[]) => T };

/** mulberry32: the same text for the same seed on every machine. */
function createRandom(seed: number): Random {
  let state = seed;
  const below = (limit: number) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
  return { below, pick: (list) => list[below(list.length)] as (typeof list)[number] };
}

const HOSTILE = [
  ...['../', '/', ';', '=', '\n', '\0', '%d', '$x', '$(id)', '`id`', '"', "'", '\\', '{', '}', '[', ']', ','],
  ...['__proto__', 'constructor', '"__proto__":{"polluted":1},', 'null', 'true', '-1', '1e999', '\ud800', '\u202e'],
  ...['IP=10.0.0.1;', 'MAC=x;', 'K8S_POD_NAME=evil;', 'K8S_POD_UID=;', '[[[[[[[[', '"ipam":{"type":"mooring"},', 'ä'],
];

/** One to four changes: a piece gone, doubled, replaced, or something hostile put in. */
function mutate(text: string, random: Random): string {
  let changed = text;
  for (let times = 1 + random.below(4); times > 0; times -= 1) {
    const at = random.below(changed.length + 1);
    const end = Math.min(changed.length, at + random.below(12));
    const piece = changed.slice(at, end);
    const instead = random.pick([
      () => '',
      () => piece + piece,
      () => random.pick(HOSTILE),
      () => String.fromCharCode(random.below(256)),
    ])();
    changed = changed.slice(0, at) + instead + changed.slice(random.below(2) === 0 ? at : end);
  }
  return changed;
}

const corpus: readonly WireRequest[] = listRecordings()
  .flatMap(readRecording)
  .map(({ env, config }) => ({ env: new Map(Object.entries(env)), stdin: JSON.stringify(config) }))
  .filter((request, index, all) => all.findIndex(({ stdin }) => stdin === request.stdin) === index);

/** Runs one attempt; anything but an answer or an error of ours fails the test with the input. */
function attempt(input: unknown, run: () => void): void {
  try {
    run();
  } catch (error) {
    if (error instanceof CniError || error instanceof WireError) return;
    throw new Error(`an error that is not ours for ${JSON.stringify(input)}`, { cause: error });
  }
}

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;

/** Whatever is accepted can be a file name, an interface and a pod. */
function readWhole(request: WireRequest): void {
  parseCommand(request);
  const attach = parseAttach(request);
  const { containerId, ifname, netns, pod, config } = attach;
  const safe = NAME.test(containerId) && NAME.test(pod.name) && NAME.test(pod.namespace) && NAME.test(config.name);
  const inside = !/[/\s:%\0]/.test(ifname) && Buffer.byteLength(ifname) <= 15 && !netns.split('/').includes('..');
  if (!safe || !inside) throw new Error('a name that is none was accepted');
  checkSupported(config);
  parseAsked(attach);
  parsePrevResult(config, ifname);
}

describe('a million mutations of recorded calls', () => {
  test(
    'of the wire end in an answer or a refusal',
    () => {
      const random = createRandom(1);
      const texts = corpus.map((request) => formatRequest(request).toString('latin1'));
      for (let round = 0; round < ROUNDS.wire; round += 1) {
        const text = mutate(random.pick(texts), random);
        attempt(text, () => readWhole(parseRequest(Buffer.from(text, 'latin1'))));
      }
    },
    TIMEOUT,
  );

  test(
    'of the configuration end in an answer or a refusal, and reach no prototype',
    () => {
      const random = createRandom(2);
      for (let round = 0; round < ROUNDS.config; round += 1) {
        const { env, stdin } = random.pick(corpus);
        const request = { env, stdin: mutate(stdin, random) };
        attempt(request.stdin, () => readWhole(request));
        attempt(request.stdin, () => parseValidAttachments(parseConfig(request.stdin)));
      }
      expect(Object.keys(Object.prototype)).toEqual([]);
      expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    },
    TIMEOUT,
  );

  test(
    'of CNI_ARGS end in an answer or a refusal',
    () => {
      const random = createRandom(3);
      const config = parseConfig('{"cniVersion":"1.0.0","name":"n","type":"mooring"}');
      for (let round = 0; round < ROUNDS.args; round += 1) {
        const text = mutate(random.pick(corpus).env.get('CNI_ARGS') ?? '', random);
        attempt(text, () => void parseAsked({ args: parseArgs(text), config }));
      }
    },
    TIMEOUT,
  );

  test(
    'of the other variables end in an answer or a refusal',
    () => {
      const random = createRandom(4);
      for (let round = 0; round < ROUNDS.env; round += 1) {
        const request = mutateVariable(random.pick(corpus), random);
        attempt([...request.env], () => readWhole(request));
        attempt([...request.env], () => void parseKey(request.env));
      }
    },
    TIMEOUT,
  );

  test(
    'given to the agent leave nothing behind once a DEL has followed',
    async () => {
      const random = createRandom(5);
      const world = createFakeWorld();
      const pod = world.pods.get('shop/web');
      // Every pod is known, so that no mutated name is waited for.
      const cluster = { ...world.context.cluster, findPod: () => pod };
      const context: Context = { ...world.context, cluster };
      const caller = new AbortController().signal;
      let served = 0;
      for (let round = 0; round < ROUNDS.calls; round += 1) {
        const request = mutateAny(random.pick(corpus), random);
        const { status } = await answer(context, request, caller);
        if (status !== 0) expect(listLeftovers(world)).toEqual([]);
        if (status === 0 && request.env.get('CNI_COMMAND') === 'ADD') served += 1;
        await answer(context, { ...request, env: new Map([...request.env, ['CNI_COMMAND', 'DEL']]) }, caller);
        expect(listLeftovers(world)).toEqual([]);
      }
      // The fuzz would prove nothing if every call were refused at the door.
      expect(served).toBeGreaterThan(100);
    },
    TIMEOUT,
  );

  test('a request larger than its cap is refused before it is kept', () => {
    const random = createRandom(6);
    const large = { ...random.pick(corpus), stdin: `{"args":"${'x'.repeat(LIMITS.bytes)}"}` };
    expect(() => parseRequest(formatRequest(large))).toThrow(WireError);
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    expect(() => parseConfig(deep)).toThrow(CniError);
  });
});

const listLeftovers = ({ entries, ports, links }: FakeWorld) => [...entries.keys(), ...ports.keys(), ...links];

function mutateVariable({ env, stdin }: WireRequest, random: Random): WireRequest {
  const name = random.pick(['CNI_COMMAND', 'CNI_CONTAINERID', 'CNI_IFNAME', 'CNI_NETNS', 'CNI_PATH']);
  return { stdin, env: new Map([...env, [name, mutate(env.get(name) ?? '', random)]]) };
}

function mutateAny(request: WireRequest, random: Random): WireRequest {
  const { env, stdin } = request;
  const place = random.below(4);
  if (place === 0) return { env, stdin: mutate(stdin, random) };
  if (place === 1) return mutateVariable(request, random);
  if (place === 2) return { stdin, env: new Map([...env, ['CNI_ARGS', mutate(env.get('CNI_ARGS') ?? '', random)]]) };
  return request;
}
