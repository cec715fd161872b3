import { beforeEach, describe, expect, it } from 'vitest';
import { COLLECTIONS, until } from '../../test/operator/stage.ts';
import { useStage } from '../../test/operator/use-stage.ts';
import type { LogicalPort } from '../api/types.gen.ts';
import type { KubeObject } from '../kube/index.ts';
import { eventually } from '../kube/testing/eventually.ts';

/** The runtime makes eth0 for every launcher; these guests have no NIC there. */
const BIZ = [{ name: 'biz', multus: { networkName: 'attachnet' } }];
const FURTHER = { domain: { devices: { interfaces: [{ name: 'biz', bridge: {} }] } }, networks: BIZ };
const NONE = { domain: { devices: { autoattachPodInterface: false } } };
const FIRST = { ...FURTHER, networks: [{ name: 'biz', multus: { networkName: 'attachnet', default: true } }] };
const LINK = 'pod9bdd85331e7';
/** Of the VM's template, which KubeVirt copies to its launchers: meant for the guest. */
const ASKED = {
  'ovn.kubernetes.io/ip_address': '10.16.0.50',
  'mooring.dev/release-policy': 'Retain',
  'k8s.v1.cni.cncf.io/networks': JSON.stringify([{ name: 'attachnet', interface: LINK }]),
};

const { stage, cast } = useStage();
beforeEach(() => {
  cast.nad('attachnet', { type: 'mooring', provider: 'attachnet.a.ovn' });
  cast.subnet('net', { cidrBlock: '172.17.0.0/24', provider: 'attachnet.a.ovn' });
});

function makeVmi(spec: object): KubeObject {
  const { metadata } = cast.vm('db', { spec });
  const owner = { apiVersion: 'kubevirt.io/v1', kind: 'VirtualMachine', name: 'db', uid: metadata?.uid ?? '' };
  return stage.api.storage.create(COLLECTIONS.vmis, {
    metadata: { name: 'db', namespace: 'a', ownerReferences: [{ ...owner, controller: true }] },
    spec,
    status: { phase: 'Scheduling' },
  } as KubeObject);
}
const launch = (name: string, vmi: KubeObject, node = 'n1') => cast.launcher(name, vmi, { node, annotations: ASKED });
const whenLsp = (name: string, chassis: string) =>
  until(`${name} on ${chassis}`, async () => {
    const lsp = (await stage.listLsps()).get(name);
    return lsp?.chassis === chassis ? lsp : undefined;
  });
const whenGone = (name: string) => until(`${name} gone`, async () => !(await stage.listLsps()).has(name));
const getSpec = (name: string): LogicalPort['spec'] => {
  const port = stage.findPort(`a/${name}`);
  if (port === undefined) throw new Error(`no LogicalPort ${name}`);
  return port.spec;
};
const listPods = () => stage.listPorts().flatMap(({ spec }) => (spec.owner.kind === 'Pod' ? [spec.owner.name] : []));
/** A turn of everything that came before has passed when a later pod has its port. */
async function settle() {
  cast.pod('marker');
  await whenLsp('pod/a/marker/eth0', 'n1');
}

describe("a launcher whose guest has no NIC on the pod's first interface", () => {
  it('has a port of its own there, of which nothing is asked, beside those of the VM', async () => {
    await stage.start();
    const vmi = makeVmi(FURTHER);
    launch('launcher', vmi, 'n2');
    await whenLsp('pod/a/launcher/eth0', 'n2');
    await whenLsp('vm/a/db/biz', 'n2');
    const spec = getSpec('launcher.eth0.pod');
    expect(spec).toMatchObject({ subnet: 'default', releasePolicy: 'WithOwner' });
    expect(spec.ips).not.toContain('10.16.0.50');
    expect(spec.attachments).toMatchObject([{ podName: 'launcher', interface: 'eth0' }]);
    expect(getSpec('db.biz.vm').attachments).toMatchObject([{ podName: 'launcher', interface: LINK }]);
    expect(listPods()).toEqual(['launcher']);
  });

  it('has it as well when the guest wants no NIC at all', async () => {
    await stage.start();
    launch('launcher', makeVmi(NONE));
    await whenLsp('pod/a/launcher/eth0', 'n1');
    expect(stage.listPorts().map(({ spec }) => spec.owner.kind)).toEqual(['Pod']);
  });

  it('keeps it until it has ended, though its VM and VMI are gone before', async () => {
    await stage.start();
    launch('launcher', makeVmi(FURTHER));
    const own = await whenLsp('pod/a/launcher/eth0', 'n1');
    cast.remove('vms', 'a/db');
    cast.remove('vmis', 'a/db');
    await settle();
    expect((await stage.listLsps()).get('pod/a/launcher/eth0')).toEqual(own);
    cast.setStatus('pods', 'a/launcher', { phase: 'Succeeded' });
    await whenGone('pod/a/launcher/eth0');
    await eventually('nothing kept', () => listPods().join() === 'marker');
  });

  it('has another one than the target of its migration', async () => {
    await stage.start();
    const vmi = makeVmi(FURTHER);
    launch('source', vmi);
    launch('target', vmi, 'n2');
    await whenLsp('pod/a/source/eth0', 'n1');
    await whenLsp('pod/a/target/eth0', 'n2');
    expect(getSpec('source.eth0.pod').ips).not.toEqual(getSpec('target.eth0.pod').ips);
  });

  it('has it from an operator that comes later', async () => {
    const vmi = makeVmi(FURTHER);
    launch('launcher', vmi);
    await stage.start();
    await whenLsp('pod/a/launcher/eth0', 'n1');
  });

  it('has it as soon as the VMI says so, though the launcher was there before', async () => {
    await stage.start();
    launch('launcher', makeVmi({}));
    await settle();
    expect(listPods()).toEqual(['marker']);
    cast.patch('vmis', 'a/db', { spec: FURTHER });
    await whenLsp('pod/a/launcher/eth0', 'n1');
  });
});

describe('a launcher whose guest has a NIC there', () => {
  it('by Multus’ default network has no port of its own', async () => {
    await stage.start();
    launch('launcher', makeVmi(FIRST));
    await whenLsp('vm/a/db/biz', 'n1');
    await settle();
    expect(listPods()).toEqual(['marker']);
  });
});
