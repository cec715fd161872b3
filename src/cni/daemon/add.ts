import { callAdd } from './call-add.ts';
import type { Context } from './context.ts';
import { findPort } from './find-port.ts';
import type { JournalEntry } from './journal.ts';
import { type AttachmentPlan, planAttachment, planLink } from './plan-attachment.ts';
import { release } from './release.ts';
import type { AttachRequest } from './request.ts';
import type { Attached } from './result.ts';
import { type AttachmentTarget, type Work, wire } from './wire.ts';

/**
 * ADD: the pod's LogicalPort, a veth into its netns, a port in OVS, and OVN's word that it works (DESIGN.md section 7).
 * Throws CniError that names the stage; nothing of the attempt is left then, or the reaper knows of it.
 * `caller` aborts when the runtime has gone away.
 */
export function add(context: Context, request: AttachRequest, caller: AbortSignal): Promise<Attached> {
  return callAdd({ context, request, caller }, attach);
}

async function attach(work: Work, signal: AbortSignal): Promise<Attached> {
  const target = await findTarget(work, signal);
  const known = await findFormer(work, target);
  if (known !== undefined) return known;
  await wire(work, target, signal);
  return describe(work.request, target.plan);
}

/** Stages pod, port, subnet: everything is read and decided before the first change. */
async function findTarget(work: Work, signal: AbortSignal): Promise<AttachmentTarget> {
  const { context, request } = work;
  const { pod, podUid, port, subnet } = await findPort(work, signal);
  const { node, activation } = context;
  const plan = planAttachment({ key: request, podUid, node, port, subnet, defaultMtu: context.findMtu(), activation });
  return { pod, port, plan };
}

/**
 * A repeated ADD: the same answer when all is still as that ADD left it; whatever an ADD that was cut off has left is
 * removed first.
 */
async function findFormer(work: Work, target: AttachmentTarget): Promise<Attached | undefined> {
  const { context, request } = work;
  const entry = context.journal.find(request);
  const present = context.ports.find(target.plan.hostInterface);
  if (entry === undefined && present === undefined) return undefined;
  const same = entry?.state === 'attached' && present?.installed === true && present.ifaceId === target.plan.ifaceId;
  const mtu = same ? await findIntact(work, target.plan, entry) : undefined;
  if (mtu !== undefined) return describe(request, { ...target.plan, mtu });
  context.log.info({ containerId: request.containerId, ifname: request.ifname }, 'a former attempt is removed first');
  await release(context, request);
  return undefined;
}

/**
 * The MTU of an interface that is as that ADD left it, undefined when it is not. Which MTU it is says nothing: the
 * subnet's or the cluster's may have changed since, and an interface in use keeps what it was made with.
 */
async function findIntact(
  { context, request }: Work,
  plan: AttachmentPlan,
  entry: JournalEntry,
): Promise<number | undefined> {
  const { problems, mtu = plan.mtu } = await context.links.run({
    kind: 'checkVeth',
    hostName: plan.hostInterface,
    netnsPath: request.netns,
    peerName: plan.podInterface,
    mac: plan.mac,
    ...planLink(plan, { bare: entry.bare }),
  });
  return problems.length === 0 ? mtu : undefined;
}

function describe(request: AttachRequest, plan: AttachmentPlan): Attached {
  const { mac, mtu, ips, routes, dns } = plan;
  return {
    host: { name: plan.hostInterface },
    pod: { name: plan.podInterface, mac, mtu, netns: request.netns },
    ips,
    routes,
    dns,
  };
}
