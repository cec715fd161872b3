import { describe, expect, it } from 'vitest';
import { planVmRequests } from './requests.ts';
import { makeRequestContext } from './testing/requests.ts';

const plan = (binding: string, nic: object = {}) =>
  planVmRequests(
    { domain: { devices: { interfaces: [{ name: 'a', ...nic }] } }, networks: [{ name: 'a', pod: {} }] },
    [{ from: 'the VM', annotations: { 'mooring.dev/nics': JSON.stringify({ a: { binding } }) } }],
    makeRequestContext(),
  );

describe('a binding that is left open', () => {
  it.each(['asIs', 'auto'])('is no request of the controller: %s', (open) => {
    const [request] = plan(open).requests;
    expect(request?.nic).toBe('a');
    expect(Object.keys(request ?? {}).filter((key) => /binding/i.test(key))).toEqual([]);
  });

  it.each(['asIs', 'auto'])('agrees with whatever the interface has: %s', (open) => {
    expect(plan(open, { masquerade: {} })).toMatchObject({ problems: [], requests: [{ binding: 'masquerade' }] });
  });

  it('is unlike a binding that is named, which must be that of the interface', () => {
    expect(plan('bridge', { masquerade: {} }).problems[0]?.problem.reason).toBe('RequestDisagreement');
  });
});
