import { describe, expect, it } from 'vitest';
import type { IPPool, Subnet, Vpc } from '../../api/types.gen.ts';
import type { PoolPlan } from '../../ipam/ip-pools.ts';
import { derivePoolStatus } from './ip-pool-status.ts';
import { deriveSubnetStatus, type SubnetFacts } from './subnet-status.ts';
import { judgeSubnets, makeSubnet } from './testing/subnets.ts';
import { deriveVpcStatus } from './vpc-status.ts';

const MOMENT = { now: '2026-01-01T00:00:00Z', generation: 1 };
const ENDING = { deletionTimestamp: '2026-01-02T00:00:00Z' };

const ending = (subnet: Subnet): Subnet => ({ ...subnet, metadata: { ...subnet.metadata, ...ENDING } });
const counts = (available: bigint): SubnetFacts['counts'] => [
  { family: 4, used: 3n, available },
  { family: 6, used: 3n, available: 1n << 64n },
];

function derive(subnet: Subnet, over: Partial<SubnetFacts> = {}) {
  const [plan] = judgeSubnets([subnet]);
  if (plan === undefined) throw new Error('fixture');
  const facts = { plan, counts: counts(250n), programming: { ok: true }, dhcpProblems: [], holders: [] } as const;
  return deriveSubnetStatus(subnet, { ...facts, ...over }, MOMENT);
}
const show = (status: { conditions?: { status: string; reason: string; message: string }[] }) => {
  const [ready] = status.conditions ?? [];
  return `${ready?.status} ${ready?.reason} ${ready?.message}`;
};

describe('the status of a Subnet', () => {
  it('counts, and caps what JSON cannot hold', () => {
    const status = derive(makeSubnet('a', {}));
    expect(status).toMatchObject({ v4usingIPs: 3, v4availableIPs: 250, v6availableIPs: Number.MAX_SAFE_INTEGER });
    expect(show(status)).toBe('True Ready Everything asked for is in place.');
  });

  const central = makeSubnet('a', { gatewayType: 'centralized', gatewayNode: 'n1,n2' });
  const away = { ok: false, problem: { reason: 'OVNUnavailable', message: 'gone' } } as const;
  it.each<[string, Subnet, Partial<SubnetFacts>, string]>([
    ['full: what it gave keeps working', makeSubnet('a', {}), { counts: counts(0n) }, 'True SubnetFull'],
    ['wrong', makeSubnet('a', { cidrBlock: '10.0.0.1/24' }), {}, 'False InvalidCIDR'],
    ['OVN away', makeSubnet('a', {}), { programming: away }, 'False OVNUnavailable gone'],
    ['no gateway node', central, {}, 'False GatewayNodeUnavailable none of n1, n2 is ready'],
    ['a gateway node', central, { gateway: 'n1' }, 'True Ready Everything'],
    [
      'what guests cannot be told',
      makeSubnet('a', {}),
      { dhcpProblems: ['no x'] },
      'False InvalidDHCPOptions no x; guests',
    ],
    [
      'fields without meaning',
      makeSubnet('a', { provider: 'm.d', private: true }),
      {},
      'True Ready NotApplicable: private has no',
    ],
    ['no object for its VPC', makeSubnet('a', { vpc: 'red' }), {}, 'False VpcNotFound VPC "red" does not exist'],
    [
      'being deleted with ports on it',
      ending(makeSubnet('a', {})),
      { holders: ['a/1', 'a/2', 'a/3', 'a/4'] },
      'False InUse being deleted; waits for ports a/1, a/2, a/3 and 1 more',
    ],
  ])('%s', (_cause, subnet, facts, expected) => {
    expect(show(derive(subnet, facts))).toContain(expected);
  });

  it('names the node that carries the traffic out', () => {
    expect(derive(central, { gateway: 'n1' }).activateGateway).toBe('n1');
    expect(derive(central)).not.toHaveProperty('activateGateway');
  });
});

describe('the status of a Vpc', () => {
  const vpc: Vpc = { apiVersion: 'mooring.dev/v1alpha1', kind: 'Vpc', metadata: { name: 'blue' }, spec: {} };

  it('lists what is in it', () => {
    const status = deriveVpcStatus(vpc, { subnets: ['a', 'b'], ports: 7, programming: { ok: true } }, MOMENT);
    expect(status).toMatchObject({ subnets: ['a', 'b'], ports: 7 });
    expect(show(status)).toMatch(/^True Ready/);
  });

  it('says why it is not gone yet', () => {
    const last = { ...vpc, metadata: { ...vpc.metadata, ...ENDING } };
    const status = deriveVpcStatus(last, { subnets: ['a'], ports: 7, programming: { ok: true } }, MOMENT);
    expect(show(status)).toBe('False InUse being deleted; waits for subnets a');
  });
});

describe('the status of an IPPool', () => {
  const pool: IPPool = {
    apiVersion: 'mooring.dev/v1alpha1',
    kind: 'IPPool',
    metadata: { name: 'p' },
    spec: { subnet: 'a', ips: ['10.0.0.9'] },
  };
  const plan: PoolPlan = {
    name: 'p',
    subnet: 'a',
    namespaces: [],
    usable: true,
    ending: false,
    intervals: { 4: [], 6: [] },
  };
  const problem = { reason: 'InvalidPool', message: '"x" is not an address' } as const;

  it.each<[string, IPPool, Parameters<typeof derivePoolStatus>[1], string]>([
    ['ready', pool, { plan, counts: counts(1n), holders: [] }, 'True Ready'],
    ['full', pool, { plan, counts: counts(0n), holders: [] }, 'True PoolFull'],
    ['wrong', pool, { plan: { ...plan, usable: false, problem }, counts: [], holders: [] }, 'False InvalidPool "x"'],
    [
      'being deleted with ports that have its addresses (F35)',
      { ...pool, metadata: { ...pool.metadata, ...ENDING } },
      { plan, counts: [], holders: ['a/db.default.vm'] },
      'False InUse being deleted; waits for ports a/db.default.vm',
    ],
  ])('%s', (_cause, object, facts, expected) => {
    expect(show(derivePoolStatus(object, facts, MOMENT))).toContain(expected);
  });
});
