import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCast } from '../../../test/operator/objects.ts';
import { expectIdle, postSentinel, type Sentinel, whenSound } from '../../../test/operator/sentinel.ts';
import { COLLECTIONS, type Stage, startStage, until } from '../../../test/operator/stage.ts';
import type { KubeObject } from '../../kube/index.ts';
import { eventually } from '../../kube/testing/eventually.ts';

let stage: Stage;
let cast: ReturnType<typeof createCast>;
let sentinel: Sentinel;
beforeEach(async () => {
  stage = await startStage();
  cast = createCast(stage.api);
  sentinel = postSentinel(stage);
});
afterEach(async () => {
  sentinel[Symbol.dispose]();
  expect(sentinel.wrong).toEqual([]);
  await stage[Symbol.asyncDispose]();
});

const findLsp = (name: string) => until(`switch port ${name}`, async () => (await stage.listLsps()).get(name));
const getAllocated = (port: string) =>
  stage.findPort(port)?.status?.conditions?.find((condition) => condition.type === 'Allocated');
const whenAllocated = (port: string, reason: string) =>
  eventually(`${port} ${reason}`, () => {
    const found = getAllocated(port);
    return found?.reason === reason ? found : undefined;
  });
const whenPhase = (port: string, phase: string) =>
  eventually(`${port} ${phase}`, () => stage.findPort(port)?.status?.phase === phase);
const fixed = (ip: string) => ({ annotations: { 'ovn.kubernetes.io/ip_address': ip } });

describe('a full subnet', () => {
  it('F31 twenty VMs for five addresses: five have one, all others say why, and as many as are freed are served', async () => {
    const operator = await stage.start({ defaultCidr: '10.16.0.0/29' });
    const names = Array.from({ length: 20 }, (_, index) => `vm${index}`);
    for (const name of names) cast.vm(name);
    const having = () => stage.listPorts().filter(({ spec }) => spec.ips.length > 0);
    await eventually('all looked at', () => stage.listPorts().length === 20);
    await until('five', async () => (await stage.listLsps()).size === 5);
    await eventually('the others say why', () => {
      const told = names.filter((name) => getAllocated(`a/${name}.default.vm`)?.reason === 'SubnetFull');
      return told.length === 15;
    });
    for (let round = 0; round < 3; round += 1) {
      const winners = having().map(({ spec }) => spec.owner.name);
      for (const name of winners) cast.remove('vms', `a/${name}`);
      await eventually('the next ones', () => {
        const now = having().map(({ spec }) => spec.owner.name);
        return now.length === 5 && !now.some((name) => winners.includes(name));
      });
    }
    await whenSound(stage);
    await expectIdle(stage, operator);
  });
});

describe('a fixed address that nobody may have', () => {
  it.each([
    ['the gateway', '10.16.0.1', 'AddressReserved'],
    ['the network', '10.16.0.0', 'AddressReserved'],
    ['the broadcast', '10.16.0.255', 'AddressReserved'],
    ['an excluded one', '10.16.0.77', 'AddressReserved'],
    ['a node on the join network', '100.64.0.3', 'AddressOutsideSubnet'],
    ['another family', 'fd00::5', ''],
    ['no address', '10.16.0.300', 'InvalidRequest'],
    ['an address in disguise', '010.16.0.5', 'InvalidRequest'],
  ])('F33 %s: refused with the reason, no row, and the neighbours are served', async (_cause, ip, reason) => {
    cast.subnet('default', {
      cidrBlock: '10.16.0.0/24',
      gateway: '10.16.0.1',
      excludeIps: ['10.16.0.77'],
      default: true,
    });
    await stage.start();
    cast.pod('p1', fixed(ip));
    await eventually('a refusal', () => getAllocated('a/p1.eth0.pod')?.status === 'False');
    if (reason !== '') expect(getAllocated('a/p1.eth0.pod')?.reason).toBe(reason);
    cast.pod('p2');
    await findLsp('pod/a/p2/eth0');
    expect([...(await stage.listLsps()).keys()]).toEqual(['pod/a/p2/eth0']);
    await whenSound(stage);
  });
});

