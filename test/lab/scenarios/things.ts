import { findKind, mergeObject } from '../api.ts';
import { tryCommand } from '../command.ts';
import { type Context, expectSoon, listThings, type Thing } from '../demo/context.ts';
import { kubectl } from '../kubectl.ts';

export function formatSubnet(name: string, spec: object): object {
  return { apiVersion: 'mooring.dev/v1alpha1', kind: 'Subnet', metadata: { name }, spec };
}

export function formatVpc(name: string, spec: object = {}): object {
  return { apiVersion: 'mooring.dev/v1alpha1', kind: 'Vpc', metadata: { name }, spec };
}

/** A NAD of our own type; the Subnet behind it has the provider `<name>.<namespace>.ovn`. */
export function formatNad(namespace: string, name: string): object {
  const config = JSON.stringify({ cniVersion: '1.0.0', name, type: 'mooring', provider: `${name}.${namespace}.ovn` });
  return {
    apiVersion: 'k8s.cni.cncf.io/v1',
    kind: 'NetworkAttachmentDefinition',
    metadata: { name, namespace },
    spec: { config },
  };
}

export type PodRequest = {
  readonly namespace: string;
  readonly name: string;
  readonly node?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  /** With a readiness probe that the kubelet sends to the web server. */
  readonly probed?: boolean;
};

/** A pod whose web server on port 8080 says the pod's name. */
export function formatWebPod({ namespace, name, node, annotations = {}, probed = false }: PodRequest): object {
  const script = 'mkdir -p /www && hostname > /www/index.html && exec httpd -f -p 8080 -h /www';
  const probe = { readinessProbe: { httpGet: { path: '/index.html', port: 8080 }, periodSeconds: 1 } };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, annotations },
    spec: {
      terminationGracePeriodSeconds: 0,
      ...(node === undefined ? {} : { nodeName: node }),
      containers: [
        {
          name: 'main',
          image: 'lab.local/busybox:1',
          imagePullPolicy: 'IfNotPresent',
          command: ['/bin/sh', '-c', script],
          ...(probed ? probe : {}),
        },
      ],
    },
  };
}

/** Runs a shell line in a pod; returns its output, whatever its exit code is. Throws when the pod cannot be entered. */
export async function runIn(context: Context, namespace: string, pod: string, line: string): Promise<string> {
  const { lab } = context;
  const argv = [lab.bin.kubectl, '--kubeconfig', lab.adminKubeconfig, '-n', namespace, 'exec', pod, '--'];
  const script = `${line}; echo "exit $?"`;
  const { stdout, stderr } = await tryCommand([...argv, '/bin/sh', '-c', script], { timeoutMs: 30_000 });
  if (!stdout.includes('exit ')) throw new Error(`${pod}: ${line}: ${stderr}`);
  return stdout;
}

/** Sends one ping a second until one is answered; false after `tries`. */
export async function pings(context: Context, from: Pod, ip: string, tries = 5): Promise<boolean> {
  const program = ip.includes(':') ? 'ping6' : 'ping';
  const line = `for i in $(seq ${tries}); do ${program} -c 1 -W 1 ${ip} >/dev/null 2>&1 && echo answered && break; done`;
  return (await runIn(context, from.namespace, from.name, line)).includes('answered');
}

export type Pod = { readonly namespace: string; readonly name: string };

/** What is said on a TCP port, empty when no connection comes about within `seconds`. */
export async function asks(context: Context, from: Pod, ip: string, options: Asking = {}): Promise<string> {
  const { port = 8080, seconds = 3 } = options;
  const line = `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | timeout ${seconds} nc ${ip} ${port} 2>/dev/null`;
  return (await runIn(context, from.namespace, from.name, line)).replace(/exit \d+\s*$/, '').trim();
}

export type Asking = { readonly port?: number; readonly seconds?: number };

/** Awaits that every pod of the namespace is Ready, or those named; returns them by name. */
export function expectReady(
  context: Context,
  namespace: string,
  names: readonly string[],
): Promise<Map<string, Thing>> {
  return expectSoon(`pods ${names.join(' ')} of ${namespace} ready`, 60, async () => {
    const pods = await listThings(context, 'pods', ['-n', namespace]);
    const ready = pods.filter(({ status }) =>
      ((status?.conditions ?? []) as { type: string; status: string }[]).some(
        (condition) => condition.type === 'Ready' && condition.status === 'True',
      ),
    );
    const found = new Map(ready.map((pod) => [pod.metadata.name, pod]));
    return names.every((name) => found.has(name)) ? found : undefined;
  });
}

/** Deletes cluster objects of ours by name and awaits that they are gone. */
export async function removeAll(context: Context, kind: string, names: readonly string[]): Promise<void> {
  const flags = ['--ignore-not-found', '--timeout=90s'];
  await kubectl(context.lab, ['delete', kind, ...names, ...flags], { timeoutMs: 100_000 });
}

/** Changes an object by a merge patch; `target` is what stands before it on kubectl's command line. */
export async function patchThing(context: Context, target: readonly string[], body: object): Promise<void> {
  const [namespace, words] = target[0] === '-n' ? [target[1] ?? '', target.slice(2)] : ['default', target];
  const [kind = '', name = '', ...flags] = words;
  const known = flags.length === 0 ? findKind(kind) : undefined;
  if (known !== undefined) return mergeObject(context.lab, known, { namespace, name, body });
  await kubectl(context.lab, ['patch', ...target, '--type=merge', '-p', JSON.stringify(body)]);
}
