import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCast } from '../../test/operator/objects.ts';
import { COLLECTIONS, type Stage, startStage, until } from '../../test/operator/stage.ts';
import type { KubeObject } from '../kube/index.ts';
import { eventually } from '../kube/testing/eventually.ts';

let stage: Stage;
let cast: ReturnType<typeof createCast>;
let clusterUid: string | undefined;
beforeEach(async () => {
  stage = await startStage();
  cast = createCast(stage.api);
  const cluster = stage.api.storage.create(COLLECTIONS.namespaces, { metadata: { name: 'kube-system' } });
  clusterUid = cluster.metadata?.uid;
});
afterEach(async () => {
  await stage[Symbol.asyncDispose]();
});

const LSP = 'vm/a/db/default';
const PORT = 'a/db.default.vm';
const findLsp = (name: string) => until(`switch port ${name}`, async () => (await stage.listLsps()).get(name));
const whenGone = (name: string) => until(`${name} gone`, async () => !(await stage.listLsps()).has(name));
const whenEvent = (text: string) => eventually(`event ${text}`, () => stage.events().includes(text));
const whenPhase = (phase: string) => eventually(`phase ${phase}`, () => stage.findPort(PORT)?.status?.phase === phase);
const getOwner = () => stage.findPort(PORT)?.spec.owner.uid;
const RETAIN = { 'mooring.dev/release-policy': 'Retain' };

async function settle(name: string) {
  cast.pod(name);
  return findLsp(`pod/a/${name}/eth0`);
}

describe('a retained port', () => {
  it('outlives its VM without rows, and nobody else gets the address', async () => {
    await stage.start();
    cast.vm('db', { annotations: { ...RETAIN, 'ovn.kubernetes.io/ip_address': '10.16.0.2' } });
    await findLsp(LSP);
    expect(stage.findPort(PORT)?.metadata.ownerReferences ?? []).toEqual([]);
    cast.remove('vms', 'a/db');
    await whenGone(LSP);
    await whenPhase('Released');
    expect((await settle('p1')).addresses).not.toMatch(/ 10\.16\.0\.2$/);
    cast.pod('thief', { annotations: { 'ovn.kubernetes.io/ip_address': '10.16.0.2' } });
    await whenEvent('Pod/thief AddressInUse');
    expect(stage.findPort(PORT)?.spec.ips).toEqual(['10.16.0.2']);
  });

  it('F36 is taken over by a VM of its name that says so, and by no other', async () => {
    await stage.start();
    cast.vm('db', { annotations: RETAIN });
    const first = await findLsp(LSP);
    const old = getOwner();
    cast.remove('vms', 'a/db');
    await whenPhase('Released');
    const next = cast.vm('db', { annotations: RETAIN });
    await whenEvent('VirtualMachine/db AddressRetained');
    expect(getOwner()).toBe(old);
    expect((await stage.listLsps()).has(LSP)).toBe(false);
    cast.patch('vms', 'a/db', { spec: { template: { metadata: { annotations: { 'mooring.dev/adopt': 'true' } } } } });
    expect((await findLsp(LSP)).addresses).toBe(first.addresses);
    expect(getOwner()).toBe(next.metadata?.uid);
  });

  it('is freed when its LogicalPort is deleted', async () => {
    await stage.start();
    cast.vm('db', { annotations: RETAIN });
    await findLsp(LSP);
    cast.remove('vms', 'a/db');
    await whenPhase('Released');
    cast.remove('ports', PORT);
    await eventually('gone', () => stage.findPort(PORT) === undefined);
    cast.pod('p1', { annotations: { 'ovn.kubernetes.io/ip_address': '10.16.0.2' } });
    await findLsp('pod/a/p1/eth0');
  });

  it('is what the subnet says when nobody else does, and what the NIC says above all', async () => {
    await stage.start();
    cast.subnet('keep', { cidrBlock: '10.77.0.0/24', releasePolicy: 'Retain' });
    await eventually('ready', () => stage.findSubnet('keep')?.status?.conditions?.[0]?.reason === 'Ready');
    const ask = (nic: object) => ({ 'mooring.dev/nics': JSON.stringify({ default: nic }) });
    cast.vm('kept', { annotations: ask({ subnet: 'keep' }) });
    cast.vm('let-go', { annotations: ask({ subnet: 'keep', releasePolicy: 'WithOwner' }) });
    await findLsp('vm/a/kept/default');
    await findLsp('vm/a/let-go/default');
    cast.remove('vms', 'a/kept');
    cast.remove('vms', 'a/let-go');
    await eventually('the release', () => stage.findPort('a/let-go.default.vm') === undefined);
    await eventually('kept', () => stage.findPort('a/kept.default.vm')?.status?.phase === 'Released');
  });
});

