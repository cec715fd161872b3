import { kubectl } from '../kubectl.ts';
import { applyThings, type Context, expectSoon, findThing, getThing, listThings } from './context.ts';
import { formatClaimant, NAMESPACE } from './manifests.ts';
import { deletePod } from './pods.ts';
import { readFacts } from './vms.ts';

export type Released = { ip: string; freed: boolean };

/** Deletes the VM, awaits that its port is gone, and has a pod claim the very address. */
export async function releaseVm(context: Context, name: string): Promise<Released> {
  const { ip } = readFacts(await getThing(context, 'vmi', name));
  await kubectl(context.lab, ['-n', NAMESPACE, 'delete', 'vm', name, '--timeout=60s'], { timeoutMs: 70_000 });
  await expectSoon(`the LogicalPort of ${name} gone`, 60, async () => {
    const ports = await listThings(context, 'lp');
    return ports.some((port) => port.spec.owner.name === name) ? undefined : true;
  });
  await applyThings(context, [formatClaimant(ip)]);
  const claimed = await expectSoon(`a pod with the freed address ${ip}`, 30, async () => {
    const pod = await findThing(context, 'pod', 'claimant');
    return pod?.status?.phase === 'Running' ? String(pod.status.podIP) : undefined;
  });
  await deletePod(context, 'claimant');
  return { ip, freed: claimed === ip };
}
