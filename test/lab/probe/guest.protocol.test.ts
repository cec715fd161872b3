import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '../command.ts';
import { runInGuest } from '../guest/console.ts';
import { pathsOf } from '../guest/guest.ts';
import { ensureGuestImage } from '../guest/image.ts';
import { kill } from '../kubevirt/handler/netns.ts';
import { BRIDGE, createTestBed, type Started, startIn, type TestBed } from '../kubevirt/handler/testing.ts';
import { findCacheDir } from '../state.ts';
import { type Prober, startProber } from './prober.ts';
import { type StreamKind, streamOf } from './records.ts';

const ADDRESS = '10.77.0.5';
const LISTEN = 7118;
let bed: TestBed;
let guest: Started;
let prober: Prober;

const inGuest = async (line: string): Promise<string> =>
  (await runInGuest(pathsOf(guest.dir).console, line, 30_000)).output;

/** Awaits that a stream is answered from now on; false when it is not within `ms`. */
async function isAnswered(kind: StreamKind, ms = 10_000): Promise<boolean> {
  const since = Date.now();
  const check = async (): Promise<true | undefined> =>
    prober.recording
      .read()
      .some((one) => one.type === 'answer' && one.stream === streamOf(0, kind) && one.sent > since) || undefined;
  return (await waitFor(check, ms, 50)) === true;
}

/** Awaits that a stream has had no answer for a second. */
async function isSilent(kind: StreamKind): Promise<boolean> {
  const stream = streamOf(0, kind);
  const check = async (): Promise<true | undefined> => {
    const until = prober.recording.writtenUntil();
    const late = prober.recording
      .read()
      .some((one) => one.type === 'answer' && one.stream === stream && one.received > until - 1000);
    return late ? undefined : true;
  };
  return (await waitFor(check, 10_000, 100)) === true;
}

beforeAll(async () => {
  const cacheDir = findCacheDir(process.env);
  const image = await ensureGuestImage(cacheDir);
  bed = await createTestBed();
  guest = await startIn(bed, { image, name: 'p', spec: BRIDGE, address: `${ADDRESS}/24` });
  const netns = [`/run/netns/${bed.outside}`];
  prober = await startProber({ cacheDir, dir: bed.dir, name: 'p', ipv4: ADDRESS, netns, listen: LISTEN });
  expect(await isAnswered('udp4', 60_000)).toBe(true);
});

afterAll(async () => {
  await prober[Symbol.asyncDispose]();
  for (const process of guest.processes) kill(process);
  await bed.end();
});

describe('a guest that is probed', () => {
  it('answers UDP in the driver of its NIC, without its echo server, and no longer when that is taken away', async () => {
    await inGuest('bounce eth0 7; killall echod');
    expect(await isSilent('in4')).toBe(true);
    expect(await isAnswered('udp4')).toBe(true);
    await inGuest('bounce stop');
    expect(await isSilent('udp4')).toBe(true);
    await inGuest('echod 7 >/dev/null 2>&1 &');
    expect(await isAnswered('udp4')).toBe(true);
  });

  it('opens a connection to its prober, and again after it was lost', async () => {
    await inGuest(`dial ${LISTEN} 10.77.0.1`);
    expect(await isAnswered('out4')).toBe(true);
    await inGuest(`dial stop; dial ${LISTEN} 10.77.0.1`);
    expect(await isAnswered('out4')).toBe(true);
    const stream = streamOf(0, 'out4');
    const ends = prober.recording.read().filter((one) => one.type === 'closed' && one.stream === stream);
    expect(ends).toHaveLength(1);
  });
});
