import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommand, waitFor } from '../command.ts';
import { startProber, startTap } from './prober.ts';
import type { Recording } from './recording.ts';
import { type ProbeRecord, parseRecords, STREAM_KINDS, type StreamKind, streamOf } from './records.ts';

const id = process.pid % 100_000;
const CLIENTS = [`pr${id}a`, `pr${id}b`];
const GUEST = `pr${id}g`;
const LAUNCHER = `pr${id}l`;
const netnsOf = (name: string): string => `/run/netns/${name}`;
const GUEST_PROGRAMS = join(import.meta.dirname, '../guest/rootfs');
const LISTEN = 7117;

let dir: string;
const children: ChildProcess[] = [];

/** Two clients and a guest on one bridge in the launcher's namespace; client n is 10.99.0.n, the guest .100. */
function formatLinks(): string[] {
  return CLIENTS.flatMap((client, index) => {
    const port = `port${index}`;
    return [
      `link add eth0 netns ${client} type veth peer name ${port} netns ${LAUNCHER}`,
      `-n ${client} addr add 10.99.0.${index + 1}/24 dev eth0`,
      `-n ${client} addr add fd99::${index + 1}/64 dev eth0 nodad`,
      `-n ${client} link set eth0 up`,
      `-n ${LAUNCHER} link set ${port} up master k6t`,
    ];
  });
}

async function runGuestProgram(name: string, args: readonly string[]): Promise<void> {
  const program = join(dir, name);
  await runCommand(['gcc', '-static', '-O1', '-o', program, join(GUEST_PROGRAMS, `${name}.c`)]);
  const child = spawn('nsenter', [`--net=${netnsOf(GUEST)}`, program, ...args], { stdio: 'ignore' });
  children.push(child);
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'prober-'));
  const lines = [
    `-n ${LAUNCHER} link add k6t type bridge`,
    `-n ${LAUNCHER} link set k6t up`,
    `link add eth0 netns ${GUEST} type veth peer name tap0 netns ${LAUNCHER}`,
    `-n ${LAUNCHER} link set tap0 up master k6t`,
    `-n ${GUEST} addr add 10.99.0.100/24 dev eth0`,
    `-n ${GUEST} addr add fd99::100/64 dev eth0 nodad`,
    `-n ${GUEST} link set eth0 up`,
    ...formatLinks(),
  ];
  for (const name of [...CLIENTS, GUEST, LAUNCHER]) await runCommand(['ip', 'netns', 'add', name]);
  for (const line of lines) await runCommand(['ip', ...line.split(' ')]);
  await runGuestProgram('echo', ['7']);
});

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  for (const name of [...CLIENTS, GUEST, LAUNCHER]) await runCommand(['ip', 'netns', 'del', name]);
  rmSync(dir, { recursive: true, force: true });
});

const start = () =>
  startProber({
    cacheDir: dir,
    dir,
    name: 'guest',
    ipv4: '10.99.0.100',
    ipv6: 'fd99::100',
    netns: CLIENTS.map(netnsOf),
    tcpMs: 10,
    listen: LISTEN,
  });

const of = (records: readonly ProbeRecord[], place: number, kind: StreamKind): ProbeRecord[] =>
  records.filter((record) => 'stream' in record && record.stream === streamOf(place, kind));

const answersOf = (recording: Recording, place: number, kind: StreamKind): number =>
  of(recording.read(), place, kind).filter(({ type }) => type === 'answer').length;

const awaitTrue = async (what: string, check: () => boolean): Promise<void> => {
  const came = await waitFor(async () => (check() ? true : undefined), 10_000, 20);
  if (came === undefined) throw new Error(`${what} did not come about`);
};

