import { containsAddress, parseAddress } from '../../api/address.ts';
import { KUBEVIRT, NETWORK_STATUS } from '../../api/annotations.ts';
import { asFields } from '../../api/fields.ts';
import { MIGRATION_INTERFACE } from '../../api/names.ts';
import type { Node, Pod } from '../../api/objects.ts';
import type { Reason } from '../../api/reasons.ts';
import type { MigrationNetworkStatus } from '../../api/types.gen.ts';
import { quote, type SubnetRanges } from '../../ipam/ranges.ts';
import { isTextList, parseJson } from '../wishes/json.ts';

/** What is true of one node: whether its virt-handler has an address on the migration network. */
export type NodeTruth = NonNullable<MigrationNetworkStatus['nodes']>[number] & { readonly reason: Reason };

/** What a virt-handler is to have. `nad` is `<namespace>/<name>`. */
export type Target = { readonly nad: string; readonly ranges: SubnetRanges };

const FINAL: readonly (string | undefined)[] = ['Succeeded', 'Failed'];

/** True for a virt-handler by its label; in what namespace it is says whether to believe it. */
export const isHandler = ({ metadata }: Pick<Pod, 'metadata'>): boolean =>
  metadata.labels?.[KUBEVIRT.app] === KUBEVIRT.handler;

/** True for a node that KubeVirt uses: its virt-handler says so by a label while it lives. */
export const isSchedulable = ({ metadata }: Node): boolean => metadata.labels?.[KUBEVIRT.schedulable] === 'true';

/** Each node that has a virt-handler or should have one, by name. */
export function listNodeTruths(handlers: readonly Pod[], nodes: readonly Node[], target: Target): NodeTruth[] {
  const byNode = new Map<string, Pod>();
  for (const pod of handlers) {
    const node = pod.spec?.nodeName;
    if (node === undefined || FINAL.includes(pod.status?.phase)) continue;
    const other = byNode.get(node);
    if (other === undefined || isBetter(pod, other)) byNode.set(node, pod);
  }
  const expected = new Set([...byNode.keys(), ...nodes.filter(isSchedulable).map(({ metadata }) => metadata.name)]);
  const truths = [...expected].sort().map((node) => judge(node, byNode.get(node), target));
  return markTwins(truths);
}

/** The one that stays; of two that stay the younger. */
function isBetter(a: Pod, b: Pod): boolean {
  const [left, right] = [a, b].map(
    ({ metadata }) => `${metadata.deletionTimestamp === undefined ? 1 : 0} ${metadata.creationTimestamp ?? ''}`,
  );
  return (left ?? '') > (right ?? '');
}

type Verdict = { readonly reason: Reason; readonly message: string; readonly address?: string };

function judge(node: string, pod: Pod | undefined, target: Target): NodeTruth {
  const verdict = findNotRunning(pod) ?? judgeAttached(pod && findAttached(pod), target);
  return {
    node,
    ...(pod === undefined ? {} : { pod: pod.metadata.name }),
    ...verdict,
    ready: verdict.reason === 'Ready',
    message: verdict.message.slice(0, 1000),
  };
}

function findNotRunning(pod: Pod | undefined): Verdict | undefined {
  const say = (message: string): Verdict => ({ reason: 'VirtHandlerNotRunning', message });
  if (pod === undefined) return say('there is no virt-handler pod');
  if (pod.metadata.deletionTimestamp !== undefined) return say('the pod is being deleted');
  const { phase = 'Pending' } = pod.status ?? {};
  if (phase !== 'Running') return say(`the pod is ${quote(phase)}`);
  // One that starts again and again runs by its phase.
  const isUnready = pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status !== 'True');
  return isUnready === true ? say('the pod is not ready') : undefined;
}

function judgeAttached(attached: Attached | undefined, { nad, ranges }: Target): Verdict {
  const isMissing = 'MigrationInterfaceMissing';
  if (attached === undefined) return { reason: isMissing, message: 'the pod has no interface migration0 yet' };
  if (attached.nad !== nad) {
    return { reason: isMissing, message: `migration0 is of ${quote(attached.nad)}, not of ${nad}` };
  }
  const [address] = attached.ips;
  if (address === undefined) return { reason: 'AddressOutsideRange', message: 'migration0 has no address' };
  if (!isInRange(ranges, address)) {
    return { reason: 'AddressOutsideRange', message: `${quote(address)} is not in the range` };
  }
  return { reason: 'Ready', message: 'migrations to and from this node use the migration network', address };
}

/** Two virt-handlers with one address: memory would go to either of them. */
function markTwins(truths: readonly NodeTruth[]): NodeTruth[] {
  const nodesOf = Map.groupBy(truths, ({ address }) => address);
  return truths.map((truth) => {
    const twins = truth.address === undefined ? [] : (nodesOf.get(truth.address) ?? []);
    const other = twins.find(({ node }) => node !== truth.node);
    if (other === undefined) return truth;
    const message = `the virt-handler of node ${other.node} has ${truth.address}, too`;
    return { ...truth, ready: false, reason: 'AddressConflict', message };
  });
}

export function isInRange(ranges: SubnetRanges, text: string): boolean {
  const address = parseAddress(text);
  return address !== undefined && ranges.some(({ cidr }) => containsAddress(cidr, address));
}

type Attached = { readonly nad: string; readonly ips: readonly string[] };

/** Longest list of interfaces that is read, and of addresses of one. */
const MOST = 64;

/** The interface migration0 of a pod as its network status tells (multi-network specification v1.3, section 5). */
export function findAttached({ metadata }: Pod): Attached | undefined {
  const value = parseJson(metadata.annotations?.[NETWORK_STATUS] ?? '')?.value;
  if (!Array.isArray(value) || value.length > MOST) return undefined;
  const found = value.flatMap((item: unknown) => asFields(item) ?? []);
  const entry = found.find((fields) => fields.get('interface') === MIGRATION_INTERFACE);
  if (entry === undefined) return undefined;
  const [name, ips] = [entry.get('name'), entry.get('ips')];
  return { nad: typeof name === 'string' ? name : '', ips: isTextList(ips, MOST) ? ips : [] };
}

/** Living virt-handlers that are on this network, by name. */
export function listUsers(handlers: readonly Pod[], nad: string): string[] {
  const users = handlers.filter((pod) => !FINAL.includes(pod.status?.phase) && findAttached(pod)?.nad === nad);
  return users.map(({ metadata }) => metadata.name).sort();
}
