import { describe, expect, test } from 'vitest';
import { eventually } from '../../kube/testing/eventually.ts';
import { add } from './add.ts';
import type { Pod } from './cluster.ts';
import { del } from './del.ts';
import { createFakeWorld, type FakeWorld, REQUEST } from './testing/fake-context.ts';

const attach = (world: FakeWorld, signal = new AbortController().signal) => add(world.context, REQUEST, signal);
const isClean = (world: FakeWorld) => world.ports.size === 0 && world.links.size === 0 && world.entries.size === 0;
const leave = (pod: Pod): Pod => ({
  ...pod,
  metadata: { ...pod.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' },
});
const failAt = (wanted: string) => (step: string) => {
  if (step === wanted) throw new Error(`${step} broke`);
};

describe('an ADD on a healthy node', () => {
  test('writes the journal before the kernel, the kernel before OVS, and says so when it is done', async () => {
    const world = createFakeWorld();
    await attach(world);
    expect(world.steps).toEqual(['journal.put', 'links.attachVeth', 'ports.ensurePod', 'journal.put']);
    expect([...world.entries.values()]).toEqual([expect.objectContaining({ state: 'attached', gate: false })]);
    const line = world.log.lines.find(({ message }) => message === 'add');
    expect(line?.fields).toMatchObject({ outcome: 'ok', pod: 'shop/web', ms: expect.any(Number) });
    const stages = ['pod', 'port', 'subnet', 'journal', 'veth', 'ovs', 'installed'];
    expect(Object.keys(line?.fields.stages ?? {})).toEqual(stages);
  });

  test('changes nothing before everything was decided', async () => {
    const world = createFakeWorld();
    world.port = { ...world.port, spec: { ...world.port?.spec, ips: ['192.0.2.1'] } } as typeof world.port;
    await expect(attach(world)).rejects.toMatchObject({ code: 'conflict' });
    expect(world.steps).toEqual([]);
  });

  test('tells the pod why it failed, with the words that the runtime gets', async () => {
    const world = createFakeWorld();
    world.fault = failAt('links.attachVeth');
    const error = await attach(world).catch((reason: Error) => reason.message);
    expect(error).toContain('pod shop/web interface eth0: veth: links.attachVeth broke');
    expect(world.events).toEqual([expect.objectContaining({ type: 'Warning', reason: 'AttachFailed', note: error })]);
  });
});

describe('an ADD that fails', () => {
  test.each([
    ['the journal', 'journal.put', 'io'],
    ['the veth', 'links.attachVeth', 'io'],
    ['OVS', 'ports.ensurePod', 'io'],
  ])('at %s leaves nothing', async (_cause, step, code) => {
    const world = createFakeWorld();
    let times = 0;
    world.fault = (taken) => {
      if (taken !== step) return;
      times += 1;
      if (times === 1) throw new Error('broke');
    };
    await expect(attach(world)).rejects.toMatchObject({ code });
    expect(isClean(world)).toBe(true);
  });

  test('because OVN does not answer leaves nothing at its deadline', async () => {
    const world = createFakeWorld();
    world.installs = false;
    const attaching = expect(attach(world)).rejects.toMatchObject({ code: 'bindingTimeout' });
    await eventually('waits for OVN', () => world.ports.size === 1);
    world.clock.advance(60_000);
    await attaching;
    expect(isClean(world)).toBe(true);
  });

  test('and cannot take everything back leaves a note for the reaper', async () => {
    const world = createFakeWorld();
    world.installs = false;
    const caller = new AbortController();
    const attaching = expect(attach(world, caller.signal)).rejects.toThrow('gone');
    await eventually('waits for OVN', () => world.ports.size === 1);
    world.fault = failAt('ports.remove');
    caller.abort(new Error('gone'));
    await attaching;
    expect(world.links.size).toBe(0);
    expect([...world.entries.values()]).toEqual([expect.objectContaining({ state: 'releasing' })]);
  });

  test.each(['journal.put', 'links.attachVeth', 'ports.ensurePod'])(
    'as its caller goes away during %s leaves nothing',
    async (step) => {
      const world = createFakeWorld();
      const caller = new AbortController();
      world.fault = (taken) => {
        if (taken === step) caller.abort(new Error('the caller has gone away'));
      };
      await expect(attach(world, caller.signal)).rejects.toThrow('the caller has gone away');
      expect(isClean(world)).toBe(true);
    },
  );

  test('as ovs-vswitchd cannot use the device says why', async () => {
    const world = createFakeWorld();
    world.installs = false;
    const attaching = expect(attach(world)).rejects.toThrow('ovs-vswitchd cannot use m');
    await eventually('waits for OVN', () => world.ports.size === 1);
    for (const [name, port] of world.ports) world.ports.set(name, { ...port, error: 'no such device' });
    world.change();
    await attaching;
    expect(isClean(world)).toBe(true);
  });

  test('as its pod is going and has lost its port does not hold up the end of the pod', async () => {
    const world = createFakeWorld();
    world.installs = false;
    const attaching = expect(attach(world)).rejects.toMatchObject({ code: 'fenced' });
    await eventually('waits for OVN', () => world.ports.size === 1);
    world.port = undefined;
    world.change();
    expect(world.ports.size).toBe(1);
    for (const [name, pod] of world.pods) world.pods.set(name, leave(pod));
    world.change();
    await attaching;
    expect(isClean(world)).toBe(true);
  });

  test('for a pod that is going and never gets a port does not hold up the end of the pod', async () => {
    const world = createFakeWorld();
    for (const [name, pod] of world.pods) world.pods.set(name, leave(pod));
    world.port = undefined;
    await expect(attach(world)).rejects.toThrow('the pod is being deleted, and no LogicalPort is attached to it');
    expect(world.steps).toEqual([]);
  });

  test('as a newer sandbox takes its port says so and touches nothing of it', async () => {
    const world = createFakeWorld();
    world.installs = false;
    const attaching = expect(attach(world)).rejects.toMatchObject({ code: 'fenced' });
    await eventually('waits for OVN', () => world.ports.size === 1);
    world.ports.clear();
    world.change();
    await attaching;
  });

  test('is not failed by a database that is away while it waits', async () => {
    const world = createFakeWorld();
    world.installs = false;
    const attaching = attach(world);
    await eventually('waits for OVN', () => world.ports.size === 1);
    const kept = [...world.ports];
    world.live = false;
    world.ports.clear();
    world.change();
    world.live = true;
    for (const [name, port] of kept) world.ports.set(name, { ...port, installed: true });
    world.change();
    expect((await attaching).pod.name).toBe('eth0');
  });
});

describe('an ADD after one that was cut off', () => {
  test('removes what that one has left', async () => {
    const world = createFakeWorld();
    await attach(world);
    const [entry] = world.entries.values();
    if (entry !== undefined) world.entries.set('c1/eth0', { ...entry, state: 'wiring' });
    world.steps.length = 0;
    await attach(world);
    expect(world.steps.slice(0, 3)).toEqual(['ports.remove', 'links.detachVeth', 'journal.delete']);
    expect(world.entries.get('c1/eth0')?.state).toBe('attached');
  });

  test('leaves what is intact as it is', async () => {
    const world = createFakeWorld();
    const first = await attach(world);
    world.steps.length = 0;
    expect(await attach(world)).toEqual(first);
    expect(world.steps).toEqual(['links.checkVeth']);
  });

  test('leaves an interface as it is when the MTU for new ones has changed, and tells what it has', async () => {
    const world = createFakeWorld();
    await attach(world);
    const jobs: object[] = [];
    const run = async (job: object) => {
      jobs.push(job);
      return { problems: [], mtu: 1400 };
    };
    const context = { ...world.context, links: { run: run as never }, findMtu: () => 8900 };
    const again = await add(context, REQUEST, new AbortController().signal);
    expect(again.pod.mtu).toBe(1400);
    expect(jobs).toEqual([expect.objectContaining({ kind: 'checkVeth' })]);
    expect(jobs).toEqual([expect.not.objectContaining({ mtu: expect.anything() })]);
  });
});

describe('a DEL', () => {
  test('removes what ADD has made', async () => {
    const world = createFakeWorld();
    await attach(world);
    await del(world.context, REQUEST);
    expect(isClean(world)).toBe(true);
  });

  test("does not touch another sandbox's port, whosever iface-id it has", async () => {
    const world = createFakeWorld();
    await attach(world);
    const before = [...world.ports];
    await del(world.context, { containerId: 'c2', ifname: 'eth0' });
    await del(world.context, { containerId: 'c1', ifname: 'net1' });
    expect([...world.ports]).toEqual(before);
    expect(world.entries.size).toBe(1);
  });

  test.each(['ports.remove', 'links.detachVeth', 'journal.delete'])(
    'succeeds when %s fails, and leaves a note for the reaper',
    async (step) => {
      const world = createFakeWorld();
      await attach(world);
      world.fault = failAt(step);
      await del(world.context, REQUEST);
      expect(world.entries.get('c1/eth0')?.state).toBe('releasing');
    },
  );

  test('fails only when nothing can be written either', async () => {
    const world = createFakeWorld();
    await attach(world);
    world.fault = (step) => {
      if (step === 'ports.remove' || step === 'journal.put') throw new Error('disk full');
    };
    await expect(del(world.context, REQUEST)).rejects.toThrow('disk full');
  });

  test('succeeds on a disk that takes no change when all but the entry is gone', async () => {
    const world = createFakeWorld();
    await attach(world);
    world.fault = (step) => {
      if (step.startsWith('journal.')) throw new Error('EROFS');
    };
    await del(world.context, REQUEST);
    expect([world.ports.size, world.links.size, world.entries.size]).toEqual([0, 0, 1]);
    expect(world.log.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
  });
});
