import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { NETWORK_STATUS } from '../../../api/annotations.ts';
import type { KubeObject } from '../../../kube/types.ts';
import { CONFLIST_NAME, formatConflist } from '../install.ts';
import { berth, eventually, listHostEnds, listOvsPorts, PORTS, prepareSubnet, program } from '../testing/berths.ts';
import {
  type CniOutcome,
  formatPod,
  formatPodPort,
  startTestNode,
  type TestNode,
  type TestPod,
} from '../testing/node.ts';
import { installRecorder, type Recorder } from '../testing/recorder.ts';

const NADS = 'k8s.cni.cncf.io/v1/network-attachment-definitions';
const NETWORKS = 'k8s.v1.cni.cncf.io/networks';
const capabilities = { ips: true, mac: true };
const CONFIGS: Record<string, object> = {
  b: { cniVersion: '1.0.0', type: 'recorder', capabilities },
  c: { cniVersion: '0.3.1', type: 'recorder', capabilities },
  list: {
    cniVersion: '1.0.0',
    name: 'list',
    plugins: [
      { type: 'recorder', capabilities },
      { type: 'meta', chained: true },
    ],
  },
  ours: { cniVersion: '1.0.0', type: 'mooring', provider: 'ours.default.ovn', capabilities },
  mv: { cniVersion: '1.0.0', type: 'recorder', ipam: { type: 'mooring', provider: 'mv.default' } },
};

let node: TestNode;
let recorder: Recorder;
beforeAll(async () => {
  node = await startTestNode();
  await prepareSubnet(node);
  recorder = await installRecorder(node.folder, ['recorder', 'meta']);
  for (const [name, config] of Object.entries(CONFIGS)) {
    const metadata = { name, namespace: 'default' };
    await node.put(NADS, { metadata, spec: { config: JSON.stringify(config) } } as KubeObject);
  }
  const mv = { cidrBlock: '10.20.0.0/16', provider: 'mv.default' };
  await node.put('mooring.dev/v1alpha1/subnets', { metadata: { name: 'mv' }, spec: mv } as KubeObject);
  await node.startAgent();
  // As the agent writes it once the node has its gateway, which a test's node never gets.
  await mkdir(join(node.folder, 'cni-conf'), { recursive: true });
  await writeFile(join(node.folder, 'cni-conf', CONFLIST_NAME), formatConflist());
});
afterAll(() => node.stop());

const listRecords = async () =>
  (await readdir(join(node.folder, 'state/networks'))).filter((name) => name.endsWith('.json'));
const isEmpty = async () =>
  (await listOvsPorts(node)).length === 0 &&
  (await listHostEnds(node)).length === 0 &&
  (await listRecords()).length === 0;
afterEach(async () => {
  await recorder.allow();
  await eventually('nothing left', isEmpty);
});

const messageOf = ({ output }: CniOutcome): string => (JSON.parse(output) as { msg: string }).msg;
const hasLink = async (pod: TestPod, name: string): Promise<boolean> =>
  (await node.exec(pod.netns, 'ip', '-br', 'link')).includes(`${name} `) ||
  (await node.exec(pod.netns, 'ip', '-br', 'link')).includes(`${name}@`);
const callsOf = async (pod: TestPod) =>
  (await recorder.calls()).filter(({ env }) => env.CNI_CONTAINERID === pod.containerId);
const readStatus = async (pod: TestPod): Promise<Record<string, unknown>[] | undefined> => {
  const found = (await node.list('v1/pods')).find(({ metadata }) => metadata?.uid === pod.uid);
  const text = found?.metadata?.annotations?.[NETWORK_STATUS];
  return text === undefined ? undefined : (JSON.parse(text) as Record<string, unknown>[]);
};
const namesOf = async (pod: TestPod) => (await readStatus(pod))?.map((item) => `${item.interface}:${item.name}`);
const relist = (pod: TestPod, networks: string) => node.put('v1/pods', annotate(pod, networks));
const annotate = (pod: TestPod, networks: string): KubeObject => {
  const object = formatPod(pod.name, { [NETWORKS]: networks });
  return { ...object, metadata: { ...object.metadata, uid: pod.uid } };
};

