import { parseMac } from '../../../api/address.ts';
import { MAC_ADDRESS, MULTUS_DEFAULT_NETWORK, MULTUS_NETWORKS } from '../../../api/annotations.ts';
import { isStorageOnly } from '../../../api/objects.ts';
import type { Result } from '../../../api/problem.ts';
import type { LogicalPort } from '../../../api/types.gen.ts';
import { matchNetworks, type Present } from '../../../plan/requests/match-networks.ts';
import type { Pod } from '../cluster.ts';
import { CniError } from '../errors.ts';
import type { AttachRequest } from '../request.ts';
import type { Task } from './attach.ts';
import { type Nad, planChain } from './plan-chain.ts';
import { type Requests, readDefaultNetwork, readSelected, type Selected } from './selected.ts';

/** Where networks come from. */
export type Nads = {
  /** Gives a NAD; rejects when there is none. */
  need(namespace: string, name: string): Promise<Nad>;
  /** Types of others' plugins that NADs may name; none for any. */
  readonly pluginTypes?: readonly string[];
};

/** What all interfaces of one sandbox have in common. */
export type Sandbox = Pick<Task, 'containerId' | 'netns' | 'pod' | 'cniArgs'>;

/** Everything that is known of a sandbox by the call for its first interface. */
export function describeSandbox(request: AttachRequest): Sandbox {
  const { containerId, netns, pod } = request;
  const args = [...(request.args ?? [])].filter(([key]) => key !== 'IP' && key !== 'MAC');
  return { containerId, netns, pod, cniArgs: args.map((pair) => pair.join('=')).join(';') };
}

/** The value, or the problem as the error of a call that cannot be helped by trying again. */
export function need<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  const { reason, message } = result.problem;
  throw new CniError('invalidConfig', `${reason}: ${message}`);
}

/** The first interface of a pod: the cluster's own network, unless the pod has chosen another. Throws CniError. */
export async function planFirst(request: AttachRequest, pod: Pod, nads: Nads): Promise<Task> {
  const sandbox = describeSandbox(request);
  const annotations = pod.metadata?.annotations ?? {};
  const chosen = annotations[MULTUS_DEFAULT_NETWORK]?.trim() ?? '';
  if (chosen === '') {
    const { name, fields } = request.config;
    const chain = { name, plugins: [Object.fromEntries(fields)], ours: true };
    return { ...sandbox, ifname: request.ifname, first: true, network: name, chain, requests: {}, order: 0 };
  }
  const network = need(readDefaultNetwork(chosen));
  const selected = { ...network, interface: request.ifname, requests: planRequests(pod, network) };
  return { ...(await planTask(sandbox, { selected, order: 0 }, nads)), first: true };
}

/**
 * All other networks of a pod, in the order of its list. A network that names no interface has that of its LogicalPort if
 * there is one: after a change of the list, or a new sandbox, not its place decides. Throws CniError, for the whole if one
 * cannot be had.
 */
export async function planFurther(
  request: AttachRequest,
  pod: Pod,
  nads: Nads,
  ports: readonly LogicalPort[] = [],
): Promise<Task[]> {
  const sandbox = describeSandbox(request);
  const { wanted } = matchNetworks(readNetworks(pod, request.pod.namespace), listPresent(pod, ports, request.ifname));
  const selections = wanted.map(({ selected }) => selected);
  const taken = selections.find((selected) => selected.interface === request.ifname);
  if (taken !== undefined) {
    throw new CniError(
      'invalidConfig',
      `network ${taken.namespace}/${taken.name} asks for ${request.ifname}, which is the first interface`,
    );
  }
  return Promise.all(selections.map((selected, index) => planTask(sandbox, { selected, order: index + 1 }, nads)));
}

function listPresent({ metadata }: Pod, ports: readonly LogicalPort[], first: string): Present[] {
  const own = ports.flatMap(({ spec }) => spec.attachments ?? []).filter(({ podUID }) => podUID === metadata?.uid);
  return own.flatMap(({ nad, interface: ifname }) => (nad === undefined || ifname === first ? [] : { ifname, nad }));
}

/** The networks annotation. Throws CniError `invalidConfig`. */
export function readNetworks(pod: Pod, namespace: string): Selected[] {
  const list = need(readSelected(pod.metadata?.annotations?.[MULTUS_NETWORKS] ?? '', namespace));
  return list.map((selected) => ({ ...selected, requests: planRequests(pod, selected) }));
}

/** What the plugins are told; for a launcher without a guest no address or route, which are its VM's. */
function planRequests({ metadata }: Pod, selected: Selected): Requests {
  if (!isStorageOnly(metadata)) return addMac(metadata?.annotations ?? {}, selected);
  const { cniArgs, deviceId } = selected.requests;
  return { ...(cniArgs === undefined ? {} : { cniArgs }), ...(deviceId === undefined ? {} : { deviceId }) };
}

/** A MAC that Kube-OVN's annotation asks for on another plugin's NIC: only that plugin can give it, so it is told. */
function addMac(annotations: Readonly<Record<string, string>>, { namespace, name, requests }: Selected): Requests {
  const mac = parseMac(annotations[`${name}.${namespace}.kubernetes.io/${MAC_ADDRESS}`] ?? '');
  return mac === undefined ? requests : { mac, ...requests };
}

/** One interface on the network of a NAD. Throws CniError. */
export async function planTask(
  sandbox: Sandbox,
  { selected, order }: { selected: Selected; order: number },
  { need: findNad, pluginTypes }: Nads,
): Promise<Task> {
  const nad = `${selected.namespace}/${selected.name}`;
  const chain = need(planChain(await findNad(selected.namespace, selected.name), selected, pluginTypes));
  const { interface: ifname, requests } = selected;
  return { ...sandbox, ifname, first: false, network: nad, nad, chain, requests, order };
}
