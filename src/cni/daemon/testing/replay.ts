import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { formatLspName, formatNodeLabel } from '../../../api/names.ts';
import type { KubeObject } from '../../../kube/types.ts';
import { eventually, listOvsPorts, PORTS, program } from './berths.ts';
import { type CniOutcome, NODE, type TestNode, type TestPod } from './node.ts';
import { run } from './processes.ts';
import type { RecordedCall } from './recorded.ts';

const SUBNETS = 'mooring.dev/v1alpha1/subnets';

/** One recorded call and what came of it here. `sandbox` is the namespace that stood for the recorded one. */
export type Replayed = { readonly call: RecordedCall; readonly outcome: CniOutcome; readonly sandbox: string };

type Row = { readonly lsp: string; readonly addresses: string; readonly uid: string };

/**
 * Repeats the calls of one recording against the real shim and agent, with everything that the operator would have made:
 * pods, LogicalPorts with the recorded addresses, rows in NB. A DEL that came while its ADD was still running does so here.
 */
export async function replay(node: TestNode, calls: readonly RecordedCall[]): Promise<Replayed[]> {
  const stage = await setStage(node, calls);
  const done: Promise<Replayed>[] = [];
  try {
    for (const call of calls.filter(({ command }) => command === 'ADD' || command === 'DEL')) {
      const row = stage.rows.get(formatPort(call));
      const overtaken = call.command === 'ADD' && calls.some((other) => overtakes(other, call));
      if (call.command === 'ADD' && row !== undefined && !overtaken) await program(node, row);
      if (call.command === 'DEL' && call.env.CNI_NETNS === '') await stage.loseNetns(call);
      const finished = start(node, { call, ...(await stage.translate(call)) });
      done.push(finished);
      if (overtaken) await eventually('ADD under way', async () => (await listOvsPorts(node)).length > 0);
      else await finished;
    }
    return await Promise.all(done);
  } finally {
    await Promise.allSettled(done);
    await stage.strike(calls);
  }
}

type Start = { readonly call: RecordedCall; readonly netns: string; readonly env: Record<string, string> };

async function start(node: TestNode, { call, netns, env }: Start): Promise<Replayed> {
  const pod: TestPod = { name: '', uid: '', containerId: call.env.CNI_CONTAINERID ?? '', netns };
  const { done } = node.startCni({ command: call.command, pod, env, config: call.config });
  return { call, outcome: await done, sandbox: `/run/netns/${netns}` };
}

const isSame = (a: RecordedCall, b: RecordedCall): boolean =>
  a.env.CNI_CONTAINERID === b.env.CNI_CONTAINERID && a.env.CNI_IFNAME === b.env.CNI_IFNAME;

const overtakes = (other: RecordedCall, add: RecordedCall): boolean =>
  other.command === 'DEL' && isSame(other, add) && other.startedAt > add.startedAt && other.startedAt < add.endedAt;

const readArgs = ({ env }: RecordedCall): ReadonlyMap<string, string> =>
  new Map((env.CNI_ARGS ?? '').split(';').map((pair) => pair.split('=') as [string, string]));
/** Whose interface a call is about. */
export const formatPort = (call: RecordedCall): string =>
  `${readArgs(call).get('K8S_POD_NAMESPACE')}/${readArgs(call).get('K8S_POD_NAME')}/${call.env.CNI_IFNAME}`;

/** `namespace/name` of the NAD that the recorded configuration names as its provider. */
function readNad({ config, ipam }: RecordedCall): string | undefined {
  const provider = ipam ? (config.ipam as { provider?: string }).provider : (config.provider as string | undefined);
  const [name, namespace] = provider?.split('.') ?? [];
  return namespace === undefined ? undefined : `${namespace}/${name}`;
}

let counter = 0;

