import { describe, expect, it } from 'vitest';
import { type Authority, type CertificateState, planCertificates, type Serving, type Step } from './plan.ts';

const POLICY = { names: ['hook.svc'], authorityMs: 900, servingMs: 300, settleMs: 10, backdateMs: 0 };
const authority = (fingerprint: string, notBefore: number, trustedAt?: number): Authority => ({
  fingerprint,
  notBefore,
  notAfter: notBefore + POLICY.authorityMs,
  trustedAt,
});
const serving = (issuer: string, notBefore: number, more: Partial<Serving> = {}): Serving => ({
  issuer,
  names: POLICY.names,
  notBefore,
  notAfter: notBefore + POLICY.servingMs,
  ...more,
});
const trusting = (...authorities: string[]) => [
  { configuration: 'mutating', authorities },
  { configuration: 'validating', authorities },
];
const plan = (state: CertificateState, now: number) => planCertificates(state, POLICY, now).steps;
const TRUST: Step = { do: 'trust', configurations: ['mutating', 'validating'] };
const [A, B] = [authority('a', 0, 0), authority('b', 600)];

describe('the next step', () => {
  it.each<[string, CertificateState, number, Step[]]>([
    [
      'with nothing there makes an authority, and nobody can trust one yet',
      { authorities: [], serving: undefined, bundles: trusting() },
      0,
      [{ do: 'makeAuthority' }],
    ],
    [
      'with a first authority issues at once, trusted or not: nobody could be served before',
      { authorities: [authority('a', 0)], serving: undefined, bundles: trusting() },
      0,
      [{ do: 'issue', authority: 'a' }, TRUST],
    ],
    [
      'after the configurations trust it writes that down',
      { authorities: [authority('a', 0)], serving: serving('a', 0), bundles: trusting('a') },
      1,
      [{ do: 'noteTrusted', authority: 'a' }],
    ],
    [
      'while one configuration does not trust it yet tells only that one',
      {
        authorities: [authority('a', 0)],
        serving: serving('a', 0),
        bundles: [...trusting('a').slice(0, 1), { configuration: 'validating', authorities: [] }],
      },
      1,
      [{ do: 'trust', configurations: ['validating'] }],
    ],
    ['is none in quiet times', { authorities: [A], serving: serving('a', 0), bundles: trusting('a') }, 100, []],
    [
      'renews the serving certificate of the same authority after two thirds of its time',
      { authorities: [A], serving: serving('a', 0), bundles: trusting('a') },
      200,
      [{ do: 'issue', authority: 'a' }],
    ],
    [
      'issues anew when the Service has got another name',
      { authorities: [A], serving: serving('a', 0, { names: ['old.svc'] }), bundles: trusting('a') },
      100,
      [{ do: 'issue', authority: 'a' }],
    ],
    [
      'makes the next authority after two thirds of the old one’s time',
      { authorities: [A], serving: serving('a', 550), bundles: trusting('a') },
      600,
      [{ do: 'makeAuthority' }],
    ],
    [
      'has the next authority trusted beside the old one, and issues nothing of it before',
      { authorities: [A, B], serving: serving('a', 550), bundles: trusting('a') },
      601,
      [TRUST],
    ],
    [
      'waits when the next authority is trusted only since a moment',
      { authorities: [A, { ...B, trustedAt: 605 }], serving: serving('a', 550), bundles: trusting('a', 'b') },
      614,
      [],
    ],
    [
      'renews with the old authority while the next one is not settled',
      { authorities: [A, { ...B, trustedAt: 605 }], serving: serving('a', 400), bundles: trusting('a', 'b') },
      614,
      [{ do: 'issue', authority: 'a' }],
    ],
    [
      'issues of the next authority when it is settled',
      { authorities: [A, { ...B, trustedAt: 605 }], serving: serving('a', 550), bundles: trusting('a', 'b') },
      615,
      [{ do: 'issue', authority: 'b' }],
    ],
    [
      'keeps the old authority while a replica may still show its certificate',
      { authorities: [A, { ...B, trustedAt: 605 }], serving: serving('b', 615), bundles: trusting('a', 'b') },
      624,
      [],
    ],
    [
      'drops the old authority when nobody shows its certificate any more',
      { authorities: [A, { ...B, trustedAt: 605 }], serving: serving('b', 615), bundles: trusting('a', 'b') },
      625,
      [{ do: 'drop', authority: 'a' }],
    ],
    [
      'takes a dropped authority out of the configurations',
      { authorities: [{ ...B, trustedAt: 605 }], serving: serving('b', 615), bundles: trusting('a', 'b') },
      625,
      [TRUST],
    ],
    [
      'gives a bundle back that somebody has emptied',
      { authorities: [A], serving: serving('a', 0), bundles: trusting() },
      100,
      [TRUST],
    ],
    [
      'after the Secret was lost and made anew issues at once, as the old authority is unknown',
      { authorities: [authority('c', 100)], serving: serving('a', 0), bundles: trusting('a') },
      101,
      [{ do: 'issue', authority: 'c' }, TRUST],
    ],
    [
      'after a long outage drops what has run out',
      { authorities: [A, { ...B, trustedAt: 605 }], serving: serving('a', 550), bundles: trusting('a', 'b') },
      901,
      [{ do: 'drop', authority: 'a' }, TRUST],
    ],
    [
      'notes no trust where there is no configuration to have it',
      { authorities: [authority('a', 0)], serving: serving('a', 0), bundles: [] },
      1,
      [],
    ],
  ])('%s', (_cause, state, now, steps) => {
    expect(plan(state, now)).toEqual(steps);
  });

  it('is told when time alone asks for it', () => {
    const state = { authorities: [A], serving: serving('a', 0), bundles: trusting('a') };
    expect(planCertificates(state, POLICY, 100).nextAt).toBe(200);
    expect(planCertificates({ ...state, authorities: [], serving: undefined }, POLICY, 100).nextAt).toBeUndefined();
  });
});

