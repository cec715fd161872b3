import { describe, expect, test } from 'vitest';
import { readDefaultNetwork, readSelected } from './selected.ts';

const read = (text: string) => {
  const result = readSelected(text, 'shop');
  return result.ok ? result.value : result.problem.reason;
};

describe('the networks annotation', () => {
  test('in its short form', () => {
    expect(read('a, other/b@x')).toEqual([
      { namespace: 'shop', name: 'a', interface: 'net1', explicit: false, requests: {} },
      { namespace: 'other', name: 'b', interface: 'x', explicit: true, requests: {} },
    ]);
  });

  test('in JSON, with all that goes to plugins as it is', () => {
    const item = {
      ...{ name: 'a', namespace: 'other', interface: 'x', ips: ['10.0.0.1/24', 'fd00::1'], mac: '02:00:00:00:00:01' },
      ...{ 'cni-args': { k: 'v' }, portMappings: [{ hostPort: 1 }], bandwidth: { ingressRate: 1 } },
      ...{ 'infiniband-guid': 'c2:11', deviceID: '0000:01', 'default-route': ['10.0.0.254'] },
    };
    expect(read(JSON.stringify([item, { name: 'b' }]))).toEqual([
      {
        ...{ namespace: 'other', name: 'a', interface: 'x', explicit: true },
        requests: {
          ...{ ips: ['10.0.0.1/24', 'fd00::1'], mac: '02:00:00:00:00:01', cniArgs: { k: 'v' } },
          ...{ portMappings: [{ hostPort: 1 }], bandwidth: { ingressRate: 1 }, infinibandGuid: 'c2:11' },
          ...{ deviceId: '0000:01', defaultRoute: ['10.0.0.254'] },
        },
      },
      { namespace: 'shop', name: 'b', interface: 'net2', explicit: false, requests: {} },
    ]);
  });

  test('as KubeVirt writes it', () => {
    const text = '[{"interface":"pod9bdd85331e7","mac":"02:3c:55:a1:00:01","name":"a","namespace":"shop"}]';
    expect(read(text)).toMatchObject([
      { interface: 'pod9bdd85331e7', explicit: true, requests: { mac: '02:3c:55:a1:00:01' } },
    ]);
  });

  test.each(['a/b/c', '[{"name":1}]', '{', 'a@x,b@x', '[{"name":"a","ips":"x"}]'])(
    '%s is refused as a whole',
    (text) => {
      expect(read(text)).toBe('InvalidRequest');
    },
  );

  test.each([
    { name: 'a', ips: ['10.0.0.1;K8S_POD_NAME=victim'] },
    { name: 'a', ips: ['10.0.0.1', '10.0.0.2=x'] },
    { name: 'a', ips: ['10.0.0.1,10.0.0.2'] },
    { name: 'a', mac: '02:00:00:00:00:01;K8S_POD_NAMESPACE=kube-system' },
    { name: 'a', mac: '02:00:00:00:00:01\n' },
  ])('no text of %j can become an argument of a plugin', (item) => {
    expect(read(JSON.stringify([item]))).toBe('InvalidRequest');
    const chosen = JSON.stringify([{ ...item, namespace: 'shop' }]);
    expect(readDefaultNetwork(chosen)).toMatchObject({ ok: false, problem: { reason: 'InvalidRequest' } });
  });

  test('nothing asks for nothing', () => {
    expect(read('')).toEqual([]);
  });
});

describe('the default network', () => {
  test.each([
    ['other/a', { namespace: 'other', name: 'a' }],
    [
      '[{"name":"a","namespace":"shop","ips":["10.0.0.1/24"]}]',
      { namespace: 'shop', name: 'a', requests: { ips: ['10.0.0.1/24'] } },
    ],
  ])('%s', (text, expected) => {
    expect(readDefaultNetwork(text)).toMatchObject({ ok: true, value: expected });
  });

  test.each(['a', 'a/b/c', '[]', '[{"name":"a"},{"name":"b"}]', '[{'])('%s is refused', (text) => {
    expect(readDefaultNetwork(text)).toMatchObject({ ok: false, problem: { reason: 'InvalidRequest' } });
  });
});