describe('OnStop', () => {
  it('gives the address back when the VM has stopped, and another one at the next start', async () => {
    await stage.start();
    const vm = cast.vm('db', { annotations: { 'mooring.dev/release-policy': 'OnStop' } });
    await settle('before');
    expect(stage.findPort(PORT)).toBeUndefined();
    cast.launcher('l1', cast.vmi('db', vm), { node: 'n1' });
    const first = await findLsp(LSP);
    cast.remove('pods', 'a/l1');
    cast.remove('vmis', 'a/db');
    await whenGone(LSP);
    await eventually('the release', () => stage.findPort(PORT) === undefined);
    cast.launcher('l2', cast.vmi('db', vm), { node: 'n1' });
    expect((await findLsp(LSP)).addresses).not.toBe(first.addresses);
  });
});

type OwnerRef = { readonly kind: string; readonly name: string; readonly uid: string };

/** A LogicalPort as a backup tool puts it into an empty cluster: all of its metadata but what the API server gives. */
function restore(over: { deleted?: boolean; owner?: OwnerRef; name?: string } = {}): void {
  const owner = over.owner ?? { kind: 'VirtualMachine', name: 'db', uid: 'old-vm' };
  const name = over.name ?? 'db.default.vm';
  stage.api.storage.create(COLLECTIONS.ports, {
    metadata: {
      name,
      namespace: 'a',
      annotations: { 'mooring.dev/cluster-uid': 'that-cluster' },
      finalizers: ['mooring.dev/release'],
      ownerReferences: [{ apiVersion: 'kubevirt.io/v1', ...owner }],
    },
    spec: {
      owner,
      nic: name.split('.')[1],
      subnet: 'default',
      ips: ['10.16.0.99'],
      mac: '0a:00:00:00:00:99',
      attachments: [{ podName: 'gone', podUID: 'gone', node: 'n9', interface: 'eth0', role: 'Source' }],
    },
  } as KubeObject);
  // The garbage collector does not find the owner.
  if (over.deleted) cast.remove('ports', `a/${name}`);
}

