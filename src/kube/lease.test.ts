import { describe, expect, it } from 'vitest';
import { createElector, type Elector, type ElectorOptions } from './lease.ts';
import { deriveObservation, formatMicroTime, LEASE, type Lease, planClaim } from './lease-record.ts';
import { createResource } from './resource.ts';
import { eventually } from './testing/eventually.ts';
import { createHarness, type Harness } from './testing/harness.ts';

const leases = 'coordination.k8s.io/v1/leases';
const lease = (spec: Lease['spec'], resourceVersion = '1'): Lease => ({
  metadata: { name: 'l', resourceVersion },
  spec: spec ?? {},
});

describe('planClaim', () => {
  const held = { holderIdentity: 'other', leaseDurationSeconds: 15, leaseTransitions: 4 };
  it.each([
    ['there is no lease', undefined, { action: 'create' }],
    ['another holds it and we saw it change just now', { lease: lease(held), at: 100_000 }, { action: 'wait' }],
    ['we saw it unchanged for its whole duration', { lease: lease(held), at: 85_000 }, { action: 'take', term: 5 }],
    ['we saw it unchanged for a little less', { lease: lease(held), at: 85_001 }, { action: 'wait' }],
    ['it was released', { lease: lease({ ...held, holderIdentity: '' }), at: 100_000 }, { action: 'take', term: 5 }],
    [
      'it is our own of an earlier run',
      { lease: lease({ ...held, holderIdentity: 'me' }), at: 100_000 },
      { action: 'take', term: 5 },
    ],
    ['it has an empty spec', { lease: lease({}), at: 100_000 }, { action: 'take', term: 1 }],
  ])('when %s', (_, seen, plan) => {
    expect(planClaim(seen, 'me', 100_000)).toEqual(plan);
  });

  it('never looks at the times in the lease, which another clock wrote', () => {
    const old = { ...held, renewTime: '1999-01-01T00:00:00.000000Z', acquireTime: '1999-01-01T00:00:00.000000Z' };
    expect(planClaim({ lease: lease(old), at: 100_000 }, 'me', 100_000)).toEqual({ action: 'wait' });
  });

  it('keeps the time of the first sight until the lease changes', () => {
    const first = deriveObservation(undefined, lease(held), 10);
    expect(deriveObservation(first, lease(held), 20)).toBe(first);
    expect(deriveObservation(first, lease(held, '2'), 20).at).toBe(20);
  });

  it('writes times with six digits, as MicroTime wants', () => {
    expect(formatMicroTime(new Date(Date.UTC(2026, 0, 2, 3, 4, 5, 67)))).toBe('2026-01-02T03:04:05.067000Z');
  });
});

type Candidate = { elector: Elector; log: string[]; stop: () => Promise<void> };

function join(h: Harness, identity: string, extra: Partial<ElectorOptions> = {}): Candidate {
  const log: string[] = [];
  const stop = new AbortController();
  const elector = createElector({
    leases: createResource<Lease>(h.transport, LEASE),
    namespace: 'sys',
    name: 'op',
    identity,
    clock: h.clock,
    random: () => 0,
    log: h.log,
    onStarted: (term) => void log.push(`started ${term}`),
    onStopped: () => void log.push('stopped'),
    ...extra,
  });
  const running = elector.run(stop.signal);
  const stopAndWait = () => {
    stop.abort();
    return running;
  };
  return { elector, log, stop: stopAndWait };
}

const holder = (h: Harness) => h.server.storage.list(leases)[0]?.spec as Lease['spec'];
const requests = (h: Harness) => h.server.requests.length;
/** Lets the retry period pass once, when every candidate waits for it, and waits for what it does. */
async function turn(h: Harness, candidates = 1): Promise<void> {
  await eventually('all candidates to wait', () => h.clock.pending().filter((ms) => ms <= 2000).length === candidates);
  const before = requests(h);
  h.clock.advance(2000);
  await eventually('their requests', () => requests(h) >= before + 1);
}

