import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Watch, type WhenDenied, watchAlways, watchWhenServed } from './optional-watch.ts';
import { eventually } from './testing/eventually.ts';
import { createHarness, type Harness, PODS } from './testing/harness.ts';
import type { KubeObject } from './types.ts';

const PROBE_MS = 10_000;

let h: Harness;
let watch: Watch<KubeObject> | undefined;
beforeEach(async () => {
  h = await createHarness();
});
afterEach(async () => {
  await watch?.stop();
  await h[Symbol.asyncDispose]();
});

const options = () => ({ transport: h.transport, kind: PODS, clock: h.clock, random: () => 0.5, log: h.log });
const refuse = (status: number) => {
  h.server.fault = () => ({ status, message: 'no' });
};

/** Starts it, and tells whether it has become ready. */
function start(made: Watch<KubeObject>) {
  watch = made;
  let isReady = false;
  made.start();
  made.whenReady(AbortSignal.timeout(30_000)).then(
    () => {
      isReady = true;
    },
    () => undefined,
  );
  return { watch: made, isReady: () => isReady };
}
const startServed = (whenDenied?: WhenDenied) => start(watchWhenServed(options(), whenDenied));
const nextProbe = async () => {
  await eventually('the wait for the next probe', () => h.clock.pending().includes(PROBE_MS));
  h.clock.advance(PROBE_MS);
};
/** For what may come of a request that is under way, or only of the next one. */
const passTime = (what: string, isOver: () => boolean) =>
  eventually(what, () => {
    h.clock.advance(100);
    return isOver();
  });
const describeState = (made: Watch<KubeObject>) => ({
  known: made.isKnown(),
  absent: made.isAbsent(),
  denied: made.isDenied(),
});

describe('a kind that may not be there', () => {
  it('is neither known nor absent nor denied before the first answer', () => {
    watch = watchWhenServed(options());
    expect(describeState(watch)).toEqual({ known: false, absent: false, denied: false });
  });

  it('is absent once the API server says that it has no such kind, and known when it comes', async () => {
    refuse(404);
    const one = startServed();
    await eventually('ready', one.isReady);
    expect(describeState(one.watch)).toEqual({ known: false, absent: true, denied: false });
    h.server.fault = undefined;
    h.addPod('late');
    await nextProbe();
    await eventually('its content', one.watch.isKnown);
    expect(describeState(one.watch)).toEqual({ known: true, absent: false, denied: false });
    expect(one.watch.store.list()).toHaveLength(1);
  });

  it('is not absent while nobody can tell, as the API server fails', async () => {
    refuse(500);
    const one = startServed('goesOn');
    await nextProbe();
    await nextProbe();
    expect(describeState(one.watch)).toEqual({ known: false, absent: false, denied: false });
    expect(one.isReady()).toBe(false);
  });

  it.each<[WhenDenied, boolean]>([
    ['waits', false],
    ['goesOn', true],
  ])('that may not be read yet is denied and not absent; who %s is ready then: %s', async (whenDenied, expected) => {
    refuse(403);
    const one = startServed(whenDenied);
    await nextProbe();
    await eventually('the second refusal', () => h.clock.pending().includes(PROBE_MS));
    expect(describeState(one.watch)).toEqual({ known: false, absent: false, denied: true });
    expect(one.isReady()).toBe(expected);
    h.server.fault = undefined;
    await nextProbe();
    await eventually('its content', one.watch.isKnown);
    expect(describeState(one.watch)).toEqual({ known: true, absent: false, denied: false });
    await eventually('ready', one.isReady);
  });
});

describe.each([
  ['that must be there', () => start(watchAlways(options()))],
  ['that may not be there', () => startServed()],
])('a kind %s', (_which, begin) => {
  it('is denied when it may not be read any more, keeps what it had, and is not denied when it may again', async () => {
    h.addPod('kept');
    const one = begin();
    await eventually('ready', one.isReady);
    await eventually('the watch', () => h.server.watches.size === 1);
    expect(one.watch.isDenied()).toBe(false);
    refuse(403);
    for (const open of h.server.watches) open.reset();
    await h.passBackoff();
    await eventually('the refusal', one.watch.isDenied);
    expect(describeState(one.watch)).toEqual({ known: true, absent: false, denied: true });
    expect(one.watch.store.list()).toHaveLength(1);
    // Of an API server that fails nothing follows.
    refuse(500);
    await h.passBackoff();
    await h.passBackoff();
    expect(one.watch.isDenied()).toBe(true);
    h.server.fault = undefined;
    await passTime('the right', () => !one.watch.isDenied());
  });
});

it('a kind that must be there is denied, and not ready, until it may be read', async () => {
  refuse(403);
  const one = start(watchAlways(options()));
  await h.passBackoff();
  expect(describeState(one.watch)).toEqual({ known: false, absent: false, denied: true });
  expect(one.isReady()).toBe(false);
  h.server.fault = undefined;
  await passTime('ready', one.isReady);
  expect(describeState(one.watch)).toEqual({ known: true, absent: false, denied: false });
});
