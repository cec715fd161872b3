import { describe, expect, it } from 'vitest';
import { COLLECTIONS, until } from '../../test/operator/stage.ts';
import { useStage } from '../../test/operator/use-stage.ts';
import { createWholeClient, SCHEMA_FILES } from '../../test/ovn/database.ts';
import type { IPPool, Subnet, Vpc } from '../api/types.gen.ts';
import type { KubeObject } from '../kube/index.ts';
import { eventually } from '../kube/testing/eventually.ts';
import { deleteOp, insertOp, namedUuid, updateOp, wireSet } from '../ovsdb/operations.ts';

const { stage, cast } = useStage();

type Networks = { vpcs: Vpc; ipPools: IPPool; subnets: Subnet };
function find<K extends keyof Networks>(kind: K, name: string): Networks[K] | undefined {
  const objects = stage.api.storage.list(COLLECTIONS[kind]) as unknown as Networks[K][];
  return objects.find(({ metadata }) => metadata.name === name);
}
const create = (kind: keyof Networks, name: string, spec: object) =>
  stage.api.storage.create(COLLECTIONS[kind], { metadata: { name }, spec } as KubeObject);
function getReady(kind: keyof Networks, name: string): string {
  const ready = find(kind, name)?.status?.conditions?.find(({ type }) => type === 'Ready');
  return `${ready?.status} ${ready?.reason} ${ready?.message}`;
}
const whenReady = (kind: keyof Networks, name: string, text: string) =>
  eventually(`${kind} ${name} ${text}, not ${getReady(kind, name)}`, () => getReady(kind, name).includes(text));
const rowsOf = async (table: string) => Object.entries((await stage.nb.dump())[table] ?? {});

/** Registers nodes' ovn-controllers in the Southbound database, or takes them away. */
async function createChassis() {
  const client = createWholeClient(stage.sb.remote, SCHEMA_FILES.sb);
  client.start();
  await client.whenLive();
  let last = 0;
  return {
    add: (name: string) => {
      last += 1;
      return client.transactAndSync([
        insertOp('Encap', { type: 'geneve', ip: `10.1.1.${last}`, chassis_name: name }, { uuidName: 'e' }),
        insertOp('Chassis', { name, hostname: name, encaps: namedUuid('e') }),
      ]);
    },
    remove: (name: string) => client.transactAndSync([deleteOp('Chassis', [['name', '==', name]])]),
    [Symbol.asyncDispose]: () => client.stop(),
  };
}

const setReady = (node: string, status: string) =>
  cast.setStatus('nodes', node, { conditions: [{ type: 'Ready', status, lastHeartbeatTime: String(Math.random()) }] });

describe('a Vpc', () => {
  it('that a Subnet names has to exist first; then both are ready, and it stays while it is used', async () => {
    await stage.start();
    cast.subnet('net1', { cidrBlock: '10.16.0.0/24', vpc: 'blue' });
    await whenReady('subnets', 'net1', 'False VpcNotFound VPC "blue" does not exist');
    create('vpcs', 'blue', {});
    await whenReady('subnets', 'net1', 'NotReachableFromNodes');
    await whenReady('vpcs', 'blue', 'True Ready');
    await eventually('the list', () => find('vpcs', 'blue')?.status?.subnets?.join() === 'net1');
    expect((await rowsOf('Logical_Router')).map(([name]) => name)).toEqual(['vpc/blue', 'vpc/default']);
    cast.remove('vpcs', 'blue');
    await whenReady('vpcs', 'blue', 'False InUse being deleted; waits for subnets net1');
    cast.remove('subnets', 'net1');
    await eventually('gone', () => find('vpcs', 'blue') === undefined);
    await until('its router gone', async () => (await rowsOf('Logical_Router')).length === 1);
  });

  it('may have the addresses of another one', async () => {
    await stage.start();
    create('vpcs', 'blue', {});
    create('vpcs', 'red', {});
    cast.subnet('net1', { cidrBlock: '10.50.0.0/24', vpc: 'blue' });
    cast.subnet('net2', { cidrBlock: '10.50.0.0/24', vpc: 'red' });
    await whenReady('subnets', 'net1', 'True Ready');
    await whenReady('subnets', 'net2', 'True Ready');
  });
});

