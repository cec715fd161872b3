import {
  findCondition,
  type Identity,
  identityOf,
  isDeleting,
  isDown,
  type KubeNode,
  type Pod,
  type Vmi,
  type Vmim,
} from '../objects.ts';
import type { Context, Observed, Write } from './plan.ts';
import { findCurrentPod } from './plan-vmi.ts';

/** Migrations that KubeVirt starts by itself are told by these annotations, and wait longer after each failure. */
const WORKLOAD = 'kubevirt.io/workloadUpdateMigration';
const EVACUATION = 'kubevirt.io/evacuationMigration';
const IN_PROGRESS = 'descheduler.alpha.kubernetes.io/eviction-in-progress';
/** The workload updater looks every few seconds only. */
const UPDATE_SECONDS = 2;
const BACKOFF_SECONDS = 20;
const BACKOFF_LIMIT_SECONDS = 300;
/** Finished migrations of a VMI that are kept (pkg/virt-controller/watch/migration, garbage collection). */
const KEPT = 5;

/** Migrations of the cluster that are under way, oldest first, with the node that each leaves. */
export type Traffic = { uid: string; node: string; started: boolean; createdAt: string }[];

/**
 * Those of `migrations` that have not ended; `findVmi` gives the VMI that one names. `admitted` are the UIDs of those
 * whose target is being made, which no cache shows yet.
 */
export function deriveTraffic(
  migrations: readonly Vmim[],
  findVmi: (job: Vmim) => Vmi | undefined,
  admitted: ReadonlySet<string> = new Set(),
): Traffic {
  return migrations
    .filter((job) => !isEnded(job))
    .map((job) => {
      const { uid } = identityOf(job);
      const started = admitted.has(uid) || (job.status?.phase ?? 'Pending') !== 'Pending';
      return { uid, node: findSource(findVmi(job), uid), started, createdAt: orderOf(job) };
    });
}

function findSource(vmi: Vmi | undefined, uid: string): string {
  const { migrationState, nodeName = '' } = vmi?.status ?? {};
  return (migrationState?.migrationUid === uid ? migrationState.sourceNode : undefined) ?? nodeName;
}

/** Migrations nobody asked for by hand: off a node that is drained or evicts, and for what only a migration brings. */
export function planAutomatic(observed: Observed, context: Context): Write | undefined {
  const { vmi, pods } = observed;
  if (vmi === undefined || isDeleting(vmi) || vmi.status?.phase !== 'Running') return undefined;
  const marked = markEviction(vmi, findCurrentPod(vmi, pods));
  if (marked !== undefined) return marked;
  const free = observed.migrations.every((migration) => isEnded(migration));
  if (!free || findCondition(vmi.status.conditions, 'LiveMigratable')?.status !== 'True') return undefined;
  return planEvacuation(vmi, observed, context) ?? planWorkloadUpdate(vmi, context);
}

function isEnded({ status }: Vmim): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}

function markEviction({ status }: Vmi, pod: Pod | undefined): Write | undefined {
  if (status?.evacuationNodeName === undefined || pod === undefined || isDown(pod)) return undefined;
  const { annotations = {} } = pod.metadata;
  if (annotations[IN_PROGRESS] !== undefined || pod.spec.nodeName !== status.evacuationNodeName) return undefined;
  const metadata = { ...pod.metadata, annotations: { ...annotations, [IN_PROGRESS]: 'true' } };
  return { verb: 'update', kind: 'Pod', object: { ...pod, metadata } };
}

/** pkg/virt-controller/watch/drain/evacuation: no more migrations than may run at a time. */
function planEvacuation(vmi: Vmi, { nodes, traffic }: Observed, { settings }: Context): Write | undefined {
  const { nodeName = '', evacuationNodeName } = vmi.status ?? {};
  const strategy = vmi.spec.evictionStrategy ?? 'LiveMigrate';
  const drained = isDrained(nodes, nodeName, settings.drainTaint) && strategy.startsWith('LiveMigrate');
  if (evacuationNodeName !== nodeName && !drained) return undefined;
  const leaving = traffic.filter(({ node }) => node === nodeName);
  if (traffic.length >= settings.perCluster || leaving.length >= settings.perNode) return undefined;
  return createMigration(
    vmi,
    { prefix: 'kubevirt-evacuation-', key: EVACUATION, value: nodeName },
    'Created Migration',
  );
}

