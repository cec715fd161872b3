import { describe, expect, it } from 'vitest';
import { COLLECTIONS, until } from '../../test/operator/stage.ts';
import { useStage } from '../../test/operator/use-stage.ts';
import type { KubeObject } from '../kube/index.ts';
import { eventually } from '../kube/testing/eventually.ts';

/** What the webhook refuses of a launcher, where no webhook was asked. */
const { stage, cast } = useStage();
const NETWORKS = 'k8s.v1.cni.cncf.io/networks';

const makeKubevirt = (binding: object) =>
  stage.api.storage.create(COLLECTIONS.kubevirts, {
    metadata: { name: 'kubevirt', namespace: 'kubevirt' },
    spec: { configuration: { network: { binding } } },
  } as KubeObject);
const setPlugins = (binding: object) =>
  cast.patch('kubevirts', 'kubevirt/kubevirt', { spec: { configuration: { network: { binding } } } });
const whenEvent = (text: string) => eventually(`event ${text}`, () => stage.events().includes(text));
const findLsp = (name: string) => until(`switch port ${name}`, async () => (await stage.listLsps()).get(name));
const allocatedOf = (port: string) =>
  stage.findPort(port)?.status?.conditions?.find(({ type }) => type === 'Allocated');
const whenRefused = (port: string, words: string) =>
  eventually(`${port} refused`, () => {
    const { reason, message } = allocatedOf(port) ?? {};
    return reason === 'InvalidRequest' && message?.includes(words);
  });

const PASST = { networkAttachmentDefinition: 'kubevirt/passt' };
const SPEC = {
  domain: {
    devices: {
      interfaces: [
        { name: 'default', binding: { name: 'passt' } },
        { name: 'biz', bridge: {} },
      ],
    },
  },
  networks: [
    { name: 'default', pod: {} },
    { name: 'biz', multus: { networkName: 'biz' } },
  ],
};

function makeNetworks() {
  cast.nad('biz', { type: 'mooring', provider: 'biz.a.ovn' });
  cast.subnet('biz', { cidrBlock: '172.17.0.0/24', provider: 'biz.a.ovn' });
}

describe('a launcher that KubeVirt could not cope with', () => {
  it('by a binding plugin that takes the place of another network: told, and put right by another plugin', async () => {
    makeNetworks();
    makeKubevirt({ passt: PASST });
    await stage.start();
    cast.vm('db', { spec: SPEC });
    await whenEvent('VirtualMachine/db InvalidRequest');
    await whenRefused('a/db.default.vm', 'the binding plugin "passt" attaches "kubevirt/passt"');
    expect(stage.findPort('a/db.default.vm')?.spec.ips).toEqual([]);
    setPlugins({ passt: { networkAttachmentDefinition: null } });
    expect((await findLsp('vm/a/db/default')).addresses).toMatch(/ 10\.16\.0\.\d+$/);
  });

  it('that runs already is left as it is, and told', async () => {
    makeNetworks();
    makeKubevirt({ other: PASST });
    await stage.start();
    cast.vm('db', { spec: SPEC });
    const { addresses } = await findLsp('vm/a/db/default');
    setPlugins({ passt: PASST });
    await whenEvent('VirtualMachine/db InvalidRequest');
    await eventually('its condition', () => allocatedOf('a/db.default.vm')?.reason === 'ChangePending');
    expect((await findLsp('vm/a/db/default')).addresses).toBe(addresses);
    expect((await findLsp('vm/a/db/biz')).addresses).toMatch(/ 172\.17\.0\.2$/);
  });

  it('by an interface net<N> of an annotation: told, and the VM has its NICs', async () => {
    await stage.start();
    cast.vm('db', { annotations: { [NETWORKS]: 'attachnet' } });
    await whenEvent('VirtualMachine/db InvalidRequest');
    expect((await findLsp('vm/a/db/default')).addresses).toMatch(/ 10\.16\.0\.\d+$/);
    expect(allocatedOf('a/db.default.vm')?.status).not.toBe('False');
  });

  it('as no VMI could be made with its annotations: told, and put right by fewer of them', async () => {
    await stage.start();
    cast.vm('db', { annotations: { note: 'x'.repeat(262_144) } });
    await whenEvent('VirtualMachine/db InvalidRequest');
    await whenRefused('a/db.default.vm', 'longer than 256 KiB');
    cast.patch('vms', 'a/db', { spec: { template: { metadata: { annotations: { note: 'short' } } } } });
    await findLsp('vm/a/db/default');
  });
});
