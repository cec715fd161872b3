import { describe, expect, it } from 'vitest';
import type { Wish } from '../wishes/types.ts';
import { listDefaults, planFirstRoutes, planRoutes } from './routes.ts';
import { makeSubnet } from './testing/requests.ts';

const DUAL = makeSubnet('dual', { cidrBlock: '10.5.0.0/24,fd05::/64', gateway: '10.5.0.254' });

const show = (wish: Pick<Wish, 'routes' | 'defaultRoute'>, subnet = DUAL): string => {
  const planned = planRoutes(subnet, wish);
  if (!planned.ok) return `${planned.problem.reason}: ${planned.problem.message}`;
  return planned.value?.map(({ dst, gw }) => `${dst}>${gw}`).join(' ') ?? 'the usual ones';
};

describe('planRoutes', () => {
  it.each<[string, Pick<Wish, 'routes' | 'defaultRoute'>, string]>([
    ['nothing asked', {}, 'the usual ones'],
    ['none at all', { routes: [] }, ''],
    ['a network', { routes: [{ dst: '10.9.0.0/16', gw: '10.5.0.7' }] }, '10.9.0.0/16>10.5.0.7'],
    ['by the own gateway', { routes: [{ dst: '10.9.0.0/16' }] }, '10.9.0.0/16>10.5.0.254'],
    ['IPv6 by the own gateway', { routes: [{ dst: 'fd09::/64' }] }, 'fd09::/64>fd05::1'],
    ['without a destination', { routes: [{ gw: '10.5.0.7' }] }, '0.0.0.0/0>10.5.0.7'],
    ['without a destination, IPv6', { routes: [{ gw: 'fd05::7' }] }, '::/0>fd05::7'],
    ['the default route of a network', { defaultRoute: ['10.5.0.7'] }, '0.0.0.0/0>10.5.0.7'],
    ['one that leaves the gateway to the network', { defaultRoute: [] }, '0.0.0.0/0>10.5.0.254 ::/0>fd05::1'],
    ['the same twice', { routes: [{ gw: '10.5.0.7' }], defaultRoute: ['10.5.0.7'] }, '0.0.0.0/0>10.5.0.7'],
  ])('%s', (_cause, wish, expected) => {
    expect(show(wish)).toBe(expected);
  });

  it.each<[string, Pick<Wish, 'routes' | 'defaultRoute'>, string]>([
    [
      'a next hop outside the subnet',
      { routes: [{ dst: '10.9.0.0/16', gw: '10.6.0.1' }] },
      'InvalidRequest: the gateway "10.6.0.1" is not inside subnet dual',
    ],
    [
      'a gateway that is no address',
      { defaultRoute: ['gateway'] },
      'InvalidRequest: the gateway "gateway" is not an address',
    ],
    [
      'two ways to one place',
      { routes: [{ gw: '10.5.0.7' }], defaultRoute: ['10.5.0.8'] },
      'RequestDisagreement: two routes to 0.0.0.0/0: by 10.5.0.7 and by 10.5.0.8',
    ],
  ])('refuses %s', (_cause, wish, expected) => {
    expect(show(wish)).toBe(expected);
  });

  it('refuses a family that the subnet does not have', () => {
    const only4 = makeSubnet('v4');
    expect(show({ routes: [{ dst: 'fd09::/64' }] }, only4)).toBe(
      'InvalidRequest: subnet v4 has no gateway for a route to fd09::/64',
    );
  });

  it('needs a subnet that can be used, but only when routes are asked for', () => {
    const broken = makeSubnet('broken', { cidrBlock: 'x' });
    expect(show({}, broken)).toBe('the usual ones');
    expect(show({ routes: [] }, broken)).toMatch(/^SubnetNotReady: routes need a usable subnet broken/);
  });
});

describe('planFirstRoutes', () => {
  const only = [{ dst: '10.9.0.0/16', gw: '10.5.0.7' }];

  it.each<[string, Parameters<typeof planFirstRoutes>[1], Parameters<typeof planFirstRoutes>[2], string | undefined]>([
    ['nothing to say', undefined, [], undefined],
    ['routes beside the default ones', only, [], '0.0.0.0/0 ::/0 10.9.0.0/16'],
    ['a default route of its own', [{ dst: '0.0.0.0/0', gw: '10.5.0.7' }], [], '::/0 0.0.0.0/0'],
    ['one family goes elsewhere', undefined, [4], '::/0'],
    ['both do', undefined, [4, 6], ''],
    ['both do, routes stay', only, [4, 6], '10.9.0.0/16'],
  ])('%s', (_cause, routes, elsewhere, expected) => {
    expect(
      planFirstRoutes(DUAL, routes, elsewhere)
        ?.map(({ dst }) => dst)
        .join(' '),
    ).toBe(expected);
  });

  it('gives every default route its gateway: a plugin that leaves it out has it shown as nil', () => {
    expect(planFirstRoutes(DUAL, [], [])).toEqual([
      { dst: '0.0.0.0/0', gw: '10.5.0.254' },
      { dst: '::/0', gw: 'fd05::1' },
    ]);
  });
});

describe('listDefaults', () => {
  it('tells the families', () => {
    expect(listDefaults(undefined)).toEqual([]);
    expect(listDefaults([{ dst: '::/0', gw: 'fd05::1' }, { dst: '10.0.0.0/8' }])).toEqual([6]);
  });
});
