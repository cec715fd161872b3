import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startOvs, type TestOvs } from '../../test/ovs/database.ts';
import { applyPlan } from '../ovsdb/apply.ts';
import { insertOp, mutateOp, namedUuid, type Operation, updateOp, wireMap } from '../ovsdb/operations.ts';
import { findByIfaceId, findInterface, findPortsBySandbox, isInstalled, listOurPorts, listPeers } from './find.ts';
import { deletePortOps, ensurePortOps, type WantedPort } from './ports.ts';
import { OvsProblem } from './problems.ts';
import { findNodeSettings } from './settings.ts';

let db: TestOvs;
beforeEach(async () => {
  db = await startOvs();
});
afterEach(async () => {
  await db[Symbol.asyncDispose]();
});

const WANTED: WantedPort = {
  bridge: 'br-int',
  name: 'm0123',
  kind: 'pod',
  externalIds: new Map([
    ['iface-id', 'vm/ns/vm/default'],
    ['iface-id-ver', 'uid-1'],
    ['sandbox', 'sb1'],
    ['pod-interface', 'eth0'],
  ]),
};
const IDS = {
  'iface-id': 'vm/ns/vm/default',
  'iface-id-ver': 'uid-1',
  sandbox: 'sb1',
  'pod-interface': 'eth0',
  'mooring-kind': 'pod',
};

const ensure = (wanted: WantedPort): Promise<void> =>
  applyPlan(db.ovs.client, () => ensurePortOps(db.ovs, wanted), { attempts: 1 });
const remove = (name: string): Promise<void> =>
  applyPlan(db.ovs.client, () => deletePortOps(db.ovs, name), { attempts: 1 });
const write = (...operations: Operation[]) => db.ovs.client.transactAndSync(operations);
const with_ = (ids: Record<string, string>): ReadonlyMap<string, string> =>
  new Map([...WANTED.externalIds, ...Object.entries(ids)]);
/** What ovn-controller does. */
const mark = (name: string) =>
  write(
    mutateOp(
      'Interface',
      [['name', '==', name]],
      [
        [
          'external_ids',
          'insert',
          wireMap([
            ['ovn-installed', 'true'],
            ['ovn-installed-ts', '1'],
          ]),
        ],
      ],
    ),
  );
/** A port that somebody made by hand. */
const insertForeign = (name: string, ids: readonly (readonly [string, string])[] = []) =>
  write(
    insertOp('Interface', { name, external_ids: wireMap(ids) }, { uuidName: 'i' }),
    insertOp('Port', { name, interfaces: namedUuid('i') }, { uuidName: 'p' }),
    mutateOp('Bridge', [['name', '==', 'br-int']], [['ports', 'insert', namedUuid('p')]]),
  );

