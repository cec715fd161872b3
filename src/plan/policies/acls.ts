import { formatCidr } from '../../api/address.ts';
import type { NetworkPolicy } from '../../api/objects.ts';
import { formatExternalIds, formatOwner } from '../../api/owner.ts';
import type { Problem } from '../../api/problem.ts';
import type { WantedGroupAcl } from '../../ovn/wanted.ts';
import { ACL_PRIORITY } from '../networks/acl.ts';
import type { JoinNetwork } from '../settings.ts';
import { formatGroupName, type Group, type GroupSpec, makeGroup, type NameUse } from './groups.ts';
import { formatAddresses, formatPods, formatPorts, formatSubject, joinMatches, type Range } from './match.ts';
import { type ParsedPolicy, type Peer, type PortRule, parsePolicy, type Rule, type Side } from './parse.ts';
import { ANYTHING } from './selectors.ts';

/** What a policy is made into: the groups of pods that it speaks of, and ACLs on the groups that it isolates. */
export type PolicyPlan = {
  readonly groups: readonly Group[];
  readonly acls: readonly WantedGroupAcl[];
  /** Container ports that it names, and where: it is made anew when other pods have them. */
  readonly names: readonly NameUse[];
  readonly problems: readonly Problem[];
};

/** What a plan depends on beside the policy. */
export type PolicyFacts = {
  readonly cluster: string;
  readonly join: JoinNetwork;
  /** The numbers that pods of a group give to a container port, the commonest first. */
  readonly listNumbers: (use: NameUse) => readonly number[];
};

const MAX_ACLS = 4096;
/** Characters of all matches together; what is repeated for each of many ports may be long. */
const MAX_TEXT = 2_000_000;
/** Each group is a look at every pod of its namespaces. */
const MAX_GROUPS = 128;
/** How often a policy may call a port by its name, and how many numbers one name may have: pods may say anything. */
const MAX_NAMES = 64;
const MAX_NUMBERS = 64;
const MAX_PROBLEMS = 12;
const TOO_MUCH = `it comes to more than ${MAX_ACLS} ACLs, ${MAX_GROUPS} kinds of pods or ${MAX_TEXT} characters; the rest is left out`;
const ALL_PODS: GroupSpec = { namespaces: ANYTHING, pods: ANYTHING };

export const formatPolicyOwner = (namespace: string, name: string): string =>
  formatOwner({ kind: 'NetworkPolicy', namespace, name });

/** The rows of one NetworkPolicy. See docs/decisions/0024-network-policies.md. */
export function planPolicy(policy: NetworkPolicy, facts: PolicyFacts): PolicyPlan {
  const parsed = parsePolicy(policy);
  const draft = createDraft(policy, parsed, facts);
  const sides = (['ingress', 'egress'] as const).filter((side) => parsed[side] !== undefined);
  // Whatever is left out of a policy that is too long, it isolates.
  for (const side of sides) isolate(draft, side);
  for (const side of sides) {
    for (const [index, rule] of (parsed[side] ?? []).entries()) allow(draft, side, rule, `${side}/${index}`);
  }
  return draft.finish();
}

type Entry = Pick<WantedGroupAcl, 'priority' | 'action'> & { readonly match: string; readonly row: string };

type Draft = {
  readonly facts: PolicyFacts;
  readonly pods: GroupSpec;
  group(spec: GroupSpec): Group;
  /** An ACL on a group, for what comes in to its pods or goes out of them; not taken any more when the draft is full. */
  add(side: Side, subject: Group, entry: Entry): void;
  isFull(): boolean;
  use(use: NameUse): readonly number[];
  finish(): PolicyPlan;
};

function createDraft(policy: NetworkPolicy, parsed: ParsedPolicy, facts: PolicyFacts): Draft {
  const { name, namespace = '', uid = '' } = policy.metadata;
  const groups = new Map<string, Group>();
  const acls: WantedGroupAcl[] = [];
  const names: NameUse[] = [];
  const problems = [...parsed.problems];
  let textLeft = MAX_TEXT;
  let isFull = false;
  const externalIds = formatExternalIds(facts.cluster, { kind: 'NetworkPolicy', namespace, name, uid });
  const complain = (message: string) => {
    if (problems.length < MAX_PROBLEMS) problems.push({ reason: 'InvalidNetworkPolicy', message });
  };
  return {
    facts,
    pods: parsed.pods,
    group: (spec) => {
      const made = makeGroup(facts.cluster, spec);
      groups.set(made.id, made);
      return made;
    },
    isFull: () => isFull,
    add: (side, subject, { match, row, ...rest }) => {
      textLeft -= match.length;
      isFull ||= textLeft < 0 || acls.length === MAX_ACLS || groups.size > MAX_GROUPS;
      if (isFull) return;
      acls.push({
        group: formatGroupName(subject.id),
        row: `policy/${namespace}/${name}/${row}`,
        direction: side === 'ingress' ? 'to-lport' : 'from-lport',
        match: joinMatches(formatSubject(side, subject), match),
        ...rest,
        externalIds,
      });
    },
    use: (use) => {
      if (names.length === MAX_NAMES) {
        complain(`it names ports more than ${MAX_NAMES} times; port ${use.name} is left out`);
        return [];
      }
      names.push(use);
      const numbers = facts.listNumbers(use);
      if (numbers.length > MAX_NUMBERS) complain(`pods give more than ${MAX_NUMBERS} numbers to port ${use.name}`);
      return numbers.slice(0, MAX_NUMBERS);
    },
    finish: () => {
      if (isFull) complain(TOO_MUCH);
      return { groups: [...groups.values()], acls, names, problems };
    },
  };
}

