import { describe, expect, it } from 'vitest';
import { findPart, parseNodes } from './health.ts';

const MISSING =
  'container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized';

function formatNode(name: string, status: string, message: string): unknown {
  return { metadata: { name }, status: { conditions: [{ type: 'Ready', status, message }] } };
}

describe('parseNodes', () => {
  it.each([
    ['ready', formatNode('n', 'True', 'kubelet is posting ready status'), 'ready'],
    ['missing only the network', formatNode('n', 'False', MISSING), 'needs network'],
    [
      'missing more than the network',
      formatNode('n', 'False', `[${MISSING}, CSINode is not yet initialized]`),
      'not ready',
    ],
    ['complaining of something else', formatNode('n', 'False', 'PLEG is not healthy'), 'not ready'],
    ['silent since it was lost', formatNode('n', 'Unknown', MISSING), 'not ready'],
    ['registered without conditions', { metadata: { name: 'n' }, status: {} }, 'not ready'],
  ])('tells a node %s', (_case, item, expected) => {
    expect(parseNodes(JSON.stringify({ items: [item] })).get('n')).toBe(expected);
  });
  it('knows nothing of a node that has not registered', () => {
    expect(parseNodes('{"items":[]}').get('n')).toBeUndefined();
  });
});

describe('findPart', () => {
  it.each([
    ['etcd', 'cluster'],
    ['kubelet-node2', 'cluster'],
    ['containerd-node12', 'cluster'],
    ['kubevirt-handler', 'kubevirt'],
    ['probe-node1', undefined],
    ['containerd-template', undefined],
    ['my-etcd', undefined],
  ])('counts %s as %s', (name, expected) => {
    expect(findPart(name)).toBe(expected);
  });
});
