import { describe, expect, test } from 'vitest';
import { planChain } from './plan-chain.ts';
import type { Requests, Selected } from './selected.ts';

const selectedOf = (requests: Requests = {}): Selected => ({
  ...{ namespace: 'shop', name: 'net', interface: 'net1', explicit: false },
  requests,
});
const plan = (config: unknown, requests?: Requests) =>
  planChain({ spec: { config: typeof config === 'string' ? config : JSON.stringify(config) } }, selectedOf(requests));
const pluginsOf = (config: unknown, requests?: Requests) => {
  const result = plan(config, requests);
  return result.ok ? result.value.plugins : result.problem;
};
const all = { ips: true, mac: true, portMappings: true, bandwidth: true, deviceID: true, infinibandGUID: true };

describe('the plugins of a NAD', () => {
  test('a single one gets name and version', () => {
    expect(plan({ cniVersion: '0.3.1', type: 'macvlan', master: 'eth0' })).toEqual({
      ok: true,
      value: {
        ...{ cniVersion: '0.3.1', name: 'net', ours: false },
        plugins: [{ cniVersion: '0.3.1', name: 'net', type: 'macvlan', master: 'eth0' }],
      },
    });
  });

  test('each of a list gets those of the list', () => {
    const config = { cniVersion: '1.0.0', name: 'l', plugins: [{ type: 'bridge', name: 'x' }, { type: 'tuning' }] };
    expect(pluginsOf(config)).toEqual([
      { cniVersion: '1.0.0', name: 'l', type: 'bridge' },
      { cniVersion: '1.0.0', name: 'l', type: 'tuning' },
    ]);
  });

  test.each([
    ['mooring', true],
    ['kube-ovn', true],
    ['macvlan', false],
  ])('type %s is ours: %s', (type, ours) => {
    expect(plan({ cniVersion: '1.0.0', type })).toMatchObject({ ok: true, value: { ours } });
  });

  test('a plugin is told only what it declares', () => {
    const requests = {
      ips: ['10.0.0.1/24'],
      mac: '02:00:00:00:00:01',
      bandwidth: { ingressRate: 1 },
      deviceId: '0000:01',
    };
    const config = { cniVersion: '1.0.0', plugins: [{ type: 'a', capabilities: { mac: true } }, { type: 'b' }] };
    expect(pluginsOf(config, requests)).toMatchObject([{ runtimeConfig: { mac: '02:00:00:00:00:01' } }, { type: 'b' }]);
    expect(JSON.stringify(pluginsOf(config, requests))).not.toMatch(/10\.0\.0\.1|ingressRate|0000:01/);
    expect(pluginsOf({ cniVersion: '1.0.0', type: 'a', capabilities: all }, requests)).toMatchObject([
      { runtimeConfig: { ips: ['10.0.0.1/24'], bandwidth: { ingressRate: 1 }, deviceID: '0000:01' } },
    ]);
  });

  test.each([
    ['a plugin that the administrator has not listed', { type: 'host-device', device: 'eth0' }, 'host-device'],
    ['an IPAM plugin that is not listed', { type: 'macvlan', ipam: { type: 'dhcp' } }, 'dhcp'],
    ['a plugin behind another one', { type: 'macvlan', delegate: { type: 'bridge' } }, 'bridge'],
    ['a later one of a list', { plugins: [{ type: 'macvlan' }, { type: 'tuning' }] }, 'tuning'],
  ])('%s is not run where there is a list', (_cause, config, type) => {
    const nad = { spec: { config: JSON.stringify({ cniVersion: '1.0.0', ...config }) } };
    const message = expect.stringContaining(`plugin ${type} is not one of agent.pluginTypes (macvlan, static)`);
    expect(planChain(nad, selectedOf(), ['macvlan', 'static'])).toMatchObject({ ok: false, problem: { message } });
    expect(planChain(nad, selectedOf(), [])).toMatchObject({ ok: true });
  });

  test('a list never keeps out what is ours', () => {
    const config = { cniVersion: '1.0.0', type: 'macvlan', ipam: { type: 'mooring' } };
    const nad = (content: object) => ({ spec: { config: JSON.stringify(content) } });
    expect(planChain(nad(config), selectedOf(), ['macvlan'])).toMatchObject({ ok: true });
    expect(planChain(nad({ cniVersion: '1.0.0', type: 'mooring' }), selectedOf(), ['macvlan'])).toMatchObject({
      ok: true,
    });
  });

  test.each(['../../tmp/sh', '/bin/sh', 'a\0b', '', ' ', 7, 'multus'])('ipam.type %j starts no program', (type) => {
    const result = pluginsOf({ cniVersion: '1.0.0', type: 'macvlan', ipam: { type } });
    if (type === '') expect(result).toMatchObject([{ type: 'macvlan' }]);
    else expect(result).toMatchObject({ reason: 'NetworkAttachmentInvalid' });
  });

  test('what only a runtime may say is not taken from a NAD', () => {
    const config = { cniVersion: '1.0.0', type: 'a', runtimeConfig: { mac: 'x' }, prevResult: { ips: [] } };
    expect(pluginsOf(config)).toEqual([{ cniVersion: '1.0.0', name: 'net', type: 'a' }]);
  });

  test('cni-args join those of the configuration, for every plugin', () => {
    const config = { cniVersion: '1.0.0', args: { cni: { a: 1 }, other: 2 }, plugins: [{ type: 'a' }, { type: 'b' }] };
    expect(
      pluginsOf(
        { ...config, plugins: [{ type: 'a', args: { cni: { a: 1 }, other: 2 } }, { type: 'b' }] },
        { cniArgs: { z: 3 } },
      ),
    ).toEqual([
      { cniVersion: '1.0.0', name: 'net', type: 'a', args: { cni: { a: 1, z: 3 }, other: 2 } },
      { cniVersion: '1.0.0', name: 'net', type: 'b', args: { cni: { z: 3 } } },
    ]);
  });

  test.each([
    ['an empty text', '', 'empty'],
    ['no JSON', '{', 'not a JSON object'],
    ['a list as text', '[]', 'not a JSON object'],
    ['a text that is too large', ' '.repeat(65_530) + JSON.stringify({ cniVersion: '1.0.0', type: 'a' }), 'not a JSON'],
    ['no version', { type: 'a' }, 'cniVersion'],
    ['a version of the past', { cniVersion: '0.2.0', type: 'a' }, 'cniVersion'],
    ['a version that is inherited', '{"cniVersion":"constructor","type":"a"}', 'cniVersion'],
    ['no type', { cniVersion: '1.0.0' }, 'type of plugin'],
    ['a type with a path', { cniVersion: '1.0.0', type: '../../bin/sh' }, 'type of plugin'],
    ['a type that is a folder', { cniVersion: '1.0.0', type: '..' }, 'type of plugin'],
    ['a type with a line break', { cniVersion: '1.0.0', type: 'a\nb' }, 'type of plugin'],
    ['a later type with a path', { cniVersion: '1.0.0', plugins: [{ type: 'a' }, { type: 'b/c' }] }, 'type of plugin'],
    ['Multus itself', { cniVersion: '1.0.0', type: 'multus' }, 'cannot be one'],
    ['an empty list', { cniVersion: '1.0.0', plugins: [] }, '1 to 16'],
    ['too long a list', { cniVersion: '1.0.0', plugins: Array(17).fill({ type: 'a' }) }, '1 to 16'],
    ['a name with a slash', { cniVersion: '1.0.0', name: 'a/b', type: 'a' }, '"name"'],
    ['a name that is a number', { cniVersion: '1.0.0', name: 3, type: 'a' }, '"name"'],
  ])('%s is refused', (_cause, config, words) => {
    const result = plan(config);
    expect(result).toMatchObject({ ok: false, problem: { reason: 'NetworkAttachmentInvalid' } });
    expect(result.ok ? '' : result.problem.message).toMatch(/^NetworkAttachmentDefinition shop\/net: /);
    expect(result.ok ? '' : result.problem.message).toContain(words);
  });

  test('a key that would reach a prototype is a key like any other', () => {
    const text =
      '{"cniVersion":"1.0.0","type":"a","__proto__":{"runtimeConfig":{"mac":"x"}},"args":{"__proto__":{"cni":1}}}';
    expect(
      pluginsOf(text, { cniArgs: JSON.parse('{"__proto__":{"polluted":1}}') as Record<string, unknown> }),
    ).toHaveLength(1);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});
