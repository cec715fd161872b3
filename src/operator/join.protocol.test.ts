import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCast } from '../../test/operator/objects.ts';
import { type Stage, startStage, until } from '../../test/operator/stage.ts';
import { NODE_NETWORK_ANNOTATION, parseNodeNetwork } from '../api/node-network.ts';
import type { KubeObject } from '../kube/index.ts';
import { createSbClient, type SbClient } from '../ovn/database.ts';
import { deleteOp, insertOp, namedUuid, type Operation, updateOp, wireMap, wireSet } from '../ovsdb/operations.ts';
import { planJoin } from '../plan/settings.ts';

const join = planJoin('100.64.0.0/16,fd00:100:64::/112');
if (!join.ok) throw new Error('fixture');
const DUAL = { join: join.value };

let stage: Stage;
let cast: ReturnType<typeof createCast>;
beforeEach(async () => {
  stage = await startStage();
  cast = createCast(stage.api);
});
afterEach(() => stage[Symbol.asyncDispose]());

const readAnnotation = (name: string) => {
  const nodes = stage.api.storage.list('v1/nodes');
  return nodes.find(({ metadata }) => metadata.name === name)?.metadata.annotations?.[NODE_NETWORK_ANNOTATION] ?? '';
};
const readNetwork = (name: string) => {
  const parsed = parseNodeNetwork(readAnnotation(name));
  return parsed.ok ? parsed.network : undefined;
};
const whenNetwork = <T>(
  what: string,
  name: string,
  pick: (network: NonNullable<ReturnType<typeof readNetwork>>) => T,
) =>
  until(what, async () => {
    const network = readNetwork(name);
    return network === undefined ? undefined : pick(network);
  });
const whenIps = (name: string, ...ips: string[]) =>
  whenNetwork(`${name} has ${ips}`, name, ({ nodeIps }) => (nodeIps.join() === ips.join() ? true : undefined));
const addVpc = (name: string) =>
  stage.api.storage.create('mooring.dev/v1alpha1/vpcs', { metadata: { name }, spec: {} } as KubeObject);
const readRow = async (table: string, name: string, column: string) => (await stage.nb.dump())[table]?.[name]?.[column];

describe('addresses on the join network', () => {
  it('are of both families, and a node keeps its IPv4 address when IPv6 comes', async () => {
    cast.node('n1');
    const before = await stage.start({ settings: { join: DUAL.join.slice(0, 1) } });
    await whenIps('n1', '100.64.0.3/16');
    await until('the row', async () =>
      String(await readRow('Logical_Switch_Port', 'node/n1', 'addresses')).match(/\.3$/),
    );
    await before.stop();
    await stage.start({ settings: DUAL });
    await whenIps('n1', '100.64.0.3/16', 'fd00:100:64::3/112');
    await until('the row', async () =>
      String(await readRow('Logical_Switch_Port', 'node/n1', 'addresses')).match(/ 100\.64\.0\.3 fd00:100:64::3$/),
    );
    const routes = Object.keys((await stage.nb.dump()).Logical_Router_Static_Route ?? {});
    expect(routes.map((route) => route.split(' ')[0]).sort()).toEqual(['0.0.0.0/0', '::/0']);
  });

  it('are what NB records: an annotation that a kubelet rewrote is put right, also by a new leader', async () => {
    cast.node('a');
    cast.node('b');
    const first = await stage.start({ settings: DUAL });
    await until('two rows', async () => {
      const rows = Object.keys((await stage.nb.dump()).Logical_Switch_Port ?? {});
      return rows.filter((name) => name.startsWith('node/')).length === 2 ? true : undefined;
    });
    const [a, b] = [readAnnotation('a'), readAnnotation('b')];
    await first.stop();
    cast.patch('nodes', 'a', { metadata: { annotations: { [NODE_NETWORK_ANNOTATION]: b } } });
    await stage.start({ settings: DUAL });
    await until('a again', async () => (readAnnotation('a') === a ? true : undefined));
    expect(readAnnotation('b')).toBe(b);
  });

  it('are given to the routers of other VPCs, stay over a change of leader, and are told to every node', async () => {
    cast.node('n1');
    addVpc('blue');
    cast.subnet('blue1', { vpc: 'blue', cidrBlock: '10.99.0.0/24' });
    const first = await stage.start({ settings: DUAL });
    const ips = await whenNetwork('blue', 'n1', ({ vpcs }) => vpcs[0]?.routerIps);
    const expected = ips.map((ip) => `${ip}/${ip.includes(':') ? 112 : 16}`);
    await until('the port', async () =>
      JSON.stringify(await readRow('Logical_Router_Port', 'vpc/blue/join', 'networks')) === JSON.stringify(expected)
        ? true
        : undefined,
    );
    expect(await readRow('Logical_Router_Port', 'vpc/blue/join', 'mac')).toMatch(/^0e:/);
    await first.stop();
    addVpc('amber');
    cast.subnet('amber1', { vpc: 'amber', cidrBlock: '10.99.0.0/24' });
    await stage.start({ settings: DUAL });
    const vpcs = await whenNetwork('both', 'n1', (network) => (network.vpcs.length === 2 ? network.vpcs : undefined));
    expect(vpcs.map(({ name }) => name)).toEqual(['amber', 'blue']);
    expect(vpcs[1]?.routerIps).toEqual(ips);
  });
});

describe('the MTU', () => {
  let sb: SbClient;
  beforeEach(async () => {
    sb = createSbClient({ remotes: [stage.sb.remote] });
    sb.client.start();
    await sb.client.whenLive();
  });
  afterEach(() => sb.client.stop());

  const insertChassis = (name: string, mtu: number): Operation[] => [
    insertOp('Encap', { type: 'geneve', ip: `10.1.1.${name.length}`, chassis_name: name }, { uuidName: `e_${name}` }),
    insertOp('Chassis', { name, hostname: name, encaps: wireSet([namedUuid(`e_${name}`)]), other_config: tell(mtu) }),
  ];
  const tell = (mtu: number) => wireMap([['ovn-cms-options', `mooring-mtu=${mtu}`]]);
  const whenMtu = (mtu: number) =>
    whenNetwork(`an MTU of ${mtu}`, 'n1', (network) => (network.mtu === mtu ? true : undefined));

  it('follows the least uplink of the nodes when none is configured', async () => {
    cast.node('n1');
    cast.node('node2');
    await sb.client.transactAndSync(insertChassis('n1', 8900));
    await stage.start({ settings: { mtu: 0 } });
    await whenMtu(8900);
    await sb.client.transactAndSync(insertChassis('node2', 1450));
    await whenMtu(1450);
    await sb.client.transactAndSync([updateOp('Chassis', [['name', '==', 'node2']], { other_config: tell(4000) })]);
    await whenMtu(4000);
    await sb.client.transactAndSync([deleteOp('Chassis', [['name', '==', 'node2']])]);
    await whenMtu(8900);
  });

  it('is what is configured, whatever the uplinks are', async () => {
    cast.node('n1');
    await sb.client.transactAndSync(insertChassis('n1', 8900));
    await stage.start();
    await whenMtu(1400);
  });
});

describe('as a secondary network', () => {
  it('no default subnet is made', async () => {
    cast.node('n1');
    await stage.start({ settings: { primary: false } });
    await whenNetwork('the node', 'n1', () => true);
    expect(stage.findSubnet('default')).toBeUndefined();
  });
});
