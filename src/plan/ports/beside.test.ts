import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatLauncherInterface } from '../../api/names.ts';
import type { LogicalPort } from '../../api/types.gen.ts';
import { choosePlace, describeNetwork, describeSuperseded, explainStandby } from './beside.ts';
import {
  applyTurn,
  type Cut,
  carriageOf,
  makePort,
  makeRequest,
  parseWhole,
  planTurn,
  showPorts,
  type Whole,
} from './testing/nic-walk.ts';

/** The ports after each whole state of a walk, each looked at until nothing changes. */
function walk(states: readonly string[], ports: LogicalPort[] = []): string[] {
  let present = ports;
  return states.map((state) => {
    present = settle(present, parseWhole(state));
    return showPorts(present);
  });
}

function settle(ports: readonly LogicalPort[], whole: Whole): LogicalPort[] {
  let present = [...ports];
  for (let turn = 0; turn < 5; turn += 1) present = applyTurn(present, whole);
  expect(showPorts(applyTurn(present, whole))).toBe(showPorts(present));
  return present;
}

const RUNS = 'red: l1=red@home';
const ASKED = 'blue: l1=red@home';
const PREPARED = 'blue: l1=red@home t1=blue@target';
const ARRIVED = 'blue: l1=red@left t1=blue@home';
const MOVED = 'blue: l1=red@ended t1=blue@home';
const STOPPED = 'blue:';