function isDrained(nodes: readonly KubeNode[], name: string, key: string): boolean {
  const node = nodes.find((one) => one.metadata.name === name);
  return (node?.spec?.taints ?? []).some((taint) => taint.key === key && taint.effect === 'NoSchedule');
}

/** pkg/virt-controller/watch/workload-updater. */
function planWorkloadUpdate(vmi: Vmi, { settings, now }: Context): Write | undefined {
  const condition = findCondition(vmi.status?.conditions, 'MigrationRequired');
  if (condition?.status !== 'True' || !settings.autoMigrate) return undefined;
  const waited = (Date.parse(now) - Date.parse(condition.lastTransitionTime ?? now)) / 1000;
  if (waited < UPDATE_SECONDS) return undefined;
  const message = 'Created Migration for automated workload update';
  return createMigration(vmi, { prefix: 'kubevirt-workload-update-', key: WORKLOAD, value: '' }, message);
}

type Sort = { prefix: string; key: string; value: string };

function createMigration(vmi: Vmi, { prefix, key, value }: Sort, message: string): Write {
  const { name, namespace } = identityOf(vmi);
  const object: Vmim = {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachineInstanceMigration',
    metadata: { generateName: prefix, namespace, annotations: { [key]: value } },
    spec: { vmiName: name },
  };
  const note = { on: 'VirtualMachineInstance', name, type: 'Normal', reason: 'SuccessfulCreate', message } as const;
  return { verb: 'create', kind: 'VirtualMachineInstanceMigration', object, note };
}

/**
 * True while a migration may not make its target yet: too many are ahead of it in the cluster or off its node, or it is
 * an automatic one and the last of them failed a short time ago. Those that are older count as ahead, so that two
 * workers never take one place.
 */
export function mustWait(migration: Vmim, node: string, observed: Observed, context: Context): boolean {
  const { uid } = identityOf(migration);
  const createdAt = orderOf(migration);
  const ahead = observed.traffic.filter((one) => one.uid !== uid && (one.started || one.createdAt < createdAt));
  const { perCluster, perNode } = context.settings;
  const full = ahead.length >= perCluster || ahead.filter((one) => one.node === node).length >= perNode;
  return full || (isAutomatic(migration) && context.now < findRetryTime(observed.migrations));
}

export function orderOf({ metadata }: { metadata: Vmim['metadata'] }): string {
  return `${metadata.creationTimestamp ?? ''} ${metadata.namespace ?? ''}/${metadata.name ?? ''}`;
}

function isAutomatic({ metadata }: Vmim): boolean {
  return metadata.annotations?.[WORKLOAD] !== undefined || metadata.annotations?.[EVACUATION] !== undefined;
}

/** When an automatic migration may be tried again: 20 s after a failure, twice that after the next. */
function findRetryTime(migrations: readonly Vmim[]): string {
  const ended = migrations.filter((one) => isAutomatic(one) && isEnded(one));
  const newest = ended.toSorted((a, b) => (orderOf(a) < orderOf(b) ? 1 : -1));
  const succeeded = newest.findIndex((one) => one.status?.phase === 'Succeeded');
  const failures = succeeded < 0 ? newest.length : succeeded;
  const times = newest[0]?.status?.phaseTransitionTimestamps ?? [];
  const failedAt = times.find(({ phase }) => phase === 'Failed')?.phaseTransitionTimestamp;
  if (failures === 0 || failedAt === undefined) return '';
  const seconds = Math.min(BACKOFF_SECONDS * 2 ** (failures - 1), BACKOFF_LIMIT_SECONDS);
  return new Date(Date.parse(failedAt) + seconds * 1000).toISOString();
}

/** Of a VMI's finished migrations only the five newest stay. */
export function planCollection({ vmi, migrations }: Observed): Write | undefined {
  if (vmi === undefined) return undefined;
  const ended = migrations.filter((one) => isEnded(one) && (one.metadata.finalizers ?? []).length === 0);
  const [oldest] = ended.toSorted((a, b) => (orderOf(a) < orderOf(b) ? -1 : 1));
  if (oldest === undefined || ended.length <= KEPT || isDeleting(oldest)) return undefined;
  const identity: Identity = identityOf(oldest);
  return { verb: 'delete', kind: 'VirtualMachineInstanceMigration', ...identity };
}