describe('a restore into an empty cluster', () => {
  it.each([
    ['as the backup has them', false],
    ['and the garbage collector found no owner', true],
  ])('LogicalPorts before their VMs, %s: the address waits for its VM and is its', async (_cause, deleted) => {
    restore({ deleted });
    await stage.start();
    await settle('p1');
    expect((await findLsp(LSP)).chassis).toBe('mooring/unattached');
    expect(stage.findPort(PORT)?.spec.attachments).toEqual([]);
    expect(stage.findPort(PORT)?.metadata.ownerReferences).toEqual([]);
    const vm = cast.vm('db');
    await eventually('the adoption', () => getOwner() === vm.metadata?.uid);
    expect(stage.findPort(PORT)).toMatchObject({
      metadata: { annotations: { 'mooring.dev/cluster-uid': clusterUid } },
      spec: { ips: ['10.16.0.99'], mac: '0a:00:00:00:00:99' },
    });
    cast.launcher('l1', cast.vmi('db', vm), { node: 'n1' });
    await until('attached', async () => (await stage.listLsps()).get(LSP)?.chassis === 'n1');
    expect((await findLsp(LSP)).addresses).toBe('0a:00:00:00:00:99 10.16.0.99');
  });

  it('K12 LogicalPorts beside their VMs, whose UIDs are new: adopted at once', async () => {
    const vm = cast.vm('db');
    restore();
    await stage.start();
    await eventually('the adoption', () => getOwner() === vm.metadata?.uid);
    expect((await findLsp(LSP)).addresses).toBe('0a:00:00:00:00:99 10.16.0.99');
  });

  it('LogicalPorts over those that a VM got meanwhile: the VM has its old address', async () => {
    await stage.start();
    const vm = cast.vm('db');
    await findLsp(LSP);
    // A backup tool that overwrites what is there.
    cast.patch('ports', PORT, {
      metadata: { annotations: { 'mooring.dev/cluster-uid': 'that-cluster' } },
      spec: { owner: { uid: 'old-vm' }, ips: ['10.16.0.99'], mac: '0a:00:00:00:00:99' },
    });
    await until('the old address', async () => (await stage.listLsps()).get(LSP)?.addresses.endsWith(' 10.16.0.99'));
    await eventually('the adoption', () => getOwner() === vm.metadata?.uid);
    cast.pod('p1', { annotations: { 'ovn.kubernetes.io/ip_address': '10.16.0.2' } });
    await findLsp('pod/a/p1/eth0');
  });

  it('of one namespace into the cluster that it was in: a VM that had started has its address again', async () => {
    await stage.start();
    const before = cast.vm('db');
    await findLsp(LSP);
    cast.launcher('l1', cast.vmi('db', before), { node: 'n1' });
    const first = await until('attached', async () => {
      const lsp = (await stage.listLsps()).get(LSP);
      return lsp?.chassis === 'n1' ? lsp : undefined;
    });
    const saved = await eventually('the holder', () => {
      const port = stage.findPort(PORT);
      return port?.spec.attachments?.length === 1 ? structuredClone(port) : undefined;
    });
    for (const [collection, name] of [
      ['pods', 'l1'],
      ['vmis', 'db'],
      ['vms', 'db'],
    ] as const) {
      cast.remove(collection, `a/${name}`);
    }
    await eventually('the release', () => stage.findPort(PORT) === undefined);
    const { uid: _, resourceVersion: __, ...metadata } = saved.metadata;
    stage.api.storage.create(COLLECTIONS.ports, { ...saved, metadata } as KubeObject);
    const vm = cast.vm('db');
    await eventually('the adoption', () => getOwner() === vm.metadata?.uid);
    expect((await findLsp(LSP)).addresses).toBe(first.addresses);
    cast.remove('vms', 'a/db');
    await eventually('the release', () => stage.findPort(PORT) === undefined);
  });

  it("a pod's LogicalPort whose pod is gone is released", async () => {
    restore({ owner: { kind: 'Pod', name: 'web', uid: 'old-pod' }, name: 'web.eth0.pod' });
    await stage.start();
    await eventually('the release', () => stage.findPort('a/web.eth0.pod') === undefined);
  });

  it('a port that nobody comes for is let go when its annotation is taken off', async () => {
    restore();
    await stage.start();
    await findLsp(LSP);
    await settle('p1');
    cast.patch('ports', PORT, { metadata: { annotations: { 'mooring.dev/cluster-uid': null } } });
    await whenGone(LSP);
    await eventually('the release', () => stage.findPort(PORT) === undefined);
  });

  it('a copy of a port that lives here already: the VM with the address is undisturbed', async () => {
    await stage.start();
    cast.vm('alive', { annotations: { 'ovn.kubernetes.io/ip_address': '10.16.0.99' } });
    const before = await findLsp('vm/a/alive/default');
    // Of two objects of one second the first in the alphabet counts as the older one.
    restore();
    await whenPhase('Conflict');
    expect((await stage.listLsps()).get('vm/a/alive/default')).toEqual(before);
    expect((await stage.listLsps()).has(LSP)).toBe(false);
  });
});
