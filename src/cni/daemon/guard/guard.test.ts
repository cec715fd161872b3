import { describe, expect, it } from 'vitest';
import { FIELD, type Flow, type FlowChange } from '../../../ovs/openflow/messages.ts';
import type { OvsPort } from '../ports.ts';
import { createFakeWorld } from '../testing/fake-context.ts';
import { createGuardian, createGuardLoops } from './guard.ts';

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
  const asked: number[] = [];
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
      asked.push(requests.length);
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
  return { world, context, openflow, counted, asked, drops, plug, guarded, spend, forget };
}

describe('guards on a node', () => {
  it('follow its ports, without asking the switch when nothing changed', async () => {
    const node = createNode(1, 2);
    const guardian = createGuardian(node.context, node.openflow);
    await guardian.guard(signal);
    expect(node.guarded()).toEqual([1, 2]);
    await guardian.guard(signal);
    expect(node.asked).toHaveLength(1);
    node.plug(3);
    await guardian.guard(signal);
    node.world.ports.delete('p1');
    await guardian.guard(signal);
    expect(node.guarded()).toEqual([2, 3]);
  });

  it('come back after ovn-controller has removed all flows', async () => {
    const node = createNode(1);
    const guardian = createGuardian(node.context, node.openflow);
    await guardian.guard(signal);
    node.forget();
    node.world.clock.advance(10_000);
    await guardian.guard(signal);
    expect(node.guarded()).toEqual([1]);
  });

  it('are not put on a port that the switch has not taken', async () => {
    const node = createNode();
    node.world.ports.set('x', makePort(undefined, 'lsp'));
    await createGuardian(node.context, node.openflow).guard(signal);
    expect(node.guarded()).toEqual([]);
  });
});

describe('the count', () => {
  it('tells what was dropped since the last look, by port and cause', async () => {
    const node = createNode(1, 2);
    node.drops.set(1, 40n);
    const guardian = createGuardian(node.context, node.openflow);
    await guardian.guard(signal);
    await guardian.count(signal);
    expect(node.counted).toEqual([]);
    node.drops.set(1, 42n);
    node.spend(2, 3n);
    await guardian.count(signal);
    expect(node.counted.sort()).toEqual(['spoofed_frames lsp1 foreign 2', 'spoofed_frames lsp2 dhcpv4 3']);
  });

  it('gives no more than a thousand ports a series of their own', async () => {
    const node = createNode();
    const guardian = createGuardian(node.context, node.openflow);
    await guardian.count(signal);
    for (let ofport = 1; ofport <= 1002; ofport += 1) {
      node.plug(ofport);
      node.drops.set(ofport, 1n);
    }
    await guardian.count(signal);
    expect(node.counted.filter((line) => line.includes(' others '))).toHaveLength(2);
  });
});

describe('the loops', () => {
  it.each([
    ['wait for the database', false, 0],
    ['work while it is there', true, 1],
  ])('%s', async (_cause, live, times) => {
    const node = createNode(1);
    node.world.live = live;
    const loops = new Map(createGuardLoops(node.context, node.openflow));
    expect(await loops.get('guard')?.(signal)).toEqual({ requeueAfterMs: live ? 10_000 : 1000 });
    expect(node.asked).toHaveLength(times);
  });
});
