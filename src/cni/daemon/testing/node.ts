import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { formatNodeLabel } from '../../../api/names.ts';
import type { KubeObject } from '../../../kube/types.ts';
import type { ApiRequest } from './api-process.ts';
import { startOvn, type TestOvn, waitForFile } from './ovn.ts';
import { createProcesses, end, type Processes, run } from './processes.ts';

export const NODE = 'node-a';
const SHIM = resolve(import.meta.dirname, '../../shim');
const AGENT = resolve(import.meta.dirname, '../../../cli/agent.ts');

export type CniOutcome = {
  readonly exit: number | null;
  readonly signal: string | null;
  readonly output: string;
  readonly ms: number;
};
export type CniCall = {
  readonly command: string;
  readonly pod: TestPod;
  readonly ifname?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly config?: object;
  /** Another program than this node's shim. */
  readonly shim?: string;
};

/** A pod as the runtime sees it: a sandbox with a network namespace. */
export type TestPod = {
  readonly name: string;
  readonly uid: string;
  readonly containerId: string;
  readonly netns: string;
};

/** One node: its own network namespace, OVN, an API server, the real agent program and the real shim. */
export type TestNode = {
  readonly folder: string;
  readonly ovn: TestOvn;
  /** Creates or replaces; gives the object as stored, with its UID. */
  put(collection: string, object: KubeObject): Promise<KubeObject>;
  remove(collection: string, key: string): Promise<void>;
  list(collection: string): Promise<KubeObject[]>;
  /** Starts the agent, with more flags where asked for, and waits for its socket. */
  startAgent(...more: readonly string[]): Promise<void>;
  /** Ends the agent by SIGKILL unless told otherwise. */
  stopAgent(signal?: NodeJS.Signals): Promise<void>;
  /** What the agent has logged so far, one object a line. */
  readLog(): Promise<Record<string, unknown>[]>;
  cni(call: CniCall): Promise<CniOutcome>;
  /** The same, with the running process, to be killed by the test. */
  startCni(call: CniCall): { readonly child: ChildProcess; readonly done: Promise<CniOutcome> };
  /** A pod of this node, in the API and with an empty sandbox. */
  addPod(name: string, annotations?: Readonly<Record<string, string>>): Promise<TestPod>;
  /** Runs a command in the node's namespace, or in a pod's. */
  exec(netns: string | undefined, ...command: string[]): Promise<string>;
  stop(): Promise<void>;
};

let counter = 0;

