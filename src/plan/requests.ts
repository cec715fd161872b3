import { MULTUS_DEFAULT_NETWORK, MULTUS_NETWORKS } from '../api/annotations.ts';
import type { NetworkAttachmentDefinition, Pod, VmiSpec } from '../api/objects.ts';
import { fail, type Problem, type Result, succeed } from '../api/problem.ts';
import type { LogicalPortSpec } from '../api/types.gen.ts';
import { quote } from '../ipam/ranges.ts';
import { choosePrimarySubnet, chooseProviderSubnet, type Grants } from './grants.ts';
import { planNad } from './nad.ts';
import { parseReference, parseSelections } from './selection.ts';
import { listVmNics, type VmNic } from './vm-nics.ts';
import { type Named, parseWishes, type WishSource } from './wishes.ts';

/** Addresses to choose from: candidates in order, each with one address per family, or an IPPool by name. */
export type PoolWish =
  | { readonly kind: 'list'; readonly candidates: readonly (readonly string[])[]; readonly ordinal?: number }
  | { readonly kind: 'named'; readonly name: string };

/** A NIC that Mooring is to provide, with everything that was asked for it. */
export type NicRequest = {
  readonly nic: string;
  /** Interface of the pod that holds the port. */
  readonly interface: string;
  readonly subnet: string;
  readonly ips?: readonly string[];
  readonly mac?: string;
  readonly binding?: NonNullable<LogicalPortSpec['binding']>;
  /** `namespace/name`. */
  readonly nad?: string;
  readonly pool?: PoolWish;
  /** All routes of the interface, the default one among them; absent for the usual ones (LogicalPort's spec.routes). */
  readonly routes?: readonly { readonly dst: string; readonly gw?: string }[];
  readonly releasePolicy?: NonNullable<LogicalPortSpec['releasePolicy']>;
  readonly securityGroups?: readonly string[];
  /** Another plugin makes the NIC; it gets an address and no switch port. */
  readonly ipamOnly?: true;
  /** Name of the IPAMClaim that speaks for the NIC. */
  readonly ipamClaim?: string;
  /** Takes over a retained port of an earlier owner of the name. */
  readonly adopt?: true;
  /** On its way out: what exists stays until it is gone, nothing new is made. */
  readonly absent: boolean;
};

export type NicProblem = { readonly nic: string; readonly problem: Problem };

/** What an owner wants: its NICs on our networks, and the ones that cannot be had. Other plugins' NICs are in neither. */
export type RequestPlan = { readonly requests: readonly NicRequest[]; readonly problems: readonly NicProblem[] };

/** What requests are judged against. */
export type RequestContext = {
  readonly grants: Grants;
  /** Whether the pods' first interface is ours. */
  readonly primary: boolean;
  readonly findNad: (namespace: string, name: string) => NetworkAttachmentDefinition | undefined;
};

type Draft = Pick<NicRequest, 'nic' | 'interface' | 'absent' | 'binding'> & {
  readonly nad?: { readonly namespace: string; readonly name: string };
  readonly more?: readonly Named[];
};

const NIC_NAME = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
const PRIMARY_INTERFACE = 'eth0';

/** The NICs of a VM or VMI by its spec; `sources` are the objects whose annotations speak for it. */
export function planVmRequests(
  spec: VmiSpec | undefined,
  sources: readonly WishSource[],
  context: RequestContext,
): RequestPlan {
  const namespace = context.grants.namespace.metadata.name;
  return collect(
    listVmNics(spec).map((nic) => [nic.name, draftVmNic(nic, namespace)]),
    sources,
    context,
  );
}

function draftVmNic(nic: VmNic, namespace: string): Result<Draft> {
  const base = {
    nic: nic.name,
    interface: nic.interface,
    absent: nic.absent,
    ...(nic.binding === undefined ? {} : { binding: nic.binding }),
    more: nic.mac === undefined ? [] : [{ from: 'the interface', wish: { mac: nic.mac } }],
  };
  if (nic.network.kind === 'pod') return succeed(base);
  const reference = parseReference(nic.network.reference, namespace);
  return reference.ok ? succeed({ ...base, nad: reference.value }) : reference;
}

