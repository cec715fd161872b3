import { LOGICAL_SWITCH, MULTUS_DEFAULT_NETWORK, MULTUS_NETWORKS } from '../../api/annotations.ts';
import {
  findController,
  isStorageOnly,
  type Pod,
  type VirtualMachine,
  type VirtualMachineInstance,
  type VmiSpec,
} from '../../api/objects.ts';
import { fail, type Result, succeed } from '../../api/problem.ts';
import { quote } from '../../ipam/ranges.ts';
import { combine } from '../wishes/keys.ts';
import { createWishReader } from '../wishes/reader.ts';
import { parseDefaultNetwork, parseReference, parseSelections, type Selection } from '../wishes/selection.ts';
import type { WishSource } from '../wishes/types.ts';
import { parseIps, parseMacText } from '../wishes/values.ts';
import type { Draft } from './draft.ts';
import { matchNetworks, type Present } from './match-networks.ts';
import { named, resolveAll } from './resolve.ts';
import { type NicRequest, PRIMARY_INTERFACE, type RequestContext, type RequestPlan } from './types.ts';
import { listVmNics, type VmNic } from './vm-nics.ts';

/** IPAMClaims by the pod's interface, from `parseClaimReferences` of a launcher that is the VM's own. */
export type ClaimReferences = ReadonlyMap<string, string>;

/**
 * The NICs of a VM or VMI by its spec. `sources` are the objects whose annotations speak for it. Precedence and
 * disagreement as DESIGN.md section 4 has them.
 */
export function planVmRequests(
  spec: VmiSpec | undefined,
  sources: readonly WishSource[],
  context: RequestContext,
  claims: ClaimReferences = new Map(),
): RequestPlan {
  const namespace = context.grants.namespace.metadata.name;
  const drafts = listVmNics(spec).map((nic) => [nic.name, draftVmNic(nic, namespace, claims)] as const);
  return refuseReservedMacs(resolveAll({ drafts, sources, read: createWishReader(sources) }, context));
}

/** Of the bridge that KubeVirt makes in every launcher; it refuses it in a spec, and sees no annotation. */
const KUBEVIRT_MAC = '02:00:00:00:00:00';

function refuseReservedMacs(plan: RequestPlan): RequestPlan {
  const refused = plan.requests.filter(({ mac }) => mac === KUBEVIRT_MAC);
  if (refused.length === 0) return plan;
  const problems = refused.map(({ nic }) => ({
    nic,
    problem: fail('InvalidRequest', `MAC ${KUBEVIRT_MAC} is KubeVirt's own; ask for another`).problem,
  }));
  const requests = plan.requests.filter(({ mac }) => mac !== KUBEVIRT_MAC);
  return { ...plan, requests, problems: [...plan.problems, ...problems] };
}

/** The objects whose annotations speak for a guest: its VM and the VM's template, or the VMI of a guest without a VM. */
export function listGuestSources(
  vm: VirtualMachine | undefined,
  vmi: Pick<VirtualMachineInstance, 'metadata'> | undefined,
): WishSource[] {
  if (vm === undefined) return [{ from: 'the VMI', annotations: vmi?.metadata.annotations }];
  return [
    { from: 'the VM', annotations: vm.metadata.annotations },
    { from: "the VM's template", annotations: vm.spec?.template?.metadata?.annotations },
  ];
}

function draftVmNic(nic: VmNic, namespace: string, claims: ClaimReferences): Result<Draft> {
  const claim = claims.get(nic.interface);
  const asked = combine({ mac: parseMacText(nic.mac ?? ''), binding: succeed(nic.binding) });
  const base = {
    nic: nic.name,
    interface: nic.interface,
    absent: nic.absent,
    ...(nic.binding === undefined ? {} : { binding: nic.binding }),
    more: [
      named('the interface', asked),
      ...(claim === undefined ? [] : [named('the launcher', succeed({ ipamClaim: claim }))]),
    ],
  };
  if (nic.network.kind === 'pod') return succeed(base);
  const reference = parseReference(nic.network.reference, namespace);
  if (!reference.ok) return reference;
  const { namespace: nadNamespace, name, interface: link } = reference.value;
  if (link !== '') {
    const asked = quote(nic.network.reference);
    return fail(
      'InvalidRequest',
      `networkName ${asked} names an interface, which KubeVirt does itself; leave out what follows @`,
    );
  }
  return succeed({ ...base, nad: { namespace: nadNamespace, name } });
}

/**
 * The interfaces of an ordinary pod: the first one, and those of the networks annotation. When that cannot be read, the
 * plan is `incomplete` and its problem is the first interface's: the pod cannot start, what exists is not to be touched.
 * `present` are the interfaces that the pod has LogicalPorts for: a network that names no interface keeps the one it has.
 * A launcher without a guest has its networks of the VM, whose addresses its annotations repeat: only the networks count.
 */
