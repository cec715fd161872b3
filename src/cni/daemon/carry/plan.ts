import type { LogicalPort } from '../../../api/types.gen.ts';
import type { JournalEntry } from '../journal.ts';

/** One port whose launcher moves: its tracked connections are to be in the target's namespace before the guest is. */
export type Carry = {
  readonly portUid: string;
  /** `namespace/name` of the LogicalPort, for people. */
  readonly port: string;
  readonly namespace: string;
  /** The port's addresses; no connection of another address is carried. */
  readonly ips: readonly string[];
  /** Names of the two nodes that the attachments name. */
  readonly source: string;
  readonly target: string;
  /** The target launcher. */
  readonly podName: string;
  readonly podUid: string;
  readonly interface: string;
  /** Namespaces on this node: of the source launchers where this is the source, of the target launcher where it is the target. */
  readonly netnsPaths: readonly string[];
};

/** What this node has to do: take in connections as the target, hand them out as the source. */
export type Carries = { readonly incoming: readonly Carry[]; readonly outgoing: readonly Carry[] };

type Attachment = NonNullable<LogicalPort['spec']['attachments']>[number];

/**
 * The ports with masquerade that move to or from this node. A port with one target and launchers on exactly one other
 * node; anything else is nobody's to carry. `netnsPaths` is empty while the node has no finished attachment.
 */
export function planCarries(ports: readonly LogicalPort[], journal: readonly JournalEntry[], node: string): Carries {
  const carries = ports.flatMap((port) => planCarry(port, journal, node) ?? []);
  const sorted = carries.toSorted((a, b) => (a.portUid < b.portUid ? -1 : 1));
  return {
    incoming: sorted.filter(({ target }) => target === node),
    outgoing: sorted.filter(({ source }) => source === node),
  };
}

function planCarry(port: LogicalPort, journal: readonly JournalEntry[], node: string): Carry | undefined {
  const { metadata, spec } = port;
  const { namespace = '', name = '', uid } = metadata;
  const pair = findPair(spec.attachments ?? []);
  if (spec.binding !== 'masquerade' || uid === undefined || pair === undefined) return undefined;
  const { target, sources, source } = pair;
  const held = source === node ? sources : [target];
  return {
    portUid: uid,
    port: `${namespace}/${name}`,
    namespace,
    ips: spec.ips,
    source,
    target: target.node,
    podName: target.podName,
    podUid: target.podUID,
    interface: target.interface,
    netnsPaths: held.flatMap((attachment) => listPaths(attachment, journal)),
  };
}

/** The one target, and the launchers of the one other node that are its source. */
function findPair(attachments: readonly Attachment[]) {
  const [target, ...others] = attachments.filter(({ role }) => role === 'Target');
  const sources = attachments.filter(({ role }) => role === 'Source');
  const [source, ...elsewhere] = new Set(sources.map(({ node }) => node));
  if (target === undefined || source === undefined || source === target.node) return undefined;
  return others.length + elsewhere.length > 0 ? undefined : { target, sources, source };
}

/** A sandbox that was made anew for the same pod is the only one that is attached; of two the newer one counts, too. */
function listPaths(attachment: Attachment, journal: readonly JournalEntry[]): string[] {
  return journal
    .filter(({ pod, ifname, state, ipam }) => {
      const isOurs = pod.uid === attachment.podUID && ifname === attachment.interface;
      return isOurs && state === 'attached' && ipam !== true;
    })
    .map(({ netns }) => netns);
}

/** Where the port is now that this carry is not asked for any more: with the target's launcher, or not. */
export function isCommitted({ podUid }: Carry, ports: readonly LogicalPort[]): boolean {
  return ports.some(({ spec }) =>
    spec.attachments?.some((attachment) => attachment.podUID === podUid && attachment.role === 'Source'),
  );
}

/** Two carries with the same key are the same; another target launcher makes another one. */
export function formatCarryKey({ portUid, podUid, source, netnsPaths }: Carry): string {
  return [portUid, podUid, source, ...netnsPaths].join(' ');
}