/** The interfaces of an ordinary pod: the first one, and those of the networks annotation. */
export function planPodRequests(pod: Pod, context: RequestContext): RequestPlan {
  if (pod.spec?.hostNetwork === true) return { requests: [], problems: [] };
  const namespace = context.grants.namespace.metadata.name;
  const annotations = pod.metadata.annotations ?? {};
  const selections = parseSelections(annotations[MULTUS_NETWORKS] ?? '', namespace);
  const secondary: [string, Result<Draft>][] = selections.ok
    ? selections.value.map((item) => [item.interface, succeed(draftSelection(item))])
    : [[PRIMARY_INTERFACE, selections]];
  const primary = draftPrimary(annotations[MULTUS_DEFAULT_NETWORK], namespace);
  const drafts: [string, Result<Draft>][] = [[PRIMARY_INTERFACE, primary], ...secondary];
  return collect(drafts, [{ from: 'the pod', annotations }], context);
}

function draftPrimary(reference: string | undefined, namespace: string): Result<Draft> {
  const base = { nic: PRIMARY_INTERFACE, interface: PRIMARY_INTERFACE, absent: false };
  if (reference === undefined) return succeed(base);
  const parsed = parseReference(reference, namespace);
  return parsed.ok ? succeed({ ...base, nad: parsed.value }) : parsed;
}

type Item = { namespace: string; name: string; interface: string; ips?: readonly string[]; mac?: string };

function draftSelection({ namespace, name, interface: nic, ips, mac }: Item): Draft {
  const wish = { ...(ips === undefined ? {} : { ips }), ...(mac === undefined ? {} : { mac }) };
  return {
    nic,
    interface: nic,
    absent: false,
    nad: { namespace, name },
    more: [{ from: 'the networks annotation', wish }],
  };
}

function collect(
  drafts: readonly (readonly [string, Result<Draft>])[],
  sources: readonly WishSource[],
  context: RequestContext,
): RequestPlan {
  const requests: NicRequest[] = [];
  const problems: NicProblem[] = [];
  for (const [nic, draft] of drafts) {
    const resolved = draft.ok ? resolve(draft.value, sources, context) : draft;
    const checked = resolved.ok && requests.some((other) => other.nic === nic) ? failTwice(nic) : resolved;
    if (!checked.ok) problems.push({ nic, problem: checked.problem });
    else if (checked.value !== undefined) requests.push(checked.value);
  }
  return { requests, problems };
}

/** One NIC is one port: a second network of its name would take an address that no port gives back. */
const failTwice = (nic: string) => fail('InvalidRequest', `two networks for interface ${quote(nic)}`);

/** Checks in order: name, network, wishes, subnet. Undefined for a NIC that another plugin makes. */
function resolve(
  draft: Draft,
  sources: readonly WishSource[],
  context: RequestContext,
): Result<NicRequest | undefined> {
  if (!NIC_NAME.test(draft.nic)) return fail('InvalidRequest', `${quote(draft.nic)} is not a name for a NIC`);
  const provider = findProvider(draft, context);
  if (!provider.ok) return provider;
  if (provider.value === undefined) return succeed(undefined);
  const keys = { nic: draft.nic, ...(draft.nad === undefined ? {} : { nad: draft.nad }) };
  const wish = parseWishes(keys, sources, draft.more);
  if (!wish.ok) return wish;
  const subnet =
    draft.nad === undefined
      ? choosePrimarySubnet(context.grants, wish.value.subnet)
      : chooseProviderSubnet(context.grants, provider.value, wish.value.subnet);
  if (!subnet.ok) return subnet;
  const { more: _, nad, ...rest } = draft;
  return succeed({
    ...rest,
    ...wish.value,
    subnet: subnet.value,
    ...(nad === undefined ? {} : { nad: `${nad.namespace}/${nad.name}` }),
  });
}

/** The provider that serves the NIC; undefined when it is not ours. */
function findProvider({ nad }: Draft, context: RequestContext): Result<string | undefined> {
  if (nad === undefined) return succeed(context.primary ? 'ovn' : undefined);
  const found = context.findNad(nad.namespace, nad.name);
  if (found === undefined) {
    return fail('NetworkAttachmentNotFound', `NetworkAttachmentDefinition ${nad.namespace}/${nad.name} does not exist`);
  }
  const plan = planNad(found);
  return plan.ok ? succeed(plan.value.ours ? plan.value.provider : undefined) : plan;
}
