import { describe, expect, it } from 'vitest';
import { type EventNote, formatEvent, formatSeriesKey } from './event-body.ts';
import { createEventRecorder, type EventRecorderOptions } from './events.ts';
import { eventually } from './testing/eventually.ts';
import { createHarness, type Harness } from './testing/harness.ts';

const EVENTS = 'events.k8s.io/v1/events';
const about = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', namespace: 'a', uid: 'u1' } };
const note: EventNote = { type: 'Warning', reason: 'SubnetFull', action: 'Allocate', note: 'no address left' };
type Event = { metadata: { name: string; namespace: string }; series?: { count: number }; note?: string };
const events = (h: Harness) => h.server.storage.list(EVENTS) as unknown as Event[];
const writes = (h: Harness) => h.server.requests.filter((one) => one.verb !== 'get').map((one) => one.verb);

function recorderOf(h: Harness, options: Partial<EventRecorderOptions> = {}) {
  const dropped: string[] = [];
  const metrics = { count: (name: string) => void dropped.push(name), observe: () => {} };
  const { transport, clock, log } = h;
  const base = { transport, clock, log, random: () => 0.5, component: 'mooring.dev/test', instance: 'pod-1', metrics };
  return { ...createEventRecorder({ ...base, ...options }), dropped };
}

describe('event recorder', () => {
  it('writes an event at once and repetitions as a count, one write per quiet time', async () => {
    await using h = await createHarness();
    const recorder = recorderOf(h);
    recorder.record(about, note);
    await eventually('the event', () => events(h)[0]);
    await eventually('the end of the turn', () => h.clock.pending().length === 0);
    for (let n = 0; n < 50; n += 1) recorder.record(about, note);
    expect(h.clock.pending()).toEqual([10_000]);
    h.clock.advance(10_000);
    await eventually('the count', () => events(h)[0]?.series?.count === 51);
    expect([events(h).length, writes(h)]).toEqual([1, ['create', 'patch']]);
    await recorder.stop();
  });

  it('tells different things apart: object, reason, words', async () => {
    await using h = await createHarness();
    const recorder = recorderOf(h, { random: Math.random });
    recorder.record(about, note);
    recorder.record({ ...about, metadata: { ...about.metadata, uid: 'u2' } }, note);
    recorder.record(about, { ...note, reason: 'Other' });
    recorder.record(about, { ...note, note: 'other words' });
    await eventually('four events', () => events(h).length === 4);
    await recorder.stop();
  });

  it('writes anew when the server has forgotten the event', async () => {
    await using h = await createHarness();
    const recorder = recorderOf(h);
    recorder.record(about, note);
    const first = await eventually('the event', () => events(h)[0]);
    await eventually('the end of the turn', () => h.clock.pending().length === 0);
    h.server.storage.remove(EVENTS, `a/${first.metadata.name}`);
    recorder.record(about, note);
    await eventually('the second', () => events(h)[0]?.series?.count === 2 || h.clock.advance(10_000));
    await recorder.stop();
  });

  it('begins a new event after an hour', async () => {
    await using h = await createHarness();
    const recorder = recorderOf(h);
    recorder.record(about, note);
    await eventually('the event', () => events(h).length === 1);
    await eventually('the end of the turn', () => h.clock.pending().length === 0);
    h.clock.advance(3_600_000);
    recorder.record(about, note);
    await eventually('the second event', () => events(h).length === 2);
    expect(events(h).every((event) => event.series === undefined)).toBe(true);
    await recorder.stop();
  });

  it('keeps events through a minute without API server', async () => {
    await using h = await createHarness();
    await h.server.stop();
    const recorder = recorderOf(h);
    recorder.record(about, note);
    for (const atLeast of [1000, 2000, 4000, 8000, 16_000]) {
      expect(await h.passBackoff()).toBe(atLeast);
    }
    await h.server.restart();
    await eventually('the event', () => events(h)[0] ?? h.clock.advance(1000));
    await recorder.stop();
  });

  it('gives an event up that the server will never take, and goes on', async () => {
    await using h = await createHarness();
    h.server.fault = (request) => (JSON.stringify(request.body).includes('Bad') ? { status: 422 } : undefined);
    const recorder = recorderOf(h);
    recorder.record(about, { ...note, reason: 'Bad' });
    recorder.record(about, note);
    await eventually('the good event', () => events(h).length === 1);
    await eventually('the end of the turn', () => h.clock.pending().length === 0);
    expect(recorder.dropped).toEqual(['kube_events_failed']);
    await recorder.stop();
  });

  it('drops and counts what is too much, without ever blocking or throwing', async () => {
    await using h = await createHarness();
    h.server.fault = () => 'silence';
    const recorder = recorderOf(h, { capacity: 10 });
    for (let n = 0; n < 25; n += 1) recorder.record(about, { ...note, note: `number ${n}` });
    expect(recorder.dropped).toHaveLength(15);
    recorder.record(undefined as unknown as typeof about, note);
    expect(h.log.lines.at(-1)?.message).toBe('an event could not be recorded');
    await recorder.stop();
  });
});

describe('formatEvent', () => {
  const source = { component: 'c', instance: 'i', date: new Date(0), random: 0.25 };

  it('cuts what the API server would refuse, without breaking a character', () => {
    const name = `${'x'.repeat(199)}.${'y'.repeat(53)}`;
    const long = { ...note, note: 'é'.repeat(2000), reason: 'R'.repeat(500) };
    const event = formatEvent(source, { ...about, metadata: { name, namespace: 'a' } }, long) as unknown as Record<
      string,
      string
    >;
    const { name: eventName = '' } = (event as unknown as Event).metadata;
    expect(eventName).toMatch(/^x{199}\.[0-9a-f]+$/);
    expect(Buffer.byteLength(event.note ?? '')).toBeLessThanOrEqual(1024);
    expect(event.note).toMatch(/^é+$/);
    expect(event.reason).toHaveLength(128);
  });

  it('puts events about cluster objects into the default namespace', () => {
    expect(formatEvent(source, { kind: 'Node', metadata: { name: 'n' } }, note).metadata.namespace).toBe('default');
  });

  it('has a key that no two different notes share', () => {
    const tricky = { ...about, metadata: { name: 'p","x', namespace: 'a' } };
    const other = { ...about, metadata: { name: 'p', namespace: 'x"a' } };
    expect(formatSeriesKey(tricky, note)).not.toBe(formatSeriesKey(other, note));
  });
});