describe('two ports of one NIC, whole states', () => {
  it.each<[string, string[], string[]]>([
    [
      'a network that changes by migration',
      [RUNS, ASKED, PREPARED, ARRIVED, MOVED],
      [
        'side=red[l1:red]',
        'side/blue=blue[] side=red[l1:red]',
        'side/blue=blue[t1:blue] side=red[l1:red]',
        'side/blue=blue[t1:blue] side=red[]',
        'side/blue=blue[t1:blue]',
      ],
    ],
    [
      'the same in one leap: nobody looked while it happened',
      [RUNS, MOVED],
      ['side=red[l1:red]', 'side/blue=blue[t1:blue]'],
    ],
    [
      'it fails, and the next attempt has the same port',
      [PREPARED, ASKED, PREPARED, ARRIVED, MOVED].map((state) => state),
      ['side=blue[t1:blue]', 'side=blue[]', 'side=blue[t1:blue]', 'side=blue[t1:blue]', 'side=blue[t1:blue]'],
    ],
    [
      'it fails after the guest was seen on the target',
      [RUNS, PREPARED, ARRIVED, ASKED, 'red: l1=red@home'],
      [
        'side=red[l1:red]',
        'side/blue=blue[t1:blue] side=red[l1:red]',
        'side/blue=blue[t1:blue] side=red[]',
        'side/blue=blue[] side=red[l1:red]',
        'side=red[l1:red]',
      ],
    ],
    [
      'there and back and there again',
      [RUNS, ASKED, MOVED, 'red: t1=blue@home', 'red: t1=blue@ended t2=red@home', 'blue: t2=red@home'],
      [
        'side=red[l1:red]',
        'side/blue=blue[] side=red[l1:red]',
        'side/blue=blue[t1:blue]',
        'side/blue=blue[t1:blue] side=red[]',
        'side=red[t2:red]',
        'side/blue=blue[] side=red[t2:red]',
      ],
    ],
    [
      'another network before the migration came',
      [RUNS, ASKED, 'green: l1=red@home', 'green: l1=red@home t1=green@target'],
      [
        'side=red[l1:red]',
        'side/blue=blue[] side=red[l1:red]',
        'side/green=green[] side=red[l1:red]',
        'side/green=green[t1:green] side=red[l1:red]',
      ],
    ],
    [
      'another network while a migration is under way: three ports until it ends',
      [RUNS, PREPARED, 'green: l1=red@home t1=blue@target', 'green: l1=red@ended t1=blue@home'],
      [
        'side=red[l1:red]',
        'side/blue=blue[t1:blue] side=red[l1:red]',
        'side/blue=blue[t1:blue] side/green=green[] side=red[l1:red]',
        'side/blue=blue[t1:blue] side/green=green[]',
      ],
    ],
    [
      'taken back while the migration is under way, which succeeds',
      [RUNS, PREPARED, 'red: l1=red@home t1=blue@target', 'red: l1=red@ended t1=blue@home'],
      [
        'side=red[l1:red]',
        'side/blue=blue[t1:blue] side=red[l1:red]',
        'side/blue=blue[t1:blue] side=red[l1:red]',
        'side/blue=blue[t1:blue] side=red[]',
      ],
    ],
    [
      'stopped in the middle: what is asked for stays',
      [RUNS, PREPARED, 'blue: t1=blue@target', STOPPED, 'blue: l3=blue@home'],
      [
        'side=red[l1:red]',
        'side/blue=blue[t1:blue] side=red[l1:red]',
        'side/blue=blue[t1:blue] side=red[]',
        'side/blue=blue[]',
        'side/blue=blue[l3:blue]',
      ],
    ],
    [
      'stopped: the port that is there changes its network',
      [RUNS, 'red:', STOPPED],
      ['side=red[l1:red]', 'side=red[]', 'side=blue[]'],
    ],
    [
      'the annotation of the source is rewritten: it has what it has',
      [RUNS, 'blue: l1=blue@home'],
      ['side=red[l1:red]', 'side/blue=blue[] side=red[l1:red]'],
    ],
    [
      'a NIC that is plugged by migration: the source has no part in it',
      ['red: l1=-@home', 'red: l1=-@home t1=red@target', 'red: l1=-@ended t1=red@home'],
      ['side=red[]', 'side=red[t1:red]', 'side=red[t1:red]'],
    ],
    [
      'a NIC that is plugged in place, and unplugged',
      ['red: l1=-@home', RUNS, 'red: l1=-@home', '-: l1=-@home'],
      ['side=red[]', 'side=red[l1:red]', 'side=red[]', ''],
    ],
    [
      'a NIC that goes by migration: its port when the last launcher is through with it',
      [RUNS, '-: l1=red@home t1=-@target', '-: l1=red@left t1=-@home', '-: l1=red@ended t1=-@home'],
      ['side=red[l1:red]', 'side=red[l1:red]', 'side=red[]', ''],
    ],
  ])('K5 K6 %s', (_cause, states, expected) => {
    expect(walk(states)).toEqual(expected);
  });

  const STATES = [
    RUNS,
    ASKED,
    PREPARED,
    ARRIVED,
    MOVED,
    'red: t1=blue@home',
    'green: l1=red@home t1=blue@target',
    STOPPED,
  ];

  it.each<[string, (states: string[]) => string[]]>([
    ['forward', (states) => states],
    ['reversed', (states) => states.toReversed()],
    ['each twice', (states) => states.flatMap((state) => [state, state])],
    ['there and back', (states) => [...states, ...states.toReversed()]],
  ])('K6 in any order (%s), a launcher where the guest is keeps the port it has', (_order, arrange) => {
    let ports: LogicalPort[] = [];
    for (const state of arrange(STATES)) {
      const whole = parseWhole(state);
      const before = ports;
      ports = settle(ports, whole);
      expectKept(before, ports, whole);
    }
  });

  it('K6 whatever comes, in whatever order, and wherever a turn is cut', () => {
    const launcher = (uid: string) =>
      fc.record({
        uid: fc.constant(uid),
        nad: fc.constantFrom('red', 'blue', 'green', '-'),
        at: fc.constantFrom('home' as const, 'target' as const, 'left' as const, 'ended' as const),
      });
    const state = fc.record({
      asked: fc.constantFrom('red', 'blue', 'green', undefined),
      launchers: fc.tuple(fc.option(launcher('l1')), fc.option(launcher('t1')), fc.option(launcher('t2'))),
      cut: fc.constantFrom<Cut>('whole', 'created'),
    });
    fc.assert(
      fc.property(fc.array(state, { maxLength: 12 }), (states) => {
        let ports: LogicalPort[] = [];
        for (const { asked, launchers, cut } of states) {
          const whole: Whole = { asked, launchers: launchers.flatMap((one) => one ?? []) };
          const before = ports;
          ports = applyTurn(ports, whole, cut);
          expect(new Set(ports.map(({ metadata }) => metadata.name)).size).toBe(ports.length);
          if (cut === 'whole') expectKept(before, ports, whole);
        }
      }),
    );
  });
});

/** Every launcher that held a port, still has the interface and has not ended: its port is there, with the same address. */
function expectKept(before: readonly LogicalPort[], after: readonly LogicalPort[], { launchers }: Whole) {
  for (const { uid, nad, at } of launchers) {
    if (nad === '-' || at === 'ended' || at === 'left') continue;
    const held = before.find(({ spec }) => spec.attachments?.some(({ podUID }) => podUID === uid));
    if (held === undefined) continue;
    const now = after.find(({ metadata }) => metadata.name === held.metadata.name);
    expect(now?.spec.subnet).toBe(held.spec.subnet);
    expect(now?.spec.attachments?.map(({ podUID }) => podUID)).toContain(uid);
  }
}

