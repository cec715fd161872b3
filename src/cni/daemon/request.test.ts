import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { WireRequest } from '../protocol.ts';
import { CniError } from './errors.ts';
import { findVersion, parseArgs, parseAttach, parseCommand, parseConfig, parseValidAttachments } from './request.ts';

const config = { cniVersion: '1.0.0', name: 'mooring', type: 'mooring' };
const environment = {
  CNI_COMMAND: 'ADD',
  CNI_CONTAINERID: 'c1',
  CNI_NETNS: '/var/run/netns/cni-1',
  CNI_IFNAME: 'eth0',
  CNI_ARGS:
    'IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-1;K8S_POD_UID=a1805b4e-ca7c-472f-bcb4-ebab711d995e',
};
const makeRequest = (change: Record<string, string> = {}, stdin: unknown = config): WireRequest => ({
  env: new Map(Object.entries({ ...environment, ...change })),
  stdin: typeof stdin === 'string' ? stdin : JSON.stringify(stdin),
});
const args = (name: string, value: string) => `K8S_POD_NAMESPACE=a;K8S_POD_NAME=b;K8S_POD_UID=c;${name}=${value}`;

const failure = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof CniError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'accepted';
};

describe('an ADD', () => {
  test('is read whole', () => {
    expect(parseAttach(makeRequest())).toMatchObject({
      containerId: 'c1',
      ifname: 'eth0',
      netns: '/var/run/netns/cni-1',
      pod: { namespace: 'default', name: 'web-1', uid: 'a1805b4e-ca7c-472f-bcb4-ebab711d995e' },
      config: { cniVersion: '1.0.0', name: 'mooring', type: 'mooring' },
    });
  });

  test.each([
    ['no container id', { CNI_CONTAINERID: '' }, 'CNI_CONTAINERID'],
    ['a container id that climbs', { CNI_CONTAINERID: '../../etc' }, 'CNI_CONTAINERID'],
    ['a container id with a NUL', { CNI_CONTAINERID: 'a\0b' }, 'CNI_CONTAINERID'],
    ['a container id without end', { CNI_CONTAINERID: 'a'.repeat(300) }, 'CNI_CONTAINERID'],
    ['no interface', { CNI_IFNAME: '' }, 'CNI_IFNAME'],
    ['an interface of 16 characters', { CNI_IFNAME: 'a'.repeat(16) }, 'CNI_IFNAME'],
    ['an interface of 15 characters and 16 bytes', { CNI_IFNAME: 'ä'.repeat(8) }, 'CNI_IFNAME'],
    ['an interface named ..', { CNI_IFNAME: '..' }, 'CNI_IFNAME'],
    ['an interface with a slash', { CNI_IFNAME: 'a/b' }, 'CNI_IFNAME'],
    ['an interface with a newline', { CNI_IFNAME: 'a\nb' }, 'CNI_IFNAME'],
    ['an interface with a pattern', { CNI_IFNAME: 'eth%d' }, 'CNI_IFNAME'],
    ['no netns', { CNI_NETNS: '' }, 'CNI_NETNS'],
    ['a relative netns', { CNI_NETNS: 'run/netns/x' }, 'CNI_NETNS'],
    ['a netns that climbs', { CNI_NETNS: '/run/netns/../../proc/1/ns/net' }, 'CNI_NETNS'],
    ['no pod name', { CNI_ARGS: 'K8S_POD_NAMESPACE=a;K8S_POD_UID=b' }, 'CNI_ARGS: K8S_POD_NAME'],
    ['no pod UID', { CNI_ARGS: 'K8S_POD_NAMESPACE=a;K8S_POD_NAME=b' }, 'CNI_ARGS: K8S_POD_UID'],
    [
      'a namespace with a slash',
      { CNI_ARGS: 'K8S_POD_NAMESPACE=a/b;K8S_POD_NAME=b;K8S_POD_UID=c' },
      'K8S_POD_NAMESPACE',
    ],
    ['a pod name with upper case', { CNI_ARGS: 'K8S_POD_NAMESPACE=a;K8S_POD_NAME=B;K8S_POD_UID=c' }, 'K8S_POD_NAME'],
    ['a pod UID with a path', { CNI_ARGS: 'K8S_POD_NAMESPACE=a;K8S_POD_NAME=b;K8S_POD_UID=../c' }, 'K8S_POD_UID'],
    ['a second, other pod name', { CNI_ARGS: args('K8S_POD_NAME', 'evil') }, 'K8S_POD_NAME has two different values'],
    ['an argument without value', { CNI_ARGS: 'K8S_POD_NAME' }, 'not a list of KEY=VALUE'],
    ['a value with an equals sign', { CNI_ARGS: args('A', 'b=c') }, 'not a list of KEY=VALUE'],
    ['arguments without end', { CNI_ARGS: args('A', 'b'.repeat(20_000)) }, 'longer than'],
  ])('with %s is refused by name', (_cause, change, message) => {
    expect(failure(() => parseAttach(makeRequest(change)))).toMatch(/^invalidEnvironment: /);
    expect(failure(() => parseAttach(makeRequest(change)))).toContain(message);
  });

  test('takes arguments that come twice with one value, as thin Multus sends them', () => {
    const twice = `${environment.CNI_ARGS};IgnoreUnknown=true;K8S_POD_NAME=web-1`;
    expect(parseAttach(makeRequest({ CNI_ARGS: twice })).pod.name).toBe('web-1');
  });

  test.each([
    ['no JSON', '{', 'decoding'],
    ['no object', '[]', 'decoding'],
    ['no version, which means 0.1.0', { name: 'n', type: 't' }, 'incompatibleVersion: cniVersion 0.1.0'],
    ['a version of the future', { ...config, cniVersion: '2.0.0' }, 'incompatibleVersion: cniVersion 2.0.0'],
    ['a version that is a number', { ...config, cniVersion: 1 }, 'incompatibleVersion: cniVersion number'],
    ['no name', { cniVersion: '1.0.0', type: 't' }, 'invalidConfig'],
    ['a name with a slash', { ...config, name: 'a/b' }, 'invalidConfig'],
    ['a type with a path', { ...config, type: '../../bin/sh' }, 'invalidConfig'],
  ])('whose configuration has %s is refused', (_cause, stdin, message) => {
    expect(failure(() => parseAttach(makeRequest({}, stdin)))).toContain(message);
  });

  test('cannot reach a prototype through its configuration', () => {
    const parsed = parseConfig('{"cniVersion":"1.0.0","name":"n","type":"t","__proto__":{"polluted":true}}');
    expect(parsed.fields.get('polluted')).toBeUndefined();
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  test('of any text ends in an answer or a CniError', () => {
    const text = fc.oneof(fc.string({ maxLength: 60 }), fc.json());
    fc.assert(
      fc.property(text, text, text, (a, b, stdin) => {
        failure(() => parseAttach(makeRequest({ CNI_ARGS: a, CNI_IFNAME: b, CNI_NETNS: b }, stdin)));
        failure(() => parseArgs(a));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('the valid attachments of GC', () => {
  const parse = (change: object) => parseValidAttachments(parseConfig(JSON.stringify({ ...config, ...change })));

  test('are read under both keys', () => {
    const list = [{ containerID: 'c1', ifname: 'eth0' }];
    expect(parse({ 'cni.dev/valid-attachments': list })).toEqual([{ containerId: 'c1', ifname: 'eth0' }]);
    expect(parse({ 'cni.dev/attachments': list })).toEqual([{ containerId: 'c1', ifname: 'eth0' }]);
    expect(parse({ 'cni.dev/valid-attachments': [] })).toEqual([]);
  });

  test.each([
    ['missing', {}],
    ['no list', { 'cni.dev/valid-attachments': {} }],
    ['a list with a stranger', { 'cni.dev/valid-attachments': [{ containerID: 7, ifname: 'eth0' }] }],
    ['a list of nothing', { 'cni.dev/valid-attachments': [null] }],
  ])('are not taken for "none" when they are %s', (_cause, change) => {
    expect(failure(() => parse(change))).toContain('nothing was removed');
  });
});

test('an unknown verb is refused', () => {
  expect(failure(() => parseCommand(makeRequest({ CNI_COMMAND: 'add' })))).toContain('invalidEnvironment');
  expect(failure(() => parseCommand(makeRequest({ CNI_COMMAND: '__proto__' })))).toContain('invalidEnvironment');
});

test('an error is worded in the version of the call, or in one that everybody reads', () => {
  expect(findVersion(makeRequest({}, { ...config, cniVersion: '0.4.0' }))).toBe('0.4.0');
  expect(findVersion(makeRequest({}, { ...config, cniVersion: '9.9.9' }))).toBe('1.0.0');
  expect(findVersion(makeRequest({}, 'garbage'))).toBe('1.0.0');
});
