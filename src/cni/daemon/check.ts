import type { Context } from './context.ts';
import { CniError } from './errors.ts';
import type { JournalEntry } from './journal.ts';
import { type AttachmentPlan, planAttachment } from './plan-attachment.ts';
import type { OvsPort } from './ports.ts';
import type { AttachRequest } from './request.ts';

/** CHECK: the veth, its addresses and routes, the port in OVS and OVN's word. Throws CniError that lists every fault. */
export async function check(context: Context, request: AttachRequest): Promise<void> {
  if (request.config.cniVersion.startsWith('0.3.')) {
    throw new CniError('incompatibleVersion', `CHECK does not exist in ${request.config.cniVersion}`);
  }
  const entry = context.journal.find(request);
  if (entry?.state !== 'attached') throw new CniError('io', 'this sandbox has no such attachment on this node');
  const plan = derivePlan(context, request, entry);
  const { problems } = await context.links.run({
    kind: 'checkVeth',
    hostName: plan.hostInterface,
    netnsPath: request.netns,
    peerName: plan.podInterface,
    addresses: plan.ips.map((ip) => ip.cidr),
  });
  const all = [...problems, ...findPortFaults(plan, context.ports.find(plan.hostInterface))];
  if (all.length > 0) throw new CniError('io', all.join('; '));
}

function derivePlan(context: Context, request: AttachRequest, entry: JournalEntry): AttachmentPlan {
  const { cluster, node, defaultMtu } = context;
  const port = cluster.findPort(entry.pod.uid, request.ifname);
  const subnet = port === undefined ? undefined : cluster.findSubnet(port.spec.subnet);
  if (port === undefined || subnet === undefined) {
    throw new CniError('tryAgain', 'its LogicalPort or Subnet is not known');
  }
  return planAttachment({ key: request, podUid: entry.pod.uid, node, port, subnet, defaultMtu });
}

/** What is wrong with the port in OVS, in words. */
export function findPortFaults(plan: AttachmentPlan, port: OvsPort | undefined): string[] {
  if (port === undefined) return [`port ${plan.hostInterface} is missing in OVS`];
  if (port.ifaceId !== plan.ifaceId) return [`port ${plan.hostInterface} is bound to ${port.ifaceId}`];
  if (port.ifaceIdVer !== plan.ifaceIdVer) return [`port ${plan.hostInterface} carries another LogicalPort's UID`];
  return port.installed ? [] : [`OVN has not installed ${plan.ifaceId}`];
}