/** What the operator would make for another interface of the pod on one of our networks. */
async function berthSecond(pod: TestPod, ifname: string, index: number): Promise<void> {
  const address = { ip: `10.16.1.${index}`, mac: `02:00:0a:10:01:${index}` };
  const port = formatPodPort(pod, address) as KubeObject & { spec: { attachments: object[] } };
  const attachments = port.spec.attachments.map((item) => ({ ...item, interface: ifname, nad: 'default/ours' }));
  const metadata = { ...port.metadata, name: `${pod.name}.${ifname}.pod` };
  const stored = await node.put(PORTS, {
    ...port,
    metadata,
    spec: { ...port.spec, nic: ifname, attachments },
  } as KubeObject);
  const lsp = `pod/default/${pod.name}/${ifname}`;
  await program(node, { lsp, addresses: `${address.mac} ${address.ip}`, uid: stored.metadata?.uid ?? '' });
}

let next = 50;
/** A pod with its first interface prepared. */
async function makePod(name: string, annotations: Record<string, string>): Promise<TestPod> {
  next += 1;
  const pod = await node.addPod(name, annotations);
  await berth(node, pod, next);
  return pod;
}
const add = (pod: TestPod) => node.cni({ command: 'ADD', pod });
const del = (pod: TestPod) => node.cni({ command: 'DEL', pod });

describe('a pod with networks', () => {
  test('gets all of them with one ADD, is told so, and loses them with one DEL', async () => {
    const list = [
      { name: 'ours' },
      { name: 'b', interface: 'side', ips: ['192.0.2.7/24'], mac: '02:aa:00:00:00:01' },
      { name: 'list' },
    ];
    const pod = await makePod('all', { [NETWORKS]: JSON.stringify(list) });
    await berthSecond(pod, 'net1', 11);
    const outcome = await add(pod);
    expect(outcome).toMatchObject({ exit: 0 });
    expect(JSON.parse(outcome.output)).toMatchObject({ cniVersion: '1.0.0', ips: [{ address: `10.16.0.${next}/16` }] });
    for (const name of ['eth0', 'net1', 'side', 'net3']) expect(await hasLink(pod, name)).toBe(true);
    expect(await listOvsPorts(node)).toHaveLength(2);
    expect(await readStatus(pod)).toMatchObject([
      { name: 'mooring', interface: 'eth0', ips: [`10.16.0.${next}`], default: true, gateway: ['10.16.0.1'], dns: {} },
      { name: 'default/ours', interface: 'net1', ips: ['10.16.1.11'], mac: '02:00:0a:10:01:11' },
      { name: 'default/b', interface: 'side', ips: ['192.0.2.7'], mac: '02:aa:00:00:00:01' },
      { name: 'default/list', interface: 'net3' },
    ]);
    const calls = await callsOf(pod);
    const [first] = calls.filter(({ config }) => config.name === 'b');
    expect(first?.config).toMatchObject({ runtimeConfig: { ips: ['192.0.2.7/24'], mac: '02:aa:00:00:00:01' } });
    expect(first?.env.CNI_ARGS).toMatch(/K8S_POD_NAME=all.*;MAC=02:aa:00:00:00:01;IP=192.0.2.7\/24$/);
    expect(calls.filter(({ config }) => config.name === 'list').map(({ type }) => type)).toEqual(['recorder', 'meta']);
    expect((await stat(join(node.folder, 'state/networks', (await listRecords())[0] ?? ''))).mode & 0o777).toBe(0o600);
    expect(await del(pod)).toMatchObject({ exit: 0, output: '' });
    for (const name of ['side', 'net3']) expect(await hasLink(pod, name)).toBe(false);
    const gone = (await callsOf(pod)).filter(({ env }) => env.CNI_COMMAND === 'DEL');
    expect(gone.map(({ type, config }) => `${type} ${config.name}`)).toEqual([
      'meta list',
      'recorder list',
      'recorder b',
    ]);
    expect(gone.every(({ config }) => config.prevResult !== undefined)).toBe(true);
  });

  test('a repeated ADD gives the same answer and calls nobody again', async () => {
    const pod = await makePod('again', { [NETWORKS]: 'b' });
    const first = await add(pod);
    const calls = await callsOf(pod);
    expect(await add(pod)).toMatchObject({ exit: 0, output: first.output });
    expect(await callsOf(pod)).toEqual(calls);
    await del(pod);
  });

  test('the same network twice is two interfaces', async () => {
    const pod = await makePod('twice', { [NETWORKS]: 'b,b' });
    expect(await add(pod)).toMatchObject({ exit: 0 });
    expect(await namesOf(pod)).toEqual(['eth0:mooring', 'net1:default/b', 'net2:default/b']);
    await del(pod);
  });

  test('without any network is told nothing, as that would be a write for every pod', async () => {
    const pod = await makePod('plain', {});
    expect(await add(pod)).toMatchObject({ exit: 0 });
    expect(await readStatus(pod)).toBeUndefined();
    await del(pod);
  });

  test('without any network is in the journal only: a second record would slow each ADD of the node', async () => {
    const pod = await makePod('single', {});
    expect(await add(pod)).toMatchObject({ exit: 0 });
    expect(await listRecords()).toEqual([]);
    await relist(pod, 'b');
    await eventually('attached later', () => hasLink(pod, 'net1'));
    expect(await listRecords()).toHaveLength(2);
    await eventually('told', async () => (await readStatus(pod)) !== undefined);
    const [first] = (await readStatus(pod)) ?? [];
    expect(first).toMatchObject({ name: 'mooring', ips: [`10.16.0.${next}`], gateway: ['10.16.0.1'], default: true });
    await del(pod);
  });

  test('an address of ours is given to the plugin of others that asks for it by its ipam.type', async () => {
    const pod = await makePod('ipam', { [NETWORKS]: 'mv@side' });
    const port = formatPodPort(pod, { ip: '10.20.0.9', mac: '' }) as KubeObject & { spec: { attachments: object[] } };
    const attachments = port.spec.attachments.map((item) => ({ ...item, interface: 'side', nad: 'default/mv' }));
    const spec = { ...port.spec, nic: 'side', subnet: 'mv', ipamOnly: true, attachments };
    await node.put(PORTS, { ...port, metadata: { ...port.metadata, name: 'ipam.side.pod' }, spec } as KubeObject);
    const outcome = await add(pod);
    expect(outcome).toMatchObject({ exit: 0 });
    expect(await node.exec(pod.netns, 'ip', '-br', 'addr', 'show', 'side')).toContain('10.20.0.9/16');
    expect((await readStatus(pod))?.[1]).toMatchObject({ name: 'default/mv', ips: ['10.20.0.9'] });
    await del(pod);
    expect(await readdir(join(node.folder, 'state/attachments'))).toEqual([]);
  });
});

