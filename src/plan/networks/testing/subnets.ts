import type { Subnet, SubnetSpec } from '../../../api/types.gen.ts';
import type { Wanted } from '../../rows.ts';
import { planJoin, type Settings } from '../../settings.ts';
import type { ActiveGateway } from '../gateway.ts';
import { planSubnets, type SubnetPlan } from '../subnet.ts';
import { planSubnetRows } from '../subnet-rows.ts';

/** Settings and Subnets for tests of what is planned from them. */
export function makeTestSettings(joinCidr = '100.64.0.0/16,fd00:100:64::/112'): Settings {
  const join = planJoin(joinCidr);
  if (!join.ok) throw new Error(join.problem.message);
  return { cluster: 'c', join: join.value, mtu: 1400, defaultVpc: 'default', defaultSubnet: 'default', primary: true };
}

export const makeSubnet = (name: string, spec: Partial<SubnetSpec>, created = '2026-01-01T00:00:00Z'): Subnet => ({
  apiVersion: 'mooring.dev/v1alpha1',
  kind: 'Subnet',
  metadata: { name, uid: `uid-${name}`, creationTimestamp: created },
  spec: { cidrBlock: '10.0.0.0/24', ...spec },
});

/** The plans of these Subnets, beside a VPC `blue`. */
export const judgeSubnets = (subnets: readonly Subnet[], settings = makeTestSettings()): SubnetPlan[] => [
  ...planSubnets(subnets, settings, new Set(['blue'])).values(),
];

/** The rows of the first of the Subnets, beside the others. */
export function planTestRows(
  subnets: readonly Subnet[],
  active?: ActiveGateway,
  settings: Settings = makeTestSettings(),
): Wanted {
  const [first] = subnets;
  const plan = judgeSubnets(subnets, settings).find(({ name }) => name === first?.metadata.name);
  if (first === undefined || plan === undefined) throw new Error('no subnet');
  return planSubnetRows(first, plan, settings, active);
}
