import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startNb, type TestNb, wish } from '../../test/ovn/database.ts';
import { CLUSTER, idsOfOwner, OTHER_SWITCH, PORT, SUBNET, SWITCH, VM } from '../../test/ovn/wishes.ts';
import { applyPlan } from '../ovsdb/apply.ts';
import { deleteOp, insertOp } from '../ovsdb/operations.ts';
import { planMembership } from './membership.ts';
import { planOperations } from './plan-operations.ts';
import type { Wanted, WantedGroupAcl } from './wanted.ts';

const { dhcpv4: _dhcp, ...LSP } = PORT;
const OTHER = { ...LSP, name: 'vm/ns/vm/other' };
const GROUP_OWNER = 'PolicyGroup/g1';
const POLICY_OWNER = 'NetworkPolicy/ns/p';
const OWNERS = [SUBNET, VM, GROUP_OWNER, 'PolicyGroup/g2', POLICY_OWNER];
const makeGroup = (name: string, ports: readonly string[] = []) => ({
  name,
  ports,
  externalIds: idsOfOwner(`PolicyGroup/${name}`),
});
const ACL: WantedGroupAcl = {
  group: 'g1',
  row: 'policy/ns/p/rest',
  priority: 2000,
  direction: 'to-lport',
  match: 'outport == @g1 && ip',
  action: 'drop',
  externalIds: idsOfOwner(POLICY_OWNER),
};
const GROUPS = wish({ portGroups: [makeGroup('g1'), makeGroup('g2')] });

let db: TestNb;
beforeAll(async () => {
  db = await startNb();
});
afterAll(async () => {
  await db[Symbol.asyncDispose]();
});
beforeEach(async () => {
  const roots = ['Logical_Switch', 'Port_Group'];
  await db.nb.client.transactAndSync(roots.map((table) => deleteOp(table, [])));
});

const plan = (wanted: Wanted, owners: readonly string[] = OWNERS) =>
  planOperations(db.nb.observed, wanted, { cluster: CLUSTER, owners });
const apply = (wanted: Wanted, owners?: readonly string[]) =>
  applyPlan(db.nb.client, () => plan(wanted, owners), { attempts: 1 });

/** Writes the ports with the groups that each is to be in, as one transaction. */
async function join(wanted: Wanted, wishes: Record<string, string[]>, judged = ['g1', 'g2']): Promise<void> {
  const members = Object.entries(wishes).map(([port, groups]) => ({
    port,
    groups: new Set(groups),
    judges: (name: string) => judged.includes(name),
  }));
  const make = () => {
    const planned = plan(wanted, [SUBNET, VM]);
    return [...planned, ...planMembership({ observed: db.nb.observed, cluster: CLUSTER, planned }, members)];
  };
  await applyPlan(db.nb.client, make, { attempts: 1 });
  expect(make()).toEqual([]);
}
const PORTS = wish({ switches: [SWITCH], ports: [LSP, OTHER] });

async function listGroups(): Promise<Record<string, unknown>> {
  const { Port_Group: groups = {} } = await db.dump();
  return Object.fromEntries(Object.entries(groups).map(([name, { ports = [] }]) => [name, ports]));
}