describe('all or nothing', () => {
  test.each([
    [
      'a plugin that fails',
      'b,c',
      'ADD c',
      /network default\/c as net2 \(recorder\): plugin recorder: it was told to fail/,
    ],
    ['a later plugin of a list that fails', 'b,list', 'ADD list', /network default\/list as net2 \(recorder, meta\)/],
    ['a default route that cannot be', '[{"name":"b","default-route":["198.51.100.1"]}]', '', /default|unreachable/i],
    ['a NAD that is missing', 'b,nowhere', '', /NetworkAttachmentNotFound: .*default\/nowhere does not exist/],
    ['a list that cannot be understood', 'b,a/b/c', '', /InvalidRequest/],
  ])('%s: nothing stays', async (cause, networks, fail, message) => {
    const pod = await makePod(`none-${cause.length}`, { [NETWORKS]: networks });
    await recorder.fail(fail);
    const outcome = await add(pod);
    expect(outcome.exit).toBe(1);
    expect(messageOf(outcome)).toMatch(message);
    await recorder.allow();
    expect(await isEmpty()).toBe(true);
    expect(await node.exec(pod.netns, 'ip', '-br', 'link')).not.toMatch(/^(eth0|net\d)/m);
    expect(await readStatus(pod)).toBeUndefined();
    expect(await del(pod)).toMatchObject({ exit: 0 });
  });

  test('a plugin that hangs is killed at the deadline, and the error names it', async () => {
    const pod = await makePod('hangs', { [NETWORKS]: 'b' });
    await recorder.hang('ADD b');
    const outcome = await add(pod);
    expect(outcome.exit).toBe(1);
    expect(messageOf(outcome)).toMatch(/default\/b as net1 \(recorder\): plugin recorder: no answer within 8 s/);
    expect(await recorder.listProcesses()).toEqual([]);
  });

  test('a DEL ends the ADD that still waits for a plugin', async () => {
    const pod = await makePod('overtaken', { [NETWORKS]: 'b' });
    await recorder.hang('ADD b');
    const { done } = node.startCni({ command: 'ADD', pod });
    await recorder.untilHanging();
    expect(await del(pod)).toMatchObject({ exit: 0 });
    expect((await done).exit).toBe(1);
    expect(await recorder.listProcesses()).toEqual([]);
    expect(await isEmpty()).toBe(true);
  });
});

