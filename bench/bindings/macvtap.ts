import { applyThings, type Context, expectSoon, listThings } from '../../test/lab/demo/context.ts';
import { runInGuest } from '../../test/lab/guest/console.ts';
import { pathsOf } from '../../test/lab/guest/guest.ts';
import { ensureGuestImage } from '../../test/lab/guest/image.ts';
import { kubectl } from '../../test/lab/kubectl.ts';
import {
  awaitPods,
  type Console,
  createGuestEnd,
  createPodEnd,
  type End,
  type Gift,
  installFlow,
  type PodFacts,
  type Scene,
} from './ends.ts';
import { endLeftGuests, startMacvtapGuest } from './macvtap-guest.ts';
import { carrierNameOf, formatPod, MACVLAN, macvtapOf, NAMESPACE, ROLES, type Role } from './objects.ts';
import { pickByRole, type Stage } from './stage.ts';

const BOOT_SECONDS = 60;

/** Three guests on macvtap, on the link that the pods' macvlan interfaces are on; disposing them leaves nothing of them. */
export async function openMacvtap(stage: Stage): Promise<Scene & AsyncDisposable> {
  const { context, nodes, pods, flow, macvlanGift } = stage;
  if (macvlanGift === undefined) throw new Error(`the pods have no ${MACVLAN.nic}`);
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => removeCarriers(context));
  await applyThings(
    context,
    ROLES.map((role) => formatPod(carrierNameOf(role), nodes[role].name)),
  );
  const carriers = pickByRole(await awaitPods(context, ROLES.map(carrierNameOf)), carrierNameOf);
  cleanup.defer(async () => endLeftGuests(context.lab));
  const ends = new Map<Role, End>();
  for (const role of ROLES) ends.set(role, await startEnd(stage, role, { carrier: carriers[role], gift: macvlanGift }));
  const guestOf = (role: Role): End => {
    const end = ends.get(role);
    if (end === undefined) throw new Error(`no guest in ${carrierNameOf(role)}`);
    return end;
  };
  const podOf = (role: Role): End => createPodEnd(pods[role], pods[role].macvlanIp ?? '', flow);
  const owned = cleanup.move();
  return {
    target: guestOf('target'),
    from: (path, role) => (path === 'guestToGuest' ? guestOf(role) : podOf(role)),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function startEnd(
  { context, nodes }: Stage,
  role: Role,
  { carrier, gift }: { carrier: PodFacts; gift: Gift },
): Promise<End> {
  const { ip, mac } = macvtapOf(role);
  const image = await ensureGuestImage(context.lab.cache);
  const nic = { master: MACVLAN.master, mac };
  const dir = await startMacvtapGuest(context.lab, { node: nodes[role], carrier }, { image, nic });
  const ask: Console = (line, timeoutMs) => runInGuest(pathsOf(dir).console, line, timeoutMs);
  // Nobody gives addresses on the nodes' own link: the guest is told its own, and to ask no longer.
  const line = `killall udhcpc; ip addr replace ${ip}/24 dev eth0; sleep 1; ip -4 addr show dev eth0`;
  await expectSoon(`an address in the guest of ${carrier.name}`, BOOT_SECONDS, async () => {
    const { output } = await ask(line, 5000).catch(() => ({ output: '' }));
    return output.includes(`${ip}/24`) ? true : undefined;
  });
  await installFlow(carrier.name, ask, gift);
  return createGuestEnd(carrier.name, ip, ask);
}

async function removeCarriers(context: Context): Promise<void> {
  const names = ROLES.map(carrierNameOf);
  const flags = ['--ignore-not-found', '--timeout=60s'];
  await kubectl(context.lab, ['-n', NAMESPACE, 'delete', 'pod', ...names, ...flags], { timeoutMs: 70_000 });
  await expectSoon('the end of the pods that carried guests', 30, async () => {
    const left = await listThings(context, 'pods', ['-n', NAMESPACE]);
    return left.some(({ metadata }) => names.includes(metadata.name)) ? undefined : true;
  });
}
