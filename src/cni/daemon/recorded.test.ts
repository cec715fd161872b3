import { describe, expect, test } from 'vitest';
import { formatRequest, parseRequest } from '../protocol.ts';
import { parseAsked } from './asked.ts';
import { checkSupported, findIpam } from './capabilities.ts';
import { CniError } from './errors.ts';
import { parseAttach, parseCommand, parseConfig, parseKey } from './request.ts';
import { listRecordings, type RecordedCall, readRecording } from './testing/recorded.ts';

const send = ({ env, config }: RecordedCall) =>
  parseRequest(formatRequest({ env: new Map(Object.entries(env)), stdin: JSON.stringify(config) }));

/** `hostNetwork` pods never reach a plugin. */
const recordings = listRecordings().filter((name) => readRecording(name).length > 0);

test('only a recording of a pod on the host network has no call', () => {
  expect(listRecordings().filter((name) => readRecording(name).length === 0)).toEqual(['containerd16-hostnetwork']);
});

describe.each(recordings)('%s, as real runtimes send it', (name) => {
  const calls = readRecording(name);

  test('every call is understood, as an interface or as addresses for another plugin', () => {
    for (const call of calls) {
      const request = send(call);
      expect(parseCommand(request)).toBe(call.command);
      if (call.command === 'STATUS') continue;
      expect(parseKey(request.env)).toEqual({ containerId: call.env.CNI_CONTAINERID, ifname: call.env.CNI_IFNAME });
      expect(findIpam(parseConfig(request.stdin)) !== undefined).toBe(call.ipam);
    }
  });

  test('every ADD says whose it is and what it asks for, in every place', () => {
    for (const call of calls.filter(({ command }) => command === 'ADD')) {
      const attach = parseAttach(send(call));
      expect(call.env.CNI_ARGS).toContain(`K8S_POD_UID=${attach.pod.uid}`);
      const given = JSON.stringify([call.config.runtimeConfig ?? {}, call.config.args ?? {}, call.env.CNI_ARGS]);
      const { ips, macs } = parseAsked(attach);
      expect(ips.length > 0).toBe(/"ips"|IP=/.test(given));
      expect(macs.length > 0).toBe(/"mac"|MAC=/.test(given));
      for (const { value } of ips) expect(given).toContain(value);
    }
  });

  test('no ADD is refused for what arrives anyway', () => {
    const refused = calls
      .filter(({ command }) => command === 'ADD')
      .flatMap((call) => {
        try {
          checkSupported(parseAttach(send(call)).config);
          return [];
        } catch (error) {
          return [error instanceof CniError ? error.message : String(error)];
        }
      });
    // Only one pod of all asks for something that no switch port of ours has.
    const expected = name.endsWith('-json-all') ? [expect.stringContaining('runtimeConfig.infinibandGUID')] : [];
    expect(refused).toEqual(expected);
  });
});

test('a static pod comes with a hash for a UID', () => {
  const calls = readRecording('containerd16-static-pod-removed-while-kubelet-down');
  const add = calls.find(({ command }) => command === 'ADD');
  expect(add && parseAttach(send(add)).pod.uid).toMatch(/^[0-9a-f]{32}$/);
});