describe('DEL and what comes instead of it', () => {
  test('F39 needs neither the NAD nor the pod', async () => {
    const metadata = { name: 'brief', namespace: 'default' };
    await node.put(NADS, { metadata, spec: { config: JSON.stringify(CONFIGS.b) } } as KubeObject);
    const pod = await makePod('orphan', { [NETWORKS]: 'brief' });
    expect(await add(pod)).toMatchObject({ exit: 0 });
    await node.remove(NADS, 'default/brief');
    await node.remove('v1/pods', 'default/orphan');
    expect(await node.cni({ command: 'DEL', pod, env: { CNI_NETNS: '', CNI_ARGS: '' }, config: [] })).toMatchObject({
      exit: 0,
    });
    expect((await callsOf(pod)).at(-1)).toMatchObject({ env: { CNI_COMMAND: 'DEL', CNI_IFNAME: 'net1' } });
  });

  test('F39 a plugin that fails does not keep the pod; it is called again until it succeeds', async () => {
    const pod = await makePod('stubborn', { [NETWORKS]: 'b' });
    await add(pod);
    await recorder.fail('DEL b');
    expect(await del(pod)).toMatchObject({ exit: 0 });
    expect(await listRecords()).toHaveLength(1);
    await recorder.allow();
    await eventually('called again', async () => (await listRecords()).length === 0);
    expect(await hasLink(pod, 'net1')).toBe(false);
  });

  test('the sandbox is gone without DEL: its plugins get theirs, without a namespace', async () => {
    const pod = await makePod('lost', { [NETWORKS]: 'b' });
    await add(pod);
    await node.exec(undefined, 'ip', 'netns', 'delete', pod.netns);
    await eventually('reaped', isEmpty);
    expect((await callsOf(pod)).at(-1)).toMatchObject({ env: { CNI_COMMAND: 'DEL', CNI_NETNS: '' } });
    await node.exec(undefined, 'ip', 'netns', 'add', pod.netns);
  });

  test('GC keeps what goes with a valid sandbox, and takes all of another', async () => {
    const [kept, stale] = [await makePod('kept', { [NETWORKS]: 'b' }), await makePod('stale', { [NETWORKS]: 'b' })];
    for (const pod of [kept, stale]) await add(pod);
    const valid = [{ containerID: kept.containerId, ifname: 'eth0' }];
    const config = { cniVersion: '1.1.0', name: 'mooring', type: 'mooring', 'cni.dev/valid-attachments': valid };
    expect(await node.cni({ command: 'GC', pod: kept, config })).toMatchObject({ exit: 0 });
    expect(await hasLink(kept, 'net1')).toBe(true);
    expect(await hasLink(stale, 'net1')).toBe(false);
    expect(await listOvsPorts(node)).toHaveLength(1);
    await del(kept);
  });

  test('F14: the agent is killed between two attachments; what was made goes, the next ADD works', async () => {
    const pod = await makePod('killed', { [NETWORKS]: 'b,c' });
    await recorder.hang('ADD c');
    const { done } = node.startCni({ command: 'ADD', pod });
    await recorder.untilHanging();
    await node.stopAgent();
    expect((await done).exit).toBe(1);
    for (const pid of await recorder.listProcesses()) process.kill(pid, 'SIGKILL');
    await recorder.allow();
    await node.startAgent();
    await eventually('undone', isEmpty);
    expect(await hasLink(pod, 'net1')).toBe(false);
    const again = { ...pod, containerId: `${pod.containerId}-2` };
    expect(await add(again)).toMatchObject({ exit: 0 });
    await del(again);
  });

  test('a DEL that came while no agent was there is carried out by the next one', async () => {
    const pod = await makePod('spooled', { [NETWORKS]: 'b' });
    await add(pod);
    await node.stopAgent();
    expect(await del(pod)).toMatchObject({ exit: 0 });
    await node.startAgent();
    await eventually('carried out', isEmpty);
    expect(await hasLink(pod, 'net1')).toBe(false);
  });
});

