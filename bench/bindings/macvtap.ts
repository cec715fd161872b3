import { applyThings, expectSoon } from '../../test/lab/demo/context.ts';
import { runInGuest } from '../../test/lab/guest/console.ts';
import { pathsOf } from '../../test/lab/guest/guest.ts';
import { ensureGuestImage } from '../../test/lab/guest/image.ts';
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
import { startMacvtapGuest } from './macvtap-guest.ts';
import { carrierNameOf, formatPod, MACVLAN, macvtapOf, ROLES, type Role } from './objects.ts';
import { pickByRole, type Stage } from './stage.ts';

const BOOT_SECONDS = 150;

/** Three guests on macvtap, on the link that the pods' macvlan interfaces are on; they go with the stage. */
export async function openMacvtap(stage: Stage): Promise<Scene> {
  const { context, nodes, pods, flow, macvlanGift: gift } = stage;
  if (gift === undefined) throw new Error(`the pods have no ${MACVLAN.nic}`);
  await applyThings(
    context,
    ROLES.map((role) => formatPod(carrierNameOf(role), nodes[role].name)),
  );
  const carriers = pickByRole(await awaitPods(context, ROLES.map(carrierNameOf)), carrierNameOf);
  const ends = await Promise.all(ROLES.map((role) => startEnd(stage, role, { carrier: carriers[role], gift })));
  const guests = pickByRole(ends, carrierNameOf);
  return {
    target: guests.target,
    from: (path, role) =>
      path === 'guestToGuest' ? guests[role] : createPodEnd(pods[role], pods[role].macvlanIp ?? '', flow),
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