describe('ensurePortOps', () => {
  it('makes port and interface in one transaction, and then nothing is left to do', async () => {
    await ensure(WANTED);
    const content = await db.dump();
    expect(content.Bridge?.['br-int']?.ports).toEqual(['m0123']);
    expect(content.Port).toEqual({
      m0123: { name: 'm0123', interfaces: ['m0123'], other_config: { transient: 'true' } },
    });
    expect(content.Interface).toEqual({ m0123: { name: 'm0123', external_ids: IDS } });
    expect(ensurePortOps(db.ovs, WANTED)).toEqual([]);
  });

  it('makes an internal port with MAC and MTU that survives a reboot', async () => {
    const wanted = {
      ...WANTED,
      kind: 'node',
      type: 'internal',
      mac: '00:00:00:00:00:01',
      mtuRequest: 1400,
      transient: false,
    } as const;
    await ensure(wanted);
    const { Interface, Port } = await db.dump();
    expect(Interface?.m0123).toMatchObject({ type: 'internal', mac: '00:00:00:00:00:01', mtu_request: 1400n });
    expect(Port?.m0123).not.toHaveProperty('other_config');
    expect(ensurePortOps(db.ovs, wanted)).toEqual([]);
  });

  it("keeps ovn-controller's marks while the logical port is the same", async () => {
    await ensure(WANTED);
    await mark('m0123');
    expect(ensurePortOps(db.ovs, WANTED)).toEqual([]);
    await ensure({ ...WANTED, externalIds: with_({ attached_mac: '00:00:00:00:00:01' }) });
    expect((await db.dump()).Interface?.m0123?.external_ids).toEqual({
      ...IDS,
      attached_mac: '00:00:00:00:00:01',
      'ovn-installed': 'true',
      'ovn-installed-ts': '1',
    });
  });

  it.each(['iface-id', 'iface-id-ver'])("drops ovn-controller's marks with another %s", async (key) => {
    await ensure(WANTED);
    await mark('m0123');
    await ensure({ ...WANTED, externalIds: with_({ [key]: 'other' }) });
    expect((await db.dump()).Interface?.m0123?.external_ids).toEqual({ ...IDS, [key]: 'other' });
    expect(isInstalled(db.ovs, 'm0123')).toBe(false);
  });

  it('drops our key that is not wanted any more, and heals MTU and transience', async () => {
    await ensure({ ...WANTED, mtuRequest: 9000, transient: false, externalIds: with_({ old: 'x' }) });
    await ensure(WANTED);
    const { Interface, Port } = await db.dump();
    expect(Interface?.m0123).toEqual({ name: 'm0123', external_ids: IDS });
    expect(Port?.m0123?.other_config).toEqual({ transient: 'true' });
  });

  it('evicts the port of an older sandbox with the same iface-id', async () => {
    await ensure(WANTED);
    await ensure({ ...WANTED, name: 'm4567', externalIds: with_({ sandbox: 'sb2' }) });
    const content = await db.dump();
    expect(content.Bridge?.['br-int']?.ports).toEqual(['m4567']);
    expect(Object.keys(content.Interface ?? {})).toEqual(['m4567']);
    expect(findByIfaceId(db.ovs, 'vm/ns/vm/default').map(({ name }) => name)).toEqual(['m4567']);
  });

  it('moves a port to another bridge', async () => {
    await ensure(WANTED);
    await ensure({ ...WANTED, bridge: 'br-ex' });
    const content = await db.dump();
    expect(content.Bridge?.['br-int']?.ports).toBeUndefined();
    expect(content.Bridge?.['br-ex']?.ports).toEqual(['m0123']);
    expect(Object.keys(content.Port ?? {})).toEqual(['m0123']);
  });

  it('joins two ports in one transaction', async () => {
    const other = { ...WANTED, name: 'm-4.5', externalIds: with_({ 'iface-id': 'pod/ns/p/eth0' }) };
    await write(...ensurePortOps(db.ovs, WANTED), ...ensurePortOps(db.ovs, other));
    expect(Object.keys((await db.dump()).Interface ?? {}).sort()).toEqual(['m-4.5', 'm0123']);
  });

  it('waits for a bridge that is not there yet', () => {
    expect(() => ensurePortOps(db.ovs, { ...WANTED, bridge: 'br-none' })).toThrow(OvsProblem);
    expect(() => ensurePortOps(db.ovs, { ...WANTED, bridge: 'br-none' })).toThrow('there is no bridge br-none');
  });

  it.each([
    ['of the same name', 'm0123', []],
    ['with the same iface-id', 'tap0', [['iface-id', 'vm/ns/vm/default']]],
  ] as const)("leaves somebody else's port %s alone", async (_name, name, ids) => {
    await insertForeign(name, ids);
    const before = await db.dump();
    expect(() => ensurePortOps(db.ovs, WANTED)).toThrow(`port ${name}`);
    expect(await db.dump()).toEqual(before);
  });
});

describe('deletePortOps', () => {
  it('removes port and interface, and has nothing to do for one that is gone', async () => {
    await ensure(WANTED);
    await remove('m0123');
    const { Port, Interface, Bridge } = await db.dump();
    expect([Port, Interface, Bridge?.['br-int']?.ports]).toEqual([undefined, undefined, undefined]);
    expect(deletePortOps(db.ovs, 'm0123')).toEqual([]);
  });

  it("leaves somebody else's port alone", async () => {
    await insertForeign('tap0');
    expect(() => deletePortOps(db.ovs, 'tap0')).toThrow(OvsProblem);
  });
});

