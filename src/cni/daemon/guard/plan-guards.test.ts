import { describe, expect, it } from 'vitest';
import { FIELD, type Flow } from '../../../ovs/openflow/messages.ts';
import { GUARD_COOKIE, listGuards, planGuards, SERVERS } from './plan-guards.ts';

/** What a switch shows after the changes; it lists fields in its own order. */
function apply(ofports: readonly number[], flows: readonly Flow[] = []): Flow[] {
  const changes = planGuards(ofports, flows);
  const gone = (flow: Flow) =>
    changes.some((change) => change.do === 'delete' && String([...change.match]) === String([...flow.match].sort()));
  const added = changes.filter((change) => change.do === 'add').map((change) => ({ ...change, packets: 0n }));
  return [...flows.filter((flow) => !gone(flow)), ...added];
}
const foreign: Flow = {
  table: 0,
  priority: 100,
  cookie: 0xabcdn,
  packets: 5n,
  match: new Map([[FIELD.inPort, 1n]]),
};
const describeChanges = (ofports: readonly number[], flows: readonly Flow[]) =>
  planGuards(ofports, flows).map(({ do: what, match }) => `${what} ${match.get(FIELD.inPort)}`);

describe('guards of ports', () => {
  it('each port may send no answer by DHCP of either family and no advertisement', () => {
    const changes = planGuards([3], []);
    expect(changes.map(({ match }) => [...match.values()])).toEqual([
      [3n, 0x800n, 17n, 67n, 68n],
      [3n, 0x86ddn, 17n, 547n, 546n],
      [3n, 0x86ddn, 58n, 134n],
    ]);
    expect(new Set(changes.map(({ do: what, table, cookie }) => `${what} ${table} ${cookie}`))).toEqual(
      new Set([`add 0 ${GUARD_COOKIE}`]),
    );
  });

  it.each<[string, readonly number[], readonly Flow[], string[]]>([
    ['all there', [1, 2], apply([1, 2]), []],
    ['a port came', [1, 2], apply([1]), ['add 2', 'add 2', 'add 2']],
    ['a port went', [1], apply([1, 2]), ['delete 2', 'delete 2', 'delete 2']],
    ['all ports went', [], apply([4]), ['delete 4', 'delete 4', 'delete 4']],
    ['ovn-controller has begun anew', [1], [foreign], ['add 1', 'add 1', 'add 1']],
    ['one was removed by hand', [1], apply([1]).slice(1), ['add 1']],
    [
      'an older version had another priority',
      [],
      apply([1]).map((flow) => ({ ...flow, priority: 7 })),
      ['delete 1', 'delete 1', 'delete 1'],
    ],
    ["what is not ours stays, on a port of ours or another's", [], [foreign], []],
  ])('%s', (_cause, ofports, flows, expected) => {
    expect(describeChanges(ofports, flows)).toEqual(expected);
  });

  it('the order in which a switch tells fields does not matter', () => {
    const told = apply([1]).map((flow) => ({ ...flow, match: new Map([...flow.match].reverse()) }));
    expect(planGuards([1], told)).toEqual([]);
    expect(planGuards([], told).map(({ match }) => [...match.keys()][0])).toEqual(Array(3).fill(FIELD.inPort));
  });
});

describe('what the guards have dropped', () => {
  it('is told by port and by server', () => {
    const flows = apply([2]).map((flow, index) => ({ ...flow, packets: BigInt(index) }));
    expect(listGuards([foreign, ...flows])).toEqual(
      Object.keys(SERVERS).map((server, index) => ({ ofport: 2, server, packets: BigInt(index) })),
    );
  });
});