describe('choosePlace', () => {
  const owner = { kind: 'VirtualMachine' as const, name: 'x', uid: 'v1' };
  const keep = (...ports: LogicalPort[]) => ports.map((port) => ({ port, owner, role: 'live' as const }));
  const [first, blue, odd] = [makePort('red'), makePort('blue', 'blue'), makePort('green', 'blue')];

  it.each<[string, Parameters<typeof choosePlace>[2], ReturnType<typeof choosePlace>]>([
    ["nothing is there: the NIC's own", { keep: [], release: [] }, {}],
    ['one of an earlier life is leaving', { keep: [], release: [first] }, undefined],
    ['the first port is in use', { keep: keep(first), release: [] }, { madeFor: 'blue' }],
    ["a second one is in use: the NIC's own is free again", { keep: keep(odd), release: [] }, {}],
    ['its name is leaving', { keep: keep(first), release: [blue] }, undefined],
    ["the NIC's own name is leaving", { keep: keep(odd), release: [first] }, undefined],
    ['both names are in use', { keep: keep(first, odd), release: [] }, undefined],
  ])('%s', (_cause, present, expected) => {
    expect(choosePlace(makeRequest('blue'), owner, present)).toEqual(expected);
  });
});

describe('describeSuperseded', () => {
  it('asks a port to stay as it is, save for what follows at any time', () => {
    const port = makePort('red');
    const routes = [{ dst: '10.1.0.0/16', gw: '10.0.0.1' }];
    const given = { ...port, spec: { ...port.spec, routes, ipamClaim: 'c', securityGroups: ['old'] } };
    const asked = { ...makeRequest('blue'), ips: ['10.9.0.1'], pool: { kind: 'named', name: 'p' } as const };
    expect(describeSuperseded(given, { ...asked, ipamClaim: 'd', securityGroups: ['web'] })).toEqual({
      nic: 'side',
      interface: formatLauncherInterface('side'),
      absent: false,
      subnet: 'red',
      nad: 'a/red',
      routes,
      ipamClaim: 'c',
      securityGroups: ['web'],
    });
  });

  it('its network in words', () => {
    expect(describeNetwork(makeRequest('blue'))).toBe('subnet blue on network a/blue');
  });
});

describe('planPorts with two ports of a NIC', () => {
  const held = (port: LogicalPort, nad: string): LogicalPort => ({
    ...port,
    spec: {
      ...port.spec,
      attachments: [
        { podName: 'l1', podUID: 'l1', node: 'n', interface: formatLauncherInterface('side'), nad, role: 'Source' },
      ],
    },
  });

  it('the one in use is asked to stay as it is, the other has the request', () => {
    const plan = planTurn([held(makePort('red'), 'a/red'), makePort('blue', 'blue')], parseWhole(ASKED));
    const asked = plan.keep.map(({ port, request, superseded }) => [
      port.spec.subnet,
      request?.subnet,
      superseded?.subnet,
    ]);
    expect(asked).toEqual([
      ['red', 'red', 'blue'],
      ['blue', 'blue', undefined],
    ]);
    expect(plan.create).toEqual([]);
  });

  it.each([
    ['stands', true, ['claimed', 'live'], 0],
    ['is gone', false, ['live'], 1],
  ])('the claim of the one that was left %s: its address stays or goes with it', (_what, exists, roles, released) => {
    const left = { ...makePort('red'), spec: { ...makePort('red').spec, ipamClaim: 'c' } };
    const plan = planTurn([left, held(makePort('blue', 'blue'), 'a/blue')], parseWhole(MOVED), () => exists);
    expect(plan.keep.map(({ role }) => role)).toEqual(roles);
    expect(plan.release).toHaveLength(released);
    expect(plan.create).toEqual([]);
  });

  it('a claim that outlives the move keeps nobody from a third network', () => {
    const left = { ...makePort('red'), spec: { ...makePort('red').spec, ipamClaim: 'c' } };
    const blue = held(makePort('blue', 'blue'), 'a/blue');
    const plan = planTurn([left, blue], parseWhole('green: l1=blue@home'), () => true);
    expect(plan.create.map(({ madeFor }) => madeFor)).toEqual(['green']);
  });
});

describe('explainStandby', () => {
  const owner = { kind: 'VirtualMachine' as const, name: 'x', uid: 'v1' };
  const red = makePort('red');
  const blue = makePort('blue', 'blue');
  const explain = (whole: string, port: LogicalPort) =>
    explainStandby(port, [red, blue], carriageOf([red, blue], parseWhole(whole)));

  it.each([
    ['the new one before the migration', ASKED, blue, /^waits for the live migration .* subnet blue; .* x\.side\.vm /],
    ['the new one while the target is made ready', PREPARED, blue, /^waits for the live migration/],
    ['the old one after the guest has left', ARRIVED, red, /^the guest has LogicalPort x\.side\.blue-x[0-9a-f]+\.vm /],
  ])('%s', (_which, whole, port, expected) => {
    expect(port.spec.owner).toEqual(owner);
    expect(explain(whole, port)).toMatch(expected);
  });

  it.each([
    ['the one that the guest has', ASKED, red],
    ['when nothing runs', STOPPED, blue],
  ])('nothing of %s', (_which, whole, port) => {
    expect(explain(whole, port)).toBeUndefined();
  });
});
