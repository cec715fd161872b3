import type { Subnet } from '../../api/types.gen.ts';
import type { Context } from './context.ts';
import { withDeadline } from './deadline.ts';
import { CniError } from './errors.ts';
import { explain, refuseBroken } from './explain.ts';
import { type AttachmentPlan, planAttachment } from './plan-attachment.ts';
import { release } from './release.ts';
import type { AttachRequest } from './request.ts';
import type { Attached } from './result.ts';
import { createStages } from './stages.ts';
import { createUndo } from './undo.ts';
import { until } from './until.ts';
import { type AttachmentTarget, type Work, wire } from './wire.ts';

/**
 * ADD: the pod's LogicalPort, a veth into its netns, a port in OVS, and OVN's word that it works (DESIGN.md section 7).
 * Throws CniError that names the stage; nothing of the attempt is left then, or the reaper knows of it.
 * `caller` aborts when the runtime has gone away.
 */
export async function add(context: Context, request: AttachRequest, caller: AbortSignal): Promise<Attached> {
  const stages = createStages(context.clock);
  const work: Work = { context, request, stages, undo: createUndo(context.log) };
  const outcome = context.calls.run(request, (overtaken) =>
    withDeadline(context.clock, context.deadlines.addMs, [caller, overtaken], (signal) => attach(work, signal)),
  );
  try {
    const attached = await outcome;
    report(work, 'ok');
    return attached;
  } catch (error) {
    const failure = explain(context, { request, stage: stages.current() }, error);
    report(work, 'failed', failure);
    throw failure;
  }
}

async function attach(work: Work, signal: AbortSignal): Promise<Attached> {
  try {
    signal.throwIfAborted();
    const target = await findTarget(work, signal);
    const known = await findFormer(work, target);
    if (known !== undefined) return known;
    await wire(work, target, signal);
    return describe(work.request, target.plan);
  } catch (error) {
    await work.undo.run();
    throw error;
  }
}

/** Stages pod, port, subnet: everything is read and decided before the first change. */
async function findTarget(work: Work, signal: AbortSignal): Promise<AttachmentTarget> {
  const { context, request, stages } = work;
  const { cluster, node } = context;
  const wait = <T>(derive: () => T | undefined) => until(cluster.onChange, derive, signal);
  const pod = await wait(() => cluster.findPod(request.pod));
  const podUid = pod.metadata?.uid ?? request.pod.uid;
  const stillThere = () => {
    if (cluster.findPod(request.pod) === undefined) throw new CniError('fenced', 'the pod was deleted meanwhile');
  };
  stages.enter('port');
  const port = await wait(() => {
    stillThere();
    const found = cluster.findPort(podUid, request.ifname);
    if (found !== undefined) refuseBroken(found);
    return found;
  });
  stages.enter('subnet');
  const subnet = await wait<Subnet>(() => {
    stillThere();
    return cluster.findSubnet(port.spec.subnet);
  });
  const plan = planAttachment({ key: request, podUid, node, port, subnet, defaultMtu: context.defaultMtu });
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
  if (same && (await isIntact(work, target.plan))) return describe(request, target.plan);
  context.log.info({ containerId: request.containerId, ifname: request.ifname }, 'a former attempt is removed first');
  await release(context, request);
  return undefined;
}

async function isIntact({ context, request }: Work, plan: AttachmentPlan): Promise<boolean> {
  const { mac, mtu, routes } = plan;
  const { problems } = await context.links.run({
    kind: 'checkVeth',
    hostName: plan.hostInterface,
    netnsPath: request.netns,
    peerName: plan.podInterface,
    mac,
    mtu,
    addresses: plan.ips.map((ip) => ip.cidr),
    routes,
  });
  return problems.length === 0;
}

function describe(request: AttachRequest, plan: AttachmentPlan): Attached {
  const { mac, mtu, ips, routes } = plan;
  return {
    host: { name: plan.hostInterface },
    pod: { name: plan.podInterface, mac, mtu, netns: request.netns },
    ips,
    routes,
  };
}

function report(work: Work, outcome: 'ok' | 'failed', error?: CniError): void {
  const { context, request, stages } = work;
  const spent = stages.finish();
  const { containerId, ifname, pod } = request;
  const fields = { verb: 'ADD', outcome, containerId, ifname, pod: `${pod.namespace}/${pod.name}`, ...spent };
  context.metrics.observe('add', spent.ms, { outcome });
  for (const [stage, ms] of Object.entries(spent.stages)) context.metrics.observe('add_stage', ms, { stage, outcome });
  if (error === undefined) {
    context.log.info(fields, 'add');
    return;
  }
  context.log.warn({ ...fields, stage: stages.current(), err: error }, 'add');
  const regarding = context.cluster.findPod(pod);
  if (regarding === undefined) return;
  const note = { type: 'Warning', reason: 'AttachFailed', action: 'Attach', note: error.message } as const;
  context.events.record({ apiVersion: 'v1', kind: 'Pod', ...regarding }, note);
}