describe('queries', () => {
  beforeEach(async () => {
    await ensure(WANTED);
    await ensure({
      ...WANTED,
      name: 'm2',
      externalIds: with_({ 'iface-id': 'vm/ns/vm/second', 'pod-interface': 'net1' }),
    });
    await ensure({ ...WANTED, name: 'm3', externalIds: with_({ 'iface-id': 'pod/ns/p/eth0', sandbox: 'sb2' }) });
    await insertForeign('tap0', [['sandbox', 'sb1']]);
  });
  const names = (list: readonly { readonly name: string }[]): string[] => list.map(({ name }) => name).sort();

  it('by sandbox, and by the name inside of it', () => {
    expect(names(findPortsBySandbox(db.ovs, 'sb1'))).toEqual(['m0123', 'm2']);
    expect(names(findPortsBySandbox(db.ovs, 'sb1', 'net1'))).toEqual(['m2']);
    expect(findPortsBySandbox(db.ovs, 'none')).toEqual([]);
  });

  it('all of ours', () => {
    expect(names(listOurPorts(db.ovs))).toEqual(['m0123', 'm2', 'm3']);
  });

  it('by name, with what ovs-vswitchd said', async () => {
    await write(updateOp('Interface', [['name', '==', 'm2']], { ofport: -1n, error: 'no such device', ifindex: 7n }));
    expect(findInterface(db.ovs, 'm2')).toMatchObject({
      ofport: -1,
      error: 'no such device',
      ifIndex: 7,
      installed: false,
    });
    expect(findInterface(db.ovs, 'none')).toBeUndefined();
  });
});

describe('findNodeSettings', () => {
  it('reads what ovn-controller reads', async () => {
    const ids = {
      'system-id': 'node1',
      hostname: 'node1.local',
      'ovn-remote': 'tcp:10.0.0.1:6642',
      'ovn-encap-type': 'geneve,vxlan',
      'ovn-encap-ip': '10.1.1.1, 10.1.1.2',
      'ovn-bridge-datapath-type': 'netdev',
    };
    await write(updateOp('Open_vSwitch', [], { external_ids: wireMap(Object.entries(ids)), ovs_version: '3.5.0' }));
    expect(findNodeSettings(db.ovs)).toEqual({
      systemId: 'node1',
      hostname: 'node1.local',
      ovnRemote: 'tcp:10.0.0.1:6642',
      encapTypes: ['geneve', 'vxlan'],
      encapIps: ['10.1.1.1', '10.1.1.2'],
      datapathType: 'netdev',
      ovsVersion: '3.5.0',
    });
  });

  it('knows the ends of its tunnels and where the central databases are', async () => {
    const remotes = 'tcp:10.0.0.1:6642, ssl:[fd00::1]:6642,unix:/run/x,tcp:db.example:6642';
    await write(updateOp('Open_vSwitch', [], { external_ids: wireMap([['ovn-remote', remotes]]) }));
    const tunnel = (remote: string) => ({
      name: `t${remote.length}`,
      type: 'geneve',
      options: wireMap([['remote_ip', remote]]),
    });
    await write(
      insertOp('Interface', tunnel('192.0.2.7'), { uuidName: 'i' }),
      insertOp('Port', { name: 't9', interfaces: namedUuid('i') }, { uuidName: 'p' }),
      mutateOp('Bridge', [['name', '==', 'br-int']], [['ports', 'insert', namedUuid('p')]]),
    );
    expect(listPeers(db.ovs)).toEqual(['192.0.2.7', '10.0.0.1', 'fd00::1', 'db.example']);
  });

  it('says what is not set', () => {
    expect(findNodeSettings(db.ovs)).toEqual({
      systemId: undefined,
      hostname: undefined,
      ovnRemote: undefined,
      encapTypes: [],
      encapIps: [],
      datapathType: 'system',
      ovsVersion: undefined,
    });
  });
});
