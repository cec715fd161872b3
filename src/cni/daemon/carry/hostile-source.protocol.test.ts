import { createServer, type TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../../../kube/testing/eventually.ts';
import { createFakeClock, type FakeClock } from '../../../kube/testing/fake-clock.ts';
import type { Job } from '../../../netlink/jobs.ts';
import type { Links } from '../context.ts';
import { createIdentity } from './identity.ts';
import { formatEntries, formatNeighbours, formatWhole, LIMITS } from './protocol.ts';
import { publish } from './published.ts';
import { formatAttachment, formatFlow, formatJournal, formatNeighbour, formatPort } from './testing/records.ts';
import { type CarryNode, type CarryWorld, startCarryWorld } from './testing/world.ts';
import { TLS_OPTIONS } from './tls.ts';

/** A target whose source is made by hand, with the right key unless told otherwise. */
const SUBJECT = { portUid: 'p1', podUid: 't', source: 'a', target: 'b' };
const PORT = formatPort('p1');

let world: CarryWorld;
let clock: FakeClock;
let b: CarryNode;
let loaded: string[];
let known: string[];
let ends: (() => Promise<void>)[];
beforeEach(async () => {
  world = await startCarryWorld();
  clock = createFakeClock();
  loaded = [];
  known = [];
  ends = [];
  const links: Links = {
    run: async (job: Job) => {
      if (job.kind === 'loadNeighbours') known.push(job.neighbours.map(({ ip }) => ip).join(' '));
      if (job.kind === 'loadConntrack') loaded.push(...job.entries.map(({ original }) => String(original.sourcePort)));
      return { loaded: 0, refused: 0 } as never;
    },
  };
  b = await world.startNode('b', { links, journal: [formatJournal('t', '/run/netns/t')], clock });
});
afterEach(async () => {
  for (const end of ends) await end();
  await world.stop();
});

type Source = { readonly sessions: TLSSocket[]; readonly attempts: () => number };

/** Serves `onSession` at the address that node a's Lease names. */
async function startSource(onSession: (socket: TLSSocket) => void, psk?: Buffer): Promise<Source> {
  const identity = createIdentity();
  const address = b.address.replace(/\d+$/, '77');
  const targetKey = world.api.storage.get('coordination.k8s.io/v1/leases', 'mooring-system/node.b');
  const key = targetKey.metadata.annotations?.['mooring.dev/agent-key'] ?? '';
  const right = identity.derivePsk(SUBJECT, 'source', key);
  await publish(world.registry, 'a', { key: identity.publicKey, address }, signal);
  const sessions: TLSSocket[] = [];
  let attempts = 0;
  const server = createServer({ ...TLS_OPTIONS, pskCallback: () => psk ?? right ?? null });
  server.on('connection', () => {
    attempts += 1;
  });
  server.on('tlsClientError', () => undefined);
  server.on('secureConnection', (socket) => {
    sessions.push(socket);
    socket.on('error', () => undefined);
    onSession(socket);
  });
  await new Promise<void>((listening) => server.listen(world.port, address, listening));
  ends.push(async () => {
    for (const socket of sessions) socket.destroy();
    await new Promise<void>((closed) => server.close(() => closed()));
  });
  return { sessions, attempts: () => attempts };
}

const signal = new AbortController().signal;
const failed = (problem: string) =>
  eventually(problem, () => b.metrics.includes(`carry_failures target ${problem}`) && b.metrics);

describe('a target', () => {
  test('loads what its true source says', async () => {
    await startSource((socket) => socket.write(formatEntries([formatFlow(7)])[0] + formatWhole(true)));
    b.show(PORT);
    await eventually('the whole table', () => b.metrics.includes('carry_ms'));
    expect(loaded).toEqual(['7']);
  });

  test('loads nothing from an impostor at the address of its source', async () => {
    await startSource((socket) => socket.write(formatEntries([formatFlow(7)])[0] ?? ''), Buffer.alloc(32, 9));
    b.show(PORT);
    await failed('refused');
    expect(loaded).toEqual([]);
  });

  test.each<[string, string]>([
    ['no JSON', 'hello\n'],
    ['a line that does not end', 'x'.repeat(LIMITS.lineBytes + 1)],
    ['more flows than a line may have', `{"entries":[${'0,'.repeat(LIMITS.batch)}0]}\n`],
    ['more neighbours than a line may have', `{"neighbours":[${'0,'.repeat(LIMITS.neighbours)}0]}\n`],
    ['more than its budget', `{"x":"${'x'.repeat(2 ** 19)}"}\n`.repeat(70)],
  ])('leaves a source that sends %s, after what was right', async (_cause, text) => {
    await startSource((socket) => socket.write(formatEntries([formatFlow(7)])[0] + text));
    b.show(PORT);
    await failed('protocol');
    expect(loaded).toEqual(['7']);
  });

  test('writes neighbours with its own ticks, however often a source tells them, and none that are none', async () => {
    const wrong = JSON.stringify({ neighbours: [formatNeighbour({ mac: 'ff:ff:ff:ff:ff:ff' }), { ip: 1 }] });
    const flood = formatNeighbours([formatNeighbour()]).repeat(1000);
    await startSource((socket) => socket.write(`${wrong}\n${flood}${formatWhole(true)}`));
    b.show(PORT);
    await eventually('the end of the flood', () => b.metrics.includes('carry_ms'));
    expect(known).toEqual([]);
    for (let tick = 1; tick <= 3; tick += 1) {
      await eventually('the wait for a tick', () => clock.pending().includes(LIMITS.readMs));
      clock.advance(LIMITS.readMs);
      await eventually('the tick', () => known.length === tick);
    }
    expect(new Set(known)).toEqual(new Set(['10.0.2.2']));
  });

  test('leaves a source that falls silent, and comes again', async () => {
    const source = await startSource((socket) => socket.write(formatWhole(true)));
    b.show(PORT);
    await eventually('the whole table', () => b.metrics.includes('carry_ms'));
    await eventually('the wait for more', () => clock.pending().includes(LIMITS.silenceMs));
    clock.advance(LIMITS.silenceMs);
    await failed('closed');
    await eventually('the wait after a first failure', () => clock.pending().includes(100));
    clock.advance(100);
    await eventually('another session', () => source.sessions.length > 1);
  });

  test('ends each session after half an hour and begins another', async () => {
    const source = await startSource((socket) => socket.write(formatWhole(true)));
    b.show(PORT);
    await eventually('the whole table', () => b.metrics.includes('carry_ms'));
    for (let ms = 0; ms < LIMITS.sessionMs; ms += LIMITS.silenceMs / 3) {
      source.sessions[0]?.write('{}\n');
      await eventually('it to be heard', () => clock.pending().includes(LIMITS.silenceMs));
      clock.advance(LIMITS.silenceMs / 3);
    }
    await failed('closed');
  });

  test('says once that a source refuses it, and waits longer each time', async () => {
    const source = await startSource(() => undefined, Buffer.alloc(32, 9));
    b.show(PORT);
    const waits: number[] = [];
    for (let attempt = 1; attempt <= 4; attempt += 1) {
      await eventually('an attempt', () => source.attempts() === attempt);
      const [wait] = await eventually('the wait after it', () => {
        const due = clock.pending().filter((ms) => ms !== LIMITS.handshakeMs);
        return due.length === 1 ? due : undefined;
      });
      waits.push(wait ?? 0);
      clock.advance(wait ?? 0);
    }
    expect(waits).toEqual([100, 200, 400, 800]);
    expect(b.log.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
  });

  test('lets go of everything when the migration has ended', async () => {
    const source = await startSource((socket) => socket.write(formatWhole(true)));
    b.show(PORT);
    await eventually('the whole table', () => b.metrics.includes('carry_ms'));
    b.show(formatPort('p1', { attachments: [formatAttachment('t', 'b', 'Source')] }));
    await eventually('no socket', () => source.sessions.every((socket) => socket.destroyed));
    await eventually('no timer', () => clock.pending().length === 0);
    const { length } = world.api.requests;
    b.show(formatPort('p1', { attachments: [formatAttachment('t', 'b', 'Source')] }));
    expect(world.api.requests).toHaveLength(length);
  });
});
