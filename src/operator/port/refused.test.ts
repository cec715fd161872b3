import { describe, expect, it } from 'vitest';
import { parseApiError } from '../../kube/errors.ts';
import type { Turn } from '../context.ts';
import { type Attempt, createRefusals, explainRefusal } from './refused.ts';
import type { Seen } from './seen.ts';

const PORT: Attempt = { holder: 'a/db.side.vm', nic: 'side', verb: 'create' };
const HOUR_MS = 3_600_000;

const refusal = (status: number, message: string) => parseApiError(status, { kind: 'Status', message });
const quota = (used: number) => refusal(403, `db.side.vm is forbidden: exceeded quota: ports, used: ${used}`);

/** A key whose turns keep what they tell; `pass` lets time pass. */
function createKey() {
  let now = 1000;
  const notes: string[] = [];
  const reasons: string[] = [];
  const refused: Turn['refused'] = new Map();
  const turn = {
    refused,
    clock: { now: () => now },
    log: { warn: () => {} },
    events: {
      record: (_: unknown, { note, reason }: { note: string; reason: string }) => {
        notes.push(note);
        reasons.push(reason);
      },
    },
  } as unknown as Turn;
  const seen = { key: 'vm/a/db', regarding: { kind: 'VirtualMachine', metadata: { name: 'db' } } } as unknown as Seen;
  return {
    refused,
    notes,
    reasons,
    pass: (ms: number) => {
      now += ms;
    },
    /** A turn in which each of these is refused with its error, or not. */
    take: async (...attempts: (readonly [Attempt, Error | undefined])[]) => {
      const refusals = createRefusals(turn, seen);
      const given = attempts.map(([what, error]) =>
        refusals.attempt(what, async () => {
          if (error !== undefined) throw error;
          return 'taken';
        }),
      );
      await Promise.all(given);
      return refusals.settle();
    },
  };
}

describe('what the API server refuses', () => {
  it('is told once, though the counts in the words change', async () => {
    const key = createKey();
    for (let used = 1; used <= 50; used += 1) {
      await key.take([PORT, quota(used)]);
      key.pass(30_000);
    }
    expect(key.notes).toHaveLength(1);
  });

  it.each<[string, Attempt, Error]>([
    ['another status', PORT, refusal(422, quota(1).message)],
    ['other words', PORT, refusal(403, 'admission webhook "w" denied the request: no')],
    ['a change instead of a creation', { ...PORT, verb: 'update' }, quota(1)],
    ['another port', { ...PORT, holder: 'a/db.more.vm', nic: 'more' }, quota(1)],
  ])('is told again for another cause: %s', async (_cause, what, error) => {
    const key = createKey();
    await key.take([PORT, quota(1)]);
    await key.take([PORT, quota(1)], [what, error]);
    expect(key.notes).toHaveLength(2);
  });

  it('is told again when it was taken in between', async () => {
    const key = createKey();
    await key.take([PORT, quota(1)]);
    expect(await key.take([PORT, undefined])).toBeUndefined();
    expect(key.refused.size).toBe(0);
    await key.take([PORT, quota(1)]);
    expect(key.notes).toHaveLength(2);
  });

  it('is told of a guest under a reason of its own, with what is asked for', async () => {
    const key = createKey();
    const forbidden = refusal(403, 'User "o" cannot patch resource "virtualmachineinstances"');
    expect(await key.take([{ holder: 'vmi a/db', verb: 'tell' }, forbidden])).toBe(250);
    expect(key.reasons).toEqual(['GuestNotConfigured']);
    expect(key.notes).toEqual([expect.stringMatching(/not configured: vmi a\/db .*Way out: apply the roles/)]);
  });

  it('is told again while another port is still refused', async () => {
    const key = createKey();
    const other: Attempt = { ...PORT, holder: 'a/db.more.vm' };
    await key.take([PORT, quota(1)], [other, quota(1)]);
    await key.take([PORT, undefined], [other, quota(1)]);
    await key.take([PORT, quota(1)], [other, quota(1)]);
    expect(key.notes).toHaveLength(3);
  });

  it('is told again after an hour, when the API server has forgotten the event', async () => {
    const key = createKey();
    await key.take([PORT, quota(1)]);
    key.pass(HOUR_MS - 1);
    await key.take([PORT, quota(1)]);
    expect(key.notes).toHaveLength(1);
    key.pass(1);
    await key.take([PORT, quota(1)]);
    expect(key.notes).toHaveLength(2);
  });

  it('is tried again after as long as it has lasted, half a minute at most', async () => {
    const key = createKey();
    const waits: (number | undefined)[] = [];
    for (let turn = 0; turn < 10; turn += 1) {
      const wait = await key.take([PORT, quota(1)]);
      waits.push(wait);
      key.pass(wait ?? 0);
    }
    expect(waits).toEqual([250, 250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  });

  it.each([400, 403, 413, 422])('is %i, and no error of the turn', async (status) => {
    expect(await createKey().take([PORT, refusal(status, 'no')])).toBe(250);
  });

  it.each([401, 404, 409, 429, 500, 503])('is not %i: that is thrown and told to nobody', async (status) => {
    const key = createKey();
    await expect(key.take([PORT, refusal(status, 'no')])).rejects.toThrow('no');
    expect([key.notes, key.refused.size]).toEqual([[], 0]);
  });

  it('is no fault of the program', async () => {
    await expect(createKey().take([PORT, new TypeError('oops')])).rejects.toThrow('oops');
  });
});

describe('explainRefusal', () => {
  it.each([
    [403, 'db is forbidden: exceeded quota: ports, requested: 1', 'raise the ResourceQuota'],
    [403, 'db is forbidden: failed quota: ports: must specify', 'raise the ResourceQuota'],
    [400, 'admission webhook "w.example.org" denied the request: no', 'change the admission webhook or policy'],
    [
      422,
      "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no",
      'change the admission webhook or policy',
    ],
    [403, 'User "system:serviceaccount:m:o" cannot create resource "logicalports"', 'apply the roles'],
    [422, 'LogicalPort "db" is invalid: spec.nic: Too long', 'apply crds/'],
    [400, 'strict decoding error: unknown field "spec.madeFor"', 'apply crds/'],
    [403, 'db is forbidden: something else', 'the message says who'],
  ])('%i %s: %s', (status, message, way) => {
    const text = explainRefusal(PORT, refusal(status, message));
    expect(text).toContain(`LogicalPort a/db.side.vm of NIC side cannot be made. The API server says: ${message}.`);
    expect(text).toContain(`Way out: ${way}`);
  });

  it('says that a port whose change is refused stays', () => {
    expect(explainRefusal({ ...PORT, verb: 'update' }, quota(1))).toContain('cannot be changed and stays as it is');
  });

  it('cuts the words of the server, so that the way out is never lost', () => {
    const what = { ...PORT, holder: `${'n'.repeat(63)}/${'p'.repeat(253)}`, nic: 'c'.repeat(253) };
    const text = explainRefusal(what, refusal(403, `exceeded quota: ${'x'.repeat(5000)}`));
    expect(text.length).toBeLessThan(900);
    expect(text).toMatch(/x…\. Way out: raise the ResourceQuota.* that nobody needs$/);
  });
});
