import { describe, expect, it } from 'vitest';
import { planNad } from './nad.ts';

const plan = (config: unknown): string => {
  const spec = config === undefined ? {} : { config: typeof config === 'string' ? config : JSON.stringify(config) };
  const planned = planNad({ metadata: { name: 'attachnet', namespace: 'default' }, spec });
  if (!planned.ok) return `${planned.problem.reason}: ${planned.problem.message}`;
  return planned.value.ours ? planned.value.provider : 'not ours';
};

describe('planNad', () => {
  it.each([
    ['ours', { type: 'mooring', provider: 'attachnet.default.ovn' }, 'attachnet.default.ovn'],
    [
      'under the other name',
      { type: 'kube-ovn', server_socket: '/x', provider: 'attachnet.default.ovn' },
      'attachnet.default.ovn',
    ],
    ['without a provider', { type: 'mooring' }, 'attachnet.default.ovn'],
    ['a list', { name: 'm', plugins: [{ type: 'mooring' }, { type: 'portmap' }] }, 'attachnet.default.ovn'],
    ['another plugin', { type: 'macvlan', ipam: { type: 'mooring', provider: 'attachnet.default' } }, 'not ours'],
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
    ['a provider that is no text', { type: 'mooring', provider: {} }, /provider must be/],
  ])('refuses %s', (_cause, config, expected) => {
    expect(plan(config)).toMatch(/^NetworkAttachmentInvalid: NetworkAttachmentDefinition default\/attachnet: /);
    expect(plan(config)).toMatch(expected);
  });
});