export async function startTestNode(): Promise<TestNode> {
  counter += 1;
  const id = `mct-${process.pid}-${counter}`;
  const folder = await mkdtemp(join(tmpdir(), `${id}-`));
  const processes = createProcesses();
  const pods: string[] = [];
  await run(['ip', 'netns', 'add', id]);
  await run(['ip', '-n', id, 'link', 'set', 'lo', 'up']);
  const api = await startApi(processes, id);
  const ovn = await startOvn(processes, join(folder, 'ovn'), { netns: id, node: NODE });
  await writeFile(join(folder, 'kubeconfig'), formatKubeconfig(api.server));
  const shim = await buildShim(folder);
  const put = async (collection: string, object: KubeObject) =>
    (await api.ask({ do: 'put', collection, object })) as KubeObject;
  let agent: ChildProcess | undefined;
  const startCni = (call: CniCall) => runShim(call.shim ?? shim, call);
  return {
    folder,
    ovn,
    put,
    remove: async (collection, key) => {
      await api.ask({ do: 'remove', collection, key });
    },
    list: async (collection) => (await api.ask({ do: 'list', collection })) as KubeObject[],
    startAgent: async (...more) => {
      const log = createWriteStream(join(folder, 'agent.log'), { flags: 'a' });
      await new Promise((ready) => log.once('open', ready));
      const flags = [
        '--node',
        NODE,
        '--kubeconfig',
        `${folder}/kubeconfig`,
        '--ovs-db',
        ovn.ovsDb,
        '--metrics-port',
        '0',
        '--reap-seconds',
        '1',
        '--add-seconds',
        '8',
        ...more,
      ];
      const dirs = ['run', 'state', 'cni-bin', 'cni-conf'].flatMap((dir) => [`--${dir}-dir`, `${folder}/${dir}`]);
      const command = ['nsenter', `--net=/run/netns/${id}`, process.execPath, AGENT, ...flags, ...dirs, '--shim', shim];
      await rm(`${folder}/run/cni.sock`, { force: true });
      agent = processes.start(command, { stdio: ['ignore', log, log] });
      await waitForFile(`${folder}/run/cni.sock`);
    },
    stopAgent: async (signal = 'SIGKILL') => {
      if (agent !== undefined) await end(agent, signal);
    },
    readLog: async () =>
      (await readFile(join(folder, 'agent.log'), 'utf8'))
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as Record<string, unknown>),
    startCni,
    cni: (call) => startCni(call).done,
    addPod: async (name, annotations = {}) => {
      counter += 1;
      const netns = `${id}-${counter}`;
      pods.push(netns);
      await run(['ip', 'netns', 'add', netns]);
      await run(['ip', '-n', netns, 'link', 'set', 'lo', 'up']);
      const pod = await put('v1/pods', formatPod(name, annotations));
      return { name, uid: pod.metadata?.uid ?? '', containerId: `sandbox-${counter}-${name}`, netns };
    },
    exec: (netns, ...command) => run(['nsenter', `--net=/run/netns/${netns ?? id}`, ...command]),
    stop: async () => {
      await processes.stop();
      for (const netns of [...pods, id]) await run(['ip', 'netns', 'delete', netns]).catch(() => undefined);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The shim for a test's node; `version` of its wire is today's if absent. Gives its path. */
export async function buildShim(folder: string, version?: string): Promise<string> {
  const shim = join(folder, `mooring-cni${version ?? ''}`);
  const paths = `-DMOORING_SOCKET='"${folder}/run/cni.sock"' -DMOORING_SPOOL='"${folder}/state/spool"'`;
  const other = version === undefined ? '' : ` -DWIRE_VERSION='"${version}"'`;
  await run(['make', '-s', '-C', SHIM, `OUT=${shim}`, `DEFINES=${paths}${other}`]);
  return shim;
}

async function startApi(processes: Processes, netns: string) {
  const script = join(import.meta.dirname, 'api-process.ts');
  const child = processes.start(['nsenter', `--net=/run/netns/${netns}`, process.execPath, script], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const waiting = new Map<number, (answer: { value?: unknown; error?: string }) => void>();
  let next = 1;
  const server = await new Promise<string>((started) => {
    child.on('message', (message: { id: number; value?: unknown; error?: string }) => {
      if (message.id === 0) started(String(message.value));
      waiting.get(message.id)?.(message);
      waiting.delete(message.id);
    });
  });
  const ask = async (request: ApiRequest): Promise<unknown> => {
    const id = next;
    next += 1;
    const answer = await new Promise<{ value?: unknown; error?: string }>((answered) => {
      waiting.set(id, answered);
      child.send({ id, request });
    });
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer.value;
  };
  return { server, ask };
}

function formatKubeconfig(server: string): string {
  const context = { name: 'c', context: { cluster: 'c', user: 'u' } };
  const clusters = [{ name: 'c', cluster: { server, 'insecure-skip-tls-verify': true } }];
  const users = [{ name: 'u', user: { token: 't' } }];
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters,
    users,
    contexts: [context],
    'current-context': 'c',
  });
}

function runShim(shim: string, call: CniCall) {
  const { command, pod, ifname = 'eth0' } = call;
  const args = `IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=${pod.name};K8S_POD_UID=${pod.uid}`;
  const env = {
    CNI_COMMAND: command,
    CNI_CONTAINERID: pod.containerId,
    CNI_IFNAME: ifname,
    CNI_NETNS: `/run/netns/${pod.netns}`,
    CNI_ARGS: args,
    CNI_PATH: '/opt/cni/bin',
    ...call.env,
  };
  const startedAt = performance.now();
  const child = spawn(shim, [], { env, stdio: ['pipe', 'pipe', 'ignore'] });
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += String(chunk);
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(JSON.stringify(call.config ?? { cniVersion: '1.0.0', name: 'mooring', type: 'mooring' }));
  const done = new Promise<CniOutcome>((finished) => {
    child.once('close', (exit, signal) => finished({ exit, signal, output, ms: performance.now() - startedAt }));
  });
  return { child, done };
}

/** The LogicalPort of an ordinary pod on the test's node. */
export function formatPodPort(pod: TestPod, address: { ip: string; mac: string }): KubeObject {
  const metadata = { name: `${pod.name}.eth0.pod`, namespace: 'default', labels: { [formatNodeLabel(NODE)]: '' } };
  const attachment = { podName: pod.name, podUID: pod.uid, node: NODE, interface: 'eth0', role: 'Source' };
  const owner = { kind: 'Pod', name: pod.name, uid: pod.uid };
  const spec = {
    owner,
    nic: 'eth0',
    subnet: 'default',
    ips: [address.ip],
    mac: address.mac,
    attachments: [attachment],
  };
  return { apiVersion: 'mooring.dev/v1alpha1', kind: 'LogicalPort', metadata, spec } as KubeObject;
}

/** A pod of the test's node. */
export function formatPod(name: string, annotations: Readonly<Record<string, string>>): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', annotations },
    spec: { nodeName: NODE },
  } as KubeObject;
}
