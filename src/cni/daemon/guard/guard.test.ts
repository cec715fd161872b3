import { describe, expect, it } from 'vitest';
import { FIELD, type Flow, type FlowChange } from '../../../ovs/openflow/messages.ts';
import type { OvsPort } from '../ports.ts';
import { createFakeWorld } from '../testing/fake-context.ts';
import { createGuardian, createGuardLoop } from './guard.ts';

const signal = new AbortController().signal;
const PORT = { ifaceIdVer: 'u', containerId: 'c', ifname: 'eth0', pod: { namespace: 'a', name: 'b', uid: 'u' } };
const makePort = (ofport: number | undefined, ifaceId: string): OvsPort => ({
  ...PORT,
  name: `m${ifaceId}`,
  ifaceId,
  installed: true,
  error: undefined,
  ifIndex: 1,
  ofport,
});

/** A node with ports on a switch in memory, in which OVN has made its flows for each of them. */
function createNode(...ofports: number[]) {
  const world = createFakeWorld();
  const plug = (ofport: number) => world.ports.set(`p${ofport}`, makePort(ofport, `lsp${ofport}`));
  ofports.forEach(plug);
  let flows: Flow[] = [];
  const asked: ('ingress' | 'ports')[] = [];
  let failing: 'ingress' | 'ports' | undefined;
  const drops = new Map<number, bigint>();
  const base = (table: number, priority: number, ofport: number, match: [number, bigint][]): Flow => ({
    ...{ table, priority, cookie: BigInt(1000 + ofport), packets: drops.get(ofport) ?? 0n, match: new Map(match) },
  });
  const list = () => [
    ...flows,
    ...[...world.ports.values()].flatMap(({ ofport = 0 }) => [
      base(0, 100, ofport, [[FIELD.inPort, BigInt(ofport)]]),
      base(73, 80, ofport, [[FIELD.logicalInport, 1n]]),
    ]),
  ];
  const openflow = {
    listFlows: async (requests: readonly { table: number; cookie?: bigint }[]) => {
      const what = requests.every(({ table }) => table === 0) ? 'ingress' : 'ports';
      if (requests.length > 0) asked.push(what);
      if (what === failing) throw new Error('no answer');
      return requests.map(({ table, cookie }) =>
        list().filter((flow) => (table === 255 || flow.table === table) && (cookie ?? flow.cookie) === flow.cookie),
      );
    },
    change: async (changes: readonly FlowChange[]) => {
      for (const { do: what, ...flow } of changes) {
        if (what === 'add') flows.push({ ...flow, packets: 0n });
        else flows = flows.filter(({ match }) => String([...match]) !== String([...flow.match]));
      }
    },
  };
  const counted: string[] = [];
  const metrics = {
    observe: () => undefined,
    count: (name: string, labels: Record<string, string> = {}, by = 1) =>
      void counted.push(`${name} ${labels.port} ${labels.cause} ${by}`),
  };
  const context = { ...world.context, metrics };
  const guarded = () => [...new Set(flows.map(({ match }) => Number(match.get(FIELD.inPort))))];
  const spend = (ofport: number, by: bigint) => {
    flows = flows.map((flow) =>
      flow.match.get(FIELD.inPort) === BigInt(ofport) && flow.match.get(FIELD.udpSource) === 67n
        ? { ...flow, packets: flow.packets + by }
        : flow,
    );
  };
  const forget = () => {
    flows = [];
  };
  const fail = (what: 'ingress' | 'ports') => {
    failing = what;
  };
  return { world, context, openflow, counted, asked, drops, plug, guarded, spend, forget, fail };
}

/** Requests of the whole ingress table among those that the switch was asked. */
const countReadings = ({ asked }: ReturnType<typeof createNode>) =>
  asked.filter((tables) => tables === 'ingress').length;

