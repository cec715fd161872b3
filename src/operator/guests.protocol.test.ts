import { describe, expect, it } from 'vitest';
import { until } from '../../test/operator/stage.ts';
import { useStage } from '../../test/operator/use-stage.ts';
import { eventually } from '../kube/testing/eventually.ts';
import { insertOp, wireMap } from '../ovsdb/operations.ts';

const { stage, cast } = useStage();

const findLsp = (name: string) => until(`switch port ${name}`, async () => (await stage.listLsps()).get(name));
const whenLsp = (name: string, chassis: string) =>
  until(`${name} on ${chassis}`, async () => {
    const lsp = (await stage.listLsps()).get(name);
    return lsp?.chassis === chassis ? lsp : undefined;
  });
const whenGone = (name: string) => until(`${name} gone`, async () => !(await stage.listLsps()).has(name));

/** A turn of everything that came before has passed when a later pod has its port. */
async function settle(name: string) {
  cast.pod(name);
  await findLsp(`pod/a/${name}/eth0`);
}

const onNad = (...names: string[]) => ({
  domain: { devices: { interfaces: names.map((name) => ({ name, bridge: {} })) } },
  networks: names.map((name) => ({ name, multus: { networkName: 'attachnet' } })),
});

async function makeNetwork() {
  cast.nad('attachnet', { type: 'mooring', provider: 'attachnet.a.ovn' });
  cast.subnet('net', { cidrBlock: '172.17.0.0/24', provider: 'attachnet.a.ovn' });
  await eventually('ready', () => stage.findSubnet('net')?.status?.conditions?.[0]?.reason === 'Ready');
}

describe('a guest without a VM', () => {
  it('K3 bare VMI: its port lives through a change of leader and goes with it', async () => {
    const first = await stage.start();
    const vmi = cast.vmi('solo');
    cast.launcher('l1', vmi, { node: 'n1' });
    const before = await whenLsp('vmi/a/solo/default', 'n1');
    await first.stop();
    await stage.start();
    await settle('marker');
    expect(await findLsp('vmi/a/solo/default')).toEqual(before);
    expect(stage.findPort('a/solo.default.vmi')?.spec.owner.kind).toBe('VirtualMachineInstance');
    cast.remove('pods', 'a/l1');
    cast.remove('vmis', 'a/solo');
    await whenGone('vmi/a/solo/default');
    await eventually('the release', () => stage.findPort('a/solo.default.vmi') === undefined);
  });

  it('K3 VMIs of a replica set: each has its own port, and a new one inherits nothing', async () => {
    await stage.start();
    for (const name of ['rs-1', 'rs-2']) {
      const vmi = cast.vmi(name);
      const ownerReferences = [
        {
          apiVersion: 'kubevirt.io/v1',
          kind: 'VirtualMachineInstanceReplicaSet',
          name: 'rs',
          uid: 'rs',
          controller: true,
        },
      ];
      cast.patch('vmis', `a/${name}`, { metadata: { ownerReferences } });
      cast.launcher(`${name}-l`, vmi, { node: 'n1' });
    }
    const [first, second] = [await whenLsp('vmi/a/rs-1/default', 'n1'), await whenLsp('vmi/a/rs-2/default', 'n1')];
    expect(first.addresses).not.toBe(second.addresses);
    cast.remove('pods', 'a/rs-1-l');
    cast.remove('vmis', 'a/rs-1');
    await whenGone('vmi/a/rs-1/default');
    expect(await findLsp('vmi/a/rs-2/default')).toEqual(second);
  });

  it('VMs of a pool: each keeps its own through its restart', async () => {
    await stage.start();
    const vms = ['pool-0', 'pool-1'].map((name) => cast.vm(name));
    const before = [await findLsp('vm/a/pool-0/default'), await findLsp('vm/a/pool-1/default')];
    for (const [index, vm] of vms.entries()) {
      cast.launcher(`pool-l${index}`, cast.vmi(`pool-${index}`, vm), { node: 'n2' });
      expect((await whenLsp(`vm/a/pool-${index}/default`, 'n2')).addresses).toBe(before[index]?.addresses);
    }
  });

  it('K2 VM deleted as an orphan: the guest keeps port and rows, and ends them when it ends', async () => {
    await stage.start();
    const vmi = cast.vmi('db', cast.vm('db'));
    cast.launcher('l1', vmi, { node: 'n1' });
    const before = await whenLsp('vm/a/db/default', 'n1');
    await eventually('the attachment', () => stage.findPort('a/db.default.vm')?.spec.attachments?.length === 1);
    cast.remove('vms', 'a/db');
    cast.patch('vmis', 'a/db', { metadata: { ownerReferences: null } });
    await settle('marker');
    expect(await findLsp('vm/a/db/default')).toEqual(before);
    expect((await stage.listLsps()).has('vmi/a/db/default')).toBe(false);
    cast.remove('pods', 'a/l1');
    cast.remove('vmis', 'a/db');
    await whenGone('vm/a/db/default');
  });

  it('K1 F36 VM deleted and made again while nobody watches: the new one inherits nothing', async () => {
    const first = await stage.start();
    cast.vm('db');
    const before = await findLsp('vm/a/db/default');
    await eventually('the port', () => stage.findPort('a/db.default.vm'));
    await first.stop();
    cast.remove('vms', 'a/db');
    const again = cast.vm('db');
    await stage.start();
    await eventually('the new port', () => stage.findPort('a/db.default.vm')?.spec.owner.uid === again.metadata?.uid);
    const after = await until('other addresses', async () => {
      const lsp = (await stage.listLsps()).get('vm/a/db/default');
      return lsp?.addresses === before.addresses ? undefined : lsp;
    });
    expect(after.addresses.split(' ')[0]).not.toBe(before.addresses.split(' ')[0]);
  });
});

