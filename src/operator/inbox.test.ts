import { describe, expect, it } from 'vitest';
import { createQueue, createStore, type KubeObject } from '../kube/index.ts';
import { createFakeClock } from '../kube/testing/fake-clock.ts';
import { createInbox, isUnsettled } from './inbox.ts';
import type { World } from './world.ts';

const byKey = (key: string) => ({ key: () => [key] });

type Content = {
  readonly pod?: object;
  readonly vm?: boolean;
  readonly launcher?: boolean;
  readonly ports?: readonly { attached: boolean; phase: string; owner?: string }[];
  readonly vmim?: string;
};

/** A world with one name in it, `a/x`. */
function makeWorld({ pod, vm, launcher, ports = [], vmim }: Content): World {
  const metadata = { namespace: 'a', name: 'x', uid: 'u1' };
  const fill = (objects: readonly object[], key = '') => {
    const store = createStore<KubeObject>(byKey(key));
    objects.forEach((object, index) => {
      store.set({ ...object, metadata: { ...metadata, ...(index > 0 ? { name: `x${index}` } : {}) } });
    });
    return { store };
  };
  const key = pod === undefined ? 'vm/a/x' : 'pod/a/x';
  return {
    pods: fill(pod === undefined ? [] : [pod]),
    vms: fill(vm ? [{}] : []),
    vmis: fill(launcher ? [{ status: { activePods: { l1: 'n' } } }] : []),
    vmims: fill(vmim === undefined ? [] : [{ status: { phase: vmim } }], key),
    ports: fill(
      ports.map(({ attached, phase, owner = 'u1' }) => ({
        spec: { owner: { uid: owner }, attachments: attached ? [{}] : [] },
        status: { phase },
      })),
      key,
    ),
  } as unknown as World;
}

const bound = { attached: true, phase: 'Bound' };
const stopped = { attached: false, phase: 'Ready' };

describe('isUnsettled', () => {
  it.each<[string, boolean, string, Content]>([
    ['a pod with a node and no port', true, 'pod/a/x', { pod: { spec: { nodeName: 'n' } } }],
    ['a pod that waits for its node', false, 'pod/a/x', { pod: { spec: {} } }],
    ['a pod of the host network', false, 'pod/a/x', { pod: { spec: { nodeName: 'n', hostNetwork: true } } }],
    ['a pod that has ended', false, 'pod/a/x', { pod: { spec: { nodeName: 'n' }, status: { phase: 'Failed' } } }],
    ['a pod that is bound', false, 'pod/a/x', { pod: { spec: { nodeName: 'n' } }, ports: [bound] }],
    ['a pod that came back under its name', true, 'pod/a/x', { pod: {}, ports: [{ ...bound, owner: 'u0' }] }],
    ['a VM that was started and whose ports nobody holds', true, 'vm/a/x', { launcher: true, ports: [stopped] }],
    ['a VM without ports', true, 'vm/a/x', { vm: true }],
    ['a VM that is stopped', false, 'vm/a/x', { vm: true, ports: [stopped, stopped] }],
    [
      'a VM of whose NICs one is not bound yet',
      true,
      'vm/a/x',
      { vm: true, ports: [bound, { ...bound, phase: 'Ready' }] },
    ],
    ['a VM that is on its way', true, 'vm/a/x', { vm: true, ports: [bound], vmim: 'Scheduling' }],
    ['a VM whose migration is over', false, 'vm/a/x', { vm: true, ports: [bound], vmim: 'Succeeded' }],
    ['a subnet, which many wait for', true, 'subnet/s', {}],
    ['rows without an owner', false, 'rows/LogicalPort/a/gone', {}],
    ['what is no key', false, 'vm/a/x/y', {}],
  ])('%s: %s', (_, expected, key, content) => {
    expect(isUnsettled(makeWorld(content), key)).toBe(expected);
  });
});

describe('the inbox', () => {
  function setUp(content: Content) {
    const clock = createFakeClock();
    const queue = createQueue({ clock, random: () => 0.5 });
    return { clock, queue, inbox: createInbox(queue, makeWorld(content), clock) };
  }
  const drain = async (queue: ReturnType<typeof createQueue>) => {
    const keys = [];
    while (queue.length() > 0) keys.push(await queue.get());
    return keys;
  };

  it('puts what is only told again behind events, and a migration before them', async () => {
    const { queue, inbox } = setUp({ vm: true, ports: [bound], vmim: 'Running' });
    queue.add('held');
    await queue.get();
    inbox.check('pod/a/old');
    inbox.add('pod/a/new');
    inbox.add('vm/a/x');
    expect(await drain(queue)).toEqual(['vm/a/x', 'pod/a/new', 'pod/a/old']);
  });

  it('knows when the first event came that a turn is for, and none for what is only told again', () => {
    const { clock, inbox } = setUp({});
    inbox.check('pod/a/x');
    expect(inbox.takeSince('pod/a/x')).toBeUndefined();
    const at = clock.now();
    inbox.add('pod/a/x');
    clock.advance(10);
    inbox.add('pod/a/x');
    expect([inbox.takeSince('pod/a/x'), inbox.takeSince('pod/a/x')]).toEqual([at, undefined]);
  });
});
