import { describe, expect, test } from 'vitest';
import type { Job } from '../../netlink/jobs.ts';
import { add } from './add.ts';
import { check, listCheckedRoutes, readTold } from './check.ts';
import type { AttachRequest } from './request.ts';
import { createFakeWorld, REQUEST } from './testing/fake-context.ts';

const MAC = '02:00:0a:10:00:05';
const RESULT = {
  interfaces: [{ name: 'm1' }, { name: 'eth0', mac: MAC, sandbox: '/run/netns/x' }],
  ips: [
    { address: '10.16.0.5/16', interface: 1 },
    { address: '192.0.2.1/24', interface: 0 },
  ],
  routes: [{ dst: '0.0.0.0/0', gw: '10.16.0.1' }],
};
const withResult = (prevResult: unknown): AttachRequest => {
  return { ...REQUEST, config: { ...REQUEST.config, fields: new Map([['prevResult', prevResult]]) } };
};

describe('what a runtime holds of the interface', () => {
  test('is its MAC and its own addresses', () => {
    expect(readTold(withResult(RESULT))).toEqual({ mac: MAC, addresses: ['10.16.0.5/16'] });
  });

  test.each([
    ['no result', undefined],
    ['a result that is no object', 7],
    ['interfaces that are no list', { interfaces: 'eth0' }],
    ['entries that are no objects', { interfaces: [null], ips: [null] }],
    ['an interface of the node with that name', { ...RESULT, interfaces: [{ name: 'eth0', mac: MAC }] }],
  ])('is nothing with %s', (_cause, result) => {
    expect(readTold(withResult(result))).toEqual({ addresses: [] });
  });

  test('has no MAC that is none', () => {
    const interfaces = [{ name: 'eth0', mac: 'x', sandbox: '/run/netns/x' }];
    expect(readTold(withResult({ interfaces }))).toEqual({ addresses: [] });
  });

  test.each([[undefined], ['10.16.0.5'], ['x/y'], [{}]])('is refused with the address %s', (address) => {
    const result = { ...RESULT, ips: [{ address, interface: 1 }] };
    expect(() => readTold(withResult(result))).toThrow('for an address');
  });
});

describe('CHECK', () => {
  /** What the kernel is asked for. */
  async function findAsked(result: unknown): Promise<Job | undefined> {
    const world = createFakeWorld();
    await add(world.context, REQUEST, new AbortController().signal);
    const jobs: Job[] = [];
    const run: typeof world.context.links.run = (job) => {
      jobs.push(job);
      return world.context.links.run(job);
    };
    await check({ ...world.context, links: { run } }, withResult(result));
    return jobs.findLast((job) => job.kind === 'checkVeth');
  }

  test('looks for the MAC that the list of plugins has ended with, and for addresses that were added', async () => {
    const ips = [...RESULT.ips, { address: '10.99.0.1/32', interface: 1 }];
    const interfaces = [RESULT.interfaces[0], { ...RESULT.interfaces[1], mac: '02:00:00:00:0c:0c' }];
    const asked = await findAsked({ ...RESULT, ips, interfaces });
    expect(asked).toMatchObject({ mac: '02:00:00:00:0c:0c', addresses: ['10.16.0.5/16', '10.99.0.1/32'] });
  });

  test('without a result looks for our addresses, and for no MAC', async () => {
    const asked = await findAsked(undefined);
    expect(asked).toMatchObject({ addresses: ['10.16.0.5/16'] });
    expect(asked).not.toHaveProperty('mac');
  });

  test('leaves out the routes that a later plugin has taken out of the result', () => {
    const plan = { routes: [{ dst: '0.0.0.0/0', gw: '10.16.0.1' }, { dst: '10.99.0.0/24' }] };
    expect(listCheckedRoutes(withResult(RESULT), plan)).toEqual([plan.routes[0]]);
    expect(listCheckedRoutes(withResult(undefined), plan)).toEqual(plan.routes);
  });
});
