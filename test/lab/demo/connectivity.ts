import { tryCommand } from '../command.ts';
import { kubectl } from '../kubectl.ts';
import { formatNodeCommand } from '../process.ts';
import { getNode } from '../state.ts';
import { applyThings, type Context, DemoError, listThings, type Thing } from './context.ts';
import { formatClients, formatWeb, NAMESPACE } from './manifests.ts';
import { FETCH, fetchPage, getClient, ping } from './pods.ts';
import { runInVm, type VmFacts } from './vms.ts';

export type Connectivity = {
  podToPodSameNode: boolean;
  podToPodOtherNode: boolean;
  podToVm: boolean;
  vmToPod: boolean;
  podToOutside: boolean;
  nodeToPod: boolean;
};

/** Starts the ordinary pods and awaits that they run. */
export async function startPods(context: Context): Promise<Thing[]> {
  await applyThings(context, [formatWeb(), formatClients()]);
  const rollout = (name: string): Promise<string> =>
    kubectl(context.lab, ['-n', NAMESPACE, 'rollout', 'status', name, '--timeout=90s'], { timeoutMs: 100_000 });
  await Promise.all([rollout('deployment/web'), rollout('daemonset/client')]);
  return listThings(context, 'pods', ['-n', NAMESPACE, '-l', 'app=web']);
}

/** Finds two pods on one node and one elsewhere: four replicas on three nodes always have such a pair. */
function choosePods(web: readonly Thing[]): { first: Thing; neighbour: Thing; distant: Thing } {
  for (const first of web) {
    const neighbour = web.find((pod) => pod !== first && pod.spec.nodeName === first.spec.nodeName);
    const distant = web.find((pod) => pod.spec.nodeName !== first.spec.nodeName);
    if (neighbour !== undefined && distant !== undefined) return { first, neighbour, distant };
  }
  throw new DemoError('no two web pods share a node');
}

/** Checks every direction with real packets. */
export async function checkConnectivity(context: Context, web: readonly Thing[], vm: VmFacts): Promise<Connectivity> {
  const { first, neighbour, distant } = choosePods(web);
  const name = first.metadata.name;
  const client = await getClient(context, vm.node);
  const node = getNode(context.lab, first.spec.nodeName as string);
  const remote = context.lab.nodes.find((candidate) => candidate.name !== node.name) ?? node;
  const fromNode = (from: typeof node): Promise<boolean> =>
    tryCommand(formatNodeCommand(from, ['busybox', 'ping', '-c', '2', '-W', '2', first.status.podIP as string])).then(
      (r) => r.code === 0,
    );
  return {
    podToPodSameNode: await fetchPage(context, name, neighbour.status.podIP as string),
    podToPodOtherNode: await fetchPage(context, name, distant.status.podIP as string),
    podToVm: (await ping(context, name, vm.ip)) && (await ping(context, client.metadata.name, vm.ip)),
    vmToPod: await runInVm(context, vm.name, `sh -c '${FETCH}' ${first.status.podIP as string}`).then((answer) =>
      answer.output.includes(name),
    ),
    podToOutside: await ping(context, name, context.lab.outside.address),
    nodeToPod: (await fromNode(node)) && (await fromNode(remote)),
  };
}
