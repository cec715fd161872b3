import { runCommand } from '../../command.ts';
import type { LabNode } from '../../state.ts';
import { NAMESPACE } from '../names.ts';
import { isDeleting, type Pod } from '../objects.ts';
import { findContainerId, findContainerPid } from './launcher.ts';
import { type Link, parseLinks } from './links.ts';
import { findProcess, isAlive } from './netns.ts';
import type { Process } from './record.ts';

/** Where a virt-handler's migrations go: `migration` when its pod has link migration0, else the pod network. */
export type Route = { address: string; network: 'pod' | 'migration' };

/** A virt-handler that runs: its process, and what it found out at its start. Migration traffic uses its netns. */
export type HandlerPod = Route & { process: Process; netns: string };

/** The virt-handler of one node; undefined while its pod is not ready, as while it rolls. */
export type HandlerPods = { find(): Promise<HandlerPod | undefined> };

export const CONTAINER = 'virt-handler';
export const MIGRATION_LINK = 'migration0';

/** The node's virt-handler pod that is ready and stays. */
export function findReadyPod(pods: readonly Pod[], node: string): Pod | undefined {
  return pods.find(
    (pod) =>
      pod.metadata.namespace === NAMESPACE && pod.spec.nodeName === node && !isDeleting(pod) && isContainerReady(pod),
  );
}

function isContainerReady(pod: Pod): boolean {
  return pod.status?.containerStatuses?.some(({ name, ready }) => name === CONTAINER && ready) === true;
}

/**
 * The address that a virt-handler takes at its start (KubeVirt cmd/virt-handler, FindMigrationIP): the first global
 * one of migration0, without that link the pod's. Undefined when the link has none, for which KubeVirt panics.
 */
export function deriveRoute(links: readonly Link[], podIp: string | undefined): Route | undefined {
  const link = links.find((one) => one.name === MIGRATION_LINK);
  if (link === undefined) return podIp === undefined ? undefined : { address: podIp, network: 'pod' };
  const [first] = [...link.ipv4, ...link.ipv6];
  return first === undefined ? undefined : { address: first.slice(0, first.indexOf('/')), network: 'migration' };
}

/** The virt-handler of `node`, out of the pods that `list` gives. Its route is read once for each start of its container. */
export function createHandlerPods(node: LabNode, list: () => readonly Pod[]): HandlerPods {
  let known: (HandlerPod & { id: string }) | undefined;
  return {
    find: async () => {
      const pod = findReadyPod(list(), node.name);
      const id = pod === undefined ? undefined : findContainerId(pod, CONTAINER);
      if (pod === undefined || id === undefined) return undefined;
      if (known?.id === id && isAlive(known.process)) return known;
      const found = await openPod(node, pod);
      known = found === undefined ? undefined : { ...found, id };
      return known;
    },
  };
}

async function openPod(node: LabNode, pod: Pod): Promise<HandlerPod | undefined> {
  const pid = await findContainerPid(node, pod, CONTAINER);
  const process = pid === undefined ? undefined : findProcess(pid);
  if (process === undefined) return undefined;
  const netns = `/proc/${process.pid}/ns/net`;
  const links = parseLinks(await runCommand(['nsenter', `--net=${netns}`, '--', 'ip', '-j', 'addr', 'show']));
  const route = deriveRoute(links, pod.status?.podIP);
  return route === undefined ? undefined : { ...route, process, netns };
}