describe('leader election', () => {
  it('creates the lease, leads, renews, and releases only after the work has stopped', async () => {
    await using h = await createHarness();
    const order: string[] = [];
    const one = join(h, 'one', {
      onStopped: async () => {
        await Promise.resolve();
        order.push(`stopped while ${holder(h)?.holderIdentity} holds it`);
      },
    });
    await eventually('the leader', () => one.elector.isLeader());
    expect(holder(h)).toMatchObject({ holderIdentity: 'one', leaseDurationSeconds: 15, leaseTransitions: 1 });
    const first = holder(h)?.renewTime;
    await turn(h);
    await eventually('the renewal', () => holder(h)?.renewTime !== first);
    await one.stop();
    order.push(`then held by '${holder(h)?.holderIdentity}'`);
    expect(order).toEqual(['stopped while one holds it', "then held by ''"]);
    expect([one.elector.isLeader(), one.elector.term()]).toEqual([false, 1]);
  });

  it('hands over to the next candidate with a higher term', async () => {
    await using h = await createHarness();
    const one = join(h, 'one');
    await eventually('the leader', () => one.elector.isLeader());
    const two = join(h, 'two');
    await turn(h, 2);
    expect(two.elector.isLeader()).toBe(false);
    await one.stop();
    await turn(h);
    await eventually('the next leader', () => two.elector.isLeader());
    expect([one.log, two.log, holder(h)?.leaseTransitions]).toEqual([['started 1', 'stopped'], ['started 2'], 2]);
    await two.stop();
  });

  it('looks again just when the lease of one that died has run out, not a whole period later', async () => {
    await using h = await createHarness();
    h.server.storage.create(leases, {
      metadata: { namespace: 'sys', name: 'op' },
      spec: { holderIdentity: 'dead', leaseDurationSeconds: 3, leaseTransitions: 4 },
    } as Lease);
    const one = join(h, 'one');
    await turn(h);
    await eventually('the second wait', () => String(h.clock.pending()) === '1000');
    h.clock.advance(1000);
    await eventually('the leader', () => one.elector.isLeader());
    expect(one.log).toEqual(['started 5']);
    await one.stop();
  });

  it('lets only one of two candidates in that try at the same time', async () => {
    await using h = await createHarness();
    const both = [join(h, 'one'), join(h, 'two')];
    await eventually('a leader', () => both.some((one) => one.elector.isLeader()));
    await turn(h, 2);
    expect(both.filter((one) => one.elector.isLeader())).toHaveLength(1);
    await Promise.all(both.map((one) => one.stop()));
  });

  it('F29: a leader that was paused knows at once that it leads no more, and stops its work', async () => {
    await using h = await createHarness();
    const signals: AbortSignal[] = [];
    const one = join(h, 'one', { onStarted: (_, signal) => void signals.push(signal) });
    await eventually('the leader', () => one.elector.isLeader());
    await eventually('its wait', () => h.clock.pending().length === 1);
    h.clock.advance(20_000);
    expect(one.elector.isLeader()).toBe(false);
    await eventually('the end of the term', () => signals[0]?.aborted && one.log.includes('stopped'));
    await eventually('a new term', () => one.elector.isLeader());
    expect(holder(h)?.leaseTransitions).toBe(2);
    await one.stop();
  });

  it("gives up when it cannot renew in time, and does not release what may be another's", async () => {
    await using h = await createHarness();
    const one = join(h, 'one');
    await eventually('the leader', () => one.elector.isLeader());
    h.server.fault = (request) => (request.verb === 'update' ? { status: 500 } : undefined);
    for (let n = 0; n < 4; n += 1) await turn(h);
    expect([one.log, one.elector.isLeader()]).toEqual([['started 1'], true]);
    await eventually('the end', () => one.log.includes('stopped') || h.clock.advance(500));
    expect([one.elector.isLeader(), holder(h)?.holderIdentity]).toEqual([false, 'one']);
    h.server.fault = undefined;
    await one.stop();
  });

  it('ends its term at the deadline, not at the next attempt after it', async () => {
    await using h = await createHarness();
    const one = join(h, 'one', { renewDeadlineMs: 9000 });
    await eventually('the leader', () => one.elector.isLeader());
    h.server.fault = (request) => (request.verb === 'update' ? { status: 500 } : undefined);
    for (let n = 0; n < 4; n += 1) await turn(h);
    const failed = () => h.log.lines.filter((line) => line.message === 'could not renew the lease').length;
    await eventually('the last wait', () => failed() === 4 && String(h.clock.pending()) === '1000');
    h.clock.advance(1000);
    await eventually('the end', () => one.log.includes('stopped'));
    await one.stop();
  });

  it('stops at once when another has taken the lease', async () => {
    await using h = await createHarness();
    const one = join(h, 'one');
    await eventually('the leader', () => one.elector.isLeader());
    h.server.storage.patch(leases, 'sys/op', { patch: { spec: { holderIdentity: 'thief', leaseTransitions: 9 } } });
    await turn(h);
    await eventually('the end', () => one.log.includes('stopped'));
    expect(holder(h)?.holderIdentity).toBe('thief');
    await one.stop();
  });

  it('keeps leading when the answer to a renewal was lost but the renewal was not', async () => {
    await using h = await createHarness();
    const one = join(h, 'one');
    await eventually('the leader', () => one.elector.isLeader());
    let lost = 0;
    h.server.fault = (request) => {
      if (request.verb !== 'update' || lost > 0) return undefined;
      lost += 1;
      return 'lostAnswer';
    };
    for (let n = 0; n < 7; n += 1) await turn(h);
    expect([one.log, one.elector.isLeader(), lost]).toEqual([['started 1'], true, 1]);
    await one.stop();
  });

  it('gives the lead up when its work fails to start', async () => {
    await using h = await createHarness();
    let tries = 0;
    const one = join(h, 'one', {
      onStarted: async () => {
        tries += 1;
        if (tries === 1) throw new Error('no database');
      },
    });
    await eventually('the end of the first term', () => one.log.includes('stopped') || h.clock.advance(2000));
    await eventually('the second term', () => one.elector.term() === 2 || h.clock.advance(10));
    await one.stop();
  });

  it('waits between two terms whose work fails at once', async () => {
    await using h = await createHarness();
    let tries = 0;
    const one = join(h, 'one', {
      // Tells a pause, of 2200 ms then, from the time limits of requests.
      random: () => 0.5,
      onStarted: async () => {
        tries += 1;
        throw new Error('refused');
      },
    });
    await eventually('a pause', () => h.clock.pending().includes(2200));
    expect(tries).toBe(1);
    h.clock.advance(2200);
    await eventually('the second term', () => tries === 2);
    await one.stop();
  });

  it('campaigns on through an API server that is away', async () => {
    await using h = await createHarness();
    await h.server.stop();
    const one = join(h, 'one');
    await eventually('a failure', () => h.log.lines.some((line) => line.message === 'could not claim the lease'));
    await h.server.restart();
    await eventually('the leader', () => one.elector.isLeader() || h.clock.advance(20));
    await one.stop();
  });
});
