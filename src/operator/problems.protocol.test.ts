import { describe, expect, it } from 'vitest';
import { COLLECTIONS, until } from '../../test/operator/stage.ts';
import { useStage } from '../../test/operator/use-stage.ts';
import type { KubeObject } from '../kube/index.ts';
import { eventually } from '../kube/testing/eventually.ts';
import { takeEpoch } from '../ovn/epoch.ts';
import { deleteOp, insertOp, updateOp, wireMap } from '../ovsdb/operations.ts';

const { stage, cast } = useStage();

const findLsp = (name: string) => until(`switch port ${name}`, async () => (await stage.listLsps()).get(name));
const whenEvent = (text: string) => eventually(`event ${text}`, () => stage.events().includes(text));
const getReady = (subnet: string) => stage.findSubnet(subnet)?.status?.conditions?.find(({ type }) => type === 'Ready');
const getCondition = (port: string, type: string) =>
  stage.findPort(port)?.status?.conditions?.find((condition) => condition.type === type);

describe('what users get wrong', () => {
  it('a CIDR with host bits: condition and event, and it works once corrected', async () => {
    await stage.start();
    cast.subnet('bad', { cidrBlock: '10.9.0.5/24' });
    await eventually('the condition', () => getReady('bad')?.reason === 'InvalidCIDR');
    expect(getReady('bad')?.message).toContain('did you mean 10.9.0.0/24');
    await whenEvent('Subnet/bad InvalidCIDR');
    cast.patch('subnets', 'bad', { spec: { cidrBlock: '10.9.0.0/24' } });
    await eventually('ready', () => getReady('bad')?.reason === 'Ready');
  });

  it('overlapping subnets: the older one has the range, the younger waits for it', async () => {
    await stage.start();
    await eventually('the default subnet', () => getReady('default')?.reason === 'Ready');
    cast.subnet('second', { cidrBlock: '10.16.0.0/20' });
    await eventually('the condition', () => getReady('second')?.reason === 'CIDROverlap');
    cast.patch('subnets', 'default', { spec: { cidrBlock: '10.99.0.0/24' } });
    await eventually('ready', () => getReady('second')?.reason === 'Ready');
  });

  it('F31 a full subnet: an event says so, and who waits gets the first address that is freed', async () => {
    await stage.start({ defaultCidr: '10.16.0.0/30' });
    cast.pod('p1');
    const first = await findLsp('pod/a/p1/eth0');
    cast.pod('p2');
    await whenEvent('Pod/p2 SubnetFull');
    await eventually('its own condition', () => getCondition('a/p2.eth0.pod', 'Allocated')?.reason === 'SubnetFull');
    expect(stage.findPort('a/p2.eth0.pod')).toMatchObject({ spec: { ips: [], mac: '' }, status: { phase: 'Pending' } });
    expect((await stage.listLsps()).has('pod/a/p2/eth0')).toBe(false);
    await eventually('the condition', () => getReady('default')?.reason === 'SubnetFull');
    cast.remove('pods', 'a/p1');
    expect((await findLsp('pod/a/p2/eth0')).addresses.split(' ')[1]).toBe(first.addresses.split(' ')[1]);
  });

  it('a NAD that does not exist: an event on the VM, and the port as soon as NAD and subnet are there', async () => {
    await stage.start();
    const spec = {
      domain: { devices: { interfaces: [{ name: 'biz', bridge: {} }] } },
      networks: [{ name: 'biz', multus: { networkName: 'attachnet' } }],
    };
    cast.vm('db', { spec });
    await whenEvent('VirtualMachine/db NetworkAttachmentNotFound');
    cast.nad('attachnet', { type: 'mooring', provider: 'attachnet.a.ovn' });
    await whenEvent('VirtualMachine/db SubnetNotFound');
    cast.subnet('net', { cidrBlock: '172.17.0.0/24', provider: 'attachnet.a.ovn' });
    expect((await findLsp('vm/a/db/biz')).addresses).toMatch(/ 172\.17\.0\.2$/);
  });

  it('F32 one address asked for by two VMs: exactly one has it', async () => {
    await stage.start();
    const annotations = { 'ovn.kubernetes.io/ip_address': '10.16.0.77' };
    cast.vm('one', { annotations });
    cast.vm('two', { annotations });
    await eventually('a loser', () => stage.events().some((event) => event.endsWith('AddressInUse')));
    await until('a winner', async () => (await stage.listLsps()).size === 1);
    expect(
      stage
        .listPorts()
        .map(({ spec }) => spec.ips.join())
        .sort(),
    ).toEqual(['', '10.16.0.77']);
    await eventually('the loser knows', () => stage.listPorts().some(({ status }) => status?.phase === 'Conflict'));
  });

  it('two LogicalPorts with one address, as after a restore: the younger is told and not programmed', async () => {
    await stage.start();
    const pod = cast.pod('p1');
    const first = await findLsp('pod/a/p1/eth0');
    const [mac = '', ip = ''] = first.addresses.split(' ');
    const other = cast.pod('p2', { annotations: { 'v1.multus-cni.io/default-network': 'nothing' } });
    const copy = stage.findPort('a/p1.eth0.pod');
    stage.api.storage.create(COLLECTIONS.ports, {
      metadata: { name: 'p2.eth0.pod', namespace: 'a', creationTimestamp: '2999-01-01T00:00:00Z' },
      spec: { ...copy?.spec, owner: { kind: 'Pod', name: 'p2', uid: other.metadata.uid }, ips: [ip], mac },
    } as KubeObject);
    await eventually('Conflict', () => stage.findPort('a/p2.eth0.pod')?.status?.phase === 'Conflict');
    expect((await stage.listLsps()).has('pod/a/p2/eth0')).toBe(false);
    expect(pod.metadata.uid).toBe(stage.findPort('a/p1.eth0.pod')?.spec.owner.uid);
    cast.remove('pods', 'a/p1');
    expect((await findLsp('pod/a/p2/eth0')).addresses).toBe(first.addresses);
    await eventually('no conflict', () => stage.findPort('a/p2.eth0.pod')?.status?.phase === 'Ready');
  });
});