describe('the prober', () => {
  it('is answered from every namespace, by both families, by UDP and by TCP opened from either side', async () => {
    await using prober = await start();
    const servers = CLIENTS.flatMap((_, index) => [`10.99.0.${index + 1}`, `fd99::${index + 1}`]);
    await runGuestProgram('dial', [String(LISTEN), ...servers]);
    await awaitTrue('an answer on every stream', () =>
      CLIENTS.every((_, place) => STREAM_KINDS.every((kind) => answersOf(prober.recording, place, kind) > 20)),
    );
    const [first] = of(prober.recording.read(), 1, 'udp6').filter((record) => record.type === 'answer');
    if (first?.type !== 'answer') throw new Error('no answer');
    expect(first.received - first.sent).toBeGreaterThan(0);
    await runCommand(['nsenter', `--net=${netnsOf(GUEST)}`, join(dir, 'dial'), 'stop']);
    await awaitTrue('the end of what the guest had opened', () =>
      of(prober.recording.read(), 0, 'out4').some(({ type }) => type === 'closed'),
    );
  });

  it('has no answers from the time in which the way was cut, and goes on with the same TCP connection after it', async () => {
    await using prober = await start();
    const { recording } = prober;
    await awaitTrue('answers', () => answersOf(recording, 0, 'udp4') > 50 && answersOf(recording, 0, 'in4') > 5);
    await runCommand(['ip', '-n', LAUNCHER, 'link', 'set', 'port0', 'nomaster']);
    const cutAt = Date.now();
    await awaitTrue('answers to the other client', () => recording.writtenUntil() > cutAt + 300);
    const joinedAt = Date.now();
    await runCommand(['ip', '-n', LAUNCHER, 'link', 'set', 'port0', 'master', 'k6t']);
    const isAnswer = (place: number, kind: StreamKind, from: number, to: number): boolean =>
      of(recording.read(), place, kind).some(
        (record) => record.type === 'answer' && record.received > from && record.received < to,
      );
    await awaitTrue('answers again', () => isAnswer(0, 'udp4', joinedAt, Number.POSITIVE_INFINITY));
    await awaitTrue('TCP again', () => isAnswer(0, 'in4', joinedAt, Number.POSITIVE_INFINITY));
    expect(isAnswer(0, 'udp4', cutAt, joinedAt)).toBe(false);
    expect(isAnswer(1, 'udp4', cutAt, joinedAt)).toBe(true);
    expect(of(recording.read(), 0, 'in4').filter(({ type }) => type === 'closed')).toEqual([]);
  });

  it('says why it does not start', async () => {
    const wrong = startProber({ cacheDir: dir, dir, name: 'x', ipv4: 'nonsense', netns: [netnsOf(GUEST)] });
    await expect(wrong).rejects.toThrow('no address: nonsense');
  });
});

describe('the watch on a tap', () => {
  it('waits for the tap, and has requests and replies of each stream with their times', async () => {
    const tap = await startTap({ cacheDir: dir, dir, name: 'guest', netns: netnsOf(LAUNCHER), link: 'tap0' });
    await using prober = await start();
    await awaitTrue('answers', () => answersOf(prober.recording, 1, 'udp6') > 100);
    const records = parseRecords(readFileSync(await tap.end()));
    for (const type of ['request', 'reply']) {
      expect(of(records, 1, 'udp6').filter((record) => record.type === type).length).toBeGreaterThan(50);
      expect(of(records, 0, 'udp4').filter((record) => record.type === type).length).toBeGreaterThan(50);
    }
    const request = of(records, 1, 'udp6').find(({ type }) => type === 'request');
    const reply = of(records, 1, 'udp6').find(
      (record) => record.type === 'reply' && request?.type === 'request' && record.sequence === request.sequence,
    );
    if (request?.type !== 'request' || reply?.type !== 'reply') throw new Error('no pair');
    expect(reply.at).toBeGreaterThan(request.at);
  });

  it('notes that the guest was asked for its address, and that it answered', async () => {
    const tap = await startTap({ cacheDir: dir, dir, name: 'asked', netns: netnsOf(LAUNCHER), link: 'tap0' });
    await using prober = await start();
    for (const client of CLIENTS) await runCommand(['ip', '-n', client, 'neigh', 'flush', 'dev', 'eth0']);
    const before = answersOf(prober.recording, 0, 'udp4');
    await awaitTrue('answers', () => answersOf(prober.recording, 0, 'udp4') > before + 100);
    const records = parseRecords(readFileSync(await tap.end()));
    const asked = records.find(({ type }) => type === 'asked');
    const spoke = records.find((record) => record.type === 'spoke' && asked?.type === 'asked' && record.at >= asked.at);
    expect(asked).toBeDefined();
    expect(spoke).toBeDefined();
  });
});