describe('guards on a node', () => {
  it('follow its ports, without asking the switch when nothing changed', async () => {
    const node = createNode(1, 2);
    const guardian = createGuardian(node.context, node.openflow);
    await guardian.look(signal);
    expect(node.guarded()).toEqual([1, 2]);
    node.asked.length = 0;
    await guardian.look(signal);
    expect(node.asked).toEqual([]);
    node.plug(3);
    await guardian.look(signal);
    node.world.ports.delete('p1');
    await guardian.look(signal);
    expect(node.guarded()).toEqual([2, 3]);
    expect(node.asked).toEqual(['ingress', 'ingress']);
  });

  it('come back after ovn-controller has removed all flows', async () => {
    const node = createNode(1);
    const guardian = createGuardian(node.context, node.openflow);
    await guardian.look(signal);
    node.forget();
    node.world.clock.advance(10_000);
    await guardian.look(signal);
    expect(node.guarded()).toEqual([1]);
  });

  it('are not put on a port that the switch has not taken', async () => {
    const node = createNode();
    node.world.ports.set('x', makePort(undefined, 'lsp'));
    await createGuardian(node.context, node.openflow).look(signal);
    expect(node.guarded()).toEqual([]);
  });

  it('stand though what was spoofed cannot be counted', async () => {
    const node = createNode(1);
    node.plug(2);
    node.fail('ports');
    await expect(createGuardian(node.context, node.openflow).look(signal)).rejects.toThrow('no answer');
    expect(node.guarded()).toEqual([1, 2]);
  });
});

describe('the count', () => {
  it('tells what was dropped since the last look, by port and cause', async () => {
    const node = createNode(1, 2);
    node.drops.set(1, 40n);
    const guardian = createGuardian(node.context, node.openflow);
    await guardian.look(signal);
    expect(node.counted).toEqual([]);
    node.drops.set(1, 42n);
    node.spend(2, 3n);
    node.world.clock.advance(10_000);
    await guardian.look(signal);
    expect(node.counted.sort()).toEqual(['spoofed_frames lsp1 foreign 2', 'spoofed_frames lsp2 dhcpv4 3']);
  });

  it('is made by the same reading of the switch as the guards, and not whenever a port comes', async () => {
    const node = createNode(1);
    const guardian = createGuardian(node.context, node.openflow);
    expect(await guardian.look(signal)).toBe(10_000);
    node.asked.length = 0;
    node.world.clock.advance(4000);
    node.plug(2);
    expect(await guardian.look(signal)).toBe(6000);
    expect(node.asked).toEqual(['ingress']);
    node.world.clock.advance(6000);
    expect(await guardian.look(signal)).toBe(10_000);
    expect(node.asked).toEqual(['ingress', 'ingress', 'ports']);
  });

  it('comes in its time though ports come all the time', async () => {
    const node = createNode();
    const guardian = createGuardian(node.context, node.openflow);
    await guardian.look(signal);
    node.asked.length = 0;
    for (let ofport = 1; ofport <= 7; ofport += 1) {
      node.plug(ofport);
      node.world.clock.advance(3000);
      await guardian.look(signal);
    }
    expect(countReadings(node)).toBe(7);
    expect(node.asked.filter((what) => what === 'ports')).toHaveLength(1);
  });

  it('gives no more than a thousand ports a series of their own', async () => {
    const node = createNode();
    const guardian = createGuardian(node.context, node.openflow);
    await guardian.look(signal);
    for (let ofport = 1; ofport <= 1002; ofport += 1) {
      node.plug(ofport);
      node.drops.set(ofport, 1n);
    }
    node.world.clock.advance(10_000);
    await guardian.look(signal);
    expect(node.counted.filter((line) => line.includes(' others '))).toHaveLength(2);
  });
});

describe('the loop', () => {
  it.each([
    ['waits for the database', false, 1000, 0],
    ['works while it is there', true, 10_000, 1],
  ])('%s', async (_cause, live, requeueAfterMs, readings) => {
    const node = createNode(1);
    node.world.live = live;
    expect(await createGuardLoop(node.context, node.openflow)(signal)).toEqual({ requeueAfterMs });
    expect(countReadings(node)).toBe(readings);
  });
});
