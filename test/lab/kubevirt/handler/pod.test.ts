import { describe, expect, it } from 'vitest';
import type { Pod } from '../objects.ts';
import type { Link } from './links.ts';
import { deriveRoute, findReadyPod } from './pod.ts';

function pod(fields: Partial<Pod['metadata']>, ready = true, node = 'node1'): Pod {
  const status = { containerStatuses: [{ name: 'virt-handler', ready }] };
  return { metadata: { namespace: 'kubevirt', ...fields }, spec: { nodeName: node }, status };
}

describe("a node's virt-handler", () => {
  it.each<[string, Pod]>([
    ['of another node', pod({}, true, 'node2')],
    ['that is not ready', pod({}, false)],
    ['that rolls', pod({ deletionTimestamp: 't' })],
    ['of somebody else', pod({ namespace: 'tenant' })],
  ])('is not one %s', (_, other) => expect(findReadyPod([other], 'node1')).toBeUndefined());

  it('is the one that is ready, beside one that goes', () => {
    const next = pod({ name: 'next' });
    expect(findReadyPod([pod({ name: 'last', deletionTimestamp: 't' }), next], 'node1')).toBe(next);
  });
});

const link = (name: string, ipv4: string[], ipv6: string[] = []): Link => ({
  name,
  mac: '',
  mtu: 1500,
  ipv4,
  ipv6,
  up: true,
});
const ETH0 = link('eth0', ['10.16.0.5/16']);

describe('the address for migrations', () => {
  it.each<[string, Link[], object | undefined]>([
    ['is the pod address without migration0', [ETH0], { address: '10.16.0.5', network: 'pod' }],
    [
      'is that of migration0',
      [ETH0, link('migration0', ['172.31.0.4/24'])],
      { address: '172.31.0.4', network: 'migration' },
    ],
    ['may be IPv6', [ETH0, link('migration0', [], ['fd00::4/64'])], { address: 'fd00::4', network: 'migration' }],
    ['is none when migration0 has none', [ETH0, link('migration0', [])], undefined],
  ])('%s', (_, links, expected) => expect(deriveRoute(links, '10.16.0.5')).toEqual(expected));

  it('is none before the pod has one', () => expect(deriveRoute([], undefined)).toBeUndefined());
});
