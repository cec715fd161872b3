import { beforeEach, describe, expect, it } from 'vitest';
import { COLLECTIONS, until } from '../../test/operator/stage.ts';
import { useStage } from '../../test/operator/use-stage.ts';
import type { LogicalPort } from '../api/types.gen.ts';
import type { KubeObject } from '../kube/index.ts';
import { eventually } from '../kube/testing/eventually.ts';

const MARK = 'kubevirt.io/ephemeral-provisioning';
const NETWORKS = 'k8s.v1.cni.cncf.io/networks';
const IP = '10.16.0.50';
const MAC = '02:00:00:00:00:50';
const BIZ_MAC = '02:00:00:00:00:51';
const SPEC = {
  domain: {
    devices: {
      interfaces: [
        { name: 'default', bridge: {} },
        { name: 'biz', bridge: {}, macAddress: BIZ_MAC },
      ],
    },
  },
  networks: [
    { name: 'default', pod: {} },
    { name: 'biz', multus: { networkName: 'attachnet' } },
  ],
};
/** Of the VM's template, which KubeVirt copies to its pods. */
const ASKED = {
  'ovn.kubernetes.io/ip_address': IP,
  'ovn.kubernetes.io/mac_address': MAC,
  'mooring.dev/adopt': 'true',
  'mooring.dev/release-policy': 'Retain',
};
const LINK = 'pod9bdd85331e7';
const BIZ = { name: 'attachnet', interface: LINK, mac: BIZ_MAC, 'ipam-claim-reference': 'db.biz' };
/** What a launcher has of all that. */
const COPIED = { ...ASKED, [NETWORKS]: JSON.stringify([BIZ]) };

const { stage, cast } = useStage();
beforeEach(() => {
  cast.nad('attachnet', { type: 'mooring', provider: 'attachnet.a.ovn' });
  stage.api.storage.create(COLLECTIONS.ipamClaims, { metadata: { name: 'db.biz', namespace: 'a' } });
  cast.subnet('net', { cidrBlock: '172.17.0.0/24', provider: 'attachnet.a.ovn' });
});

const whenLsp = (name: string, chassis: string) =>
  until(`${name} on ${chassis}`, async () => {
    const lsp = (await stage.listLsps()).get(name);
    return lsp?.chassis === chassis ? lsp : undefined;
  });
const whenGone = (name: string) => until(`${name} gone`, async () => !(await stage.listLsps()).has(name));
const listVm = async () => [...(await stage.listLsps())].filter(([name]) => name.startsWith('vm/')).toSorted();
const getSpec = (name: string): LogicalPort['spec'] => {
  const port = stage.findPort(`a/${name}`);
  if (port === undefined) throw new Error(`no LogicalPort ${name}`);
  return port.spec;
};
const listHolders = (name: string) => getSpec(name).attachments?.map(({ podName }) => podName);

function makeVmi(): KubeObject {
  const vmi = cast.vmi('db', cast.vm('db', { annotations: ASKED, spec: SPEC }));
  cast.patch('vmis', 'a/db', { spec: SPEC });
  return vmi;
}
const makeGhost = (vmi: KubeObject, more: { node?: string; forged?: boolean } = {}) =>
  cast.launcher('ghost', vmi, { annotations: { ...COPIED, [MARK]: 'true' }, ...more });
const whenVmPorts = () => until('the ports of the VM', async () => (await listVm()).length === 2);
/** A turn of everything that came before has passed when a later pod has its port. */
async function settle(name: string) {
  cast.pod(name);
  await whenLsp(`pod/a/${name}/eth0`, 'n1');
}

