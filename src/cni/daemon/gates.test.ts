import { describe, expect, test } from 'vitest';
import type { LogicalPort } from '../../api/types.gen.ts';
import { listServedGates, removeServedGates } from './gates.ts';
import { formatKey, type JournalEntry } from './journal.ts';
import { createFakeWorld } from './testing/fake-context.ts';

const entry: JournalEntry = {
  containerId: 'c1',
  ifname: 'eth0',
  state: 'attached',
  network: 'mooring',
  netns: '/run/netns/x',
  hostInterface: 'm1',
  ifaceId: 'vm/default/db/default',
  pod: { namespace: 'default', name: 'launcher-b', uid: 'target' },
  gate: true,
};
type Role = 'Source' | 'Target';
type Migration = NonNullable<LogicalPort['status']>['migration'];

const makePort = (roles: Record<string, Role>, migration?: Migration): LogicalPort =>
  ({
    metadata: { name: 'db', namespace: 'default' },
    spec: {
      attachments: Object.entries(roles).map(([podUID, role]) => ({ podUID, role, interface: 'eth0', node: 'n2' })),
    },
    status: { migration },
  }) as unknown as LogicalPort;
const served = (port: LogicalPort | undefined, change: Partial<JournalEntry> = {}) =>
  listServedGates([{ ...entry, ...change }], () => port).length === 1;

describe('a migration gate is removed', () => {
  test.each([
    ['never while the pod is the target', makePort({ source: 'Source', target: 'Target' }), false],
    ['when the pod has become the source', makePort({ target: 'Source' }), true],
    [
      'when the migration to this node has settled',
      makePort({ target: 'Target' }, { phase: 'Settled', targetNode: 'n2' }),
      true,
    ],
    [
      'not when an older migration to another node has',
      makePort({ target: 'Target' }, { phase: 'Settled', targetNode: 'n1' }),
      false,
    ],
    [
      'not for what an older migration to this node left in the status, while another pod is the source',
      makePort({ source: 'Source', target: 'Target' }, { phase: 'Settled', targetNode: 'n2' }),
      false,
    ],
    ['not when it is only activated', makePort({ target: 'Target' }, { phase: 'Activated', targetNode: 'n2' }), false],
    ['not when it was rolled back', makePort({ target: 'Target' }, { phase: 'RolledBack', targetNode: 'n2' }), false],
    [
      'not for a pod that the port does not know',
      makePort({ other: 'Source' }, { phase: 'Settled', targetNode: 'n2' }),
      false,
    ],
    ['not when the port is not known', undefined, false],
  ])('%s', (_cause, port, wanted) => {
    expect(served(port)).toBe(wanted);
  });

  test('only where there is one, and only after the ADD', () => {
    const port = makePort({ target: 'Source' });
    expect(served(port, { gate: false })).toBe(false);
    expect(served(port, { state: 'wiring' })).toBe(false);
  });
});

describe('removing gates', () => {
  test('goes on after one that cannot be removed, and tells of it', async () => {
    const world = createFakeWorld();
    for (const containerId of ['c1', 'c2']) {
      const gated = { ...entry, containerId };
      world.entries.set(formatKey(gated), gated);
    }
    world.links.add(entry.hostInterface);
    world.port = makePort({ target: 'Source' });
    let failed = false;
    world.fault = (step) => {
      if (step !== 'links.deleteGate' || failed) return;
      failed = true;
      throw new Error('nft is broken');
    };
    await expect(removeServedGates(world.context)).rejects.toThrow('nft is broken');
    expect([...world.entries.values()].map(({ gate }) => gate)).toEqual([true, false]);
    expect(await removeServedGates(world.context)).toBe(1);
    expect([...world.entries.values()].map(({ gate }) => gate)).toEqual([false, false]);
  });

  test('F15 leaves what is at the path alone when the namespace of the ADD has gone: it is another launcher’s', async () => {
    const world = createFakeWorld();
    world.entries.set(formatKey(entry), entry);
    world.links.add(`${entry.hostInterface}0`);
    world.port = makePort({ target: 'Source' });
    expect(await removeServedGates(world.context)).toBe(1);
    expect(world.steps).not.toContain('links.deleteGate');
    expect(world.entries.get(formatKey(entry))?.gate).toBe(false);
  });
});
