import { runCommand } from '../../command.ts';
import type { LabNode } from '../../state.ts';
import type { Pod } from '../objects.ts';

const LAUNCHER = 'compute';

/** PIDs of containers out of `ctr tasks ls`: columns TASK, PID, STATUS. */
export function parseTasks(text: string): Map<string, number> {
  const rows = text.split('\n').slice(1);
  return new Map(
    rows.flatMap((row): [string, number][] => {
      const [id, pid, status] = row.trim().split(/\s+/);
      return id === undefined || pid === undefined || status !== 'RUNNING' ? [] : [[id, Number(pid)]];
    }),
  );
}

/** Id of a pod's container (a launcher's `compute`) at its runtime, once it has been started. */
export function findContainerId(pod: Pod, container = LAUNCHER): string | undefined {
  const status = pod.status?.containerStatuses?.find((one) => one.name === container);
  return /^containerd:\/\/([0-9a-f]{64})$/.exec(status?.containerID ?? '')?.[1];
}

/** PID of a launcher's running `compute` container on its node, or undefined. */
export function findLauncherPid(node: LabNode, pod: Pod): Promise<number | undefined> {
  return findContainerPid(node, pod, LAUNCHER);
}

/** PID of a running container of a pod on its node, or undefined. */
export async function findContainerPid(node: LabNode, pod: Pod, container: string): Promise<number | undefined> {
  const id = findContainerId(pod, container);
  if (id === undefined) return undefined;
  const text = await runCommand(['ctr', '-a', node.containerdSocket, '-n', 'k8s.io', 'tasks', 'ls']);
  return parseTasks(text).get(id);
}
