import { describe, expect, it } from 'vitest';
import type { Node } from '../../api/objects.ts';
import { findGateway, isNodeReady } from './gateway.ts';

const node = (name: string, ready: string): Node => ({
  metadata: { name },
  status: { conditions: [{ type: 'Ready', status: ready }] },
});

function find(chassis: string[], nodes: Node[], present?: string): string | undefined {
  const around = {
    world: { nodes: { store: new Map(nodes.map((one) => [one.metadata.name, one])) } },
    bindings: { listChassis: () => chassis.map((name) => ({ name })) },
    joinPool: { leases: new Map(['n1', 'n2'].map((name) => [name, { ips: ['100.64.0.3'], mac: '' }])) },
  };
  return findGateway(around as never, { gateways: ['n1', 'n2', 'n3'] }, present)?.node;
}
const both = [node('n1', 'True'), node('n2', 'True')];

describe('the gateway of a subnet', () => {
  it.each<[string, Parameters<typeof find>, string | undefined]>([
    ['the first of the list', [['n1', 'n2'], both, 'n2'], 'n1'],
    ['the second while the first has no chassis', [['n2'], both], 'n2'],
    [
      'the second while the first is not ready',
      [
        ['n1', 'n2'],
        [node('n1', 'Unknown'), node('n2', 'True')],
      ],
      'n2',
    ],
    ['none that has not joined', [['n3'], [...both, node('n3', 'True')]], undefined],
    ['the present one while nothing is known of OVN', [[], both, 'n2'], 'n2'],
    ['the first while nothing is known of OVN and there is none yet', [[], both], 'n1'],
    ['not the present one when its node is not ready', [[], [node('n1', 'True'), node('n2', 'False')], 'n2'], 'n1'],
    ['not a present one that is no longer in the list', [[], both, 'n9'], 'n1'],
  ])('is %s', (_cause, given, expected) => {
    expect(find(...given)).toBe(expected);
  });
});

describe('a node is ready', () => {
  it.each<[string, Node | undefined, boolean]>([
    ['when it says so', node('n1', 'True'), true],
    ['not when nobody hears from it', node('n1', 'Unknown'), false],
    ['not without a word', { metadata: { name: 'n1' } }, false],
    [
      'not when it is being deleted',
      { ...node('n1', 'True'), metadata: { name: 'n1', deletionTimestamp: 'x' } },
      false,
    ],
    ['not when there is none', undefined, false],
  ])('%s', (_cause, given, expected) => {
    expect(isNodeReady(given)).toBe(expected);
  });
});
