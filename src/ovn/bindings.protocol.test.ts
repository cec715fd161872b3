import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SCHEMA_FILES } from '../../test/ovn/database.ts';
import { startServer, type TestServer } from '../../test/ovsdb/server.ts';
import {
  deleteOp,
  insertOp,
  namedUuid,
  type Operation,
  updateOp,
  uuidRef,
  whereUuid,
  wireMap,
  wireSet,
} from '../ovsdb/operations.ts';
import { type Bindings, createBindings } from './bindings.ts';
import { createSbClient, type SbClient } from './database.ts';

let server: TestServer & AsyncDisposable;
let sb: SbClient;
let bindings: Bindings;
beforeEach(async () => {
  server = await startServer(SCHEMA_FILES.sb);
  sb = createSbClient({ remotes: [server.remote] });
  sb.client.start();
  await sb.client.whenLive();
  bindings = createBindings(sb);
});
afterEach(async () => {
  await sb.client.stop();
  await server[Symbol.asyncDispose]();
});

const write = async (...operations: Operation[]): Promise<string[]> =>
  (await sb.client.transactAndSync(operations)).flatMap(({ uuid }) => uuid ?? []);

const insertChassis = (name: string, i: number): Operation[] => [
  insertOp('Encap', { type: 'geneve', ip: `10.1.1.${i}`, chassis_name: name }, { uuidName: `e${i}` }),
  insertOp(
    'Chassis',
    { name, hostname: `${name}.local`, encaps: wireSet([namedUuid(`e${i}`)]) },
    { uuidName: `c${i}` },
  ),
];

/** Two chassis and one port; returns their UUIDs. */
async function setUp() {
  const [, node2 = '', , node1 = '', , port = ''] = await write(
    ...insertChassis('node2', 2),
    ...insertChassis('node1', 1),
    insertOp('Datapath_Binding', { tunnel_key: 1n }, { uuidName: 'd' }),
    insertOp('Port_Binding', { logical_port: 'vm/ns/vm/default', tunnel_key: 1n, datapath: namedUuid('d') }),
  );
  return { node1, node2, port };
}

describe('findPortBinding', () => {
  it('knows nothing of a port that northd has not made', () => {
    expect(bindings.findPortBinding('vm/ns/vm/default')).toBeUndefined();
  });

  it.each([
    ['unbound', {}, { additionalChassis: [], requestedAdditionalChassis: [], up: false, activated: [] }],
    [
      'bound and up',
      { chassis: 'node1', up: true },
      { chassis: 'node1', additionalChassis: [], requestedAdditionalChassis: [], up: true, activated: [] },
    ],
    [
      'migrating, the target open',
      {
        chassis: 'node1',
        additional_chassis: 'node2',
        requested_chassis: 'node1',
        requested_additional_chassis: 'node2',
        up: true,
        options: wireMap([['additional-chassis-activated', 'node2']]),
      },
      {
        chassis: 'node1',
        additionalChassis: ['node2'],
        requestedChassis: 'node1',
        requestedAdditionalChassis: ['node2'],
        up: true,
        activated: ['node2'],
      },
    ],
    [
      'on two further chassis, sorted',
      { additional_chassis: 'both', options: wireMap([['additional-chassis-activated', 'node2,,node1']]) },
      {
        additionalChassis: ['node1', 'node2'],
        requestedAdditionalChassis: [],
        up: false,
        activated: ['node2', 'node1'],
      },
    ],
  ])('%s', async (_name, columns, expected) => {
    const { node1, node2, port } = await setUp();
    const refs = new Map([
      ['node1', wireSet([uuidRef(node1)])],
      ['node2', wireSet([uuidRef(node2)])],
      ['both', wireSet([uuidRef(node1), uuidRef(node2)])],
    ]);
    const row = Object.fromEntries(
      Object.entries(columns).map(([column, value]) => [column, refs.get(String(value)) ?? value]),
    );
    await write(updateOp('Port_Binding', whereUuid(port), row));
    expect(bindings.findPortBinding('vm/ns/vm/default')).toEqual({ logicalPort: 'vm/ns/vm/default', ...expected });
  });

  it('is unbound when the chassis goes', async () => {
    const { node1, port } = await setUp();
    await write(updateOp('Port_Binding', whereUuid(port), { chassis: uuidRef(node1), up: true }));
    await write(deleteOp('Chassis', whereUuid(node1)));
    expect(bindings.findPortBinding('vm/ns/vm/default')?.chassis).toBeUndefined();
  });
});

describe('listChassis', () => {
  it('is sorted by name, with encapsulations', async () => {
    await setUp();
    expect(bindings.listChassis()).toEqual([
      { name: 'node1', hostname: 'node1.local', encaps: [{ type: 'geneve', ip: '10.1.1.1' }] },
      { name: 'node2', hostname: 'node2.local', encaps: [{ type: 'geneve', ip: '10.1.1.2' }] },
    ]);
  });
});

describe('the MTU of a chassis', () => {
  it.each<[string, string | undefined, number | undefined]>([
    ['told', 'mooring-mtu=8900', 8900],
    ['told among options of others', 'enable-chassis-as-gw, mooring-mtu=1400,x=1', 1400],
    ['not told', undefined, undefined],
    ['no number', 'mooring-mtu=big', undefined],
    ['too large for a packet', 'mooring-mtu=99999', undefined],
    ['of another name', 'not-mooring-mtu=1400', undefined],
  ])('%s', async (_cause, options, expected) => {
    const { node1 } = await setUp();
    const config = wireMap(options === undefined ? [] : [['ovn-cms-options', options]]);
    await write(updateOp('Chassis', whereUuid(node1), { other_config: config }));
    expect(bindings.listChassis()[0]?.mtu).toBe(expected);
  });
});

describe('the uplink of a chassis', () => {
  it.each<[string, string, string | undefined]>([
    ['told', 'mooring-mtu=8900,mooring-uplink=bond0.100', 'bond0.100'],
    ['not told', 'mooring-mtu=8900', undefined],
    ['longer than an interface can be called', 'mooring-uplink=abcdefghijklmnop', undefined],
    ['no name of an interface', 'mooring-uplink=a/b', undefined],
  ])('%s', async (_cause, options, expected) => {
    const { node1 } = await setUp();
    const config = wireMap([['ovn-cms-options', options]]);
    await write(updateOp('Chassis', whereUuid(node1), { other_config: config }));
    expect(bindings.listChassis()[0]?.uplink).toBe(expected);
  });
});

describe('changes', () => {
  it('name the ports that came, changed, went, or whose chassis got another name', async () => {
    const heard: string[][] = [];
    let chassisChanges = 0;
    bindings.onPortChange((names) => heard.push([...names]));
    bindings.onChassisChange(() => chassisChanges++);
    const { node1, port } = await setUp();
    await write(updateOp('Port_Binding', whereUuid(port), { chassis: uuidRef(node1) }));
    await write(updateOp('Chassis', whereUuid(node1), { name: 'node1-again' }));
    await write(updateOp('Chassis', whereUuid(node1), { hostname: 'x' }));
    await write(deleteOp('Port_Binding', whereUuid(port)));
    expect(heard).toEqual(Array.from({ length: 4 }, () => ['vm/ns/vm/default']));
    expect(chassisChanges).toBe(3);
  });

  it('are not heard any more after the end of listening', async () => {
    const heard: unknown[] = [];
    bindings.onPortChange((names) => heard.push(names))();
    bindings.onChassisChange(() => heard.push('chassis'))();
    await setUp();
    expect(heard).toEqual([]);
  });
});