describe('what is asked for a running VM', () => {
  it('K8 a list of addresses: it keeps the one it got though an earlier one becomes free', async () => {
    await stage.start();
    cast.pod('first', { annotations: { 'ovn.kubernetes.io/ip_address': '10.16.0.50' } });
    await findLsp('pod/a/first/eth0');
    const vm = cast.vm('db', { annotations: { 'ovn.kubernetes.io/ip_pool': '10.16.0.50,10.16.0.51' } });
    expect((await findLsp('vm/a/db/default')).addresses).toMatch(/ 10\.16\.0\.51$/);
    cast.remove('pods', 'a/first');
    await whenGone('pod/a/first/eth0');
    cast.launcher('l1', cast.vmi('db', vm), { node: 'n1' });
    expect((await whenLsp('vm/a/db/default', 'n1')).addresses).toMatch(/ 10\.16\.0\.51$/);
  });

  it('K10 security groups follow at once, without a restart and over it', async () => {
    await stage.start();
    const ask = (...securityGroups: string[]) => ({
      annotations: { 'mooring.dev/nics': JSON.stringify({ default: { securityGroups } }) },
    });
    const vm = cast.vm('db', ask('web'));
    cast.launcher('l1', cast.vmi('db', vm), { node: 'n1' });
    await whenLsp('vm/a/db/default', 'n1');
    const whenGroups = (...groups: string[]) =>
      eventually(groups.join(), () => stage.findPort('a/db.default.vm')?.spec.securityGroups?.join() === groups.join());
    await whenGroups('web');
    cast.patch('vms', 'a/db', { spec: { template: { metadata: ask('db', 'web') } } });
    await whenGroups('db', 'web');
    cast.remove('pods', 'a/l1');
    cast.remove('vmis', 'a/db');
    await whenLsp('vm/a/db/default', 'mooring/unattached');
    await whenGroups('db', 'web');
  });

  it('K11 a MAC that another NIC of the network has is refused, also within one VM', async () => {
    await stage.start();
    await makeNetwork();
    const mac = '0a:00:00:00:00:01';
    const annotations = { 'mooring.dev/nics': JSON.stringify({ one: { mac }, two: { mac } }) };
    cast.vm('db', { annotations, spec: onNad('one', 'two') });
    const whenReason = (nic: string) =>
      eventually(nic, () => {
        const conditions = stage.findPort(`a/db.${nic}.vm`)?.status?.conditions;
        return conditions?.some(({ type, reason }) => type === 'Allocated' && reason === 'AddressInUse');
      });
    await whenReason('two');
    expect((await stage.listLsps()).size).toBe(0);
  });
});

