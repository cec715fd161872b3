import { parseMac } from '../../api/address.ts';
import { MAC_ADDRESS, MULTUS_NETWORKS } from '../../api/annotations.ts';
import type { LogicalPort } from '../../api/types.gen.ts';
import { parseSelections } from '../../plan/wishes/selection.ts';
import { callAdd } from './call-add.ts';
import type { Pod } from './cluster.ts';
import type { Context } from './context.ts';
import { CniError } from './errors.ts';
import { type Found, findPort, isForVm } from './find-port.ts';
import { formatName, type NetworkPlan, planNetwork } from './plan-network.ts';
import { release } from './release.ts';
import { type AttachRequest, asFields } from './request.ts';
import type { Work } from './wire.ts';

/**
 * ADD as the IPAM plugin of another one: the addresses of the pod's LogicalPort for this interface. Nothing is made on
 * the node, so a repeated call gives the same answer; the address belongs to the LogicalPort and is given back with it.
 * Throws CniError that names the stage.
 */
export function addIpam(context: Context, request: AttachRequest, caller: AbortSignal): Promise<NetworkPlan> {
  return callAdd({ context, request, caller }, assign);
}

async function assign(work: Work, signal: AbortSignal): Promise<NetworkPlan> {
  const { context, request, stages } = work;
  const found = await findPort(work, signal);
  const plan = planNetwork(request.ifname, found.port, found.subnet);
  checkMac(request, found);
  stages.enter('journal');
  const former = context.journal.find(request);
  if (former !== undefined && former.ipam !== true) await release(context, request, signal);
  signal.throwIfAborted();
  const { containerId, ifname, netns } = request;
  await context.journal.put({
    ...{ containerId, ifname, netns, network: request.config.name, state: 'attached', ipam: true },
    ...{ hostInterface: '', ifaceId: '', gate: false, pod: { ...request.pod, uid: found.podUid } },
  });
  return plan;
}

/** Plugins whose interface has its parent's MAC, or the device's own. */
const OWN_MAC: readonly string[] = ['ipvlan', 'host-device', 'vlan', 'ptp', 'loopback'];

/**
 * An IPAM plugin cannot give a MAC: the outer plugin must be told. A fixed one that will not come about is an error, as
 * its owner counts on it. Throws CniError `unsupportedField`.
 */
function checkMac({ config, ifname }: AttachRequest, { pod, port, attachment, asked }: Found): void {
  const wanted = isForVm(pod, port) ? undefined : findFixedMac(pod, { nad: attachment.nad, ifname });
  const isOwn = OWN_MAC.includes(config.type);
  if (wanted === undefined || (!isOwn && asked.macs.length > 0)) return;
  const what = `the pod asks for MAC ${wanted} (LogicalPort ${formatName(port)}), which the plugin ${config.type}`;
  const way = isOwn
    ? 'cannot give: use macvlan or bridge, or ask for no MAC'
    : `was not told: put it as "mac" into the network's entry of the annotation ${MULTUS_NETWORKS}`;
  throw new CniError('unsupportedField', `${what} ${way}`);
}

/** The MAC that the pod asks for on this interface, in either of the two ways that concern another plugin's NIC. */
function findFixedMac(pod: Pod, at: { nad: string | undefined; ifname: string }): string | undefined {
  const annotations = pod.metadata?.annotations ?? {};
  const [namespace = '', name = ''] = (at.nad ?? '').split('/');
  const annotated = annotations[`${name}.${namespace}.kubernetes.io/${MAC_ADDRESS}`];
  return parseMac(annotated ?? findSelectedMac(annotations[MULTUS_NETWORKS] ?? '', at.ifname));
}

function findSelectedMac(networks: string, ifname: string): string {
  const selections = parseSelections(networks, 'default');
  return (selections.ok && selections.value.find((item) => item.interface === ifname)?.mac) || '';
}

/**
 * CHECK of an IPAM call: the addresses still are the LogicalPort's, and the outer plugin's result still has them.
 * Throws CniError that lists what is wrong.
 */
export function checkIpam(request: AttachRequest, at: { port: LogicalPort; plan: NetworkPlan }): void {
  const before = asFields(request.config.fields.get('prevResult'))?.get('ips');
  if (!Array.isArray(before)) return;
  const present = before.map((ip: unknown) => asFields(ip)?.get('address'));
  const missing = at.plan.ips.filter(({ cidr }) => !present.includes(cidr)).map(({ cidr }) => cidr);
  if (missing.length === 0) return;
  throw new CniError(
    'io',
    `the interface was made without ${missing.join(', ')} of LogicalPort ${formatName(at.port)}`,
  );
}
