import type { Namespace } from '../api/objects.ts';
import { fail, type Result, succeed } from '../api/problem.ts';
import type { Subnet } from '../api/types.gen.ts';
import { quote } from '../ipam/ranges.ts';
import { compareAge } from './subnet.ts';

/** What the choice of a subnet depends on. */
export type Grants = {
  readonly subnets: readonly Subnet[];
  readonly defaultSubnet: string;
  readonly namespace: Pick<Namespace, 'metadata'>;
};

const isOvn = (subnet: Subnet): boolean => (subnet.spec.provider ?? 'ovn') === 'ovn' || subnet.spec.provider === '';

/** The subnet of a first interface: the one asked for, else the oldest that names the namespace, else the default. */
export function choosePrimarySubnet(grants: Grants, asked: string | undefined): Result<string> {
  if (asked !== undefined) return chooseNamed(grants, asked, isOvn);
  const own = grants.subnets.filter((subnet) => isOvn(subnet) && names(subnet, grants.namespace)).toSorted(compareAge);
  return chooseNamed(grants, own[0]?.metadata.name ?? grants.defaultSubnet, isOvn);
}

/** The subnet of one of our secondary NICs: the one asked for, else the one whose provider is the NAD's. */
export function chooseProviderSubnet(grants: Grants, provider: string, asked: string | undefined): Result<string> {
  const fits = (subnet: Subnet) => isOvn(subnet) || subnet.spec.provider === provider;
  if (asked !== undefined) return chooseNamed(grants, asked, fits);
  const found = grants.subnets.filter((subnet) => subnet.spec.provider === provider).toSorted(compareAge)[0];
  if (found === undefined) return fail('SubnetNotFound', `no subnet has the provider ${provider}`);
  return chooseNamed(grants, found.metadata.name, fits);
}

function chooseNamed(grants: Grants, name: string, fits: (subnet: Subnet) => boolean): Result<string> {
  const subnet = grants.subnets.find((candidate) => candidate.metadata.name === name);
  if (subnet === undefined) return fail('SubnetNotFound', `subnet ${quote(name)} does not exist`);
  const { namespace } = grants;
  if (!isOpen(subnet) && !names(subnet, namespace)) {
    return fail('SubnetNotAllowed', `namespace ${namespace.metadata.name} may not use subnet ${name}`);
  }
  return fits(subnet)
    ? succeed(name)
    : fail('SubnetNotAllowed', `subnet ${name} has the provider ${subnet.spec.provider} and does not serve this NIC`);
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
