import { tryCommand } from '../command.ts';
import { kubectl, nodeExec } from '../kubectl.ts';
import { getNode } from '../state.ts';
import { type Context, DemoError, listThings, type Thing } from './context.ts';
import { NAMESPACE } from './manifests.ts';

/** Runs a command in a pod; true when it exits with 0. */
export async function runInPod(context: Context, pod: string, command: readonly string[]): Promise<boolean> {
  const argv = [
    context.lab.bin.kubectl,
    '--kubeconfig',
    context.lab.adminKubeconfig,
    '-n',
    NAMESPACE,
    'exec',
    pod,
    '--',
    ...command,
  ];
  return (await tryCommand(argv, { timeoutMs: 30_000 })).code === 0;
}

/** Process id, as the machine sees it, of a container of the pod. */
export async function findPodPid(context: Context, pod: Thing, container: string): Promise<number> {
  const node = getNode(context.lab, pod.spec.nodeName as string);
  const filter = `labels."io.kubernetes.pod.uid"==${pod.metadata.uid},labels."io.kubernetes.container.name"==${container}`;
  const ids = (await nodeExec(context.lab, node, ['ctr', '-n', 'k8s.io', 'containers', 'ls', '-q', filter]))
    .trim()
    .split('\n');
  const tasks = await nodeExec(context.lab, node, ['ctr', '-n', 'k8s.io', 'tasks', 'ls']);
  for (const line of tasks.split('\n')) {
    const [id, pid, state] = line.trim().split(/\s+/);
    if (id !== undefined && ids.includes(id) && state === 'RUNNING') return Number(pid);
  }
  throw new DemoError(`pod ${pod.metadata.name} has no running container ${container}`);
}

/** The probe sender's pod on a node. */
export async function getClient(context: Context, node: string): Promise<Thing> {
  const clients = await listThings(context, 'pods', ['-n', NAMESPACE, '-l', 'app=client']);
  const found = clients.find((pod) => pod.spec.nodeName === node);
  if (found === undefined) throw new DemoError(`no client pod on ${node}`);
  return found;
}

/** Pings once a second, up to `tries` times, until one answer comes. */
export function ping(context: Context, pod: string, ip: string, tries = 5): Promise<boolean> {
  return runInPod(context, pod, ['/bin/sh', '-c', formatPing('ping', tries), ip]);
}

/** The same over IPv6. */
export function ping6(context: Context, pod: string, ip: string, tries = 5): Promise<boolean> {
  return runInPod(context, pod, ['/bin/sh', '-c', formatPing('ping6', tries), ip]);
}

const formatPing = (program: string, tries: number): string =>
  `for i in $(seq ${tries}); do ${program} -c 1 -W 1 "$0" >/dev/null && exit 0; done; exit 1`;

/**
 * Fetches the page of a web pod and prints it: a shell script whose first argument is the address. By nc, as the static
 * busybox's wget crashes in the resolver that it is linked with.
 */
export const FETCH = 'printf "GET / HTTP/1.0\\r\\n\\r\\n" | nc -w 3 "$0" 8080';

/** True when the web server of a pod answers. */
export function fetchPage(context: Context, pod: string, ip: string): Promise<boolean> {
  return runInPod(context, pod, ['/bin/sh', '-c', `${FETCH} | grep -q "200 OK"`, ip]);
}

/** Sends a line to an echo server by TCP and compares the answer. */
export function echoes(context: Context, pod: string, ip: string): Promise<boolean> {
  return runInPod(context, pod, ['/bin/sh', '-c', '[ "$(echo hello | nc -w 2 "$0" 7)" = hello ]', ip]);
}

export function deletePod(context: Context, name: string): Promise<string> {
  return kubectl(context.lab, [
    '-n',
    NAMESPACE,
    'delete',
    'pod',
    name,
    '--ignore-not-found',
    '--grace-period=0',
    '--force',
  ]);
}
