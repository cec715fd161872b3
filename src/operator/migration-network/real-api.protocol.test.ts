import { beforeAll, describe, expect, it } from 'vitest';
import { useRealStage } from '../../../test/operator/real-stage.ts';
import { until } from '../../../test/ovsdb/server.ts';
import { KINDS } from '../../api/group.ts';
import type { KubeVirt, NetworkAttachmentDefinition } from '../../api/objects.ts';
import type { LogicalPort, MigrationNetwork, Subnet } from '../../api/types.gen.ts';
import type { KubeObject } from '../../kube/index.ts';

const KUBEVIRT = { namespace: 'kubevirt', name: 'kubevirt' };
const HANDLER = { namespace: 'kubevirt', name: 'virt-handler-n1' };

const kinds = [KINDS.nad, KINDS.migrationNetwork, KINDS.kubevirt];
const stage = useRealStage({ kinds, namespaces: ['kubevirt'] });
const { resource } = stage;
beforeAll(() => void stage.start());

const findNetwork = () => resource<MigrationNetwork>(KINDS.migrationNetwork).find({ name: 'lab' });
const findKubevirt = () => resource<KubeVirt>(KINDS.kubevirt).get(KUBEVIRT);
const findNad = () =>
  resource<NetworkAttachmentDefinition>(KINDS.nad).find({ namespace: 'kubevirt', name: 'mooring-migration-lab' });
const readNetwork = async () => (await findKubevirt()).spec?.configuration?.migrations?.network;

async function describeReady(): Promise<string> {
  const { status } = (await findNetwork()) ?? {};
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  return `${ready?.status} ${ready?.reason} ${status?.nodesReady}`;
}
const whenReady = (text: string) => until(text, async () => (await describeReady()).startsWith(text));

const makeHandler = () =>
  resource(KINDS.pod).create({
    metadata: {
      ...HANDLER,
      labels: { 'kubevirt.io': 'virt-handler' },
      annotations: { 'k8s.v1.cni.cncf.io/networks': 'mooring-migration-lab@migration0' },
    },
    spec: { nodeName: 'n1', containers: [{ name: 'c', image: 'i' }], terminationGracePeriodSeconds: 0 },
  } as KubeObject);

/** What kubelet and agent do. */
async function runHandler(): Promise<string> {
  const ports = resource<LogicalPort>(KINDS.logicalPort);
  const at = { namespace: 'kubevirt', name: 'virt-handler-n1.migration0.pod' };
  const port = await until('its port', () => ports.find(at));
  const [address = ''] = port.spec.ips;
  const entry = { name: 'kubevirt/mooring-migration-lab', interface: 'migration0', ips: [address] };
  const annotations = { 'k8s.v1.cni.cncf.io/network-status': JSON.stringify([entry]) };
  await resource(KINDS.pod).patch(HANDLER, { metadata: { annotations } });
  const conditions = [{ type: 'Ready', status: 'True' }];
  await resource(KINDS.pod).patchStatus(HANDLER, { status: { phase: 'Running', conditions } });
  return address;
}

async function migrate(uid: string, address: string): Promise<void> {
  const vmis = resource(KINDS.vmi);
  const at = { namespace: 'a', name: 'guest' };
  const spec = { domain: { devices: {} } };
  if ((await vmis.find(at)) === undefined) await vmis.create({ metadata: at, spec } as KubeObject);
  const now = new Date(Date.now() + 1000).toISOString();
  await vmis.patch(at, {
    status: {
      migrationState: {
        migrationUid: uid,
        sourceNode: 'n1',
        targetNode: 'n2',
        targetNodeAddress: address,
        startTimestamp: now,
        endTimestamp: now,
        completed: true,
      },
    },
  });
}

describe('with an API server that checks everything', () => {
  it('a MigrationNetwork waits for KubeVirt, then tells it', async () => {
    const spec = {
      uplink: { interface: 'eth1' },
      cidrBlock: '198.18.2.0/24',
      bandwidth: '64Mi',
      gateway: '198.18.2.1',
    };
    await resource(KINDS.migrationNetwork).create({ metadata: { name: 'lab' }, spec } as KubeObject);
    await whenReady('False KubevirtNotFound');
    const configuration = { migrations: { allowPostCopy: true } };
    await resource(KINDS.kubevirt).create({ metadata: KUBEVIRT, spec: { configuration } } as KubeObject);
    await until('KubeVirt is told', async () => (await readNetwork()) === 'mooring-migration-lab');
    const migrations = { allowPostCopy: true, network: 'mooring-migration-lab', bandwidthPerMigration: '64Mi' };
    expect((await findKubevirt()).spec?.configuration?.migrations).toEqual(migrations);
    const owners = (await findNad())?.metadata.ownerReferences?.map(({ kind, name }) => `${kind}/${name}`);
    expect(owners).toEqual(['MigrationNetwork/lab']);
    const subnet = await resource<Subnet>(KINDS.subnet).get({ name: 'migration-lab' });
    expect(subnet.spec).toMatchObject({ provider: 'mooring-migration-lab.kubevirt', namespaces: ['kubevirt'] });
    await whenReady('False VirtHandlerNotRunning 0/0');
  });

  it('its status says what the virt-handlers have, and where memory went', async () => {
    await makeHandler();
    await whenReady('False VirtHandlersRolling 0/1');
    const address = await runHandler();
    expect(address).toBe('198.18.2.2');
    await whenReady('True Ready 1/1');
    await migrate('first', '198.18.2.9');
    await migrate('second', '10.16.0.9');
    const whenTold = async () => (await findNetwork())?.status?.lastMigrations?.some(({ uid }) => uid === 'second');
    await until('the migration', whenTold);
    const { status } = (await findNetwork()) ?? {};
    expect(status?.conditions?.find(({ type }) => type === 'MemoryApart')?.reason).toBe('MemoryOnPodNetwork');
    const whenWarned = async () =>
      (
        await resource<KubeObject & { reason?: string; regarding?: { kind?: string } }>(KINDS.event).list({})
      ).items.filter(({ reason }) => reason === 'MemoryOnPodNetwork').length === 2;
    await until('the events', whenWarned);
  });

  it('that is deleted leaves KubeVirt as it was', async () => {
    await resource(KINDS.migrationNetwork).delete({ name: 'lab' });
    await until('taken back', async () => (await readNetwork()) === undefined);
    const { metadata, spec } = await findKubevirt();
    expect(spec?.configuration?.migrations).toEqual({ allowPostCopy: true });
    expect(metadata.annotations ?? {}).not.toHaveProperty('mooring.dev/migration-network');
    await whenReady('False InUse');
    await resource(KINDS.pod).delete(HANDLER, { gracePeriodSeconds: 0 });
    await until('gone', async () => (await findNetwork()) === undefined);
    expect(await findNad()).toBeUndefined();
    expect(await resource(KINDS.subnet).find({ name: 'migration-lab' })).toBeUndefined();
  });
});