describe('a stopped VM', () => {
  it('F37 pods churn through the subnet and operators come and go: its address waits for it', async () => {
    let operator = await stage.start({ defaultCidr: '10.16.0.0/28' });
    const vm = cast.vm('db');
    const before = await findLsp('vm/a/db/default');
    for (let round = 0; round < 4; round += 1) {
      const names = Array.from({ length: 12 }, (_, index) => `p${round}-${index}`);
      for (const name of names) cast.pod(name);
      await until('all pods', async () => (await stage.listLsps()).size === 13);
      await operator.stop();
      for (const name of names) cast.remove('pods', `a/${name}`);
      operator = await stage.start();
      await until('no pods', async () => (await stage.listLsps()).size === 1);
    }
    cast.launcher('l1', cast.vmi('db', vm), { node: 'n1' });
    await until('started', async () => (await stage.listLsps()).get('vm/a/db/default')?.chassis === 'n1');
    expect((await findLsp('vm/a/db/default')).addresses).toBe(before.addresses);
    await whenSound(stage);
  });
});

describe('a start of the operator', () => {
  it('K9 frees nothing that a VM, a claim or a policy holds for want of a pod of that name', async () => {
    cast.nad('attachnet', { type: 'mooring', provider: 'attachnet.a.ovn' });
    cast.subnet('net', { cidrBlock: '172.17.0.0/24', provider: 'attachnet.a.ovn' });
    stage.api.storage.create(COLLECTIONS.ipamClaims, {
      metadata: { name: 'c1', namespace: 'a' },
      spec: { network: 'attachnet', interface: 'net1' },
    } as KubeObject);
    const first = await stage.start();
    await eventually('ready', () => stage.findSubnet('net')?.status?.conditions?.[0]?.reason === 'Ready');
    cast.vm('stopped', fixed('10.16.0.50'));
    cast.vm('kept', {
      annotations: { 'ovn.kubernetes.io/ip_address': '10.16.0.51', 'mooring.dev/release-policy': 'Retain' },
    });
    const networks = [{ name: 'attachnet', namespace: 'a', interface: 'net1', 'ipam-claim-reference': 'c1' }];
    cast.pod('claimant', { annotations: { 'k8s.v1.cni.cncf.io/networks': JSON.stringify(networks) } });
    const claimed = (await findLsp('pod/a/claimant/net1')).addresses.split(' ')[1];
    await findLsp('vm/a/stopped/default');
    await findLsp('vm/a/kept/default');
    cast.remove('vms', 'a/kept');
    await whenPhase('a/kept.default.vm', 'Released');
    cast.remove('pods', 'a/claimant');
    await whenPhase('a/claimant.net1.pod', 'Released');
    await expectIdle(stage, first);
    const holders = stage.listPorts().map(({ spec }) => spec.ips.join());
    expect(holders.sort()).toEqual(['10.16.0.50', '10.16.0.51', claimed].sort());
    for (const ip of ['10.16.0.50', '10.16.0.51']) {
      const name = `thief-${ip.slice(-2)}`;
      cast.pod(name, fixed(ip));
      await whenAllocated(`a/${name}.eth0.pod`, 'AddressInUse');
    }
    await whenSound(stage);
  });
});

describe('a NAD', () => {
  it('F39 that goes or changes under a running VM takes nothing from it, nor from its next start', async () => {
    const spec = {
      domain: { devices: { interfaces: [{ name: 'biz', bridge: {} }] } },
      networks: [{ name: 'biz', multus: { networkName: 'attachnet' } }],
    };
    const operator = await stage.start();
    cast.nad('attachnet', { type: 'mooring', provider: 'attachnet.a.ovn' });
    cast.subnet('net', { cidrBlock: '172.17.0.0/24', provider: 'attachnet.a.ovn' });
    cast.subnet('other', { cidrBlock: '172.18.0.0/24', provider: 'other.a.ovn' });
    await eventually('ready', () => stage.findSubnet('other')?.status?.conditions?.[0]?.reason === 'Ready');
    const vm = cast.vm('db', { spec });
    const vmi = cast.vmi('db', vm);
    cast.patch('vmis', 'a/db', { spec });
    cast.launcher('l1', vmi, { node: 'n1' });
    const before = await until('running', async () => {
      const lsp = (await stage.listLsps()).get('vm/a/db/biz');
      return lsp?.chassis === 'n1' ? lsp : undefined;
    });
    cast.patch('nads', 'a/attachnet', {
      spec: { config: JSON.stringify({ type: 'mooring', provider: 'other.a.ovn' }) },
    });
    await whenAllocated('a/db.biz.vm', 'ChangePending');
    expect(await findLsp('vm/a/db/biz')).toEqual(before);
    cast.remove('nads', 'a/attachnet');
    await eventually('it is told', () => stage.events().includes('VirtualMachine/db NetworkAttachmentNotFound'));
    expect(await findLsp('vm/a/db/biz')).toEqual(before);
    cast.remove('pods', 'a/l1');
    cast.remove('vmis', 'a/db');
    await until('stopped', async () => (await stage.listLsps()).get('vm/a/db/biz')?.chassis === 'mooring/unattached');
    expect((await findLsp('vm/a/db/biz')).addresses).toBe(before.addresses);
    await whenSound(stage);
    await expectIdle(stage, operator);
  });
});

