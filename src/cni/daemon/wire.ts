import type { LogicalPort } from '../../api/types.gen.ts';
import type { Pod } from './cluster.ts';
import type { Context } from './context.ts';
import { CniError } from './errors.ts';
import { refuseLeaving } from './find-port.ts';
import type { JournalEntry } from './journal.ts';
import { type AttachmentPlan, planLink } from './plan-attachment.ts';
import type { WantedPort } from './ports.ts';
import type { AttachRequest } from './request.ts';
import type { Stages } from './stages.ts';
import type { Undo } from './undo.ts';
import { until } from './until.ts';

/** How the kernel's alias of every host end of ours begins. */
export const ALIAS_PREFIX = 'mooring ';

/** One ADD under way. */
export type Work = {
  readonly context: Context;
  readonly request: AttachRequest;
  readonly stages: Stages;
  readonly undo: Undo;
};
export type AttachmentTarget = { readonly pod: Pod; readonly port: LogicalPort; readonly plan: AttachmentPlan };

/** Stages journal, veth, ovs, installed: the changes, each with its undo registered before it. */
export async function wire(work: Work, target: AttachmentTarget, signal: AbortSignal): Promise<void> {
  const { context, request, stages, undo } = work;
  const { plan } = target;
  const { journal, links, ports } = context;
  stages.enter('journal');
  const entry = describeEntry(request, target);
  undo.add('journal', (failed) =>
    failed.length === 0 ? journal.delete(request) : journal.put({ ...entry, state: 'releasing' }),
  );
  await journal.put(entry);
  stages.enter('veth');
  signal.throwIfAborted();
  undo.add('veth', async () => {
    await links.run({ kind: 'detachVeth', hostName: plan.hostInterface });
  });
  await links.run(planVeth(context, request, plan));
  stages.enter('ovs');
  signal.throwIfAborted();
  undo.add('ovs', () => ports.remove([plan.hostInterface]));
  const evicted = await ports.ensurePod(planPort(request, target), signal);
  if (evicted.length > 0) context.log.info({ ifaceId: plan.ifaceId, evicted }, 'ports of an older sandbox had to go');
  stages.enter('installed');
  const changed = both(ports.onChange, context.cluster.onChange);
  const podUid = target.pod.metadata?.uid ?? request.pod.uid;
  await until(changed, () => checkInstalled(context, request, { plan, podUid }), signal);
  await journal.put({ ...entry, state: 'attached' });
}

function both(...sources: ((listener: () => void) => () => void)[]): (listener: () => void) => () => void {
  return (listener) => {
    const ends = sources.map((source) => source(listener));
    return () => {
      for (const end of ends) end();
    };
  };
}

/** True once OVN has the port in place; throws CniError when it never will be. */
function checkInstalled(
  context: Context,
  request: AttachRequest,
  { plan, podUid }: Pick<AttachmentTarget, 'plan'> & { podUid: string },
): true | undefined {
  if (context.cluster.hasSynced()) refuseLeaving(context.cluster, { ...request, podUid });
  const port = context.ports.find(plan.hostInterface);
  if (port === undefined) {
    if (!context.ports.isLive()) return undefined;
    throw new CniError(
      'fenced',
      `port ${plan.hostInterface} was removed from OVS: a newer sandbox has taken ${plan.ifaceId}`,
    );
  }
  if (port.error !== undefined) throw new CniError('io', `ovs-vswitchd cannot use ${port.name}: ${port.error}`);
  return port.installed ? true : undefined;
}

function describeEntry(request: AttachRequest, { plan, pod }: AttachmentTarget): JournalEntry {
  const { containerId, ifname, netns } = request;
  return {
    containerId,
    ifname,
    netns,
    network: request.config.name,
    state: 'wiring',
    hostInterface: plan.hostInterface,
    ifaceId: plan.ifaceId,
    pod: { ...request.pod, uid: pod.metadata?.uid ?? request.pod.uid },
    gate: plan.gate !== undefined,
    ...(plan.bare === true ? { bare: true as const } : {}),
  };
}

function planVeth(context: Context, request: AttachRequest, plan: AttachmentPlan) {
  const { name, namespace } = request.pod;
  return {
    kind: 'attachVeth',
    netnsPath: request.netns,
    hostName: plan.hostInterface,
    peerName: plan.podInterface,
    mac: plan.mac,
    mtu: plan.mtu,
    ...planLink(plan),
    expectHostNetnsDifferent: true,
    disableTxChecksum: context.ports.findBridge()?.datapath === 'netdev',
    alias: `${ALIAS_PREFIX}${namespace}/${name}/${plan.podInterface}`.slice(0, 200),
    trackForMigration: plan.trackForMigration === true,
    ...(plan.gate === undefined ? {} : { gate: { binding: plan.gate } }),
  } as const;
}

function planPort(request: AttachRequest, { plan, pod }: AttachmentTarget): WantedPort {
  const { containerId, ifname } = request;
  return {
    name: plan.hostInterface,
    ifaceId: plan.ifaceId,
    ifaceIdVer: plan.ifaceIdVer,
    containerId,
    ifname,
    mac: plan.mac,
    ips: plan.ips.map((ip) => ip.cidr.slice(0, ip.cidr.indexOf('/'))),
    pod: { ...request.pod, uid: pod.metadata?.uid ?? request.pod.uid },
  };
}
