import { describe, expect, test } from 'vitest';
import { WireError, type WireRequest } from '../protocol.ts';
import { createFakeWorld } from './testing/fake-context.ts';
import { answer, refuse } from './verbs.ts';

const config = { cniVersion: '1.0.0', name: 'mooring', type: 'mooring' };
const makeRequest = (command: string, change: Record<string, string> = {}, stdin: object = config): WireRequest => ({
  env: new Map(
    Object.entries({
      CNI_COMMAND: command,
      CNI_CONTAINERID: 'c1',
      CNI_NETNS: '/run/netns/x',
      CNI_IFNAME: 'eth0',
      CNI_ARGS: 'K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web;K8S_POD_UID=u1',
      ...change,
    }),
  ),
  stdin: JSON.stringify(stdin),
});
const signal = new AbortController().signal;
const world = createFakeWorld();
const ask = async (request: WireRequest) => {
  const { status, output } = await answer(world.context, request, signal);
  return { status, body: output === '' ? undefined : (JSON.parse(output) as Record<string, unknown>) };
};

describe('the verbs', () => {
  test.each(['0.3.1', '0.4.0', '1.0.0', '1.1.0'])(
    'ADD answers in %s, CHECK where there is one, DEL with nothing',
    async (cniVersion) => {
      const stdin = { ...config, cniVersion };
      const added = await ask(makeRequest('ADD', {}, stdin));
      expect(added).toMatchObject({ status: 0, body: { cniVersion, ips: [{ address: '10.16.0.5/16' }] } });
      const checked = await ask(makeRequest('CHECK', {}, stdin));
      expect(checked.status).toBe(cniVersion === '0.3.1' ? 1 : 0);
      expect(await ask(makeRequest('DEL', {}, stdin))).toEqual({ status: 0, body: undefined });
    },
  );

  test.each([
    ['an unknown verb', makeRequest('RUN'), 4],
    [
      'an ADD behind a plugin that has made the interface',
      makeRequest('ADD', {}, { ...config, prevResult: { interfaces: [{ name: 'eth0', sandbox: '/run/netns/x' }] } }),
      7,
    ],
    ['an ADD in a version of the past', makeRequest('ADD', {}, { ...config, cniVersion: '0.2.0' }), 1],
    ['an ADD with a bad interface', makeRequest('ADD', { CNI_IFNAME: 'a/b' }), 4],
    ['a DEL without container', makeRequest('DEL', { CNI_CONTAINERID: '' }), 4],
    ['a CHECK of what was never added', makeRequest('CHECK', { CNI_CONTAINERID: 'c9' }), 5],
    ['a GC without list', makeRequest('GC', {}, { ...config, cniVersion: '1.1.0' }), 7],
    ['a GC in a version that has none', makeRequest('GC', {}, { ...config, 'cni.dev/valid-attachments': [] }), 1],
    ['a STATUS in a version that has none', makeRequest('STATUS'), 1],
    ['a STATUS without network', makeRequest('STATUS', {}, { cniVersion: '1.1.0', type: 'mooring' }), 7],
    ['a CHECK in a version that has none', makeRequest('CHECK', {}, { ...config, cniVersion: '0.3.1' }), 1],
  ])('%s is an error of the specification', async (_cause, request, code) => {
    expect(await ask(request)).toMatchObject({ status: 1, body: { code, msg: expect.stringMatching(/^mooring: /) } });
  });

  test('VERSION needs nothing at all', async () => {
    const bare = { env: new Map([['CNI_COMMAND', 'VERSION']]), stdin: '{"cniVersion":"0.4.0"}' };
    expect(await ask(bare)).toMatchObject({ status: 0, body: { cniVersion: '0.4.0' } });
  });

  test('STATUS says what is missing', async () => {
    const bare = {
      env: new Map([['CNI_COMMAND', 'STATUS']]),
      stdin: JSON.stringify({ ...config, cniVersion: '1.1.0' }),
    };
    expect(await ask(bare)).toEqual({ status: 0, body: undefined });
    world.obstacle = 'OVS is away';
    expect(await ask(bare)).toMatchObject({ status: 1, body: { code: 50, msg: 'mooring: OVS is away' } });
    world.obstacle = undefined;
  });

  test('an error of a DEL does not sound like "already gone"', async () => {
    world.fault = () => {
      throw new Error('open /x: no such file or directory: not found');
    };
    const { body } = await ask(makeRequest('DEL', { CNI_CONTAINERID: 'c2' }));
    world.fault = () => undefined;
    expect(body).toMatchObject({ code: 5 });
    expect(String(body?.msg)).not.toMatch(/not found|no such file/i);
  });
});

describe('what is no call', () => {
  test('another version of the shim is told to try again', () => {
    const { status, output } = refuse(new WireError('Skew', 'the shim speaks version 2'));
    expect(status).toBe(1);
    expect(JSON.parse(output)).toMatchObject({ code: 106, msg: expect.stringContaining('try again') });
  });

  test('garbage is a decoding error', () => {
    expect(JSON.parse(refuse(new WireError('Malformed', 'x')).output)).toMatchObject({ code: 6 });
  });
});