export function planPodRequests(pod: Pod, context: RequestContext, present: readonly Present[] = []): RequestPlan {
  if (pod.spec?.hostNetwork === true) return { requests: [], problems: [] };
  const namespace = context.grants.namespace.metadata.name;
  const { annotations = {} } = pod.metadata;
  const selections = parseSelections(readText(annotations, MULTUS_NETWORKS) ?? '', namespace);
  if (!selections.ok) {
    return { requests: [], problems: [{ nic: PRIMARY_INTERFACE, problem: selections.problem }], incomplete: true };
  }
  const bare = isStorageOnly(pod.metadata);
  const sources = [{ from: 'the pod', annotations: bare ? pickNetworks(annotations) : annotations }];
  const ordinal = deriveOrdinal(pod);
  const first = draftFirst(readText(annotations, MULTUS_DEFAULT_NETWORK), bare);
  const others = nameAll(selections.value, present).map(
    (item) => [item.interface, succeed(draftSelection(item, bare))] as const,
  );
  const listing = {
    drafts: [[PRIMARY_INTERFACE, first] as const, ...others],
    sources,
    read: createWishReader(sources),
    ...(ordinal === undefined ? {} : { ordinal }),
  };
  const plan = resolveAll(listing, context);
  return bare ? { ...plan, requests: plan.requests.map(withOwner) } : plan;
}

/**
 * The first interface of a launcher whose guest has no NIC there: a pod's own like any other, of which nothing is asked but,
 * maybe, the network. All else that its annotations say is the guest's.
 */
export function planSpareRequests({ metadata: { annotations = {} } }: Pod, context: RequestContext): RequestPlan {
  const first = draftFirst(readText(annotations, MULTUS_DEFAULT_NETWORK), true);
  const plan = resolveAll({ drafts: [[PRIMARY_INTERFACE, first]], sources: [], read: createWishReader([]) }, context);
  return { ...plan, requests: plan.requests.map(withOwner) };
}

/** Its name is never used again: nothing that the networks' own policy would retain is ever wanted back. */
const withOwner = (request: NicRequest): NicRequest => ({ ...request, releasePolicy: 'WithOwner' });

const pickNetworks = (annotations: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(annotations).filter(([key]) => key.endsWith(`/${LOGICAL_SWITCH}`)));

const nameAll = (selections: readonly Selection[], present: readonly Present[]): Selection[] => {
  const further = present.filter(({ ifname }) => ifname !== PRIMARY_INTERFACE);
  return matchNetworks(selections, further).wanted.map(({ selected }) => selected);
};

/** The NAD of an interface, as `<namespace>/<name>`, also where all else of its request makes no sense. */
export function findPodNad({ metadata }: Pod, nic: string, present: readonly Present[]): string | undefined {
  const text = readText(metadata.annotations ?? {}, MULTUS_NETWORKS) ?? '';
  const selections = parseSelections(text, metadata.namespace ?? '');
  const found = selections.ok && nameAll(selections.value, present).find((item) => item.interface === nic);
  return found ? `${found.namespace}/${found.name}` : undefined;
}

const readText = (annotations: Readonly<Record<string, string>>, key: string): string | undefined =>
  Object.hasOwn(annotations, key) ? annotations[key] : undefined;

function draftFirst(text: string | undefined, bare: boolean): Result<Draft> {
  const base = { nic: PRIMARY_INTERFACE, interface: PRIMARY_INTERFACE, absent: false, more: [] };
  if (text === undefined || text.trim() === '') return succeed(base);
  const selection = parseDefaultNetwork(text);
  return selection.ok ? succeed(draftSelection(selection.value, bare)) : selection;
}

/** `bare`: nothing but the network. */
function draftSelection(item: Selection, bare: boolean): Draft {
  const { namespace, name, interface: nic, ips, mac, defaultRoute, ipamClaim } = item;
  const base = { nic, interface: nic, absent: false, nad: { namespace, name } };
  if (bare) return { ...base, more: [] };
  const asked = combine({
    ips: ips === undefined || ips.length === 0 ? succeed(undefined) : parseIps(ips, { prefix: true }),
    mac: parseMacText(mac ?? ''),
    defaultRoute: succeed(defaultRoute),
    ipamClaim: succeed(ipamClaim),
  });
  return {
    ...base,
    more: [named('the networks annotation', asked)],
    ...(defaultRoute === undefined ? {} : { defaultRoute }),
  };
}

const ORDINAL = /^(0|[1-9][0-9]{0,8})$/;

/**
 * The number of a StatefulSet's pod, from its name. The label `apps.kubernetes.io/pod-index` says the same, but anybody
 * may write it; a forged owner gives a pod nothing but another entry of its own list.
 */
export function deriveOrdinal({ metadata }: Pick<Pod, 'metadata'>): number | undefined {
  const owner = findController(metadata);
  if (owner?.kind !== 'StatefulSet' || owner.apiVersion.split('/')[0] !== 'apps') return undefined;
  const prefix = `${owner.name}-`;
  const suffix = metadata.name.startsWith(prefix) ? metadata.name.slice(prefix.length) : '';
  return ORDINAL.test(suffix) ? Number(suffix) : undefined;
}