describe('a Subnet', () => {
  it('of another provider has addresses, no rows, and says what does not apply', async () => {
    await stage.start();
    await whenReady('subnets', 'default', 'True Ready');
    const spec = { cidrBlock: '172.17.0.0/16', provider: 'macvlan.default', private: true, natOutgoing: true };
    cast.subnet('macvlan', spec);
    await whenReady('subnets', 'macvlan', 'True Ready NotApplicable: private has no effect');
    expect(find('subnets', 'macvlan')?.status?.v4availableIPs).toBe(65_533);
    expect((await rowsOf('Logical_Switch')).map(([name]) => name)).toEqual(['join', 'subnet/default']);
  });

  it('that becomes private and open again changes its own rows only', async () => {
    await stage.start();
    cast.subnet('net1', { cidrBlock: '10.50.0.0/24', private: true });
    await until('the ACLs', async () => (await rowsOf('ACL')).length === 5);
    const before = await stage.nb.dump();
    expect(
      Object.values(before.ACL ?? {})
        .map(({ match }) => match)
        .join(),
    ).toContain('10.51.0.0/16');
    cast.patch('subnets', 'net1', { spec: { allowSubnets: ['10.51.0.0/24'] } });
    // Strangers are dropped by their networks: one that is admitted is taken out of the network around it.
    await until('the exception', async () =>
      (await rowsOf('ACL')).every(([, { match }]) => !String(match).includes('10.51.0.0/16')),
    );
    cast.patch('subnets', 'net1', { spec: { private: false, allowSubnets: null } });
    await until('no ACL', async () => (await rowsOf('ACL')).length === 0);
    expect((await stage.nb.dump()).Logical_Switch_Port).toEqual(before.Logical_Switch_Port);
  });

  it('heals ACLs that somebody changed or took away', async () => {
    await stage.start();
    cast.subnet('net1', { cidrBlock: '10.50.0.0/24', private: true });
    await until('the ACLs', async () => (await rowsOf('ACL')).length === 5);
    const before = await rowsOf('ACL');
    const { client } = stage.nb.nb;
    await client.transactAndSync([updateOp('ACL', [['action', '==', 'drop']], { action: 'allow' })]);
    await until('the drop again', async () => (await rowsOf('ACL')).some(([, row]) => row.action === 'drop'));
    await client.transactAndSync([updateOp('Logical_Switch', [['name', '==', 'subnet/net1']], { acls: wireSet([]) })]);
    await until('all again', async () => (await rowsOf('ACL')).length === 5);
    expect(await rowsOf('ACL')).toEqual(before);
  });

  it('tells options that guests cannot be told, and tells guests the others', async () => {
    await stage.start();
    cast.subnet('net1', { cidrBlock: '10.50.0.0/24', enableDHCP: true, dhcpV4Options: 'colour=red,lease_time=60' });
    await whenReady('subnets', 'net1', 'False InvalidDHCPOptions dhcpV4Options: OVN has no DHCPv4 option "colour"');
    const [[, row] = []] = await rowsOf('DHCP_Options');
    expect(row?.options).toMatchObject({ lease_time: '60', router: '10.50.0.1' });
    cast.patch('subnets', 'net1', { spec: { dhcpV4Options: 'lease_time=60' } });
    await whenReady('subnets', 'net1', 'True Ready');
  });
});

describe('a centralized Subnet', () => {
  const out = async () => {
    const row = (await rowsOf('Logical_Router_Policy')).find(([name]) => name.endsWith('net1/out/v4'))?.[1];
    return row && `${row.action} ${row.nexthops ?? ''}`.trim();
  };
  const whenOut = (text: string) => until(`the way out is ${text}`, async () => (await out()) === text);

  it('goes out by the first node that is ready and in OVN, and by the next one when it is not', async () => {
    await using chassis = await createChassis();
    for (const node of ['n1', 'n2']) {
      cast.node(node);
      setReady(node, 'True');
      await chassis.add(node);
    }
    await stage.start();
    cast.subnet('net1', { cidrBlock: '10.50.0.0/24', gatewayType: 'centralized', gatewayNode: 'n1,n2' });
    await whenOut('reroute 100.64.0.3');
    await eventually('activateGateway', () => find('subnets', 'net1')?.status?.activateGateway === 'n1');
    setReady('n1', 'Unknown');
    await whenOut('reroute 100.64.0.4');
    await eventually('activateGateway', () => find('subnets', 'net1')?.status?.activateGateway === 'n2');
    await chassis.remove('n2');
    await whenOut('drop');
    await whenReady('subnets', 'net1', 'False GatewayNodeUnavailable');
    expect(find('subnets', 'net1')?.status).not.toHaveProperty('activateGateway');
    setReady('n1', 'True');
    await whenOut('reroute 100.64.0.3');
    await whenReady('subnets', 'net1', 'True Ready');
    cast.patch('subnets', 'net1', { spec: { gatewayType: 'distributed', gatewayNode: null } });
    await until('no policy left', async () => (await rowsOf('Logical_Router_Policy')).length === 0);
  });
});

describe('an IPPool', () => {
  it('counts what it has, and says what is wrong with it', async () => {
    await stage.start();
    create('ipPools', 'p', { subnet: 'nowhere', ips: ['10.50.0.10'] });
    await whenReady('ipPools', 'p', 'False SubnetNotFound');
    create('ipPools', 'q', { subnet: 'net1', ips: ['10.50.0.10..10.50.0.19', '10.99.0.1'] });
    cast.subnet('net1', { cidrBlock: '10.50.0.0/24' });
    await whenReady('ipPools', 'q', 'False InvalidPool "10.99.0.1" is not in 10.50.0.0/24');
    cast.patch('ipPools', 'q', { spec: { ips: ['10.50.0.10..10.50.0.19'] } });
    await whenReady('ipPools', 'q', 'True Ready');
    await eventually('the count', () => find('ipPools', 'q')?.status?.v4availableIPs === 10);
  });

  it('F35 stays while a port has an address that came from it', async () => {
    await stage.start();
    cast.subnet('net1', { cidrBlock: '10.50.0.0/24' });
    create('ipPools', 'q', { subnet: 'net1', ips: ['10.50.0.10..10.50.0.19'] });
    await whenReady('ipPools', 'q', 'True Ready');
    const annotations = { 'ovn.kubernetes.io/logical_switch': 'net1', 'ovn.kubernetes.io/ip_pool': 'q' };
    cast.pod('p1', { annotations });
    const lsp = await until('the port', async () => (await stage.listLsps()).get('pod/a/p1/eth0'));
    expect(lsp.addresses).toMatch(/ 10\.50\.0\.10$/);
    cast.remove('ipPools', 'q');
    await whenReady('ipPools', 'q', 'False InUse being deleted; waits for ports a/p1.eth0.pod');
    cast.remove('pods', 'a/p1');
    await eventually('gone', () => find('ipPools', 'q') === undefined, 20_000);
  });
});