/**
 * Nothing comes in or goes out but what rules allow. The nodes come in always, for the probes of kubelets, as they come
 * into private subnets. Answers, neighbour discovery and what DHCP answers pass above all ACLs; a guest's own question
 * for an address is an ordinary packet (ovn-northd(8)).
 */
function isolate(draft: Draft, side: Side): void {
  const subject = draft.group(draft.pods);
  const { isolated, node } = ACL_PRIORITY;
  draft.add(side, subject, { priority: isolated, action: 'drop', match: 'ip', row: `${side}/rest` });
  if (side === 'egress') {
    const questions = { v4: DHCP4, v6: DHCP6 };
    for (const [family, match] of Object.entries(questions)) {
      draft.add(side, subject, { priority: node, action: 'allow-related', match, row: `${side}/dhcp/${family}` });
    }
    return;
  }
  for (const { cidr } of draft.facts.join) {
    const match = `ip${cidr.family}.src == ${formatCidr(cidr)}`;
    const row = `${side}/nodes/v${cidr.family}`;
    draft.add(side, subject, { priority: node, action: 'allow-related', match, row });
  }
}

const DHCP4 = 'ip4.dst == 255.255.255.255 && udp.src == 68 && udp.dst == 67';
const DHCP6 = 'ip6.dst == ff02::1:2 && udp.src == 546 && udp.dst == 547';

/** One thing that a rule allows: packets as `match` says, between the pods of the policy and some of the peers. */
type Grant = {
  readonly slot: string;
  readonly subject: GroupSpec;
  readonly peers: Rule['peers'];
  /** Made only when it is used: it may speak of a group of its own. */
  readonly match: () => string;
};

function allow(draft: Draft, side: Side, { peers, ports }: Rule, row: string): void {
  for (const grant of listGrants(draft, side, { peers, ports })) {
    if (draft.isFull()) return;
    const subject = draft.group(grant.subject);
    for (const { slot, match } of listPeerMatches(draft, side, grant.peers)) {
      if (draft.isFull()) return;
      const whole = joinMatches(match, grant.match()) || 'ip';
      const place = `${row}/${slot}/${grant.slot}`;
      draft.add(side, subject, { priority: ACL_PRIORITY.rule, action: 'allow-related', match: whole, row: place });
    }
  }
}

/** By protocol, and by name and number where a port has a name. */
function listGrants(draft: Draft, side: Side, { peers, ports }: Rule): Grant[] {
  const { pods: subject } = draft;
  if (ports === 'all') return [{ slot: 'all', subject, peers, match: () => '' }];
  const byNumber = (['TCP', 'UDP', 'SCTP'] as const).flatMap((protocol): Grant[] => {
    const ranges = ports.flatMap((port) => (port.protocol === protocol && 'first' in port ? [port] : []));
    return ranges.length === 0 ? [] : [{ slot: protocol, subject, peers, match: () => formatPorts(protocol, ranges) }];
  });
  const named = ports.flatMap((port, index) => ('name' in port ? [{ ...port, index }] : [])).slice(0, MAX_NAMES);
  const byName = named.flatMap((port) =>
    side === 'ingress' ? listOwnNames(draft, port, peers) : listPeerNames(draft, port, peers),
  );
  return [...byNumber, ...byName];
}

type NamedRule = Extract<PortRule, { name: string }> & { readonly index: number };

/** The name is one of the policy's own pods: those that have it with one number are let in at that number. */
function listOwnNames(draft: Draft, { name, protocol, index }: NamedRule, peers: Rule['peers']): Grant[] {
  const { pods } = draft;
  return draft.use({ name, protocol, pods }).map((port) => ({
    slot: `named/${index}/${port}`,
    subject: { ...pods, port: { name, protocol, port } },
    peers,
    match: () => formatPorts(protocol, [only(port)]),
  }));
}

/** The name is one of the pods that the policy's own may go to, also where these are chosen by their addresses. */
function listPeerNames(draft: Draft, { name, protocol, index }: NamedRule, peers: Rule['peers']): Grant[] {
  const listed: readonly Peer[] = peers === 'all' ? [{ pods: ALL_PODS }] : peers;
  return listed.flatMap((peer, at) => {
    const pods = 'pods' in peer ? peer.pods : ALL_PODS;
    return draft.use({ name, protocol, pods }).map((port): Grant => {
      const named: GroupSpec = { ...pods, port: { name, protocol, port } };
      const slot = `named/${index}/${at}/${port}`;
      const number = formatPorts(protocol, [only(port)]);
      if ('pods' in peer) return { slot, subject: draft.pods, peers: [{ pods: named }], match: () => number };
      const match = () => joinMatches(formatEither(draft.group(named)), number);
      return { slot, subject: draft.pods, peers: [peer], match };
    });
  });
}

const formatEither = (group: Group): string =>
  `(${([4, 6] as const).map((family) => formatPods('egress', family, group)).join(' || ')})`;

const only = (port: number): Range => ({ first: port, last: port });

type PeerMatch = { readonly slot: string; readonly match: string };

/** A match for each peer and family: the short ones are those that OVN follows address by address. */
function* listPeerMatches(draft: Draft, side: Side, peers: Rule['peers']): Generator<PeerMatch> {
  if (peers === 'all') yield { slot: 'all', match: '' };
  for (const [index, peer] of peers === 'all' ? [] : peers.entries()) {
    for (const family of [4, 6] as const) {
      const match = formatPeer(draft, side, family, peer);
      if (match !== undefined) yield { slot: `${index}/v${family}`, match };
    }
  }
}

function formatPeer(draft: Draft, side: Side, family: 4 | 6, peer: Peer): string | undefined {
  if ('pods' in peer) return formatPods(side, family, draft.group(peer.pods));
  return peer.cidrs[0]?.family === family ? formatAddresses(side, family, peer.cidrs) : undefined;
}