describe('what others do to the database', () => {
  it('F52 a changed, a deleted and an ownerless row are put right', async () => {
    await stage.start();
    cast.pod('p1', { node: 'n1' });
    const name = 'pod/a/p1/eth0';
    const before = await until('bound', async () => {
      const lsp = (await stage.listLsps()).get(name);
      return lsp?.chassis === 'n1' ? lsp : undefined;
    });
    const where: [string, '==', string][] = [['name', '==', name]];
    const { client } = stage.nb.nb;
    await client.transactAndSync([updateOp('Logical_Switch_Port', where, { addresses: 'unknown' })]);
    await until('the addresses', async () => (await stage.listLsps()).get(name)?.addresses === before.addresses);
    await client.transactAndSync([
      updateOp('Logical_Switch', [['name', '==', 'subnet/default']], { ports: ['set', []] }),
    ]);
    await until('the port', async () => (await stage.listLsps()).get(name)?.addresses === before.addresses);
    const ids = wireMap([
      ['mooring-cluster', 'test'],
      ['mooring-owner', 'LogicalPort/a/ghost'],
    ]);
    await client.transactAndSync([
      insertOp('Logical_Switch', { name: 'ghost', external_ids: ids }),
      insertOp('Logical_Switch', { name: 'foreign', external_ids: wireMap([['mooring-cluster', 'other']]) }),
    ]);
    await until('the ghost gone', async () => !('ghost' in ((await stage.nb.dump()).Logical_Switch ?? {})));
    expect(Object.keys((await stage.nb.dump()).Logical_Switch ?? {})).toContain('foreign');
  });

  it('F53 an address that another system gave out on our switch is never ours, and its row stays', async () => {
    const first = await stage.start();
    await eventually('the subnet', () => getReady('default')?.reason === 'Ready');
    await first.stop();
    const row = { name: 'theirs', addresses: '0a:00:00:00:00:01 10.16.0.2' };
    await stage.nb.nb.client.transactAndSync([
      insertOp('Logical_Switch_Port', row, { uuidName: 'theirs' }),
      {
        op: 'mutate',
        table: 'Logical_Switch',
        where: [['name', '==', 'subnet/default']],
        mutations: [['ports', 'insert', ['named-uuid', 'theirs']]],
      },
    ]);
    await stage.start();
    cast.pod('p1');
    expect((await findLsp('pod/a/p1/eth0')).addresses).toMatch(/ 10\.16\.0\.3$/);
    expect(Object.keys((await stage.nb.dump()).Logical_Switch_Port ?? {})).toContain('theirs');
  });

  it('F49 an emptied database is filled again under a new epoch', async () => {
    await stage.start();
    cast.pod('p1');
    const before = await findLsp('pod/a/p1/eth0');
    const tables = ['Logical_Switch', 'Logical_Router', 'Address_Set', 'DHCP_Options'];
    await stage.nb.nb.client.transactAndSync(tables.map((table) => deleteOp(table, [])));
    expect(await findLsp('pod/a/p1/eth0')).toEqual(before);
  });

  it('F29 a newer leader ends our term: we write nothing until we lead again', async () => {
    const started = await stage.start();
    cast.pod('p1');
    await findLsp('pod/a/p1/eth0');
    const epoch = await takeEpoch(stage.nb.nb.client, 'test', 1);
    cast.pod('p2');
    await eventually('the end of the term', () => started.log.lines.some((line) => line.message === 'ovn-epoch-lost'));
    await findLsp('pod/a/p2/eth0');
    const epochs = started.log.lines.filter((line) => line.message === 'epoch begun');
    expect(epochs.map(({ fields }) => BigInt(String(fields.epoch)) > epoch.value)).toEqual([false, true]);
  });
});