async function setStage(node: TestNode, calls: readonly RecordedCall[]) {
  const adds = calls.filter(({ command }) => command === 'ADD');
  const uids = new Map<string, string>();
  const namespaces = new Map<string, string>();
  const rows = new Map<string, Row>();
  const pods = new Set<string>();
  for (const add of adds) {
    pods.add(await ensurePod(node, add, uids));
    if (!rows.has(formatPort(add))) rows.set(formatPort(add), await ensurePort(node, { add, adds, uids }));
  }
  const base = (await node.exec(undefined, 'ip', 'netns', 'identify')).trim();
  const ensureNetns = async (path: string): Promise<string> => {
    const known = namespaces.get(path);
    if (known !== undefined || path === '') return known ?? '';
    counter += 1;
    const name = `${base}-r${counter}`;
    namespaces.set(path, name);
    await run(['ip', 'netns', 'add', name]);
    await run(['ip', '-n', name, 'link', 'set', 'lo', 'up']);
    return name;
  };
  const drop = async (path: string) => {
    const name = namespaces.get(path);
    if (name === undefined) return;
    namespaces.delete(path);
    await run(['ip', 'netns', 'delete', name]);
  };
  return {
    rows: new Map([...rows].filter(([, row]) => row.addresses !== '')),
    translate: async (call: RecordedCall) => {
      const netns = await ensureNetns(call.env.CNI_NETNS ?? '');
      let args = call.env.CNI_ARGS ?? '';
      for (const [recorded, here] of uids) args = args.replaceAll(recorded, here);
      const place = netns === '' ? '' : `/run/netns/${netns}`;
      return { netns, env: { ...call.env, CNI_ARGS: args, CNI_NETNS: place } };
    },
    /** A runtime that leaves the namespace out has lost it. */
    loseNetns: async (call: RecordedCall) => {
      for (const add of adds) if (isSame(add, call)) await drop(add.env.CNI_NETNS ?? '');
    },
    strike: async (played: readonly RecordedCall[]) => {
      const dels = played.filter(({ command }) => command === 'DEL');
      const lost = adds.some((add) => !dels.some((del) => isSame(del, add) && del.seq > add.seq));
      // Nobody sends a DEL any more: the pods and their namespaces go, and the reaper must see it.
      for (const key of lost ? pods : []) await node.remove('v1/pods', key);
      for (const path of lost ? [...namespaces.keys()] : []) await drop(path);
      const journal = join(node.folder, 'state/attachments');
      if (lost) await eventually('nothing left', async () => (await readdir(journal)).length === 0);
      for (const { lsp } of rows.values()) await node.ovn.nbctl('--if-exists', 'lsp-del', lsp);
      for (const path of [...namespaces.keys()]) await drop(path);
    },
  };
}

async function ensurePod(node: TestNode, add: RecordedCall, uids: Map<string, string>): Promise<string> {
  const args = readArgs(add);
  const [namespace = '', name = '', uid = ''] = ['NAMESPACE', 'NAME', 'UID'].map((key) => args.get(`K8S_POD_${key}`));
  const pod = await node.put('v1/pods', {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, annotations: markPod(add, uid) },
    spec: { nodeName: NODE, containers: [{ name: 'c', ports: [{ hostPort: mentions(add, 'hostPort') ? 18080 : 0 }] }] },
  } as KubeObject);
  if (!isStatic(uid)) uids.set(uid, pod.metadata?.uid ?? '');
  return `${namespace}/${name}`;
}

/** A static pod comes with the hash of its manifest in the place of a UID. */
const isStatic = (uid: string): boolean => !uid.includes('-');
const mentions = ({ config }: RecordedCall, key: string): boolean =>
  JSON.stringify(config.runtimeConfig ?? {})
    .toLowerCase()
    .includes(key.toLowerCase());

const markPod = (add: RecordedCall, uid: string): Record<string, string> => ({
  ...(isStatic(uid) ? { 'kubernetes.io/config.hash': uid } : {}),
  ...(mentions(add, 'bandwidth') ? { 'kubernetes.io/egress-bandwidth': '5M' } : {}),
});

