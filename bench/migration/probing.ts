import { setTimeout as delay } from 'node:timers/promises';
import { type Prober, startProber } from '../../test/lab/probe/prober.ts';
import type { Recording } from '../../test/lab/probe/recording.ts';
import { cutStreams, type Span } from './gaps.ts';
import { inGuest, type Stage, type Subject } from './stage.ts';

/** A VM under test: its guest dirties memory, and every stream is answered. */
export type Probing = AsyncDisposable & { readonly recording: Recording };

/** Memory that the guest writes all the time: MiB, and MiB a second. */
export type Dirt = { readonly mebibytes: number; readonly rate: number };
export const USUAL_DIRT: Dirt = { mebibytes: 32, rate: 10 };

const ECHO = 7;
const LISTEN = 7007;
/** Twelve connections: fast enough to see that one stands still. */
const TCP_MS = 100;
const READY_SECONDS = 60;
const STEADY_MS = 500;
const LOOK_MS = 100;

/** Starts the probers of one VM, from every client at once; resolves when all of them are answered. */
export async function startProbing(stage: Stage, subject: Subject): Promise<Probing> {
  const { context, clients, scratch, intervalUs } = stage;
  await using cleanup = new AsyncDisposableStack();
  const prober: Prober = cleanup.use(
    await startProber({
      cacheDir: context.lab.cache,
      dir: scratch,
      name: subject.name,
      ipv4: subject.ipv4,
      ipv6: subject.ipv6,
      netns: clients.map(({ netns }) => netns),
      listen: LISTEN,
      intervalUs,
      tcpMs: TCP_MS,
    }),
  );
  const servers = clients.flatMap(({ ips }) => ips).join(' ');
  await inGuest(context, subject.binding, `bounce eth0 ${ECHO} && dial ${LISTEN} ${servers}`);
  cleanup.defer(async () => void (await inGuest(context, subject.binding, 'dial stop; dirty stop; bounce stop')));
  await setDirt(stage, subject, USUAL_DIRT);
  await awaitAnswers(stage, subject, prober.recording);
  const owned = cleanup.move();
  return { recording: prober.recording, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Has the guest dirty its memory at another rate. */
export async function setDirt({ context }: Stage, { binding }: Subject, dirt: Dirt): Promise<void> {
  await inGuest(context, binding, `dirty ${dirt.mebibytes} ${dirt.rate}`);
}

/** Every stream of every client was answered in the last half second. Throws with those that were not. */
export async function awaitAnswers(stage: Stage, subject: Subject, recording: Recording): Promise<void> {
  const end = Date.now() + READY_SECONDS * 1000;
  for (;;) {
    const until = recording.writtenUntil();
    const silent = listSilent(stage, recording, { from: until - STEADY_MS, to: until });
    if (silent.length === 0) return;
    if (Date.now() > end) throw new Error(`${subject.name} does not answer: ${silent.join(', ')}`);
    recording.forgetBefore(until - STEADY_MS);
    await delay(LOOK_MS);
  }
}

/** Streams without an answer in a window, as `node2 udp6`. */
export function listSilent({ clients }: Stage, recording: Recording, window: Span): string[] {
  const streams = cutStreams(recording.read(), window, clients.length);
  const silent = streams.filter(({ answers }) => answers.length === 0);
  return silent.map(({ place, kind }) => `${clients[place]?.node ?? place} ${kind}`);
}

/** Awaits that the record is complete up to a time. */
export async function awaitRecorded(recording: Recording, at: number): Promise<void> {
  while (recording.writtenUntil() < at) await delay(Math.max(10, at - recording.writtenUntil()));
}
