import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../kube/index.ts';
import type { Context } from '../context.ts';
import { routeMigrationNetworks } from './route.ts';

type Handler = (change: { type: string; object: object; previous?: object }) => void;

/** A world with the MigrationNetworks `a` and `b`, changed by hand. */
function createScene(names = ['a', 'b']) {
  const handlers = new Map<string, Handler>();
  let onChassis = () => {};
  const ended: string[] = [];
  const watch = (kind: string) => ({
    onNews: (handler: Handler) => {
      handlers.set(kind, handler);
      return () => ended.push(kind);
    },
    store: { list: () => names.map((name) => ({ metadata: { name } })), size: () => names.length },
  });
  const kinds = ['migrationNetworks', 'kubevirts', 'nads', 'subnets', 'nodes', 'pods', 'vmis'];
  const world = Object.fromEntries(kinds.map((kind) => [kind, watch(kind)]));
  const bindings = {
    onChassisChange: (handler: () => void) => {
      onChassis = handler;
      return () => ended.push('chassis');
    },
  };
  const keys: string[] = [];
  const ends = routeMigrationNetworks({ world, bindings } as unknown as Context, { add: (key) => keys.push(key) });
  return {
    keys,
    kinds,
    ended,
    end: () => {
      for (const end of ends) end();
    },
    chassis: () => onChassis(),
    change: (kind: string, type: string, object: object, previous?: object) =>
      handlers.get(kind)?.({ type, object, ...(previous === undefined ? {} : { previous }) }),
  };
}

const named = (name: string, more: object = {}): KubeObject => ({ metadata: { name, uid: name }, ...more });
const guest = (migrationState?: object) => named('vm', { status: { phase: 'Running', migrationState } });
const handler = { metadata: { name: 'h', labels: { 'kubevirt.io': 'virt-handler' } } };

type Case = [string, string, object, object | undefined, boolean];

describe('every migration network looks again', () => {
  it.each<Case>([
    ['when one came', 'migrationNetworks', named('a'), undefined, true],
    ['when a definition came', 'nads', named('x'), undefined, true],
    [
      'when KubeVirt says something else',
      'kubevirts',
      named('k', { spec: { a: 1 } }),
      named('k', { spec: { a: 2 } }),
      true,
    ],
    [
      'but not when it says the same',
      'kubevirts',
      named('k', { spec: { a: 1 } }),
      named('k', { spec: { a: 1 } }),
      false,
    ],
    [
      'when a Subnet has another range',
      'subnets',
      named('s', { spec: { cidrBlock: 'a' } }),
      named('s', { spec: { cidrBlock: 'b' } }),
      true,
    ],
    [
      'but not when it counts',
      'subnets',
      named('s', { spec: {}, status: { v4usingIPs: 1 } }),
      named('s', { spec: {}, status: {} }),
      false,
    ],
    [
      'when a node got another address',
      'nodes',
      named('n', { status: { addresses: [{ address: '1' }] } }),
      named('n', { status: {} }),
      true,
    ],
    [
      'but not when it is ready again',
      'nodes',
      named('n', { status: { conditions: [1] } }),
      named('n', { status: {} }),
      false,
    ],
    ['when a virt-handler changed', 'pods', handler, handler, true],
    ['but not when another pod did', 'pods', named('p'), undefined, false],
    [
      'but not when a pod elsewhere says that it is one',
      'pods',
      { metadata: { ...handler.metadata, namespace: 'tenant' } },
      undefined,
      false,
    ],
    ['when memory is about to go', 'vmis', guest({ targetNodeAddress: '1' }), guest({}), true],
    [
      'when it has gone',
      'vmis',
      guest({ targetNodeAddress: '1', completed: true }),
      guest({ targetNodeAddress: '1' }),
      true,
    ],
    [
      'but not when a guest that migrated does anything else',
      'vmis',
      guest({ targetNodeAddress: '1', mode: 'x' }),
      guest({ targetNodeAddress: '1' }),
      false,
    ],
    ['nor for a guest that never did', 'vmis', guest(), undefined, false],
  ])('%s', (_cause, ...[kind, object, previous, expected]) => {
    const scene = createScene();
    scene.change(kind, previous === undefined ? 'added' : 'updated', object, previous);
    expect(scene.keys).toEqual(expected ? ['migrationnetwork/a', 'migrationnetwork/b'] : []);
  });

  it('when a node tells of another uplink', () => {
    const scene = createScene(['a']);
    scene.chassis();
    expect(scene.keys).toEqual(['migrationnetwork/a']);
  });

  it('and nobody does where there is none', () => {
    const scene = createScene([]);
    scene.change('nads', 'added', named('x'));
    expect(scene.keys).toEqual([]);
  });

  it('until the term is over', () => {
    const scene = createScene();
    scene.end();
    expect(scene.ended.sort()).toEqual([...scene.kinds, 'chassis'].sort());
  });
});