describe("a launcher that only makes room for the VM's volumes", () => {
  it("has ports of its own on the VM's networks, by chance, and nothing that was asked for the VM", async () => {
    await stage.start();
    const vmi = makeVmi();
    await whenVmPorts();
    const before = await listVm();
    makeGhost(vmi, { node: 'n2' });
    await whenLsp('pod/a/ghost/eth0', 'n2');
    await whenLsp(`pod/a/ghost/${LINK}`, 'n2');
    const [first, second] = [getSpec('ghost.eth0.pod'), getSpec(`ghost.${LINK}.pod`)];
    expect([first.subnet, second.subnet]).toEqual(['default', 'net']);
    expect([first.releasePolicy, second.releasePolicy]).toEqual(['WithOwner', 'WithOwner']);
    expect(second.ipamClaim).toBeUndefined();
    expect(first.ips).not.toContain(IP);
    for (const mac of [MAC, BIZ_MAC]) expect([first.mac, second.mac]).not.toContain(mac);
    expect(second.attachments).toMatchObject([{ podName: 'ghost', interface: LINK, nad: 'a/attachnet' }]);
    expect(await listVm()).toEqual(before);
    expect([getSpec('db.default.vm').ips[0], getSpec('db.default.vm').mac]).toEqual([IP, MAC]);
    expect([listHolders('db.default.vm'), listHolders('db.biz.vm')]).toEqual([[], []]);
  });

  it('goes with its ports when it has ended, and the launcher with the guest has those of the VM', async () => {
    await stage.start();
    const vmi = makeVmi();
    makeGhost(vmi, { node: 'n1' });
    await whenLsp('pod/a/ghost/eth0', 'n1');
    cast.launcher('real', vmi, { node: 'n1', annotations: COPIED });
    await whenLsp('vm/a/db/default', 'n1');
    await whenLsp('vm/a/db/biz', 'n1');
    await eventually('the holder', () => listHolders('db.biz.vm')?.join() === 'real');
    expect(listHolders('db.default.vm')).toEqual(['real']);
    const running = await listVm();
    cast.setStatus('pods', 'a/ghost', { phase: 'Succeeded' });
    await whenGone('pod/a/ghost/eth0');
    await whenGone(`pod/a/ghost/${LINK}`);
    await eventually('nothing kept', () => stage.listPorts().every(({ spec }) => spec.owner.kind !== 'Pod'));
    cast.remove('pods', 'a/ghost');
    await settle('marker');
    expect(await listVm()).toEqual(running);
  });

  it('is deleted while no operator looks: its ports go, retained ones of its networks too', async () => {
    const first = await stage.start();
    const vmi = makeVmi();
    await until('the subnet', async () => stage.findSubnet('default'));
    cast.patch('subnets', 'default', { spec: { releasePolicy: 'Retain' } });
    makeGhost(vmi, { node: 'n1' });
    await whenLsp('pod/a/ghost/eth0', 'n1');
    await whenVmPorts();
    const before = await listVm();
    await first.stop();
    cast.remove('pods', 'a/ghost');
    await stage.start();
    await whenGone('pod/a/ghost/eth0');
    await eventually('nothing kept', () => stage.listPorts().every(({ spec }) => spec.owner.kind !== 'Pod'));
    expect(await listVm()).toEqual(before);
  });

  it('comes before its VM is seen: the VM has what it asks for all the same', async () => {
    await stage.start();
    makeGhost({ metadata: { name: 'db', uid: 'not-seen-yet' } }, { node: 'n1', forged: true });
    const own = await whenLsp('pod/a/ghost/eth0', 'n1');
    makeVmi();
    await whenVmPorts();
    expect([getSpec('db.default.vm').ips[0], getSpec('db.default.vm').mac]).toEqual([IP, MAC]);
    expect((await stage.listLsps()).get('pod/a/ghost/eth0')).toEqual(own);
  });
});

describe('a tenant that writes or removes the mark', () => {
  it('F55 on a pod that says it is of the VM: an ordinary port, nothing of the VM', async () => {
    await stage.start();
    const vmi = makeVmi();
    cast.launcher('real', vmi, { node: 'n1', annotations: COPIED });
    await whenLsp('vm/a/db/default', 'n1');
    await whenLsp('vm/a/db/biz', 'n1');
    const before = await listVm();
    makeGhost(vmi, { node: 'n3', forged: true });
    const own = await whenLsp('pod/a/ghost/eth0', 'n3');
    expect(own.addresses).not.toContain(IP);
    expect(own.addresses).not.toContain(MAC);
    await settle('marker');
    expect(await listVm()).toEqual(before);
    expect(listHolders('db.default.vm')).toEqual(['real']);
  });

  it('takes it from a forged one: its port goes, and it gets none of the VM', async () => {
    await stage.start();
    const vmi = makeVmi();
    cast.launcher('real', vmi, { node: 'n1', annotations: COPIED });
    await whenLsp('vm/a/db/default', 'n1');
    await whenLsp('vm/a/db/biz', 'n1');
    const before = await listVm();
    makeGhost(vmi, { node: 'n3', forged: true });
    await whenLsp('pod/a/ghost/eth0', 'n3');
    cast.patch('pods', 'a/ghost', { metadata: { annotations: { [MARK]: null } } });
    await whenGone('pod/a/ghost/eth0');
    await whenGone(`pod/a/ghost/${LINK}`);
    await settle('marker');
    expect(await listVm()).toEqual(before);
    cast.patch('pods', 'a/ghost', { metadata: { annotations: { [MARK]: 'true' } } });
    await whenLsp('pod/a/ghost/eth0', 'n3');
    expect(await listVm()).toEqual(before);
  });

  it('means nothing on a pod that is of no VMI: what is asked for is given', async () => {
    await stage.start();
    cast.pod('web', { annotations: { [MARK]: 'true', 'ovn.kubernetes.io/ip_address': '10.16.0.60' } });
    expect((await whenLsp('pod/a/web/eth0', 'n1')).addresses).toContain('10.16.0.60');
  });
});
