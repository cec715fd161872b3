import { formatAddress, parseAddress } from '../../../api/address.ts';
import { AGENT_ADDRESS, AGENT_KEY } from '../../../api/annotations.ts';
import { type Lease, type Resource, retryConflicts } from '../../../kube/index.ts';
import { CarryError } from './errors.ts';

/** What an agent tells of itself in its Lease. */
export type Peer = { readonly key: string; readonly address: string };

/** Where the Leases are. */
export type Registry = {
  readonly leases: Pick<Resource<Lease>, 'find' | 'create' | 'patch'>;
  /** Mooring's own. */
  readonly namespace: string;
  /** The agent's own pod, if it is one: its Lease goes with it, whether an upgrade, a removal or the node's end is the cause. */
  readonly pod?: { readonly name: string; readonly uid: string };
};

const TIMEOUT_MS = 5000;

/** Name of a node's Lease; the policy of the chart lets an agent write only the one of its own node. */
export function formatLeaseName(node: string): string {
  return `node.${node}`;
}

/** The address that the other nodes know this one by; the first, as kubelets order them. */
export function findInternalIp({ status }: { status?: NodeStatus | undefined }): string | undefined {
  const addresses = status?.addresses?.filter(({ type }) => type === 'InternalIP') ?? [];
  return addresses.flatMap(({ address }) => canonical(address) ?? [])[0];
}
export type NodeStatus = { readonly addresses?: readonly { readonly type: string; readonly address: string }[] };

/** As the kernel spells it, for comparing. */
function canonical(text: string): string | undefined {
  const address = parseAddress(text);
  return address === undefined ? undefined : formatAddress(address);
}

/** Writes the node's Lease where it does not say so yet. */
export async function publish(registry: Registry, node: string, own: Peer, signal: AbortSignal): Promise<void> {
  const { leases, namespace, pod } = registry;
  const ref = { namespace, name: formatLeaseName(node) };
  const annotations = { [AGENT_KEY]: own.key, [AGENT_ADDRESS]: own.address };
  const ownerReferences = pod === undefined ? [] : [{ apiVersion: 'v1', kind: 'Pod', ...pod }];
  const metadata = { annotations, ownerReferences };
  await retryConflicts(async () => {
    const found = await leases.find(ref, { signal, timeoutMs: TIMEOUT_MS });
    if (found === undefined) {
      const spec = { holderIdentity: node };
      await leases.create({ metadata: { ...ref, ...metadata }, spec }, { signal, timeoutMs: TIMEOUT_MS });
    } else if (!isSame(found, own, pod?.uid)) {
      await leases.patch(ref, { metadata }, { signal, timeoutMs: TIMEOUT_MS });
    }
  });
}

function isSame({ metadata }: Lease, own: Peer, owner: string | undefined): boolean {
  const { annotations = {}, ownerReferences = [] } = metadata;
  const isOwned = ownerReferences.length === (owner === undefined ? 0 : 1) && ownerReferences[0]?.uid === owner;
  return isOwned && annotations[AGENT_KEY] === own.key && annotations[AGENT_ADDRESS] === own.address;
}

/** What the agent of another node has published. Throws CarryError `unknownPeer`, and the API's own errors. */
export async function getPeer(registry: Registry, node: string, signal: AbortSignal): Promise<Peer> {
  const ref = { namespace: registry.namespace, name: formatLeaseName(node) };
  const lease = await registry.leases.find(ref, { signal, timeoutMs: TIMEOUT_MS });
  const key = lease?.metadata.annotations?.[AGENT_KEY];
  const address = canonical(lease?.metadata.annotations?.[AGENT_ADDRESS] ?? '');
  if (key === undefined || address === undefined) {
    throw new CarryError('unknownPeer', `the agent of node ${node} has published no key and address yet`);
  }
  return { key, address };
}
