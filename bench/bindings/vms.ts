import { applyThings, type Context, expectSoon, findThing, getThing, listThings } from '../../test/lab/demo/context.ts';
import { kubectl } from '../../test/lab/kubectl.ts';
import { runInVm } from '../../test/lab/kubevirt/guests.ts';
import { type Console, createGuestEnd, createPodEnd, type End, installFlow, type Scene } from './ends.ts';
import { formatVm, NAMESPACE, ROLES, type Role, vmNameOf } from './objects.ts';
import type { GuestBinding } from './plan.ts';
import type { Stage } from './stage.ts';

type VmBinding = Exclude<GuestBinding, 'macvtap'>;

const BOOT_SECONDS = 90;
const LAUNCHERS = ['-n', NAMESPACE, '-l', 'kubevirt.io=virt-launcher'];

/** Three VMs with one binding, which differ in their nodes; disposing them awaits that nothing of them runs. */
export async function openVms(stage: Stage, binding: VmBinding): Promise<Scene & AsyncDisposable> {
  const { context, nodes, pods, flow } = stage;
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => removeVms(context, binding));
  await applyThings(
    context,
    ROLES.map((role) => formatVm(binding, role, nodes[role].name)),
  );
  const ends = new Map<Role, End>();
  for (const role of ROLES) ends.set(role, await awaitVm(stage, binding, role));
  const guestOf = (role: Role): End => {
    const end = ends.get(role);
    if (end === undefined) throw new Error(`no guest ${vmNameOf(binding, role)}`);
    return end;
  };
  const owned = cleanup.move();
  return {
    target: guestOf('target'),
    from: (path, role) => (path === 'guestToGuest' ? guestOf(role) : createPodEnd(pods[role], pods[role].ip, flow)),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
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

async function removeVms(context: Context, binding: VmBinding): Promise<void> {
  const names = ROLES.map((role) => vmNameOf(binding, role));
  const flags = ['--ignore-not-found', '--timeout=90s'];
  await kubectl(context.lab, ['-n', NAMESPACE, 'delete', 'vm', ...names, ...flags], { timeoutMs: 100_000 });
  await expectSoon(`the end of the launchers with ${binding}`, 60, async () =>
    (await listThings(context, 'pods', LAUNCHERS)).length === 0 ? true : undefined,
  );
}
