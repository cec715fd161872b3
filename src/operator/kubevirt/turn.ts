import type { KubeVirt } from '../../api/objects.ts';
import type { Outcome } from '../../kube/index.ts';
import { planManagedTap } from '../../plan/kubevirt/managed-tap.ts';
import { findKubevirt } from '../../plan/migration-network/types.ts';
import { reportProblem, type Turn } from '../context.ts';

const DENIED_MS = 10_000;

/** One turn for a KubeVirt object, `<namespace>/<name>`: the binding plugin managedTap, where the settings ask for it. */
export async function runKubevirtTurn(turn: Turn, key: string): Promise<Outcome> {
  const { world, settings, log } = turn;
  if (settings.registerManagedTap !== true) return { done: true };
  if (world.kubevirts.isDenied()) return { requeueAfterMs: DENIED_MS };
  const kubevirt = world.kubevirts.store.get(key);
  // The one that counts when there are several by mistake.
  const oldest = findKubevirt(world.kubevirts.store.list());
  if (kubevirt === undefined || kubevirt.metadata.uid !== oldest?.metadata.uid) return { done: true };
  if (kubevirt.metadata.deletionTimestamp !== undefined) return { done: true };
  const plan = planManagedTap(kubevirt);
  if (plan.ok) {
    if (plan.value !== undefined) await register(turn, kubevirt, plan.value);
    return { done: true };
  }
  log.warn({ kubevirt: key, problem: plan.problem }, 'the binding plugin managedTap is not registered');
  reportProblem(turn, describe(kubevirt), 'Registering', plan.problem);
  return { done: true };
}

/** Only against the object that was looked at: a lost race throws, and the next turn looks again. */
async function register({ api, events, log, signal }: Turn, kubevirt: KubeVirt, patch: object): Promise<void> {
  const { namespace, name, uid, resourceVersion } = kubevirt.metadata;
  log.info({ kubevirt: `${namespace}/${name}`, patch }, 'telling KubeVirt of the binding plugin managedTap');
  await api.kubevirts.patch({ namespace, name }, { ...patch, metadata: { uid, resourceVersion } }, { signal });
  const note = 'spec.configuration.network.binding.managedtap is set, as bindings.registerManagedTap asks for';
  events.record(describe(kubevirt), { type: 'Normal', reason: 'PluginRegistered', action: 'Registering', note });
}

const describe = (kubevirt: KubeVirt) => ({ ...kubevirt, apiVersion: 'kubevirt.io/v1', kind: 'KubeVirt' });
