import { describe, expect, it } from 'vitest';
import { planNad } from './nad.ts';

const plan = (config: unknown): string => {
  const spec = config === undefined ? {} : { config: typeof config === 'string' ? config : JSON.stringify(config) };
  const planned = planNad({ metadata: { name: 'attachnet', namespace: 'default' }, spec });
  if (!planned.ok) return `${planned.problem.reason}: ${planned.problem.message}`;
  return planned.value.kind === 'none' ? 'not ours' : `${planned.value.kind} ${planned.value.provider}`;
};

describe('planNad', () => {
  it.each([
    ['ours', { type: 'mooring', provider: 'attachnet.default.ovn' }, 'ours attachnet.default.ovn'],
    [
      'under the other name',
      { type: 'kube-ovn', server_socket: '/x', provider: 'attachnet.default.ovn' },
      'ours attachnet.default.ovn',
    ],
    ['without a provider', { type: 'mooring' }, 'ours attachnet.default.ovn'],
    ['a list', { name: 'm', plugins: [{ type: 'mooring' }, { type: 'portmap' }] }, 'ours attachnet.default.ovn'],
    ['the primary network as one of others', { type: 'mooring', provider: 'ovn' }, 'ours attachnet.default.ovn'],
    [
      "another plugin's NIC with our address",
      { type: 'macvlan', ipam: { type: 'mooring', provider: 'attachnet.default' } },
      'ipam attachnet.default',
    ],
    ['the same under the other name', { type: 'ipvlan', ipam: { type: 'kube-ovn' } }, 'ipam attachnet.default'],
    [
      'the same in a list',
      { plugins: [{ type: 'macvlan', ipam: { type: 'mooring' } }, { type: 'tuning' }] },
      'ipam attachnet.default',
    ],
    ["another plugin's NIC and address", { type: 'macvlan', ipam: { type: 'whereabouts' } }, 'not ours'],
    ['no IPAM', { type: 'bridge' }, 'not ours'],
    ['an IPAM that is no object', { type: 'bridge', ipam: 'mooring' }, 'not ours'],
    ['a list of others', { plugins: [{ type: 'bridge' }, { type: 'mooring' }] }, 'not ours'],
  ])('%s', (_cause, config, expected) => {
    expect(plan(config)).toBe(expected);
  });

  it.each([
    ['an empty spec', undefined, /spec\.config is empty/],
    ['blanks', '  ', /spec\.config is empty/],
    ['no JSON', '{', /not a JSON object/],
    ['a list', '[]', /not a JSON object/],
    ['no plugin', '{}', /names no plugin/],
    ['an empty list', '{"plugins":[]}', /names no plugin/],
    ['a type that is no text', '{"type":1}', /names no plugin/],
    ['too much', `{"type":"${'x'.repeat(70_000)}"}`, /not a JSON object/],
    [
      "another NAD's provider (F56)",
      { type: 'mooring', provider: 'secret.prod.ovn' },
      /provider must be attachnet\.default\.ovn/,
    ],
    [
      "our NIC's provider for another plugin's",
      { type: 'macvlan', ipam: { type: 'mooring', provider: 'attachnet.default.ovn' } },
      /provider must be attachnet\.default, not "attachnet\.default\.ovn"/,
    ],
    ['a name that is no text', { name: 7, type: 'mooring' }, /name must be text/],
    ['an empty type', { type: '' }, /names no plugin/],
    ['a provider that is no text', { type: 'mooring', provider: {} }, /provider must be/],
  ])('refuses %s', (_cause, config, expected) => {
    expect(plan(config)).toMatch(/^NetworkAttachmentInvalid: NetworkAttachmentDefinition default\/attachnet: /);
    expect(plan(config)).toMatch(expected);
  });

  it('keeps the providers of our NICs and of other plugins apart, whatever the names', () => {
    const config = '{"type":"macvlan","ipam":{"type":"mooring"}}';
    const nad = (namespace: string, name: string) => planNad({ metadata: { namespace, name }, spec: { config } });
    expect(nad('ovn', 'attachnet.default')).toMatchObject({ problem: { reason: 'NetworkAttachmentInvalid' } });
    expect(nad('ovn', 'attachnet')).toMatchObject({ value: { provider: 'attachnet.ovn' } });
  });

  it('knows a NAD that may stand for the primary network from one that names its provider', () => {
    const named = (config: string) => planNad({ metadata: { namespace: 'd', name: 'n' }, spec: { config } });
    expect(named('{"type":"mooring"}')).toMatchObject({ value: { named: false } });
    expect(named('{"type":"mooring","provider":"ovn"}')).toMatchObject({ value: { named: false } });
    expect(named('{"type":"mooring","provider":"n.d.ovn"}')).toMatchObject({ value: { named: true } });
  });

  it('does not trust that the configuration is text', () => {
    const spec = { config: 7 as unknown as string };
    expect(planNad({ metadata: { name: 'n', namespace: 'd' }, spec })).toMatchObject({
      problem: { message: 'NetworkAttachmentDefinition d/n: spec.config is not text' },
    });
  });
});
