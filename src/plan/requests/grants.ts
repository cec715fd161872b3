import type { Namespace } from '../../api/objects.ts';
import { fail, type Problem, type Result, succeed } from '../../api/problem.ts';
import type { IPPool, Subnet, Vpc } from '../../api/types.gen.ts';
import { quote } from '../../ipam/ranges.ts';
import { compareAge } from '../networks/subnet.ts';

/** What the choice of a subnet depends on. Objects that are being deleted are left out. */
export type Grants = {
  readonly subnets: readonly Subnet[];
  readonly defaultSubnet: string;
  /** Is there even without an object. */
  readonly defaultVpc: string;
  readonly findVpc: (name: string) => Vpc | undefined;
  readonly findPool: (name: string) => IPPool | undefined;
  readonly namespace: Pick<Namespace, 'metadata'>;
};

/** What a NIC needs of its subnet. */
export type SubnetNeed = {
  /** Provider of the NIC's NAD; absent for the primary network. */
  readonly provider?: string;
  /** Another plugin makes the NIC. */
  readonly ipamOnly?: boolean;
  /** It is the pod's first interface. */
  readonly first?: boolean;
  /** Without a subnet of its provider it may have the primary network's. */
  readonly orPrimary?: boolean;
  /** `logical_switch`: wins over the provider. */
  readonly asked: string | undefined;
};

const isOvn = (subnet: Subnet): boolean => (subnet.spec.provider ?? 'ovn') === 'ovn' || subnet.spec.provider === '';

/**
 * The subnet of a NIC: the one asked for, else the one whose provider is the NAD's, else, for the primary network, the
 * oldest that names the namespace, or the default. The namespace must be admitted by the subnet and by its VPC, wherever
 * the NAD is: a NAD of another namespace is as good as the subnet behind it. Problems: SubnetNotFound, SubnetNotAllowed,
 * VpcNotFound, VpcNotAllowed.
 */
export function chooseSubnet(grants: Grants, need: SubnetNeed): Result<Subnet> {
  const name = need.asked ?? findByProvider(grants, need.provider) ?? findPrimary(grants, need);
  if (name === undefined) return fail('SubnetNotFound', `no subnet has the provider ${need.provider}`);
  const subnet = grants.subnets.find((candidate) => candidate.metadata.name === name);
  if (subnet === undefined) return fail('SubnetNotFound', `subnet ${quote(name)} does not exist`);
  const problem = findRefusal(grants, subnet) ?? findMisfit(subnet, need);
  return problem === undefined ? succeed(subnet) : { ok: false, problem };
}

function findByProvider({ subnets }: Grants, provider: string | undefined): string | undefined {
  if (provider === undefined) return undefined;
  return subnets.filter(({ spec }) => spec.provider === provider).toSorted(compareAge)[0]?.metadata.name;
}

function findPrimary(grants: Grants, { provider, orPrimary }: SubnetNeed): string | undefined {
  if (provider !== undefined && orPrimary !== true) return undefined;
  const own = grants.subnets.filter((subnet) => isOvn(subnet) && names(subnet, grants.namespace)).toSorted(compareAge);
  return own[0]?.metadata.name ?? grants.defaultSubnet;
}

function findRefusal({ namespace, defaultVpc, findVpc }: Grants, subnet: Subnet): Problem | undefined {
  const { name } = subnet.metadata;
  const who = `namespace ${namespace.metadata.name}`;
  if (!isOpen(subnet) && !names(subnet, namespace)) {
    return { reason: 'SubnetNotAllowed', message: `${who} may not use subnet ${name}` };
  }
  const vpcName = subnet.spec.vpc || defaultVpc;
  const vpc = findVpc(vpcName);
  if (vpc === undefined && vpcName !== defaultVpc) {
    return { reason: 'VpcNotFound', message: `subnet ${name} is of VPC ${vpcName}, which does not exist` };
  }
  const admitted = vpc?.spec.namespaces ?? [];
  return admitted.length === 0 || admitted.includes(namespace.metadata.name)
    ? undefined
    : { reason: 'VpcNotAllowed', message: `${who} may not use VPC ${vpcName} of subnet ${name}` };
}

function findMisfit(subnet: Subnet, { provider, ipamOnly, first }: SubnetNeed): Problem | undefined {
  const { metadata, spec } = subnet;
  const refuse = (why: string): Problem => ({ reason: 'SubnetNotAllowed', message: `subnet ${metadata.name} ${why}` });
  if (provider !== undefined && spec.provider === provider) return undefined;
  if (!isOvn(subnet)) return refuse(`has the provider ${quote(spec.provider ?? '')} and does not serve this NIC`);
  return ipamOnly === true && first === true
    ? refuse(`serves other plugins' NICs, but not a pod's first one; make a subnet with the provider ${provider}`)
    : undefined;
}

/** Checks an IPPool asked for by name. Problems: PoolNotFound, PoolNotAllowed. */
export function checkPool({ findPool, namespace }: Grants, name: string, subnet: string): Problem | undefined {
  const pool = findPool(name);
  if (pool === undefined) return { reason: 'PoolNotFound', message: `IPPool ${quote(name)} does not exist` };
  const refuse = (why: string): Problem => ({ reason: 'PoolNotAllowed', message: `IPPool ${name} ${why}` });
  const { namespaces = [] } = pool.spec;
  if (namespaces.length > 0 && !namespaces.includes(namespace.metadata.name)) {
    return refuse(`may not be used by namespace ${namespace.metadata.name}`);
  }
  return pool.spec.subnet === subnet
    ? undefined
    : refuse(`is of subnet ${pool.spec.subnet}, the NIC is on ${subnet}; ask for that with logical_switch`);
}

/** A subnet that names no namespaces is open to all. */
const isOpen = ({ spec }: Subnet): boolean => !spec.namespaces?.length && !spec.namespaceSelectors?.length;

function names({ spec }: Subnet, { metadata }: Grants['namespace']): boolean {
  if (spec.namespaces?.includes(metadata.name)) return true;
  return spec.namespaceSelectors?.some((selector) => matches(selector, metadata.labels ?? {})) === true;
}

type Requirement = { key?: unknown; operator?: unknown; values?: unknown };

/** A label selector of the API conventions. An empty one, or one that cannot be understood, matches nothing here. */
function matches(
  selector: { matchLabels?: unknown; matchExpressions?: unknown },
  labels: Record<string, string>,
): boolean {
  const equal = Object.entries(selector.matchLabels ?? {});
  const expressions = Array.isArray(selector.matchExpressions) ? (selector.matchExpressions as Requirement[]) : [];
  if (equal.length + expressions.length === 0) return false;
  const all = new Map(Object.entries(labels));
  return (
    equal.every(([key, value]) => all.get(key) === value) && expressions.every((requirement) => meets(requirement, all))
  );
}

function meets({ key, operator, values }: Requirement, labels: ReadonlyMap<string, string>): boolean {
  const value = labels.get(String(key));
  const list: unknown[] = Array.isArray(values) ? values : [];
  if (operator === 'In') return value !== undefined && list.includes(value);
  if (operator === 'NotIn') return value === undefined || !list.includes(value);
  if (operator === 'Exists') return value !== undefined;
  return operator === 'DoesNotExist' && value === undefined;
}
