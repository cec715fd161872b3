import { findCondition, identityOf, isDown, isFinal, type Pod, type Vmi, type Vmim } from '../objects.ts';
import { isFinalMigration } from './plan-migration.ts';

/** Why virt-api refuses a request; `evacuate` also marks the VMI, so that virt-controller moves it. */
export type Refusal = { code: 400 | 429; message: string; evacuate?: true };

/**
 * What virt-api says to an eviction of a launcher (pkg/virt-api/webhooks/validating-webhook/admitters, pod eviction):
 * the guest is moved instead, and whoever asked comes again until the launcher has ended.
 */
export function judgeEviction(pod: Pod, vmi: Vmi | undefined): Refusal | undefined {
  if (vmi === undefined || isDown(pod) || isFinal(vmi)) return undefined;
  const strategy = vmi.spec.evictionStrategy ?? 'LiveMigrate';
  if (strategy === 'None') return undefined;
  const movable = findCondition(vmi.status?.conditions, 'LiveMigratable')?.status === 'True';
  return movable || strategy === 'External' ? refuseAndMove(pod, vmi) : refuseFixed(strategy, vmi);
}

function refuseFixed(strategy: string, vmi: Vmi): Refusal | undefined {
  if (strategy === 'LiveMigrateIfPossible') return undefined;
  const { name } = identityOf(vmi);
  const message = `VMI ${name} is configured with an eviction strategy but is not live-migratable`;
  return { code: 429, message };
}

function refuseAndMove(pod: Pod, vmi: Vmi): Refusal {
  const { evacuationNodeName, nodeName } = vmi.status ?? {};
  if (pod.spec.nodeName !== nodeName) return { code: 429, message: 'Eviction request for target Pod' };
  const { namespace, name } = identityOf(vmi);
  const message = `Eviction triggered evacuation of VMI "${namespace}/${name}"`;
  return evacuationNodeName === nodeName ? { code: 429, message } : { code: 429, message, evacuate: true };
}

/** One migration of a VMI at a time (same place, migration create). `others` are the migrations that name the VMI. */
export function judgeMigration(migration: Vmim, others: readonly Vmim[]): Refusal | undefined {
  const active = others.find((one) => one.spec.vmiName === migration.spec.vmiName && !isFinalMigration(one));
  if (active === undefined) return undefined;
  const job = `Active migration job (${identityOf(active).uid}) is currently already in progress`;
  return { code: 400, message: `in-flight migration detected. ${job} for VMI ${migration.spec.vmiName}.` };
}
