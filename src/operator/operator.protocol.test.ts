import { describe, expect, it } from 'vitest';
import { until } from '../../test/operator/stage.ts';
import { useStage } from '../../test/operator/use-stage.ts';
import { eventually } from '../kube/testing/eventually.ts';

const { stage, cast } = useStage();

const findLsp = (name: string) => until(`switch port ${name}`, async () => (await stage.listLsps()).get(name));
const whenLsp = (name: string, chassis: string) =>
  until(`${name} on ${chassis}`, async () => {
    const lsp = (await stage.listLsps()).get(name);
    return lsp?.chassis === chassis ? lsp : undefined;
  });
const whenGone = (name: string) => until(`${name} gone`, async () => !(await stage.listLsps()).has(name));

describe('the operator from nothing', () => {
  it('makes the default subnet, router, join switch and gateway, and an address for each node', async () => {
    cast.node('n1');
    await stage.start();
    const node = await eventually(
      'the annotation',
      () => stage.api.storage.list('v1/nodes')[0]?.metadata.annotations?.['mooring.dev/node-network'],
    );
    expect(JSON.parse(node)).toMatchObject({
      nodeIps: ['100.64.0.3/24'],
      gatewayIps: ['100.64.0.2'],
      routerIps: ['100.64.0.1'],
    });
    await eventually('podCidrs', () =>
      stage.api.storage
        .list('v1/nodes')[0]
        ?.metadata.annotations?.['mooring.dev/node-network']?.includes('10.16.0.0/24'),
    );
    const content = await until('all rows', async () => {
      const dump = await stage.nb.dump();
      return Object.keys(dump.Logical_Switch_Port ?? {}).length === 4 ? dump : undefined;
    });
    expect(Object.keys(content.Logical_Switch ?? {})).toEqual(['join', 'subnet/default']);
    expect(Object.keys(content.Logical_Switch_Port ?? {})).toEqual([
      'gateway',
      'join/vpc/default',
      'node/n1',
      'subnet/default/vpc/default',
    ]);
    expect(content.Logical_Switch_Port?.gateway).toMatchObject({ type: 'localport' });
    expect(Object.keys(content.Logical_Router_Static_Route ?? {})).toEqual(['0.0.0.0/0 100.64.0.2 Vpc/default']);
  });

  it('gives a pod its address and chassis in one write when it is scheduled, and frees both with the pod', async () => {
    await stage.start();
    cast.pod('p1', { node: '' });
    cast.pod('marker');
    await findLsp('pod/a/marker/eth0');
    expect(stage.findPort('a/p1.eth0.pod')).toBeUndefined();
    cast.patch('pods', 'a/p1', { spec: { nodeName: 'n1' } });
    expect(await whenLsp('pod/a/p1/eth0', 'n1')).toMatchObject({ addresses: expect.stringMatching(/10\.16\.0\.3$/) });
    cast.remove('pods', 'a/marker');
    await eventually('the end of the marker', () => stage.listPorts().length === 1);
    const port = stage.findPort('a/p1.eth0.pod');
    expect(port?.spec.attachments).toMatchObject([{ podName: 'p1', node: 'n1', interface: 'eth0', role: 'Source' }]);
    expect(Object.keys(port?.metadata.labels ?? {})).toEqual(
      expect.arrayContaining([expect.stringMatching(/^node\.mooring\.dev\//)]),
    );
    cast.remove('pods', 'a/p1');
    await whenGone('pod/a/p1/eth0');
    await eventually('the release', () => stage.listPorts().length === 0);
  });
});

describe('a VM', () => {
  it('keeps its address through stop and start, and frees it with the VM', async () => {
    await stage.start();
    const vm = cast.vm('db');
    const first = await findLsp('vm/a/db/default');
    const vmi = cast.vmi('db', vm);
    cast.launcher('l1', vmi, { node: 'n1' });
    expect(await whenLsp('vm/a/db/default', 'n1')).toEqual({ ...first, chassis: 'n1' });
    cast.setStatus('pods', 'a/l1', { phase: 'Succeeded' });
    await whenLsp('vm/a/db/default', 'mooring/unattached');
    cast.remove('pods', 'a/l1');
    cast.remove('vmis', 'a/db');
    cast.launcher('l2', cast.vmi('db', vm), { node: 'n2' });
    expect(await whenLsp('vm/a/db/default', 'n2')).toEqual({ ...first, chassis: 'n2' });
    cast.remove('vms', 'a/db');
    cast.remove('vmis', 'a/db');
    cast.pod('other');
    expect((await findLsp('pod/a/other/eth0')).addresses).not.toContain(first.addresses.split(' ')[1]);
    expect(stage.findPort('a/db.default.vm')).toBeDefined();
    cast.remove('pods', 'a/l2');
    await whenGone('vm/a/db/default');
    await eventually('the release', () => stage.findPort('a/db.default.vm') === undefined);
  });

  it('migrates: both chassis once the target has a node, the target alone when the domain runs there', async () => {
    await stage.start();
    const vmi = cast.vmi('db', cast.vm('db'));
    cast.launcher('l1', vmi, { node: 'n1' });
    cast.setStatus('vmis', 'a/db', { phase: 'Running', nodeName: 'n1' });
    await whenLsp('vm/a/db/default', 'n1');
    const vmim = cast.vmim('m', 'db');
    cast.launcher('l2', vmi, { node: 'n2', job: vmim.metadata.uid ?? '' });
    await whenLsp('vm/a/db/default', 'n1,n2');
    expect(stage.findPort('a/db.default.vm')?.spec.attachments?.map(({ node, role }) => `${role}@${node}`)).toEqual([
      'Source@n1',
      'Target@n2',
    ]);
    const migrationState = { migrationUid: vmim.metadata.uid, sourceNode: 'n1', targetNode: 'n2' };
    cast.setStatus('vmis', 'a/db', { migrationState });
    const ready = { ...migrationState, targetNodeDomainReadyTimestamp: '2026-11-21T10:48:37Z' };
    cast.setStatus('vmis', 'a/db', { migrationState: ready });
    await whenLsp('vm/a/db/default', 'n2');
    cast.setStatus('vmis', 'a/db', { nodeName: 'n2', migrationState: { ...ready, completed: true } });
    await eventually('Settled', () => stage.findPort('a/db.default.vm')?.status?.migration?.phase === 'Settled');
    expect((await findLsp('vm/a/db/default')).chassis).toBe('n2');
    const steps = ['MigrationPrepared', 'MigrationActivated', 'MigrationSettled'].map(
      (step) => `VirtualMachine/db ${step}`,
    );
    await eventually('the events', () => steps.every((step) => stage.events().includes(step)));
  });

  it('goes back to the source when the migration fails', async () => {
    await stage.start();
    const vmi = cast.vmi('db', cast.vm('db'));
    cast.launcher('l1', vmi, { node: 'n1' });
    cast.setStatus('vmis', 'a/db', { phase: 'Running', nodeName: 'n1' });
    const vmim = cast.vmim('m', 'db');
    cast.launcher('l2', vmi, { node: 'n2', job: vmim.metadata.uid ?? '' });
    await whenLsp('vm/a/db/default', 'n1,n2');
    const migrationState = { migrationUid: vmim.metadata.uid, sourceNode: 'n1', targetNode: 'n2', failed: true };
    cast.setStatus('vmis', 'a/db', { migrationState });
    await whenLsp('vm/a/db/default', 'n1');
    await eventually('RolledBack', () => stage.findPort('a/db.default.vm')?.status?.migration?.phase === 'RolledBack');
  });

  it('F36 recreated under its name waits for the release and inherits nothing', async () => {
    await stage.start();
    const vm = cast.vm('db');
    const first = await findLsp('vm/a/db/default');
    const before = stage.findPort('a/db.default.vm')?.metadata.uid;
    const vmi = cast.vmi('db', vm);
    cast.launcher('l1', vmi, { node: 'n1' });
    await whenLsp('vm/a/db/default', 'n1');
    cast.remove('vms', 'a/db');
    const again = cast.vm('db');
    cast.remove('vmis', 'a/db');
    cast.pod('marker');
    await findLsp('pod/a/marker/eth0');
    expect(stage.findPort('a/db.default.vm')?.metadata.uid).toBe(before);
    cast.remove('pods', 'a/l1');
    const port = await eventually('the new port', () => {
      const found = stage.findPort('a/db.default.vm');
      return found?.spec.owner.uid === again.metadata.uid ? found : undefined;
    });
    expect(port.metadata.uid).not.toBe(before);
    expect([port.spec.mac, ...port.spec.ips].join(' ')).not.toBe(first.addresses);
  });

  it('deleted as an orphan keeps its ports, and the VM that adopts the guest adopts them', async () => {
    await stage.start();
    const vmi = cast.vmi('db', cast.vm('db'));
    cast.launcher('l1', vmi, { node: 'n1' });
    const before = await whenLsp('vm/a/db/default', 'n1');
    await eventually('the attachment', () => stage.findPort('a/db.default.vm')?.spec.attachments?.length === 1);
    cast.remove('vms', 'a/db');
    cast.patch('vmis', 'a/db', { metadata: { ownerReferences: null } });
    cast.patch('ports', 'a/db.default.vm', { metadata: { ownerReferences: null } });
    cast.pod('marker');
    await findLsp('pod/a/marker/eth0');
    expect((await stage.listLsps()).get('vm/a/db/default')).toEqual(before);
    const again = cast.vm('db');
    const owner = { apiVersion: 'kubevirt.io/v1', kind: 'VirtualMachine', name: 'db', controller: true };
    cast.patch('vmis', 'a/db', { metadata: { ownerReferences: [{ ...owner, uid: again.metadata.uid }] } });
    await eventually('the adoption', () => stage.findPort('a/db.default.vm')?.spec.owner.uid === again.metadata.uid);
    expect((await stage.listLsps()).get('vm/a/db/default')).toEqual(before);
    expect(stage.findPort('a/db.default.vm')?.metadata.ownerReferences?.[0]?.uid).toBe(again.metadata.uid);
  });

  it('F55 is not joined by a pod that only says it is a launcher', async () => {
    await stage.start();
    const vm = cast.vm('db');
    await findLsp('vm/a/db/default');
    cast.launcher('early', { metadata: { name: 'db', uid: 'made-up' } }, { node: 'n3', forged: true });
    const vmi = cast.vmi('db', vm);
    cast.launcher('l0', vmi, { node: 'n2', forged: true });
    cast.launcher('l1', vmi, { node: 'n1' });
    await whenLsp('vm/a/db/default', 'n1');
    cast.pod('marker');
    await findLsp('pod/a/marker/eth0');
    expect(stage.findPort('a/db.default.vm')?.spec.attachments?.map(({ podName }) => podName)).toEqual(['l1']);
  });
});
