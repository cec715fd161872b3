import { describe, expect, it } from 'vitest';
import { NUD } from './constants.ts';
import {
  NEIGHBOUR_LIMITS,
  type NeighbourWrite,
  parseTravellingNeighbour,
  planNeighbourTravel,
  planNeighbourWrites,
} from './neighbour-travel.ts';
import type { Neighbour } from './neighbours.ts';

const MAC = '0a:58:0a:10:00:09';
const OTHER = '0a:58:0a:10:00:0a';
const entry = (ip: string, state: number, mac: string | undefined = MAC): Neighbour => ({ ifIndex: 2, ip, mac, state });

describe('what another agent says', () => {
  it('is read into canonical text', () => {
    const said = { link: 'guest', ip: 'FD10:0:2:0::2', mac: '0A:58:0A:10:00:09', more: 1 };
    expect(parseTravellingNeighbour(said)).toEqual({ link: 'guest', ip: 'fd10:0:2::2', mac: MAC });
  });

  it.each<[string, unknown]>([
    ['null', null],
    ['a text', 'guest'],
    ['another link', { link: 'lo', ip: '10.0.2.2', mac: MAC }],
    ['a name that every object has', { link: '__proto__', ip: '10.0.2.2', mac: MAC }],
    ['no address', { link: 'guest', mac: MAC }],
    ['an address that is a list', { link: 'guest', ip: ['10.0.2.2'], mac: MAC }],
    ['an address with a zone', { link: 'guest', ip: 'fe80::1%eth0', mac: MAC }],
    ['an address with a prefix', { link: 'guest', ip: '10.0.2.2/24', mac: MAC }],
    ['an address without an end', { link: 'guest', ip: '1'.repeat(10_000), mac: MAC }],
    ['no MAC', { link: 'guest', ip: '10.0.2.2' }],
    ['a MAC of zeros', { link: 'guest', ip: '10.0.2.2', mac: '00:00:00:00:00:00' }],
    ['a multicast MAC', { link: 'guest', ip: '10.0.2.2', mac: '01:00:5e:00:00:01' }],
    ['the broadcast MAC', { link: 'guest', ip: '10.0.2.2', mac: 'ff:ff:ff:ff:ff:ff' }],
    ['a MAC of another kind', { link: 'guest', ip: '10.0.2.2', mac: `${MAC}:00:00` }],
  ])('is refused when it is %s', (_cause, value) => {
    expect(() => parseTravellingNeighbour(value)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  });
});

describe('what travels', () => {
  it.each([
    ['reachable', NUD.reachable, true],
    ['stale', NUD.stale, true],
    ['delayed', NUD.delay, true],
    ['probed', NUD.probe, true],
    ['permanent', NUD.permanent, true],
    ['asked for', NUD.incomplete, false],
    ['failed', NUD.failed, false],
    ['known by its address alone, as multicast is', NUD.noarp, false],
    ['without any state', 0, false],
  ])('an entry that is %s: as its state allows', (_cause, state, travels) => {
    const expected = travels ? [{ link: 'guest', ip: '10.0.2.2', mac: MAC }] : [];
    expect(planNeighbourTravel('guest', [entry('10.0.2.2', state)])).toEqual(expected);
  });

  it.each([
    ['has no MAC of Ethernet', undefined],
    ['has a multicast MAC', '33:33:00:00:00:01'],
    ['has zeros for a MAC', '00:00:00:00:00:00'],
  ])('never an entry that %s', (_cause, mac) => {
    const plain: Neighbour = { ifIndex: 2, ip: '10.0.2.2', state: NUD.permanent };
    expect(planNeighbourTravel('guest', [mac === undefined ? plain : { ...plain, mac }])).toEqual([]);
  });

  it('no more than may, the fresh before the stale, in the same order each time', () => {
    const stale = Array.from({ length: 300 }, (_, index) => entry(`10.16.1.${index}`, NUD.stale));
    const fresh = entry('10.16.9.9', NUD.reachable);
    const planned = planNeighbourTravel('pod', [...stale, fresh]);
    expect(planned).toHaveLength(NEIGHBOUR_LIMITS.pod);
    expect(planned).toContainEqual({ link: 'pod', ip: '10.16.9.9', mac: MAC });
    expect(planNeighbourTravel('pod', [fresh, ...stale.toReversed()])).toEqual(planned);
  });
});

describe('what the target writes', () => {
  const addresses = ['10.0.2.1/24', 'fd10:0:2::1/120'];
  const wanted = [{ link: 'guest', ip: '10.0.2.2', mac: MAC }] as const;
  const plan = (table: readonly Neighbour[], shut: boolean) => planNeighbourWrites(wanted, { addresses, table }, shut);
  const add: NeighbourWrite = { ip: '10.0.2.2', mac: MAC, replace: false };

  it.each<[string, Neighbour | undefined, { shut: NeighbourWrite[]; open: NeighbourWrite[] }]>([
    ['nothing is there', undefined, { shut: [add], open: [add] }],
    ['it is asked for', { ifIndex: 2, ip: '10.0.2.2', state: NUD.incomplete }, { shut: [add], open: [add] }],
    ['nobody has answered', entry('10.0.2.2', NUD.failed), { shut: [add], open: [] }],
    ['it is asked for again', entry('10.0.2.2', NUD.probe), { shut: [add], open: [] }],
    ['it is in use', entry('10.0.2.2', NUD.delay), { shut: [], open: [] }],
    ['it is usable', entry('10.0.2.2', NUD.stale), { shut: [], open: [] }],
    ['another is usable', entry('10.0.2.2', NUD.stale, OTHER), { shut: [{ ...add, replace: true }], open: [] }],
    ['another has answered', entry('10.0.2.2', NUD.reachable, OTHER), { shut: [], open: [] }],
    ['another was set by hand', entry('10.0.2.2', NUD.permanent, OTHER), { shut: [], open: [] }],
  ])('where %s: as the gate is', (_cause, there, { shut, open }) => {
    const table = there === undefined ? [] : [there];
    expect(plan(table, true)).toEqual(shut);
    expect(plan(table, false)).toEqual(open);
  });

  it.each([
    ['of the network', '10.0.2.2', true],
    ['of the other family', 'fd10:0:2::2', true],
    ["that is the link's own", '10.0.2.1', false],
    ["that is the link's own of the other family", 'fd10:0:2::1', false],
    ['beside the network', '10.0.3.2', false],
    ['beside the network of the other family', 'fd10:0:2::102', false],
    ['of the world', '192.0.2.7', false],
    ['multicast', '224.0.0.1', false],
    ['loopback', '::1', false],
  ])('an address %s: only if a neighbour may have it', (_cause, ip, written) => {
    const said = [{ link: 'guest', ip, mac: MAC }] as const;
    const writes = planNeighbourWrites(said, { addresses, table: [] }, true);
    expect(writes).toEqual(written ? [{ ip, mac: MAC, replace: false }] : []);
  });

  it('nothing on a link without addresses yet', () => {
    expect(planNeighbourWrites(wanted, { addresses: [], table: [] }, true)).toEqual([]);
  });
});
