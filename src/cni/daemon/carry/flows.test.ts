import { describe, expect, it } from 'vitest';
import type { ConntrackEntry } from '../../../netlink/conntrack-entry.ts';
import { createCounter, filterFlows, type Ledger, planNews } from './flows.ts';
import { LIMITS } from './protocol.ts';
import { formatFlow, GUEST_IP, PORT_IP, REMOTE_IP } from './testing/records.ts';

const NOTHING: Ledger = new Map();
const SIX = 'fd00:10:16::5';

/** From outside to the guest. */
const inbound: ConntrackEntry = {
  ...formatFlow(1),
  original: { source: REMOTE_IP, destination: PORT_IP, sourcePort: 5000, destinationPort: 22 },
  reply: { source: GUEST_IP, destination: REMOTE_IP, sourcePort: 22, destinationPort: 5000 },
};

describe('which flows are carried', () => {
  it.each([
    ['of the guest, outbound', formatFlow(1000), [PORT_IP], 1],
    ['of the guest, inbound', inbound, [PORT_IP], 1],
    ['of a port with both families', formatFlow(1000), [PORT_IP, SIX], 1],
    ['of another address', formatFlow(1000), ['10.16.0.6'], 0],
    ['of a port without an address', formatFlow(1000), [], 0],
    ['of a port whose address is none', formatFlow(1000), ['nonsense'], 0],
  ])('%s', (_cause, flow, ips, count) => {
    expect(filterFlows([flow], ips)).toHaveLength(count);
  });

  it('whatever way the IPv6 address of the port is spelled', () => {
    const tuple = { source: SIX, destination: 'fd00::7', sourcePort: 1, destinationPort: 2 };
    const flow = { ...formatFlow(1), family: 6 as const, original: tuple };
    expect(filterFlows([flow], ['FD00:0010:0016:0:0::5'])).toHaveLength(1);
  });
});

describe('what is news', () => {
  it('everything at first, nothing when nothing has changed', () => {
    const reading = [formatFlow(1), inbound];
    const first = planNews(NOTHING, reading, { reading: 'table', now: 0 });
    expect(first.news).toEqual(reading);
    expect(planNews(first.told, reading, { reading: 'table', now: 100 }).news).toEqual([]);
  });

  it.each([
    [
      'another TCP state',
      { tcp: { state: 4, windowScaleOriginal: 7, windowScaleReply: 7, flagsOriginal: 3, flagsReply: 3 } },
    ],
    ['another status', { status: 0xa }],
    ['a mark', { mark: 7 }],
  ])('a flow with %s', (_cause, change) => {
    const { told } = planNews(NOTHING, [formatFlow(1), formatFlow(2)], { reading: 'table', now: 0 });
    expect(planNews(told, [formatFlow(1, change), formatFlow(2)], { reading: 'table', now: 100 }).news).toEqual([
      formatFlow(1, change),
    ]);
  });

  it('a flow that lives on here and would end over there: not while more than half of its time is left', () => {
    const flow = formatFlow(1, { timeoutSeconds: 120 });
    const { told } = planNews(NOTHING, [flow], { reading: 'table', now: 0 });
    expect(planNews(told, [flow], { reading: 'table', now: 59_000 }).news).toEqual([]);
    const later = planNews(told, [flow], { reading: 'table', now: 61_000 });
    expect(later.news).toEqual([flow]);
    expect(planNews(later.told, [flow], { reading: 'table', now: 62_000 }).news).toEqual([]);
  });

  it('no flow that only runs down', () => {
    const { told } = planNews(NOTHING, [formatFlow(1, { timeoutSeconds: 120 })], { reading: 'table', now: 0 });
    expect(planNews(told, [formatFlow(1, { timeoutSeconds: 10 })], { reading: 'table', now: 110_000 }).news).toEqual(
      [],
    );
  });

  it('a flow that has gone and come again', () => {
    const first = planNews(NOTHING, [formatFlow(1)], { reading: 'table', now: 0 });
    const gone = planNews(first.told, [], { reading: 'table', now: 100 });
    expect(gone.told.size).toBe(0);
    expect(planNews(gone.told, [formatFlow(1)], { reading: 'table', now: 200 }).news).toHaveLength(1);
  });

  it('a flow that a reading shows twice once only, when both are the same', () => {
    expect(planNews(NOTHING, [formatFlow(1), formatFlow(1)], { reading: 'table', now: 0 }).told.size).toBe(1);
  });

  it('no more than may be carried', () => {
    const reading = Array.from({ length: LIMITS.entries + 5 }, (_, index) =>
      formatFlow(1, {
        original: {
          ...formatFlow(1).original,
          sourcePort: (index % 60_000) + 1,
          source: `10.1.${Math.floor(index / 60_000)}.1`,
        },
      }),
    );
    const { told, complete } = planNews(NOTHING, reading, { reading: 'table', now: 0 });
    expect({ size: told.size, complete }).toEqual({ size: LIMITS.entries, complete: false });
    const changed = planNews(told, [formatFlow(2), ...reading.slice(0, 1)], { reading: 'changes', now: 0 });
    expect({ size: changed.told.size, complete: changed.complete }).toEqual({ size: LIMITS.entries, complete: false });
  });

  it('what has changed, while all else stays told', () => {
    const { told } = planNews(NOTHING, [formatFlow(1), formatFlow(2)], { reading: 'table', now: 0 });
    const changed = planNews(told, [formatFlow(2), formatFlow(3)], { reading: 'changes', now: 100 });
    expect(changed).toMatchObject({ news: [formatFlow(3)], complete: true });
    expect(changed.told.size).toBe(3);
  });
});

describe('the counter of a session', () => {
  it('admits what it knows already, and no more new ones than may be', () => {
    const counter = createCounter(2);
    expect([1, 2, 3, 1, 2].map((port) => counter.admit(formatFlow(port)))).toEqual([true, true, false, true, true]);
    expect(counter.size()).toBe(2);
  });
});