describe('one NAD, two NICs', () => {
  it('K4 both keep their ports over stop, start and the end of an old launcher', async () => {
    await stage.start();
    await makeNetwork();
    const vm = cast.vm('db', { spec: onNad('one', 'two') });
    const before = [await findLsp('vm/a/db/one'), await findLsp('vm/a/db/two')];
    expect(new Set(before.map(({ addresses }) => addresses)).size).toBe(2);
    const vmi = cast.vmi('db', vm);
    cast.patch('vmis', 'a/db', { spec: onNad('one', 'two') });
    cast.launcher('l1', vmi, { node: 'n1' });
    cast.setStatus('vmis', 'a/db', { phase: 'Running', nodeName: 'n1' });
    await whenLsp('vm/a/db/two', 'n1');
    const vmim = cast.vmim('m', 'db');
    cast.launcher('l2', vmi, { node: 'n2', job: vmim.metadata.uid ?? '' });
    await whenLsp('vm/a/db/one', 'n1,n2');
    const migrationState = {
      migrationUid: vmim.metadata.uid,
      sourceNode: 'n1',
      targetNode: 'n2',
      targetNodeDomainReadyTimestamp: '2026-11-21T10:48:37Z',
      completed: true,
    };
    cast.setStatus('vmis', 'a/db', { nodeName: 'n2', migrationState });
    await whenLsp('vm/a/db/two', 'n2');
    cast.remove('pods', 'a/l1');
    await settle('marker');
    const after = [await whenLsp('vm/a/db/one', 'n2'), await whenLsp('vm/a/db/two', 'n2')];
    expect(after.map(({ addresses }) => addresses)).toEqual(before.map(({ addresses }) => addresses));
    const interfaces = ['one', 'two'].map((nic) => stage.findPort(`a/db.${nic}.vm`)?.spec.attachments?.[0]?.interface);
    expect(new Set(interfaces).size).toBe(2);
  });

  it('K5 the second one is added to a running VM: the first one is untouched', async () => {
    await stage.start();
    await makeNetwork();
    const vm = cast.vm('db', { spec: onNad('one') });
    const vmi = cast.vmi('db', vm);
    cast.patch('vmis', 'a/db', { spec: onNad('one') });
    cast.launcher('l1', vmi, { node: 'n1' });
    const before = await whenLsp('vm/a/db/one', 'n1');
    const uid = stage.findPort('a/db.one.vm')?.metadata.uid;
    cast.patch('vms', 'a/db', { spec: { template: { spec: onNad('one', 'two') } } });
    await findLsp('vm/a/db/two');
    cast.patch('vmis', 'a/db', { spec: onNad('one', 'two') });
    await whenLsp('vm/a/db/two', 'n1');
    expect(await findLsp('vm/a/db/one')).toEqual(before);
    expect(stage.findPort('a/db.one.vm')?.metadata.uid).toBe(uid);
  });
});

describe('a NIC that another plugin makes', () => {
  it('has its address and no switch port, and is bound where its pod is', async () => {
    await stage.start();
    cast.nad('macvlan', { type: 'macvlan', master: 'eth0', ipam: { type: 'mooring', provider: 'macvlan.a' } });
    cast.subnet('mac', { cidrBlock: '172.18.0.0/24', provider: 'macvlan.a' });
    cast.pod('p1', { annotations: { 'k8s.v1.cni.cncf.io/networks': 'macvlan' }, node: 'n1' });
    const port = await eventually('bound', () => {
      const found = stage.findPort('a/p1.net1.pod');
      return found?.status?.phase === 'Bound' ? found : undefined;
    });
    expect(port.spec).toMatchObject({ ipamOnly: true, subnet: 'mac', ips: ['172.18.0.2'] });
    const programmed = port.status?.conditions?.find(({ type }) => type === 'Programmed');
    expect(programmed).toMatchObject({ status: 'True', message: expect.stringContaining('no switch port') });
    await findLsp('pod/a/p1/eth0');
    expect((await stage.listLsps()).has('pod/a/p1/net1')).toBe(false);
    cast.remove('pods', 'a/p1');
    await eventually('the release', () => stage.findPort('a/p1.net1.pod') === undefined);
  });
});

describe('the Southbound database away', () => {
  it('leaves no port called bound on what was known last', async () => {
    await stage.start();
    cast.pod('p1', { node: 'n1' });
    await findLsp('pod/a/p1/eth0');
    await bind('pod/a/p1/eth0', 'n1');
    const getBound = () => stage.findPort('a/p1.eth0.pod')?.status?.conditions?.find(({ type }) => type === 'Bound');
    await eventually('bound', () => getBound()?.status === 'True');
    await stage.sb.kill();
    await until('unknown', async () => {
      cast.patch('pods', 'a/p1', { metadata: { labels: { at: String(performance.now()) } } });
      return getBound()?.status === 'Unknown';
    });
    expect(getBound()?.message).toContain('was bound on n1');
    await stage.sb.start();
    await until('bound again', async () => getBound()?.status === 'True');
  });
});

/** What northd and ovn-controller would write. */
async function bind(port: string, node: string) {
  const { createSbClient } = await import('../ovn/database.ts');
  const { client } = createSbClient({ remotes: [stage.sb.remote] });
  client.start();
  await client.whenLive(AbortSignal.timeout(10_000));
  const encap = insertOp('Encap', { type: 'geneve', ip: '192.168.0.1', chassis_name: node }, { uuidName: 'encap' });
  const chassis = insertOp(
    'Chassis',
    { name: node, hostname: node, encaps: ['named-uuid', 'encap'] },
    { uuidName: 'chassis' },
  );
  const datapath = insertOp(
    'Datapath_Binding',
    { tunnel_key: 1, external_ids: wireMap([['name', 'x']]) },
    { uuidName: 'datapath' },
  );
  const binding = insertOp('Port_Binding', {
    logical_port: port,
    tunnel_key: 1,
    datapath: ['named-uuid', 'datapath'],
    chassis: ['named-uuid', 'chassis'],
    up: true,
  });
  await client.transactAndSync([encap, chassis, datapath, binding]);
  await client.stop();
}