/** What a step does, as the apply side does it. */
function take(state: CertificateState, step: Step, now: number): CertificateState {
  const change = (fingerprint: string, trustedAt: number) =>
    state.authorities.map((one) => (one.fingerprint === fingerprint ? { ...one, trustedAt } : one));
  if (step.do === 'makeAuthority') return { ...state, authorities: [...state.authorities, authority(`at${now}`, now)] };
  if (step.do === 'issue') return { ...state, serving: serving(step.authority, now) };
  if (step.do === 'noteTrusted') return { ...state, authorities: change(step.authority, now) };
  if (step.do === 'drop')
    return { ...state, authorities: state.authorities.filter(({ fingerprint }) => fingerprint !== step.authority) };
  const authorities = state.authorities.map(({ fingerprint }) => fingerprint);
  const told = (bundle: CertificateState['bundles'][number]) =>
    step.configurations.includes(bundle.configuration) ? { ...bundle, authorities } : bundle;
  return { ...state, bundles: state.bundles.map(told) };
}

describe('over years', () => {
  it('the certificate that is shown, and the one shown just before, is always trusted and in time', () => {
    let state: CertificateState = { authorities: [], serving: undefined, bundles: trusting() };
    const shown: { issuer: string; at: number }[] = [];
    for (let now = 0; now < 10 * POLICY.authorityMs; now += 1) {
      for (const step of plan(state, now)) {
        state = take(state, step, now);
        if (step.do === 'issue') shown.push({ issuer: step.authority, at: now });
      }
      if (now < 5) continue;
      const recent = shown.filter(({ at }, index) => {
        const until = shown[index + 1]?.at ?? Number.POSITIVE_INFINITY;
        return at <= now && until + POLICY.settleMs > now;
      });
      for (const { issuer } of recent)
        for (const bundle of state.bundles) expect(bundle.authorities, `at ${now}`).toContain(issuer);
      expect(state.serving?.notAfter, `at ${now}`).toBeGreaterThan(now);
      expect(state.authorities.length).toBeLessThanOrEqual(2);
    }
    expect(new Set(shown.map(({ issuer }) => issuer)).size).toBeGreaterThan(10);
  });
});
