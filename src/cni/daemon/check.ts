import { parseCidr, parseMac } from '../../api/address.ts';
import type { Context } from './context.ts';
import { CniError } from './errors.ts';
import { checkIpam } from './ipam.ts';
import type { JournalEntry } from './journal.ts';
import { type AttachmentPlan, planAttachment, planLink } from './plan-attachment.ts';
import { type NetworkPlan, planNetwork, type Route } from './plan-network.ts';
import type { OvsPort } from './ports.ts';
import { type AttachRequest, asFields } from './request.ts';

/** CHECK: the veth, its addresses and routes, the port in OVS and OVN's word. Throws CniError that lists every fault. */
export async function check(context: Context, request: AttachRequest): Promise<void> {
  const entry = context.journal.find(request);
  if (entry?.state !== 'attached') throw new CniError('io', 'this sandbox has no such attachment on this node');
  const at = findParts(context, request, entry);
  if (entry.ipam === true) {
    checkIpam(request, { port: at.port, plan: planNetwork(request.ifname, at.port, at.subnet) });
    return;
  }
  const { node } = context;
  const plan = planAttachment({ key: request, podUid: entry.pod.uid, node, ...at, defaultMtu: context.findMtu() });
  const link = planLink(plan, { bare: entry.bare });
  // KubeVirt takes a link without address apart for its guest.
  const told = entry.bare === true ? NOTHING_TOLD : readTold(request);
  const { problems } = await context.links.run({
    kind: 'checkVeth',
    hostName: plan.hostInterface,
    netnsPath: request.netns,
    peerName: plan.podInterface,
    ...(told.mac === undefined ? {} : { mac: told.mac }),
    addresses: [...new Set([...link.addresses, ...told.addresses])],
    routes: listCheckedRoutes(request, link),
  });
  const all = [...problems, ...findPortFaults(plan, context.ports.find(plan.hostInterface))];
  if (all.length > 0) throw new CniError('io', all.join('; '));
}

function findParts({ cluster }: Context, request: AttachRequest, entry: JournalEntry) {
  const port = cluster.findPort(entry.pod.uid, request.ifname);
  const subnet = port === undefined ? undefined : cluster.findSubnet(port.spec.subnet);
  if (port === undefined || subnet === undefined) {
    throw new CniError('tryAgain', 'its LogicalPort or Subnet is not known');
  }
  return { port, subnet };
}

/** What the whole list of plugins has made of the interface, as the runtime holds it. */
export type Told = { readonly mac?: string; readonly addresses: readonly string[] };

const NOTHING_TOLD: Told = { addresses: [] };

/**
 * MAC and addresses of the interface in `prevResult`, which a later plugin of the list may have changed or added to
 * (CNI SPEC.md, "CHECK"). Throws CniError `invalidConfig` for an address that is none.
 */
export function readTold({ config, ifname }: AttachRequest): Told {
  const result = asFields(config.fields.get('prevResult'));
  const links = listFields(result?.get('interfaces'));
  const index = links.findIndex((link) => link?.get('name') === ifname && Boolean(link.get('sandbox')));
  if (index < 0) return NOTHING_TOLD;
  const mac = parseMac(String(links[index]?.get('mac')));
  const own = listFields(result?.get('ips')).filter((ip) => ip?.get('interface') === index);
  const addresses = own.map((ip) => String(ip?.get('address')));
  const wrong = addresses.find((address) => parseCidr(address) === undefined);
  if (wrong !== undefined) {
    throw new CniError('invalidConfig', `prevResult has ${JSON.stringify(wrong.slice(0, 60))} for an address`);
  }
  return { ...(mac === undefined ? {} : { mac }), addresses };
}

function listFields(value: unknown): (ReadonlyMap<string, unknown> | undefined)[] {
  return Array.isArray(value) ? value.map(asFields) : [];
}

/** Our routes, without those that a later plugin of the list has taken out of the result. */
export function listCheckedRoutes(request: AttachRequest, plan: Pick<NetworkPlan, 'routes'>): readonly Route[] {
  const final = asFields(request.config.fields.get('prevResult'))?.get('routes');
  if (!Array.isArray(final)) return plan.routes;
  const kept = new Set(final.map((route: unknown) => asFields(route)?.get('dst')));
  return plan.routes.filter(({ dst }) => kept.has(dst));
}

/** What is wrong with the port in OVS, in words. */
export function findPortFaults(plan: AttachmentPlan, port: OvsPort | undefined): string[] {
  if (port === undefined) return [`port ${plan.hostInterface} is missing in OVS`];
  if (port.ifaceId !== plan.ifaceId) return [`port ${plan.hostInterface} is bound to ${port.ifaceId}`];
  if (port.ifaceIdVer !== plan.ifaceIdVer) return [`port ${plan.hostInterface} carries another LogicalPort's UID`];
  return port.installed ? [] : [`OVN has not installed ${plan.ifaceId}`];
}
