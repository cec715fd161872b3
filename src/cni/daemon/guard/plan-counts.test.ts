import { describe, expect, it } from 'vitest';
import { FIELD, type Flow } from '../../../ovs/openflow/messages.ts';
import { type Count, countForeign, findPortCookies, type Increment, planIncrements } from './plan-counts.ts';
import { GUARD_COOKIE } from './plan-guards.ts';

const flow = (change: Partial<Flow>): Flow => ({
  table: 0,
  priority: 100,
  cookie: 7n,
  packets: 0n,
  match: new Map([[FIELD.inPort, 4n]]),
  ...change,
});
const count = (packets: bigint, port = 'vm/a/b/c', cause: Count['cause'] = 'foreign'): Count => ({
  port,
  cause,
  packets,
});

describe("the cookies of ports' flows", () => {
  it.each<[string, Flow, [number, bigint][]]>([
    ['a port of ours', flow({}), [[4, 7n]]],
    ['a guard', flow({ cookie: GUARD_COOKIE }), []],
    ['a flow of no port', flow({ match: new Map() }), []],
    ['a tunnel, which has no binding', flow({ cookie: 0n }), []],
    [
      'a port behind a VLAN',
      flow({
        match: new Map([
          [FIELD.inPort, 4n],
          [FIELD.ethType, 1n],
        ]),
      }),
      [],
    ],
  ])('%s', (_cause, one, expected) => {
    expect([...findPortCookies([one])]).toEqual(expected);
  });
});

describe("what a port's own port security has dropped", () => {
  const from = new Map([[FIELD.logicalInport, 2n]]);
  it.each<[string, Flow[], bigint]>([
    [
      'addresses and neighbour discovery',
      [
        flow({ priority: 80, match: from, packets: 3n }),
        flow({ priority: 80, match: new Map([...from, [FIELD.ethType, 0x806n]]), packets: 4n }),
      ],
      7n,
    ],
    ['what was let through', [flow({ priority: 90, match: from, packets: 9n })], 0n],
    ['frames for the port', [flow({ priority: 80, match: new Map([[1, 2n]]), packets: 9n })], 0n],
    ['nothing', [], 0n],
  ])('%s', (_cause, flows, expected) => {
    expect(countForeign(flows)).toBe(expected);
  });
});

describe('what was dropped since', () => {
  it.each<[string, Count[], Count[], boolean, Increment[]]>([
    ['more of it', [count(3n)], [count(5n)], false, [{ port: 'vm/a/b/c', cause: 'foreign', by: 2 }]],
    ['nothing new', [count(3n)], [count(3n)], false, []],
    ['a flow that began anew', [count(9n)], [count(2n)], false, [{ port: 'vm/a/b/c', cause: 'foreign', by: 2 }]],
    ['a port that came', [], [count(2n, 'pod/x')], false, [{ port: 'pod/x', cause: 'foreign', by: 2 }]],
    ['a port that went', [count(2n)], [], false, []],
    [
      'two causes of one port',
      [count(1n, 'p'), count(1n, 'p', 'dhcpv4')],
      [count(1n, 'p'), count(4n, 'p', 'dhcpv4')],
      false,
      [{ port: 'p', cause: 'dhcpv4', by: 3 }],
    ],
    ['the first look tells nothing', [], [count(7n)], true, []],
  ])('%s', (_cause, ...[before, now, first, expected]) => {
    expect(planIncrements(before, now, first)).toEqual(expected);
  });
});
