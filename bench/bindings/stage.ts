import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../../test/lab/command.ts';
import { applyThings, type Context } from '../../test/lab/demo/context.ts';
import { ensureLab, installChart } from '../../test/lab/demo/install.ts';
import { kubectl } from '../../test/lab/kubectl.ts';
import { ensureProgram } from '../../test/lab/probe/build.ts';
import { findStateDir, type LabNode } from '../../test/lab/state.ts';
import { preferDatapath } from '../migration/datapath.ts';
import { preferLab } from '../migration/priority.ts';
import { awaitPods, createPodEnd, type Gift, PORTS, type PodFacts, type Scene, startFlow } from './ends.ts';
import { endLeftGuests } from './macvtap-guest.ts';
import { formatNetworks, formatPod, MACVLAN, NAMESPACE, podNameOf, ROLES, type Role, SUBNET } from './objects.ts';

/** Everything that the benchmark works with. */
export type Stage = AsyncDisposable & {
  readonly context: Context;
  /** Path of the program that measures. */
  readonly flow: string;
  /** Its way into guests on our network, and on the nodes' own. */
  readonly gift: Gift;
  readonly macvlanGift: Gift | undefined;
  /** Where each part is played. */
  readonly nodes: Readonly<Record<Role, LabNode>>;
  readonly pods: Readonly<Record<Role, PodFacts>>;
};

export type StageOptions = {
  readonly root: string;
  readonly env: NodeJS.ProcessEnv;
  /** With interfaces on the nodes' own link. */
  readonly macvlan: boolean;
  readonly say: (line: string) => void;
};

/** Brings up lab and chart where they are not, and starts pods. Disposing it leaves things as they were found. */
export async function openStage({ root, env, macvlan, say }: StageOptions): Promise<Stage> {
  await using cleanup = new AsyncDisposableStack();
  if (!existsSync(join(findStateDir(env), 'state.json'))) cleanup.defer(() => takeDown(root, say));
  const lab = await ensureLab(root, env);
  const out = join(root, 'out/bench');
  mkdirSync(out, { recursive: true });
  const context: Context = { lab, root, out, say, children: new Set() };
  const nodes = chooseNodes(lab.nodes);
  say('installing the chart of this checkout');
  await installChart(context);
  cleanup.use(preferLab());
  // What carries packets comes before the ends: else senders would starve it, and a path would be as fast as its turn comes.
  cleanup.use(preferDatapath());
  cleanup.defer(() => clear(context));
  await clear(context);
  const flow = await ensureProgram(lab.cache, 'flow');
  say(`starting pods on ${nodes.target.name} and ${nodes.twoNodes.name}`);
  const pods = await startPods(context, nodes, macvlan);
  cleanup.defer(() => endChildren(context));
  startFlow(context, pods.target, [flow, 'serve', String(PORTS.serve)]);
  startFlow(context, pods.sameNode, [flow, 'give', String(PORTS.give), flow]);
  const sha256 = createHash('sha256').update(readFileSync(flow)).digest('hex');
  const { ip, macvlanIp } = pods.sameNode;
  const owned = cleanup.move();
  return {
    ...{ context, flow, nodes, pods },
    gift: { from: ip, sha256 },
    macvlanGift: macvlanIp === undefined ? undefined : { from: macvlanIp, sha256 },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** The last two nodes: the databases of OVN are on the first. Throws when there are no two. */
export function chooseNodes(nodes: readonly LabNode[]): Stage['nodes'] {
  const [far, near] = nodes.toReversed();
  if (near === undefined || far === undefined)
    throw new Error(`two nodes are needed, the lab has ${nodes.length}: make lab-down, make lab`);
  return { target: near, sameNode: near, twoNodes: far };
}

async function startPods(context: Context, nodes: Stage['nodes'], macvlan: boolean): Promise<Stage['pods']> {
  await kubectl(context.lab, ['create', 'namespace', NAMESPACE]);
  await applyThings(context, formatNetworks());
  const networks = macvlan ? [{ name: MACVLAN.nad, interface: MACVLAN.nic }] : undefined;
  await applyThings(
    context,
    ROLES.map((role) => formatPod(podNameOf(role), nodes[role].name, networks)),
  );
  return pickByRole(await awaitPods(context, ROLES.map(podNameOf)), podNameOf);
}

/** Who plays which role, by names; throws when somebody is missing. */
export function pickByRole<T extends { readonly name: string }>(
  all: readonly T[],
  nameOf: (role: Role) => string,
): Readonly<Record<Role, T>> {
  const pick = (role: Role): T => {
    const found = all.find(({ name }) => name === nameOf(role));
    if (found === undefined) throw new Error(`there is no ${nameOf(role)}`);
    return found;
  };
  return { target: pick('target'), sameNode: pick('sameNode'), twoNodes: pick('twoNodes') };
}

/** Pods among themselves: on our network, or on the nodes' own link. Throws when a pod has no address there. */
export function openPods({ pods, flow }: Stage, kind: 'pod' | 'macvlanPod'): Scene {
  const endOf = (role: Role) => {
    const ip = kind === 'pod' ? pods[role].ip : pods[role].macvlanIp;
    if (ip === undefined) throw new Error(`${pods[role].name} has no ${MACVLAN.nic}`);
    return createPodEnd(pods[role], ip, flow);
  };
  return { target: endOf('target'), from: (_, placement) => endOf(placement) };
}

async function endChildren({ children }: Context): Promise<void> {
  for (const child of children) child.kill('SIGKILL');
}

/** Removes what is ours in the lab, also what a run that was killed has left. */
async function clear({ lab }: Context): Promise<void> {
  const flags = ['--ignore-not-found', '--timeout=120s'];
  const remove = (...args: string[]): Promise<string> => kubectl(lab, [...args, ...flags], { timeoutMs: 130_000 });
  endLeftGuests(lab);
  await remove('delete', 'namespace', NAMESPACE);
  await remove('-n', NAMESPACE, 'delete', 'lp', '--all');
  await remove('delete', 'subnets.mooring.dev', SUBNET, MACVLAN.subnet);
}

async function takeDown(root: string, say: (line: string) => void): Promise<void> {
  say('taking the lab down, as there was none');
  await runCommand([process.execPath, join(root, 'test/lab/lab.ts'), 'down']);
}