describe('a list that changes while the pod runs', () => {
  test('attaches what is new and detaches what went, ours and others, and says so', async () => {
    const pod = await makePod('hot', { [NETWORKS]: 'b@one' });
    await add(pod);
    await berthSecond(pod, 'two', 12);
    await relist(pod, 'b@one,ours@two');
    await eventually('attached', async () => (await namesOf(pod))?.includes('two:default/ours') === true);
    expect(await hasLink(pod, 'two')).toBe(true);
    await relist(pod, 'ours@two');
    await eventually('detached', async () => (await namesOf(pod))?.length === 2);
    expect(await namesOf(pod)).toEqual(['eth0:mooring', 'two:default/ours']);
    expect(await hasLink(pod, 'one')).toBe(false);
    await relist(pod, '');
    await eventually('detached', async () => (await namesOf(pod))?.length === 1);
    expect(await hasLink(pod, 'two')).toBe(false);
    expect(await hasLink(pod, 'eth0')).toBe(true);
    await del(pod);
  });

  test('an element taken out of the middle renames nobody', async () => {
    const pod = await makePod('middle', { [NETWORKS]: 'b,c,b' });
    await add(pod);
    const calls = (await callsOf(pod)).length;
    await relist(pod, 'b,b');
    await eventually('detached', async () => (await namesOf(pod))?.length === 3);
    expect(await namesOf(pod)).toEqual(['eth0:mooring', 'net1:default/b', 'net3:default/b']);
    expect((await callsOf(pod)).slice(calls).map(({ env }) => `${env.CNI_COMMAND} ${env.CNI_IFNAME}`)).toEqual([
      'DEL net2',
    ]);
    await del(pod);
  });

  test('what fails is told in an event and tried until it works', async () => {
    const pod = await makePod('retried', { [NETWORKS]: 'b@one' });
    await add(pod);
    await recorder.fail('ADD c');
    await relist(pod, 'b@one,c@two');
    await eventually('event', async () =>
      (await node.list('events.k8s.io/v1/events')).some((event) => JSON.stringify(event).includes('default/c as two')),
    );
    expect(await hasLink(pod, 'two')).toBe(false);
    await recorder.allow();
    await eventually('attached', async () => (await namesOf(pod))?.includes('two:default/c') === true);
    await recorder.fail('DEL c');
    await relist(pod, 'b@one');
    await eventually('event', async () =>
      (await node.list('events.k8s.io/v1/events')).some((event) => JSON.stringify(event).includes('DetachFailed')),
    );
    await recorder.allow();
    await eventually('detached', async () => !(await hasLink(pod, 'two')));
    await del(pod);
  });

  test('a pod that an earlier agent has attached, which knew of no networks, is followed too', async () => {
    const pod = await makePod('earlier', {});
    await add(pod);
    await node.stopAgent();
    await rm(join(node.folder, 'state/networks'), { recursive: true });
    await node.startAgent();
    await relist(pod, 'b@one');
    await eventually('attached', async () => (await namesOf(pod))?.join() === 'eth0:mooring,one:default/b');
    expect((await readStatus(pod))?.[0]).toMatchObject({ ips: [`10.16.0.${next}`], default: true });
    await del(pod);
    expect(await hasLink(pod, 'one')).toBe(false);
  });

  test('what changed while no agent was there is seen by the next one', async () => {
    const pod = await makePod('meanwhile', { [NETWORKS]: 'b@one' });
    await add(pod);
    await node.stopAgent();
    await relist(pod, 'c@two');
    await node.startAgent();
    await eventually('changed', async () => (await namesOf(pod))?.join() === 'eth0:mooring,two:default/c');
    expect(await hasLink(pod, 'one')).toBe(false);
    await del(pod);
  });
});

test('the way out goes back when the network that had it is taken away: to another that asked for it, or to eth0', async () => {
  const pod = await makePod('back', {});
  expect(await add(pod)).toMatchObject({ exit: 0 });
  const wayOut = async () => (await node.exec(pod.netns, 'ip', 'route', 'show', 'default')).trim();
  const before = await wayOut();
  const b = { name: 'b', ips: ['192.0.2.7/24'], 'default-route': ['192.0.2.1'] };
  const c = { name: 'c', ips: ['198.51.100.7/24'], 'default-route': ['198.51.100.1'] };
  for (const [list, way] of [
    [[b], '192.0.2.1 dev net1'],
    [[b, c], '198.51.100.1 dev net2'],
    [[b], '192.0.2.1 dev net1'],
  ] as const) {
    await relist(pod, JSON.stringify(list));
    await eventually(`via ${way}`, async () => (await wayOut()).startsWith(`default via ${way}`));
  }
  await relist(pod, '');
  await eventually('back', async () => (await wayOut()) === before && !(await hasLink(pod, 'net1')));
  await del(pod);
});

