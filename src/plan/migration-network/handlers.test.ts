import { describe, expect, it } from 'vitest';
import { planRanges } from '../../ipam/ranges.ts';
import { findAttached, isHandler, listNodeTruths, listUsers } from './handlers.ts';
import { makeHandler, makeNode, NAD } from './testing/facts.ts';

const ranges = planRanges({ cidrBlock: '198.18.2.0/24,fd18::/64' });
if (!ranges.ok) throw new Error('fixture');
const TARGET = { nad: NAD, ranges: ranges.value };
const judge = (handlers: Parameters<typeof listNodeTruths>[0], nodes: Parameters<typeof listNodeTruths>[1] = []) =>
  listNodeTruths(handlers, nodes, TARGET).map(({ node, ready, reason, address = '-' }) =>
    [node, ready ? 'ready' : 'not', reason, address].join(' '),
  );

describe('a node', () => {
  it.each([
    ['has an address of the range', { address: '198.18.2.7' }, 'ready Ready 198.18.2.7'],
    ['has an IPv6 address of the range', { address: 'fd18::7' }, 'ready Ready fd18::7'],
    ['has one of another range', { address: '10.0.0.7' }, 'not AddressOutsideRange -'],
    ['has text for an address', { address: 'no' }, 'not AddressOutsideRange -'],
    ['has migration0 without an address', { address: '' }, 'not AddressOutsideRange -'],
    ['has no migration0', {}, 'not MigrationInterfaceMissing -'],
    [
      'has the migration0 of another definition',
      { address: '198.18.2.7', nad: 'kubevirt/x' },
      'not MigrationInterfaceMissing -',
    ],
    ['waits for its pod', { address: '198.18.2.7', phase: 'Pending' }, 'not VirtHandlerNotRunning -'],
    ['is ready', { address: '198.18.2.7', ready: 'True' }, 'ready Ready 198.18.2.7'],
    ['starts again and again', { address: '198.18.2.7', ready: 'False' }, 'not VirtHandlerNotRunning -'],
    ['is losing its pod', { address: '198.18.2.7', deleting: true }, 'not VirtHandlerNotRunning -'],
    ['has a status that is no JSON', { status: '[{' }, 'not MigrationInterfaceMissing -'],
    ['has a status that is no list', { status: '{"interface":"migration0"}' }, 'not MigrationInterfaceMissing -'],
    ['has a status of anything', { status: '[null,7,"x",[]]' }, 'not MigrationInterfaceMissing -'],
    [
      'has addresses that are no texts',
      { status: `[{"name":"${NAD}","interface":"migration0","ips":[7]}]` },
      'not AddressOutsideRange -',
    ],
    [
      'has a list of interfaces without end',
      { status: JSON.stringify(Array.from({ length: 65 }, () => ({ interface: 'migration0' }))) },
      'not MigrationInterfaceMissing -',
    ],
  ])('whose virt-handler %s', (_cause, handler, expected) => {
    expect(judge([makeHandler('n1', handler)])).toEqual([`n1 ${expected}`]);
  });

  it('without a virt-handler counts when KubeVirt uses it', () => {
    const nodes = [makeNode('n2'), makeNode('n3', undefined, { 'kubevirt.io/schedulable': 'false' })];
    expect(judge([makeHandler('n1', { address: '198.18.2.7' })], nodes)).toEqual([
      'n1 ready Ready 198.18.2.7',
      'n2 not VirtHandlerNotRunning -',
    ]);
  });

  it('with an old and a new pod is judged by the one that stays', () => {
    const old = makeHandler('n1', { deleting: true, created: '2026-11-21T11:59:00Z' });
    const next = makeHandler('n1', { address: '198.18.2.8', created: '2026-11-21T11:58:00Z' });
    expect(judge([old, next])).toEqual(judge([next, old]));
    expect(judge([next, old])).toEqual(['n1 ready Ready 198.18.2.8']);
  });

  it('with two pods that stay is judged by the younger one', () => {
    const old = makeHandler('n1', { created: '2026-11-21T11:58:00Z' });
    const next = makeHandler('n1', { address: '198.18.2.8', created: '2026-11-21T11:59:00Z' });
    expect(judge([next, old])).toEqual(['n1 ready Ready 198.18.2.8']);
  });

  it('whose pod has ended, or has no node yet, has none', () => {
    const ended = makeHandler('n1', { address: '198.18.2.7', phase: 'Failed' });
    const { spec: _, ...homeless } = makeHandler('n2', { phase: 'Pending' });
    expect(judge([ended, homeless])).toEqual([]);
  });

  it('with the address of another one is not ready, and neither is that one', () => {
    const handlers = ['n1', 'n2'].map((node) => makeHandler(node, { address: '198.18.2.7' }));
    expect(judge([...handlers, makeHandler('n3', { address: '198.18.2.8' })])).toEqual([
      'n1 not AddressConflict 198.18.2.7',
      'n2 not AddressConflict 198.18.2.7',
      'n3 ready Ready 198.18.2.8',
    ]);
  });
});

describe('a virt-handler', () => {
  it('is known by its label', () => {
    expect(isHandler(makeHandler('n1'))).toBe(true);
    expect(isHandler({ metadata: { name: 'x', labels: { 'kubevirt.io': 'virt-launcher' } } })).toBe(false);
    expect(isHandler({ metadata: { name: 'x' } })).toBe(false);
  });

  it('uses the network as long as it lives, also while it is being deleted', () => {
    const handlers = [
      makeHandler('n1', { address: '198.18.2.7', deleting: true }),
      makeHandler('n2', { address: '198.18.2.8', phase: 'Succeeded' }),
      makeHandler('n3', { address: '198.18.2.9', nad: 'kubevirt/other' }),
      makeHandler('n4'),
    ];
    expect(listUsers(handlers, NAD)).toEqual(['virt-handler-n1']);
  });

  it('without a network status is on none', () => {
    expect(findAttached({ metadata: { name: 'x' } })).toBeUndefined();
  });
});