describe('what goes away', () => {
  it('the Northbound database: a condition says so, and all is made up for when it is back', async () => {
    const started = await stage.start();
    cast.pod('p1');
    await findLsp('pod/a/p1/eth0');
    await stage.nb.server.kill();
    cast.pod('p2');
    await eventually('the condition', () => getCondition('a/p2.eth0.pod', 'Programmed')?.reason === 'OVNUnavailable');
    await whenEvent('Pod/p2 OVNUnavailable');
    await stage.nb.server.start();
    await findLsp('pod/a/p2/eth0');
    await eventually('the condition', () => getCondition('a/p2.eth0.pod', 'Programmed')?.status === 'True');
    const away = started.log.lines.filter((line) => line.message === 'the database cannot be reached');
    expect(away.map(({ fields }) => fields.database)).toEqual(['Northbound']);
  });

  it('the Northbound database: a port that needs no change is not called programmed unseen', async () => {
    await stage.start();
    cast.pod('p1', { node: 'n1' });
    await findLsp('pod/a/p1/eth0');
    await eventually('programmed', () => getCondition('a/p1.eth0.pod', 'Programmed')?.status === 'True');
    await stage.nb.server.kill();
    cast.setStatus('pods', 'a/p1', { phase: 'Running' });
    await eventually('the condition', () => getCondition('a/p1.eth0.pod', 'Programmed')?.reason === 'OVNUnavailable');
    await stage.nb.server.start();
    await eventually('programmed', () => getCondition('a/p1.eth0.pod', 'Programmed')?.status === 'True');
  });

  it('one kind of write to the API server: a failed migration is rolled back in OVN all the same', async () => {
    await stage.start();
    const vmi = cast.vmi('db', cast.vm('db'));
    cast.launcher('l1', vmi, { node: 'n1' });
    cast.setStatus('vmis', 'a/db', { phase: 'Running', nodeName: 'n1' });
    const vmim = cast.vmim('m', 'db');
    const target = cast.launcher('l2', vmi, { node: 'n2', job: vmim.metadata?.uid ?? '' });
    const whenOn = (chassis: string) =>
      until(chassis, async () => (await stage.listLsps()).get('vm/a/db/default')?.chassis === chassis);
    await whenOn('n1,n2');
    stage.api.fault = ({ verb, collection }) =>
      verb === 'patch' && collection === COLLECTIONS.ports ? { status: 500 } : undefined;
    cast.setStatus('vmims', 'a/m', { phase: 'Failed' });
    cast.remove('pods', `a/${target.metadata?.name}`);
    await whenOn('n1');
    stage.api.fault = undefined;
    await eventually('the attachment', () => stage.findPort('a/db.default.vm')?.spec.attachments?.length === 1);
  });

  it('the answer to a reservation: what was chosen in one subnet is free again when another one is asked for', async () => {
    await stage.start({ defaultCidr: '10.16.0.0/30' });
    cast.subnet('other', { cidrBlock: '10.77.0.0/24' });
    await eventually('ready', () => getReady('other')?.reason === 'Ready');
    let attempts = 0;
    stage.api.fault = ({ verb, collection }) => {
      if (verb !== 'create' || collection !== COLLECTIONS.ports) return undefined;
      attempts += 1;
      return 'reset';
    };
    cast.pod('p1');
    await eventually('an attempt', () => attempts > 0);
    cast.patch('pods', 'a/p1', { metadata: { annotations: { 'ovn.kubernetes.io/logical_switch': 'other' } } });
    stage.api.fault = undefined;
    await findLsp('pod/a/p1/eth0');
    expect(stage.findPort('a/p1.eth0.pod')?.spec.subnet).toBe('other');
    cast.pod('p2');
    expect((await findLsp('pod/a/p2/eth0')).addresses).toMatch(/ 10\.16\.0\.2$/);
  });

  it('a port of the same name between our creation and a look at it: the reservation is made anew', async () => {
    await stage.start();
    let refusals = 0;
    stage.api.fault = ({ verb, collection }) => {
      if (verb !== 'create' || collection !== COLLECTIONS.ports || refusals > 0) return undefined;
      refusals += 1;
      return { status: 409, reason: 'AlreadyExists' };
    };
    cast.pod('p1');
    expect((await findLsp('pod/a/p1/eth0')).addresses).toMatch(/ 10\.16\.0\./);
    expect(refusals).toBe(1);
  });

  it('launchers from the cache alone, which lags: the port that one of them holds is not released', async () => {
    const started = await stage.start();
    const vmi = cast.vmi('db', cast.vm('db'));
    cast.launcher('l1', vmi, { node: 'n1' });
    cast.setStatus('vmis', 'a/db', { phase: 'Running', nodeName: 'n1' });
    await eventually('the holder', () => stage.findPort('a/db.default.vm')?.spec.attachments?.length === 1);
    const before = await findLsp('vm/a/db/default');
    await started.stop();
    cast.remove('vmis', 'a/db');
    cast.remove('vms', 'a/db');
    stage.api.fault = ({ verb, collection }) =>
      verb === 'list' && collection === COLLECTIONS.pods
        ? { raw: JSON.stringify({ metadata: { resourceVersion: '1' }, items: [] }) }
        : undefined;
    stage.api.mangle = (line, { collection }) => (collection === COLLECTIONS.pods ? [] : [line]);
    await stage.start();
    const looks = () => stage.api.requests.filter(({ verb, key }) => verb === 'get' && key === 'a/l1').length;
    await eventually('looks at the API', () => looks() > 1);
    expect((await stage.listLsps()).get('vm/a/db/default')?.addresses).toBe(before.addresses);
    expect(stage.findPort('a/db.default.vm')?.metadata.deletionTimestamp).toBeUndefined();
    cast.remove('pods', 'a/l1');
    await until('the release', async () => !(await stage.listLsps()).has('vm/a/db/default'));
  });

  it('the API server: what happened meanwhile is done when it is back', async () => {
    await stage.start();
    cast.pod('p1');
    await findLsp('pod/a/p1/eth0');
    await stage.api.stop();
    cast.remove('pods', 'a/p1');
    cast.pod('p2');
    expect([...(await stage.listLsps()).keys()]).toEqual(['pod/a/p1/eth0']);
    await stage.api.restart();
    await findLsp('pod/a/p2/eth0');
    await until('the release', async () => !(await stage.listLsps()).has('pod/a/p1/eth0'));
  });

  it("KubeVirt's kinds: pods have their ports, and no VM's port is released for want of VMs", async () => {
    const started = await stage.start();
    cast.vm('db');
    await findLsp('vm/a/db/default');
    await started.stop();
    stage.api.fault = ({ collection }) => (collection.startsWith('kubevirt.io/') ? { status: 404 } : undefined);
    await stage.start();
    cast.pod('p1');
    await findLsp('pod/a/p1/eth0');
    await until('all looked at', async () => getCondition('a/db.default.vm', 'Bound')?.reason === 'NotAttached');
    expect((await stage.listLsps()).has('vm/a/db/default')).toBe(true);
    expect(stage.findPort('a/db.default.vm')).toBeDefined();
  });

  it('a pod from the cache alone, which lags: its port and address stay, since the API server has it', async () => {
    const started = await stage.start();
    cast.pod('p1', { node: 'n1' });
    const before = await findLsp('pod/a/p1/eth0');
    await started.stop();
    stage.api.fault = ({ verb, collection, body }) =>
      verb === 'list' && collection === COLLECTIONS.pods && body === undefined
        ? { raw: JSON.stringify({ metadata: { resourceVersion: '1' }, items: [] }) }
        : undefined;
    stage.api.mangle = (line, { collection }) => (collection === COLLECTIONS.pods ? [] : [line]);
    await stage.start();
    cast.subnet('later', { cidrBlock: '10.77.0.0/24' });
    await eventually('a turn of the others', () => getReady('later')?.reason === 'Ready');
    const looks = () => stage.api.requests.filter(({ verb, key }) => verb === 'get' && key === 'a/p1').length;
    await eventually('a look at the API', () => looks() > 0);
    expect((await stage.listLsps()).get('pod/a/p1/eth0')?.addresses).toBe(before.addresses);
    expect(stage.findPort('a/p1.eth0.pod')?.metadata.deletionTimestamp).toBeUndefined();
  });

  it('a LogicalPort from the cache alone, which lags: what a leader before us adopted is not released', async () => {
    const started = await stage.start();
    cast.vm('db');
    const before = await findLsp('vm/a/db/default');
    stage.api.mangle = (line, { collection }) => (collection === COLLECTIONS.ports ? [] : [line]);
    cast.remove('vms', 'a/db');
    const again = cast.vm('db');
    // A write of the leader before us that arrives only now.
    cast.patch('ports', 'a/db.default.vm', { spec: { owner: { uid: again.metadata?.uid } } });
    const looks = () =>
      stage.api.requests.filter(({ verb, key }) => verb === 'get' && key === 'a/db.default.vm').length;
    await eventually('looks at the API', () => looks() > 1);
    expect((await stage.listLsps()).get('vm/a/db/default')?.addresses).toBe(before.addresses);
    expect(stage.findPort('a/db.default.vm')?.metadata.deletionTimestamp).toBeUndefined();
    await started.stop();
    stage.api.mangle = undefined;
    await stage.start();
    cast.pod('marker');
    await findLsp('pod/a/marker/eth0');
    expect((await stage.listLsps()).get('vm/a/db/default')?.addresses).toBe(before.addresses);
  });

  it('the leader: the other operator goes on, and nothing is done twice', async () => {
    const first = await stage.start();
    await eventually('a leader', () => first.operator.isLeader());
    const second = await stage.start();
    cast.pod('p1');
    const before = await findLsp('pod/a/p1/eth0');
    expect(second.operator.isLeader()).toBe(false);
    await first.stop();
    cast.pod('p2');
    await findLsp('pod/a/p2/eth0');
    expect((await stage.listLsps()).get('pod/a/p1/eth0')).toEqual(before);
    expect(stage.listPorts()).toHaveLength(2);
  });
});