describe('a hostile pod', () => {
  it("F54 asks in every form for a VM's address or MAC: refused in words without its name, and the VM is undisturbed", async () => {
    await stage.start();
    cast.vm('db', fixed('10.16.0.50'));
    const vm = await findLsp('vm/a/db/default');
    const [mac = ''] = vm.addresses.split(' ');
    const forms: Record<string, string>[] = [
      { 'ovn.kubernetes.io/ip_address': '10.16.0.50' },
      { 'ovn.kubernetes.io/mac_address': mac },
      { 'ovn.kubernetes.io/ip_pool': '10.16.0.50' },
      { 'mooring.dev/nics': '{"eth0":{"ips":["10.16.0.50"]}}' },
      { 'mooring.dev/nics': '{"eth0":{"ips":["10.16.0.50"]}}', 'mooring.dev/adopt': 'true' },
      { 'network.kubevirt.io/addresses': '{"eth0":["10.16.0.50"]}', 'ovn.kubernetes.io/ip_address': '10.16.0.50' },
    ];
    for (const [index, annotations] of forms.entries()) {
      stage.api.storage.create(COLLECTIONS.pods, {
        metadata: { name: `thief${index}`, namespace: 'b', annotations },
        spec: { nodeName: 'n1' },
      } as KubeObject);
      await eventually(
        `a refusal of form ${index}`,
        () => getAllocated(`b/thief${index}.eth0.pod`)?.status === 'False',
      );
      expect(getAllocated(`b/thief${index}.eth0.pod`)?.message).not.toContain('db');
    }
    expect([...(await stage.listLsps()).keys()]).toEqual(['vm/a/db/default']);
    expect(await findLsp('vm/a/db/default')).toEqual(vm);
    await whenSound(stage);
  });

  it('F55 bears every mark of a launcher and of a result: it gets a port of its own and nothing of the VM', async () => {
    await stage.start();
    const created = cast.vm('db', fixed('10.16.0.50'));
    const vmi = cast.vmi('db', created);
    cast.launcher('l1', vmi, { node: 'n1' });
    const vm = await until('running', async () => {
      const lsp = (await stage.listLsps()).get('vm/a/db/default');
      return lsp?.chassis === 'n1' ? lsp : undefined;
    });
    stage.api.storage.create(COLLECTIONS.pods, {
      metadata: {
        name: 'forger',
        namespace: 'a',
        labels: {
          'kubevirt.io': 'virt-launcher',
          'kubevirt.io/vm': 'db',
          'vm.kubevirt.io/name': 'db',
          'kubevirt.io/migrationJobUID': 'x',
        },
        annotations: {
          'kubevirt.io/domain': 'db',
          'kubevirt.io/migrationJobName': 'x',
          'ovn.kubernetes.io/allocated': 'true',
          'ovn.kubernetes.io/virtualmachine': 'db',
          'mooring.dev/adopt': 'true',
        },
      },
      spec: { nodeName: 'n3' },
    } as KubeObject);
    const own = await findLsp('pod/a/forger/eth0');
    expect(own.addresses).not.toBe(vm.addresses);
    expect(await findLsp('vm/a/db/default')).toEqual(vm);
    cast.launcher('forged', vmi, { node: 'n3', job: 'x', forged: true });
    cast.pod('marker');
    await findLsp('pod/a/marker/eth0');
    expect(await findLsp('vm/a/db/default')).toEqual(vm);
    expect(stage.findPort('a/db.default.vm')?.spec.attachments?.map(({ podName }) => podName)).toEqual(['l1']);
    await whenSound(stage);
  });
});
