import { describe, expect, it } from 'vitest';
import { formatLauncherInterface } from '../../api/names.ts';
import type { LogicalPort } from '../../api/types.gen.ts';
import type { RequestPlan } from '../requests/types.ts';
import { type CarriageInput, deriveCarriage, hasGuest, isCarried, isHome, type LauncherNetworks } from './carriage.ts';
import { makePort, makeRequest } from './testing/nic-walk.ts';

const NIC = 'side';
const LINK = formatLauncherInterface(NIC);
const launcher = (uid: string, nad: string | undefined, over: Partial<LauncherNetworks> = {}): LauncherNetworks => ({
  uid,
  final: false,
  home: false,
  nads: new Map(nad === undefined ? [] : [[LINK, nad]]),
  ...over,
});
const silent = (uid: string): LauncherNetworks => ({ ...launcher(uid, undefined), nads: undefined });
const hold = (port: LogicalPort, podUID: string, nad?: string): LogicalPort => ({
  ...port,
  spec: {
    ...port.spec,
    attachments: [
      { podName: podUID, podUID, node: 'n', interface: LINK, role: 'Source', ...(nad === undefined ? {} : { nad }) },
    ],
  },
});
const asking = (...networks: string[]): RequestPlan => ({ requests: networks.map(makeRequest), problems: [] });
const derive = (over: Partial<CarriageInput>) =>
  deriveCarriage({ ports: [], plan: asking('red'), launchers: [], carrierOf: () => undefined, ...over });

const red = makePort('red');
const blue = makePort('blue', 'blue');

/** Where each launcher is found: names of ports, `new` for the one to be made. */
function show(input: Partial<CarriageInput>): string {
  const carriage = derive(input);
  const on = (input.ports ?? []).flatMap((port) =>
    carriage.carriersOf(port).map(({ podUID, nad }) => `${podUID}>${port.spec.subnet}:${nad}`),
  );
  return [...on, ...carriage.newcomersOf(NIC).map(({ podUID, nad }) => `${podUID}>new:${nad}`)].toSorted().join(' ');
}

describe('deriveCarriage', () => {
  it.each<[string, Partial<CarriageInput>, string]>([
    [
      'a launcher of the network that is asked for',
      { ports: [red], launchers: [launcher('a', 'a/red')] },
      'a>red:a/red',
    ],
    ['its port is still to be made', { launchers: [launcher('a', 'a/red')] }, 'a>new:a/red'],
    ['a launcher without the interface', { ports: [red], launchers: [launcher('a', undefined)] }, ''],
    ['one of a network that nobody asks for', { ports: [red], launchers: [launcher('a', 'a/odd')] }, ''],
    ['one that says nothing has what is asked for', { ports: [red], launchers: [silent('a')] }, 'a>red:a/red'],
    [
      'one that says nothing of a NIC that is gone',
      { ports: [hold(red, 'a')], plan: asking(), launchers: [silent('a')] },
      '',
    ],
    [
      'one that has a NIC that is gone still',
      { ports: [hold(red, 'a', 'a/red')], plan: asking(), launchers: [launcher('a', 'a/red')] },
      'a>red:a/red',
    ],
    [
      'one that has ended is told, too: where no other is it speaks for its node',
      { ports: [red], launchers: [launcher('a', 'a/red', { final: true })] },
      'a>red:a/red',
    ],
    [
      'each has the port of its own network',
      { ports: [red, blue], plan: asking('blue'), launchers: [launcher('a', 'a/red'), launcher('b', 'a/blue')] },
      'a>red:a/red b>blue:a/blue',
    ],
    [
      'what a launcher was given counts more than what its annotation says now',
      { ports: [hold(red, 'a', 'a/red'), blue], plan: asking('blue'), launchers: [launcher('a', 'a/blue')] },
      'a>red:a/red',
    ],
    [
      'of two that it was given, the one that its annotation names',
      { ports: [hold(red, 'a', 'a/red'), hold(blue, 'a', 'a/blue')], launchers: [launcher('a', 'a/blue')] },
      'a>blue:a/blue',
    ],
    [
      'another network than that of the port in use is another port',
      {
        ports: [hold(red, 'a', 'a/red')],
        plan: asking('blue'),
        launchers: [launcher('a', 'a/red'), launcher('b', 'a/blue')],
      },
      'a>red:a/red b>new:a/blue',
    ],
    [
      'a launcher that waits for a network is not given the port of another',
      { ports: [red], plan: asking('blue'), launchers: [launcher('b', 'a/blue')] },
      'b>new:a/blue',
    ],
    [
      'another subnet by the same network is the same port',
      {
        ports: [hold(red, 'a', 'a/blue')],
        plan: asking('blue'),
        launchers: [launcher('a', 'a/blue'), launcher('b', 'a/blue')],
      },
      'a>red:a/blue b>red:a/blue',
    ],
    [
      'the same subnet by another network is the same port',
      {
        ports: [hold(red, 'a', 'a/door')],
        launchers: [launcher('a', 'a/door'), launcher('b', 'a/red')],
      },
      'a>red:a/door b>red:a/red',
    ],
    [
      'a network whose request cannot be granted gives nobody the port of another',
      {
        ports: [hold(red, 'a', 'a/red')],
        plan: { requests: [], problems: [{ nic: NIC, problem: { reason: 'SubnetNotAllowed', message: '' } }] },
        carrierOf: () => ({ interface: LINK, nad: 'a/bad' }),
        launchers: [launcher('a', 'a/red'), launcher('b', 'a/bad')],
      },
      'a>red:a/red',
    ],
  ])('%s', (_cause, input, expected) => {
    expect(show(input)).toBe(expected);
  });

  it('knows a port as it was written since, and one that was just made', () => {
    const launchers = [launcher('a', 'a/red')];
    const carriage = derive({ ports: [red], launchers });
    expect(isCarried(carriage, hold(red, 'a', 'a/red'))).toBe(true);
    const before = derive({ launchers });
    expect(isCarried(before, red)).toBe(true);
    expect(isHome(before, red)).toBe(true);
  });

  it('a port of an earlier life stands for the NIC only where there is no other', () => {
    const isOver = (port: LogicalPort) => port === red;
    const carriage = derive({ ports: [red, blue], plan: asking('green'), isOver });
    expect(carriage.findHome(NIC)).toBe(blue);
    expect(derive({ ports: [red], isOver }).findHome(NIC)).toBe(red);
  });

  it('says which port the guest has', () => {
    const launchers = [launcher('a', 'a/red', { home: true }), launcher('b', 'a/blue')];
    const carriage = derive({ ports: [red, blue], plan: asking('blue'), launchers });
    expect([hasGuest(carriage, red), hasGuest(carriage, blue)]).toEqual([true, false]);
    expect([isHome(carriage, red), isHome(carriage, blue)]).toEqual([false, true]);
  });
});