describe('the groups of a switch port', () => {
  it('have it from the transaction on that inserts it', async () => {
    await apply(GROUPS);
    await join(PORTS, { [LSP.name]: ['g1', 'g2'], [OTHER.name]: ['g2'] });
    expect(await listGroups()).toEqual({ g1: [LSP.name], g2: [LSP.name, OTHER.name] });
  });

  it('lose it when it is none of theirs any more, and nobody else', async () => {
    await apply(GROUPS);
    await join(PORTS, { [LSP.name]: ['g1'], [OTHER.name]: ['g1'] });
    await join(PORTS, { [LSP.name]: ['g2'] });
    expect(await listGroups()).toEqual({ g1: [OTHER.name], g2: [LSP.name] });
  });

  it('that nobody judges are let be', async () => {
    await apply(GROUPS);
    await join(PORTS, { [LSP.name]: ['g1'] });
    await join(PORTS, { [LSP.name]: ['g2'] }, ['g2']);
    expect(await listGroups()).toEqual({ g1: [LSP.name], g2: [LSP.name] });
  });

  it('of another system are let be, whatever they are called', async () => {
    await db.nb.client.transactAndSync([insertOp('Port_Group', { name: 'g1' })]);
    await join(PORTS, { [LSP.name]: ['g1'] });
    expect(await listGroups()).toEqual({ g1: [] });
  });

  it('have it after a move to another switch, which makes another row of it', async () => {
    await apply(GROUPS);
    await join(wish({ switches: [SWITCH, OTHER_SWITCH], ports: [LSP] }), { [LSP.name]: ['g1'] });
    const moved = { ...LSP, switch: OTHER_SWITCH.name };
    await join(wish({ switches: [SWITCH, OTHER_SWITCH], ports: [moved] }), { [LSP.name]: ['g1'] });
    expect(await listGroups()).toEqual({ g1: [LSP.name], g2: [] });
  });

  it('lose it by themselves when it is deleted', async () => {
    await apply(GROUPS);
    await join(PORTS, { [LSP.name]: ['g1'], [OTHER.name]: ['g1'] });
    await apply(wish({ switches: [SWITCH], ports: [OTHER] }), [SUBNET, VM]);
    expect(await listGroups()).toEqual({ g1: [OTHER.name], g2: [] });
  });
});

describe('ACLs of port groups', () => {
  it('are rows like others: made, changed, moved to another group, and pruned', async () => {
    const acls = async () => {
      const { ACL: rows = {}, Port_Group: groups = {} } = await db.dump();
      const holders = Object.entries(groups).filter(([, { acls: held }]) => held !== undefined);
      return [Object.values(rows).map(({ match }) => match), holders.map(([name]) => name)];
    };
    await apply(wish({ ...GROUPS, groupAcls: [ACL] }));
    expect(await acls()).toEqual([['outport == @g1 && ip'], ['g1']]);
    const changed = { ...ACL, match: 'outport == @g1 && ip4' };
    await apply(wish({ ...GROUPS, groupAcls: [changed] }));
    expect(await acls()).toEqual([['outport == @g1 && ip4'], ['g1']]);
    await apply(wish({ ...GROUPS, groupAcls: [{ ...changed, group: 'g2' }] }));
    expect(await acls()).toEqual([['outport == @g1 && ip4'], ['g2']]);
    expect(plan(wish({ ...GROUPS, groupAcls: [{ ...changed, group: 'g2' }] }))).toEqual([]);
    await apply(wish({}), [POLICY_OWNER]);
    expect(await acls()).toEqual([[], []]);
    expect(Object.keys(await listGroups())).toEqual(['g1', 'g2']);
  });

  it('and those of switches leave each other alone', async () => {
    const own = {
      switch: SWITCH.name,
      row: 'rest',
      priority: 1,
      direction: 'to-lport',
      match: 'ip',
      action: 'drop',
    } as const;
    const all = wish({
      ...GROUPS,
      switches: [SWITCH],
      acls: [{ ...own, externalIds: idsOfOwner(SUBNET) }],
      groupAcls: [ACL],
    });
    await apply(all);
    await apply(wish({ switches: [SWITCH] }), [SUBNET]);
    expect(Object.keys((await db.dump()).ACL ?? {})).toEqual([ACL.row]);
    await apply(all);
    await apply(GROUPS, [POLICY_OWNER, GROUP_OWNER, 'PolicyGroup/g2']);
    expect(Object.keys((await db.dump()).ACL ?? {})).toEqual(['rest']);
  });

  it('go with their group', async () => {
    await apply(wish({ ...GROUPS, groupAcls: [ACL] }));
    await apply(wish({}));
    expect(await db.dump()).not.toHaveProperty('ACL');
  });
});