type PortInput = {
  readonly add: RecordedCall;
  readonly adds: readonly RecordedCall[];
  readonly uids: ReadonlyMap<string, string>;
};

/** The LogicalPort with the recorded address, and its row; a row without addresses for another plugin's interface. */
async function ensurePort(node: TestNode, input: PortInput): Promise<Row> {
  const { add } = input;
  const nic = add.env.CNI_IFNAME ?? '';
  const address = findAddress(add, input.adds);
  const [ip = ''] = address.address.split('/');
  const mac = findMac(add) ?? formatMac(ip);
  const subnet = await ensureSubnet(node, add, address);
  const { name, namespace, uid } = await findOwner(node, input);
  const held = { podName: name, podUID: uid, node: NODE, interface: nic, nad: readNad(add), role: 'Source' };
  const metadata = { name: `${name}.${nic}.pod`, namespace, labels: { [formatNodeLabel(NODE)]: '' } };
  const owner = { kind: 'Pod', name, uid };
  const spec = { owner, nic, subnet, ips: [ip], mac, ipamOnly: add.ipam, attachments: [held] };
  const wanted = { apiVersion: 'mooring.dev/v1alpha1', kind: 'LogicalPort', metadata, spec };
  const port = await node.put(PORTS, wanted as KubeObject);
  const lsp = formatLspName({ ownerKind: 'Pod', namespace, owner: name, nic });
  return { lsp, addresses: add.ipam ? '' : `${mac} ${ip}`, uid: port.metadata?.uid ?? '' };
}

async function findOwner(node: TestNode, { add, uids }: PortInput) {
  const args = readArgs(add);
  const [namespace = '', name = '', uid = ''] = ['NAMESPACE', 'NAME', 'UID'].map((key) => args.get(`K8S_POD_${key}`));
  const pod = (await node.list('v1/pods')).find(({ metadata }) => metadata?.name === name);
  return { namespace, name, uid: uids.get(uid) ?? pod?.metadata?.uid ?? '' };
}

async function ensureSubnet(node: TestNode, add: RecordedCall, { address, gateway }: RecordedIp): Promise<string> {
  const [ip = '', prefix = '24'] = address.split('/');
  const name = `r-${ip.split('.').slice(0, 3).join('-')}`;
  const cidrBlock = `${ip.replace(/\d+$/, '0')}/${prefix}`;
  const spec = { cidrBlock, mtu: 1400, provider: formatProvider(add), ...(gateway === undefined ? {} : { gateway }) };
  const wanted = { apiVersion: 'mooring.dev/v1alpha1', kind: 'Subnet', metadata: { name }, spec };
  await node.put(SUBNETS, wanted as KubeObject);
  return name;
}

function formatProvider(add: RecordedCall): string {
  const provider = readNad(add)?.split('/').toReversed().join('.');
  if (provider === undefined) return 'ovn';
  return add.ipam ? provider : `${provider}.ovn`;
}

/** What the pod asked for, wherever the call says it. */
function findMac(add: RecordedCall): string | undefined {
  const { runtimeConfig, args } = add.config as { runtimeConfig?: { mac?: string }; args?: { cni?: { mac?: string } } };
  return runtimeConfig?.mac ?? args?.cni?.mac ?? readArgs(add).get('MAC');
}

const formatMac = (ip: string): string =>
  ['02:77', ...ip.split('.').map((part) => Number(part).toString(16).padStart(2, '0'))].join(':');

type RecordedIp = { readonly address: string; readonly gateway?: string };

/** What this ADD got, or what another one for the same interface got when this one failed. */
function findAddress(add: RecordedCall, adds: readonly RecordedCall[]): RecordedIp {
  const same = [add, ...adds.filter((other) => formatPort(other) === formatPort(add))];
  const found = same.flatMap(({ result }) => (result?.ips as RecordedIp[] | undefined) ?? [])[0];
  return found ?? { address: '10.99.9.9/24' };
}
