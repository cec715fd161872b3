import { applyThings, expectSoon, findThing, getThing } from '../../test/lab/demo/context.ts';
import { runInVm } from '../../test/lab/kubevirt/guests.ts';
import { type Console, createGuestEnd, createPodEnd, type End, installFlow, type Scene } from './ends.ts';
import { formatVm, NAMESPACE, ROLES, type Role, vmNameOf } from './objects.ts';
import type { GuestBinding } from './plan.ts';
import { pickByRole, type Stage } from './stage.ts';

type VmBinding = Exclude<GuestBinding, 'macvtap'>;

/** Twelve guests boot at the same time. */
const BOOT_SECONDS = 150;

/** Three VMs with one binding, which differ in their nodes; they go with the stage. */
export async function openVms(stage: Stage, binding: VmBinding): Promise<Scene> {
  const { context, nodes, pods, flow } = stage;
  await applyThings(
    context,
    ROLES.map((role) => formatVm(binding, role, nodes[role].name)),
  );
  const ends = await Promise.all(ROLES.map((role) => awaitVm(stage, binding, role)));
  const guests = pickByRole(ends, (role) => vmNameOf(binding, role));
  return {
    target: guests.target,
    from: (path, role) => (path === 'guestToGuest' ? guests[role] : createPodEnd(pods[role], pods[role].ip, flow)),
  };
}

async function awaitVm({ context, gift }: Stage, binding: VmBinding, role: Role): Promise<End> {
  const name = vmNameOf(binding, role);
  await expectSoon(`VM ${name} running`, BOOT_SECONDS, async () =>
    (await findThing(context, 'vmi', name, NAMESPACE))?.status?.phase === 'Running' ? true : undefined,
  );
  const port = await getThing(context, 'lp', `${name}.default.vm`, NAMESPACE);
  const ask: Console = (line, timeoutMs) => runInVm(context.lab, { namespace: NAMESPACE, name }, line, timeoutMs);
  await expectSoon(`a lease in the guest of ${name}`, BOOT_SECONDS, async () => {
    const { output } = await ask('cat /run/lease.eth0', 5000).catch(() => ({ output: '' }));
    return output.includes('ip=') ? true : undefined;
  });
  await installFlow(name, ask, gift);
  return createGuestEnd(name, String(port.spec.ips[0]), ask);
}