describe('who attaches', () => {
  test('Multus, where its configuration is the first: only the interface of the call is ours', async () => {
    const path = join(node.folder, 'cni-conf/00-multus.conf');
    await writeFile(path, JSON.stringify({ cniVersion: '1.0.0', name: 'multus', type: 'multus-shim' }));
    const pod = await makePod('multus', { [NETWORKS]: 'b' });
    expect(await add(pod)).toMatchObject({ exit: 0 });
    expect(await callsOf(pod)).toEqual([]);
    expect(await readStatus(pod)).toBeUndefined();
    await del(pod);
    await rm(path);
  });

  test('a default network of others replaces the first interface', async () => {
    const chosen = JSON.stringify([{ name: 'b', namespace: 'default', ips: ['192.0.2.9/24'] }]);
    const pod = await node.addPod('replaced', { 'v1.multus-cni.io/default-network': chosen });
    const config = { cniVersion: '0.4.0', name: 'mooring', type: 'mooring' };
    const outcome = await node.cni({ command: 'ADD', pod, config });
    expect(outcome).toMatchObject({ exit: 0 });
    expect(JSON.parse(outcome.output)).toMatchObject({
      cniVersion: '0.4.0',
      ips: [{ version: '4', address: '192.0.2.9/24' }],
    });
    expect(await readStatus(pod)).toMatchObject([
      { name: 'default/b', interface: 'eth0', ips: ['192.0.2.9'], default: true },
    ]);
    expect(await listOvsPorts(node)).toEqual([]);
    expect(await node.cni({ command: 'CHECK', pod, config })).toMatchObject({ exit: 0 });
    await del(pod);
    expect(await hasLink(pod, 'eth0')).toBe(false);
  });

  test('chained behind another plugin: its result is passed on, the other networks are attached', async () => {
    const path = join(node.folder, 'cni-conf/05-other.conflist');
    const plugins = [{ type: 'other' }, { type: 'mooring', mode: 'networks' }];
    await writeFile(path, JSON.stringify({ cniVersion: '1.0.0', name: 'other', plugins }));
    const pod = await node.addPod('chained', { [NETWORKS]: 'b' });
    await node.exec(pod.netns, 'ip', 'link', 'add', 'eth0', 'type', 'bridge');
    const ips = [{ address: '10.99.0.5/24', interface: 0 }];
    const prevResult = {
      cniVersion: '1.0.0',
      interfaces: [{ name: 'eth0', mac: '02:01:02:03:04:05', sandbox: 'x' }],
      ips,
    };
    const config = { cniVersion: '1.0.0', name: 'other', type: 'mooring', mode: 'networks', prevResult };
    const outcome = await node.cni({ command: 'ADD', pod, config });
    expect(outcome).toMatchObject({ exit: 0 });
    expect(JSON.parse(outcome.output)).toMatchObject(prevResult);
    expect(await namesOf(pod)).toEqual(['eth0:other', 'net1:default/b']);
    await relistChained(pod);
    await node.cni({ command: 'DEL', pod, config });
    expect(await hasLink(pod, 'net1')).toBe(false);
    expect(await hasLink(pod, 'eth0')).toBe(true);
    await rm(path);
  });
});

/** A pod whose first interface is another plugin's follows its list too. */
async function relistChained(pod: TestPod): Promise<void> {
  await relist(pod, 'b,c');
  await eventually('attached', async () => (await namesOf(pod))?.includes('net2:default/c') === true);
}

test('default-route moves the way out of the pod; CHECK and a repeated ADD leave it there', async () => {
  const list = [{ name: 'b', ips: ['192.0.2.7/24'], 'default-route': ['192.0.2.1'] }];
  const pod = await makePod('out', { [NETWORKS]: JSON.stringify(list) });
  expect(await add(pod)).toMatchObject({ exit: 0 });
  expect((await node.exec(pod.netns, 'ip', 'route', 'show', 'default')).trim()).toMatch(
    /^default via 192.0.2.1 dev net1 \S.*$/,
  );
  const indexes = await node.exec(pod.netns, 'ip', '-o', 'link', 'show', 'eth0');
  expect(await node.cni({ command: 'CHECK', pod })).toMatchObject({ exit: 0 });
  expect(await add(pod)).toMatchObject({ exit: 0 });
  expect(await node.exec(pod.netns, 'ip', '-o', 'link', 'show', 'eth0')).toBe(indexes);
  expect(await node.exec(pod.netns, 'ip', 'route', 'show', 'default')).toMatch(/^default via 192.0.2.1 dev net1/);
  await del(pod);
});
