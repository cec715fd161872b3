import { randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../../test/operator/stage.ts';
import { useStage } from '../../../test/operator/use-stage.ts';
import type { KubeObject } from '../../kube/index.ts';
import { eventually } from '../../kube/testing/eventually.ts';

const { stage, cast } = useStage();
const POLICIES = 'networking.k8s.io/v1/networkpolicies';
const settings = { networkPolicies: true };
const start = () => stage.start({ settings });

const addPolicy = (name: string, spec: object, namespace = 'a') =>
  stage.api.storage.create(POLICIES, { metadata: { name, namespace }, spec } as KubeObject);
const changePolicy = (key: string, spec: object) => stage.api.storage.patch(POLICIES, key, { patch: { spec } });

type PodExtra = { namespace?: string; ports?: object[]; phase?: string };
function addPod(name: string, labels: Record<string, string>, { namespace = 'a', ports = [], phase }: PodExtra = {}) {
  return stage.api.storage.create('v1/pods', {
    metadata: { name, namespace, uid: randomUUID(), labels },
    spec: { nodeName: 'n1', containers: [{ name: 'main', ports }] },
    status: { phase: phase ?? 'Running' },
  } as KubeObject);
}
const addNamespace = (name: string, labels: Record<string, string>) =>
  stage.api.storage.create('v1/namespaces', { metadata: { name, labels } } as KubeObject);

/** The ports of the group that a policy's rows isolate, and its rows, without what every policy has. */
async function describePolicy(key: string) {
  const { ACL: acls = {}, Port_Group: groups = {} } = await stage.nb.dump();
  const members = new Map(Object.entries(groups).map(([name, { ports = [] }]) => [name, String(ports)]));
  const shorten = (text: string) =>
    [...members].reduce((shown, [name, ports]) => shown.replaceAll(name, `<${ports.replaceAll('pod/', '')}>`), text);
  const rows = Object.entries(acls).filter(([row]) => row.startsWith(`policy/${key}/`));
  return rows.map(([, { match, action }]) => shorten(`${action} ${match}`)).sort();
}
const whenPolicy = (key: string, ...lines: string[]) =>
  until(`${key}: ${lines.join(', ')}`, async () => {
    const found = await describePolicy(key);
    const isThere = lines.every((line) => found.includes(line));
    return isThere ? found : undefined;
  });
const whenRows = (groups: number, acls: number) =>
  until(`${groups} groups and ${acls} ACLs`, async () => {
    const { Port_Group = {}, ACL = {} } = await stage.nb.dump();
    return Object.keys(Port_Group).length === groups && Object.keys(ACL).length === acls;
  });

const ALL = { podSelector: {} };
const WEB = { podSelector: { matchLabels: { app: 'web' } } };

describe('a policy', () => {
  beforeEach(() => {
    addNamespace('a', { team: 'x' });
  });

  it('isolates the pods that are there and those that come, and lets them go with itself', async () => {
    await start();
    addPod('p1', { app: 'web' });
    addPolicy('deny', ALL);
    await whenPolicy('a/deny', 'drop outport == @<a/p1/eth0> && ip');
    addPod('p2', {});
    await whenPolicy('a/deny', 'drop outport == @<a/p1/eth0,a/p2/eth0> && ip');
    stage.api.storage.remove('v1/pods', 'a/p1');
    await whenPolicy('a/deny', 'drop outport == @<a/p2/eth0> && ip');
    stage.api.storage.remove(POLICIES, 'a/deny');
    await whenRows(0, 0);
  });

  it('makes no row as long as there is none', async () => {
    await start();
    addPod('p1', {});
    await until('the port', async () => (await stage.listLsps()).has('pod/a/p1/eth0'));
    await whenRows(0, 0);
  });

  it('follows labels of pods: whom it isolates, and whom it lets in', async () => {
    await start();
    addPod('p1', { app: 'web' });
    addPod('p2', { app: 'db' });
    addPolicy('web', { ...WEB, ingress: [{ from: [{ podSelector: { matchLabels: { app: 'db' } } }] }] });
    const allows = (own: string, peer: string) => `allow-related outport == @<${own}> && ip4.src == $<${peer}>_ip4`;
    await whenPolicy('a/web', allows('a/p1/eth0', 'a/p2/eth0'));
    cast.patch('pods', 'a/p2', { metadata: { labels: { app: 'web' } } });
    await whenPolicy('a/web', allows('a/p1/eth0,a/p2/eth0', ''));
    cast.patch('pods', 'a/p1', { metadata: { labels: { app: 'db' } } });
    await whenPolicy('a/web', allows('a/p2/eth0', 'a/p1/eth0'));
  });

  it('follows labels of namespaces', async () => {
    addNamespace('b', { team: 'y' });
    await start();
    addPod('p1', {});
    addPod('z', {}, { namespace: 'b' });
    addPolicy('team', { ...ALL, ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: 'z' } } }] }] });
    await whenPolicy('a/team', 'allow-related outport == @<a/p1/eth0> && ip4.src == $<>_ip4');
    cast.patch('namespaces', 'b', { metadata: { labels: { team: 'z' } } });
    await whenPolicy('a/team', 'allow-related outport == @<a/p1/eth0> && ip4.src == $<b/z/eth0>_ip4');
    cast.patch('namespaces', 'b', { metadata: { labels: { team: null } } });
    await whenPolicy('a/team', 'allow-related outport == @<a/p1/eth0> && ip4.src == $<>_ip4');
  });

  it('follows the numbers that pods give to a port', async () => {
    await start();
    addPod('p1', {}, { ports: [{ name: 'http', containerPort: 80 }] });
    addPolicy('http', { ...ALL, ingress: [{ ports: [{ port: 'http' }] }] });
    await whenPolicy('a/http', 'allow-related outport == @<a/p1/eth0> && tcp.dst == {80}');
    addPod('p2', {}, { ports: [{ name: 'http', containerPort: 8080 }] });
    await whenPolicy('a/http', 'allow-related outport == @<a/p2/eth0> && tcp.dst == {8080}');
  });

  it('that changes is changed in its rows, and groups of which nobody speaks any more are gone', async () => {
    await start();
    addPod('p1', { app: 'web' });
    addPolicy('one', { ...ALL, ingress: [{ from: [WEB] }] });
    await whenRows(2, 4);
    changePolicy('a/one', { ...WEB, ingress: [] });
    await whenRows(1, 2);
    changePolicy('a/one', { ...WEB, ingress: [{ from: [{ namespaceSelector: {} }] }] });
    await whenRows(2, 4);
    expect(await describePolicy('a/one')).toContain('drop outport == @<a/p1/eth0> && ip');
  });

  it('that cannot be read isolates, and tells why on itself', async () => {
    await start();
    addPod('p1', {});
    addPolicy('odd', {
      ...ALL,
      ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/8} || ip || ip4.src == {1.1.1.1' } }] }],
    });
    await eventually('an event', () => stage.events().includes('NetworkPolicy/odd InvalidNetworkPolicy'));
    const rows = await whenPolicy('a/odd', 'drop outport == @<a/p1/eth0> && ip');
    expect(rows.filter((row) => !row.includes('100.64.0.0'))).toHaveLength(1);
  });

  it('comes back when somebody takes its rows away', async () => {
    await start();
    addPod('p1', {});
    addPolicy('deny', ALL);
    await whenPolicy('a/deny', 'drop outport == @<a/p1/eth0> && ip');
    await stage.nb.nb.client.transactAndSync([{ op: 'delete', table: 'Port_Group', where: [] }]);
    await whenPolicy('a/deny', 'drop outport == @<a/p1/eth0> && ip');
  });

  it('is taken up by the next operator, which finds nothing to write, and forgotten by one that serves none', async () => {
    const first = await start();
    addPod('p1', {});
    addPolicy('deny', ALL);
    await whenPolicy('a/deny', 'drop outport == @<a/p1/eth0> && ip');
    await first.stop();
    const before = await stage.nb.dump();
    const second = await start();
    await eventually('the first pass', () => second.log.lines.some(({ message }) => message === 'first pass done'));
    expect(await stage.nb.dump()).toMatchObject({ ACL: before.ACL, Port_Group: before.Port_Group });
    await second.stop();
    stage.api.requests.length = 0;
    await stage.start();
    await whenRows(0, 0);
    const asked = stage.api.requests.filter(({ collection, verb }) => collection === POLICIES && verb === 'list');
    expect(asked).toEqual([]);
  });

  it('leaves out pods on the host network and those that have ended', async () => {
    await start();
    stage.api.storage.create('v1/pods', {
      metadata: { name: 'host', namespace: 'a', labels: {} },
      spec: { nodeName: 'n1', hostNetwork: true },
      status: { phase: 'Running' },
    } as KubeObject);
    addPod('done', {}, { phase: 'Succeeded' });
    addPod('p1', {});
    addPolicy('deny', ALL);
    await whenPolicy('a/deny', 'drop outport == @<a/p1/eth0> && ip');
  });

  it('leaves second interfaces out', async () => {
    await start();
    cast.nad('one', { type: 'mooring', provider: 'one.a.ovn' });
    cast.subnet('one', { cidrBlock: '172.20.0.0/24', provider: 'one.a.ovn' });
    cast.pod('p1', { annotations: { 'k8s.v1.cni.cncf.io/networks': 'one' } });
    await until('both ports', async () => (await stage.listLsps()).size === 2);
    addPolicy('deny', ALL);
    await whenPolicy('a/deny', 'drop outport == @<a/p1/eth0> && ip');
  });
});

describe('a virtual machine', () => {
  it('is isolated by the labels of its launcher, while it migrates and after', async () => {
    addNamespace('a', {});
    await start();
    const vm = cast.vm('db');
    const vmi = cast.vmi('db', vm);
    cast.launcher('l1', vmi, { node: 'n1' });
    cast.patch('pods', 'a/l1', { metadata: { labels: { app: 'db' } } });
    addPolicy('db', { podSelector: { matchLabels: { app: 'db' } } });
    await whenPolicy('a/db', 'drop outport == @<vm/a/db/default> && ip');
    cast.launcher('l2', vmi, { node: 'n2', job: 'm1' });
    cast.patch('pods', 'a/l2', { metadata: { labels: { app: 'db', 'kubevirt.io/migrationJobUID': 'm1' } } });
    await whenPolicy('a/db', 'drop outport == @<vm/a/db/default> && ip');
    cast.remove('pods', 'a/l1');
    await whenPolicy('a/db', 'drop outport == @<vm/a/db/default> && ip');
  });
});
