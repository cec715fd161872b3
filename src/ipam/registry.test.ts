import { describe, expect, it } from 'vitest';
import { createRegistry, type Registry } from './registry.ts';
import { at, change, count, listRivals, makeRegistry, type Over, reserve, setNetworks, tell } from './testing.ts';

describe('reservations', () => {
  it('are held until the LogicalPort has the address, and then by that', () => {
    const registry = makeRegistry();
    expect(reserve(registry, 'n/a')).toBe('10.0.0.2');
    expect(reserve(registry, 'n/a')).toBe('10.0.0.2');
    expect(reserve(registry, 'n/b', { ips: ['10.0.0.2'] })).toBe('AddressInUse');
    registry.setPort('n/a', 's', at('10.0.0.2'));
    registry.giveBack('s', 'n/a');
    expect(reserve(registry, 'n/b', { ips: ['10.0.0.2'] })).toBe('AddressInUse');
    registry.removePort('n/a');
    expect(reserve(registry, 'n/b', { ips: ['10.0.0.2'] })).toBe('10.0.0.2');
  });

  it('are taken back when one NIC of several cannot have its address', () => {
    const registry = makeRegistry([
      { name: 's', cidr: '10.0.0.0/24' },
      { name: 't', cidr: '10.1.0.0/30' },
    ]);
    expect(reserve(registry, 'n/x', { subnet: 't' })).toBe('10.1.0.2');
    expect(reserve(registry, 'n/a')).toBe('10.0.0.2');
    const result = registry.reserve([
      { holder: 'n/a', subnet: 's' },
      { holder: 'n/b', subnet: 's' },
      { holder: 'n/c', subnet: 't' },
    ]);
    expect(result).toMatchObject({ problem: { reason: 'SubnetFull' } });
    expect([count(registry), count(registry, 't')]).toEqual(['1/252', '1/0']);
    expect(reserve(registry, 'n/d', { subnet: 'gone' })).toBe('SubnetNotFound');
  });

  it('stay held when a port of the same name is still without an address in the cache', () => {
    const registry = makeRegistry();
    registry.setPort('n/a', 's', at('', ''));
    expect(count(registry)).toBe('0/253');
    expect(reserve(registry, 'n/a')).toBe('10.0.0.2');
    registry.setPort('n/a', 's', at('', ''));
    expect(reserve(registry, 'n/b', { ips: ['10.0.0.2'] })).toBe('AddressInUse');
    registry.setPort('n/a', 's', at('10.0.0.2'));
    registry.setPort('n/a', 's', at('', ''));
    expect(count(registry)).toBe('0/253');
  });

  it('end with a port that is gone before it got what was chosen for it, and with the wish for another subnet', () => {
    const registry = makeRegistry([
      { name: 's', cidr: '10.0.0.0/24' },
      { name: 't', cidr: '10.1.0.0/24' },
    ]);
    registry.setPort('n/a', 's', at('', ''));
    reserve(registry, 'n/a');
    expect(count(registry)).toBe('1/252');
    registry.removePort('n/a');
    expect(count(registry)).toBe('0/253');
    reserve(registry, 'n/b');
    reserve(registry, 'n/b', { subnet: 't' });
    expect([count(registry), count(registry, 't')]).toEqual(['0/253', '1/252']);
  });

  it('are forgotten at the start of a term, and what LogicalPorts have is not', () => {
    const registry = makeRegistry();
    registry.setPort('n/a', 's', at('10.0.0.9'));
    reserve(registry, 'n/b');
    change(registry, 'n/a', { ips: ['10.0.0.10'] });
    registry.forgetReservations();
    expect(count(registry)).toBe('1/252');
    expect(registry.findChange('n/a')).toBeUndefined();
    expect(reserve(registry, 'n/c', { ips: ['10.0.0.9'] })).toBe('AddressInUse');
  });

  it('count as use of the subnet, as do ports and changes, and foreign rows do not', () => {
    const registry = makeRegistry([
      { name: 's', cidr: '10.0.0.0/24' },
      { name: 't', cidr: '10.1.0.0/24' },
    ]);
    const used = () => ['s', 't', 'gone'].filter((subnet) => registry.isInUse(subnet));
    registry.holdForeign([{ subnet: 's', name: 'x', lease: at('10.0.0.77') }]);
    expect(used()).toEqual([]);
    reserve(registry, 'n/a');
    expect(used()).toEqual(['s']);
    registry.giveBack('s', 'n/a');
    expect(used()).toEqual([]);
    registry.setPort('n/a', 's', at('10.0.0.2'));
    change(registry, 'n/a', { subnet: 't' });
    expect(used()).toEqual(['s', 't']);
    const lease = registry.findChange('n/a')?.to.lease ?? at('');
    registry.setPort('n/a', 't', lease);
    expect(used()).toEqual(['s', 't']);
    registry.settleChange('n/a');
    expect(used()).toEqual(['t']);
    registry.setPort('n/p', 's', at('', ''));
    expect(used()).toEqual(['t']);
  });
});

describe('changes of a lease', () => {
  const start = () => {
    const registry = makeRegistry([
      { name: 's', cidr: '10.0.0.0/24,fd00::/64' },
      { name: 't', cidr: '10.1.0.0/24,fd01::/64' },
    ]);
    registry.setPort('n/a', 's', at('10.0.0.9,fd00::9', '02:00:00:00:00:09'));
    return registry;
  };
  const isTaken = (registry: Registry, ip: string, subnet = 's') => {
    const got = reserve(registry, 'x/probe', { ips: [ip], subnet });
    registry.giveBack(subnet, 'x/probe');
    return got === 'AddressInUse';
  };

  it('F38 hold both addresses until the change is settled, whatever else happens', () => {
    const registry = start();
    expect(tell(change(registry, 'n/a', { ips: ['10.0.0.10'] }))).toBe('10.0.0.10,fd00::9');
    const both = () => [isTaken(registry, '10.0.0.9'), isTaken(registry, '10.0.0.10')];
    expect(both()).toEqual([true, true]);
    expect(tell(change(registry, 'n/a', { ips: ['10.0.0.10'] }))).toBe('10.0.0.10,fd00::9');
    registry.setPort('n/a', 's', at('10.0.0.10,fd00::9', '02:00:00:00:00:09'));
    expect(both()).toEqual([true, true]);
    expect(tell(change(registry, 'n/a', { ips: ['10.0.0.10'] }))).toBe('10.0.0.10,fd00::9');
    registry.settleChange('n/a');
    registry.settleChange('n/a');
    expect(both()).toEqual([false, true]);
    expect(registry.counts('s')[1]).toMatchObject({ used: 1n });
    expect(registry.findChange('n/a')).toBeUndefined();
  });

  it('free the old address only when the cache shows the new one, also if they are settled before', () => {
    const registry = start();
    change(registry, 'n/a', { ips: ['10.0.0.10'] });
    registry.settleChange('n/a');
    expect([isTaken(registry, '10.0.0.9'), isTaken(registry, '10.0.0.10')]).toEqual([true, true]);
    registry.setPort('n/a', 's', at('10.0.0.9,fd00::9', '02:00:00:00:00:09'));
    expect(isTaken(registry, '10.0.0.10')).toBe(true);
    registry.setPort('n/a', 's', at('10.0.0.10,fd00::9', '02:00:00:00:00:09'));
    expect([isTaken(registry, '10.0.0.9'), isTaken(registry, '10.0.0.10')]).toEqual([false, true]);
  });

  it('are not settled by what came before they were asked for again', () => {
    const registry = start();
    change(registry, 'n/a', { ips: ['10.0.0.10'] });
    registry.settleChange('n/a');
    change(registry, 'n/a', { ips: ['10.0.0.10'] });
    registry.setPort('n/a', 's', at('10.0.0.10,fd00::9', '02:00:00:00:00:09'));
    expect(isTaken(registry, '10.0.0.9')).toBe(true);
    registry.settleChange('n/a');
    expect(isTaken(registry, '10.0.0.9')).toBe(false);
  });

  it('leave the port what it has when they are dropped', () => {
    const registry = start();
    change(registry, 'n/a', { subnet: 't' });
    expect(registry.isInUse('t')).toBe(true);
    registry.dropChange('n/a');
    expect(registry.isInUse('t')).toBe(false);
    expect(isTaken(registry, '10.0.0.9')).toBe(true);
    registry.giveBack('s', 'n/a');
    expect(isTaken(registry, '10.0.0.9')).toBe(true);
  });

  it('are replaced when something else is asked for, and one that fails leaves the port as it is', () => {
    const registry = start();
    change(registry, 'n/a', { ips: ['10.0.0.10'] });
    expect(tell(change(registry, 'n/a', { ips: ['10.0.0.11'] }))).toBe('10.0.0.11,fd00::9');
    expect([isTaken(registry, '10.0.0.10'), isTaken(registry, '10.0.0.11')]).toEqual([false, true]);
    expect(tell(change(registry, 'n/a', { ips: ['10.0.0.1'] }))).toBe('AddressReserved');
    expect(registry.findChange('n/a')).toBeUndefined();
    expect([isTaken(registry, '10.0.0.9'), isTaken(registry, '10.0.0.11')]).toEqual([true, false]);
  });

  it('end with the port', () => {
    const registry = start();
    change(registry, 'n/a', { subnet: 't' });
    registry.removePort('n/a');
    expect(registry.isInUse('s') || registry.isInUse('t')).toBe(false);
  });

  it.each<[string, Over, string, string]>([
    ['nothing', {}, '10.0.0.9,fd00::9', '02:00:00:00:00:09'],
    ['what it has', { ips: ['fd00::9', '10.0.0.9'] }, '10.0.0.9,fd00::9', '02:00:00:00:00:09'],
    ['a list with what it has', { candidates: [['10.0.0.8'], ['10.0.0.9']] }, '10.0.0.9,fd00::9', '02:00:00:00:00:09'],
    ['another MAC', { mac: '02:00:00:00:00:77' }, '10.0.0.9,fd00::9', '02:00:00:00:00:77'],
    ['one family', { ips: ['fd00::8'] }, '10.0.0.9,fd00::8', '02:00:00:00:00:09'],
    ['another subnet', { subnet: 't' }, '10.1.0.2,fd01::2', '02:00:00:00:00:09'],
  ])('keep what the request does not name: it asks for %s', (_cause, over, ips, mac) => {
    const registry = start();
    const result = change(registry, 'n/a', over);
    expect(result).toMatchObject({ value: { ips: ips.split(','), mac } });
    const isSame = ips === '10.0.0.9,fd00::9' && mac === '02:00:00:00:00:09';
    expect(registry.findChange('n/a') === undefined).toBe(isSame);
  });

  it('choose another MAC in a subnet where somebody else has it', () => {
    const registry = start();
    registry.setPort('n/b', 't', at('10.1.0.9', '02:00:00:00:00:09'));
    const result = change(registry, 'n/a', { subnet: 't' });
    expect(result.ok && result.value.mac).not.toBe('02:00:00:00:00:09');
  });

  it('never count the holder as its own rival, and count it once for others', () => {
    const registry = start();
    change(registry, 'n/a', { ips: ['10.0.0.10'] });
    registry.setPort('n/a', 's', at('10.0.0.10,fd00::9', '02:00:00:00:00:09'));
    const own = at('10.0.0.10,fd00::9', '02:00:00:00:00:09');
    expect(listRivals(registry, 'n/a', own)).toEqual([]);
    registry.setPort('x/b', 's', at('10.0.0.9', '02:00:00:00:00:55'));
    registry.setPort('x/c', 's', at('10.0.0.10', '02:00:00:00:00:56'));
    expect(listRivals(registry, 'x/b', at('10.0.0.9', '02:00:00:00:00:55'))).toEqual(['n/a']);
    expect(listRivals(registry, 'x/c', at('10.0.0.10', '02:00:00:00:00:56'))).toEqual(['n/a']);
    expect(listRivals(registry, 'n/a', own)).toEqual(['x/c']);
  });
});

describe('what must be unique, and where', () => {
  it('an address within a VPC, in whatever subnet its holder is', () => {
    const registry = makeRegistry([{ name: 's', cidr: '10.0.0.0/24' }]);
    registry.setPort('n/a', 's', at('10.0.0.2', '02:00:00:00:00:01'));
    setNetworks(registry, [
      { name: 's', cidr: '10.9.0.0/24' },
      { name: 't', cidr: '10.0.0.0/24' },
    ]);
    expect(reserve(registry, 'n/b', { subnet: 't' })).toBe('10.0.0.3');
    expect(reserve(registry, 'n/c', { subnet: 't', ips: ['10.0.0.2'] })).toBe('AddressInUse');
    expect([count(registry, 's'), count(registry, 't')]).toEqual(['0/253', '2/251']);
    registry.setPort('n/d', 't', at('10.0.0.2', '02:00:00:00:00:04'));
    expect(listRivals(registry, 'n/d', at('10.0.0.2', '02:00:00:00:00:04'), 't')).toEqual(['n/a']);
  });

  it('not between VPCs: both may have the same address', () => {
    const registry = makeRegistry([
      { name: 's', cidr: '10.0.0.0/24', space: 'vpc/a' },
      { name: 't', cidr: '10.0.0.0/24', space: 'vpc/b' },
    ]);
    expect(reserve(registry, 'n/a', { ips: ['10.0.0.2'] })).toBe('10.0.0.2');
    expect(reserve(registry, 'n/b', { subnet: 't', ips: ['10.0.0.2'] })).toBe('10.0.0.2');
    registry.setPort('n/a', 's', at('10.0.0.2', '02:00:00:00:00:01'));
    registry.setPort('n/b', 't', at('10.0.0.2', '02:00:00:00:00:01'));
    expect(listRivals(registry, 'n/a', at('10.0.0.2', '02:00:00:00:00:01'))).toEqual([]);
  });

  it('K11 a MAC within a subnet, not between subnets', () => {
    const registry = makeRegistry([
      { name: 's', cidr: '10.0.0.0/24' },
      { name: 't', cidr: '10.1.0.0/24' },
    ]);
    const mac = '02:00:00:00:00:01';
    const twice = registry.reserve([
      { holder: 'n/vm.nic1', subnet: 's', mac },
      { holder: 'n/vm.nic2', subnet: 's', mac },
    ]);
    expect(twice).toMatchObject({ problem: { reason: 'AddressInUse' } });
    const apart = registry.reserve([
      { holder: 'n/vm.nic1', subnet: 's', mac },
      { holder: 'n/vm.nic2', subnet: 't', mac },
    ]);
    expect(apart).toMatchObject({ value: [{ mac }, { mac }] });
    expect(reserve(registry, 'n/x', { mac: '0a:ff:00:00:00:01' })).toBe('AddressInUse');
  });

  it('a MAC within the subnets of one L2 domain', () => {
    const registry = makeRegistry([
      { name: 's', cidr: '10.0.0.0/24', domain: 'vlan/7' },
      { name: 't', cidr: '10.1.0.0/24', domain: 'vlan/7' },
    ]);
    const mac = '02:00:00:00:00:01';
    expect(reserve(registry, 'n/a', { mac })).toBe('10.0.0.2');
    expect(reserve(registry, 'n/b', { mac, subnet: 't' })).toBe('AddressInUse');
  });
});

describe('VPCs with the same addresses', () => {
  const nets = [
    { name: 's', cidr: '10.0.0.0/29', space: 'vpc/a' },
    { name: 't', cidr: '10.0.0.0/29', space: 'vpc/b' },
  ];
  const take = (registry: Registry, subnet: string, names: string) =>
    [...names].map((name) => reserve(registry, `n/${name}`, { subnet }).replace('10.0.0.', ''));

  it('choose different ones as long as they can, and the same when they must', () => {
    const registry = makeRegistry(nets);
    expect(take(registry, 's', 'abc')).toEqual(['2', '3', '4']);
    expect(take(registry, 't', 'defgh')).toEqual(['5', '6', '2', '3', '4']);
    expect(take(registry, 't', 'i')).toEqual(['SubnetFull']);
  });

  it('take up an address that the other one gave back', () => {
    const registry = makeRegistry(nets);
    take(registry, 's', 'abc');
    expect(take(registry, 't', 'd')).toEqual(['5']);
    registry.giveBack('s', 'n/b');
    expect(take(registry, 't', 'ef')).toEqual(['6', '3']);
  });

  it('never refuse an address that was asked for because of it', () => {
    const registry = makeRegistry(nets);
    take(registry, 's', 'abc');
    expect(reserve(registry, 'n/x', { subnet: 't', ips: ['10.0.0.3'] })).toBe('10.0.0.3');
  });
});

describe('changes of subnets and IPPools', () => {
  it('F34 keep an address that a shrink put outside with its holder, also when the range grows again', () => {
    const registry = makeRegistry([{ name: 's', cidr: '10.0.0.0/24' }]);
    registry.setPort('n/a', 's', at('10.0.0.200'));
    setNetworks(registry, [{ name: 's', cidr: '10.0.0.0/25' }]);
    expect(count(registry)).toBe('0/125');
    expect(reserve(registry, 'n/b', { ips: ['10.0.0.200'] })).toBe('AddressOutsideSubnet');
    setNetworks(registry, [{ name: 's', cidr: '10.0.0.0/24' }]);
    expect(reserve(registry, 'n/b', { ips: ['10.0.0.200'] })).toBe('AddressInUse');
    expect(count(registry)).toBe('1/252');
  });

  it('keep a live address that is excluded, and do not give it again afterwards', () => {
    const registry = makeRegistry([{ name: 's', cidr: '10.0.0.0/29' }]);
    registry.setPort('n/a', 's', at('10.0.0.2'));
    setNetworks(registry, [{ name: 's', cidr: '10.0.0.0/29', excludeIps: ['10.0.0.2'] }]);
    expect(tell(change(registry, 'n/a', { mac: '02:00:00:00:00:55' }))).toBe('10.0.0.2');
    registry.dropChange('n/a');
    expect(tell(change(registry, 'n/a', { ips: ['10.0.0.2'] }))).toBe('10.0.0.2');
    registry.removePort('n/a');
    expect(reserve(registry, 'n/b', { ips: ['10.0.0.2'] })).toBe('AddressReserved');
    expect(['1', '2', '3', '4', '5'].map((name) => reserve(registry, `n/${name}`)).sort()).toEqual([
      '10.0.0.3',
      '10.0.0.4',
      '10.0.0.5',
      '10.0.0.6',
      'SubnetFull',
    ]);
  });

  it('keep live addresses when a pool comes, shrinks and goes, and count them where they are', () => {
    const net = { name: 's', cidr: '10.0.0.0/28' };
    const registry = makeRegistry([net]);
    registry.setPort('n/a', 's', at('10.0.0.5', '02:00:00:00:00:01'));
    setNetworks(registry, [net], [{ name: 'p', subnet: 's', ips: ['10.0.0.4/30'] }]);
    expect(registry.poolCounts('p')).toEqual([{ family: 4, used: 1n, available: 3n }]);
    expect(reserve(registry, 'n/b', { pool: 'p' })).toBe('10.0.0.4');
    setNetworks(registry, [net], [{ name: 'p', subnet: 's', ips: ['10.0.0.6'] }]);
    expect(registry.poolCounts('p')).toEqual([{ family: 4, used: 0n, available: 1n }]);
    expect(reserve(registry, 'n/c', { ips: ['10.0.0.4'] })).toBe('AddressInUse');
    setNetworks(registry, [net]);
    expect(registry.poolCounts('p')).toEqual([]);
    expect(count(registry)).toBe('2/11');
    expect(reserve(registry, 'n/d', { pool: 'p' })).toBe('PoolNotFound');
  });

  it('tell a pool of another subnet from one that is not there', () => {
    const registry = makeRegistry(
      [
        { name: 's', cidr: '10.0.0.0/28' },
        { name: 't', cidr: '10.1.0.0/28' },
      ],
      [{ name: 'p', subnet: 't', ips: ['10.1.0.4/30'] }],
    );
    expect(reserve(registry, 'n/a', { pool: 'p' })).toBe('PoolNotAllowed');
    expect(reserve(registry, 'n/a', { pool: 'q' })).toBe('PoolNotFound');
  });

  it('F35 give nothing more of a pool that is being deleted, and nothing of it to others', () => {
    const net = { name: 's', cidr: '10.0.0.0/29' };
    const pool = { name: 'p', subnet: 's', ips: ['10.0.0.2..10.0.0.4'], namespaces: ['own'] };
    const registry = makeRegistry([net], [pool]);
    expect(reserve(registry, 'own/a')).toBe('10.0.0.2');
    setNetworks(registry, [net], [{ ...pool, ending: true }]);
    expect(reserve(registry, 'own/b', { pool: 'p' })).toBe('PoolNotFound');
    expect(reserve(registry, 'own/b', { ips: ['10.0.0.3'] })).toBe('PoolNotAllowed');
    expect([reserve(registry, 'own/b'), reserve(registry, 'n/c'), reserve(registry, 'n/d')]).toEqual([
      '10.0.0.5',
      '10.0.0.6',
      'SubnetFull',
    ]);
    expect(registry.poolCounts('p')).toEqual([{ family: 4, used: 1n, available: 2n }]);
    setNetworks(registry, [net]);
    expect(reserve(registry, 'n/d')).toBe('10.0.0.3');
  });

  it('keep the order in which addresses were given back', () => {
    const registry = makeRegistry([{ name: 's', cidr: '10.0.0.0/29' }]);
    for (const name of ['a', 'b', 'c', 'd', 'e']) reserve(registry, `n/${name}`);
    for (const name of ['d', 'a', 'b']) registry.giveBack('s', `n/${name}`);
    setNetworks(registry, [{ name: 's', cidr: '10.0.0.0/29', excludeIps: ['10.0.0.2'] }]);
    expect([reserve(registry, 'n/x'), reserve(registry, 'n/y')]).toEqual(['10.0.0.5', '10.0.0.3']);
  });

  it('let two subnets swap their ranges', () => {
    const registry = makeRegistry([
      { name: 's', cidr: '10.0.0.0/24' },
      { name: 't', cidr: '10.1.0.0/24' },
    ]);
    registry.setPort('n/a', 's', at('10.0.0.2', '02:00:00:00:00:01'));
    registry.setPort('n/b', 't', at('10.1.0.2', '02:00:00:00:00:02'));
    setNetworks(registry, [
      { name: 's', cidr: '10.1.0.0/24' },
      { name: 't', cidr: '10.0.0.0/24' },
    ]);
    expect(['s', 't'].map((subnet) => count(registry, subnet))).toEqual(['1/252', '1/252']);
    expect(reserve(registry, 'n/c')).toBe('10.1.0.3');
  });

  it('know ports that came before their subnet, as after a restore', () => {
    const registry = createRegistry((length) => new Uint8Array(length));
    registry.setPort('n/a', 's', at('10.0.0.2'));
    setNetworks(registry, [{ name: 's', cidr: '10.0.0.0/24' }]);
    expect(count(registry)).toBe('1/252');
    expect(reserve(registry, 'n/b')).toBe('10.0.0.3');
    expect(reserve(registry, 'n/c', { mac: '02:00:00:00:00:01' })).toBe('AddressInUse');
  });

  it('keep what the ports of an unusable subnet have from the others of its VPC', () => {
    const registry = makeRegistry([{ name: 's', cidr: '10.0.0.0/24' }]);
    registry.setPort('n/a', 's', at('10.0.0.2'));
    setNetworks(registry, [
      { name: 's', cidr: '' },
      { name: 't', cidr: '10.0.0.0/24' },
    ]);
    expect(reserve(registry, 'n/b', { subnet: 't' })).toBe('10.0.0.3');
  });

  it('forget a subnet that is gone, but not what its ports have', () => {
    const registry = makeRegistry();
    registry.setPort('n/a', 's', at('10.0.0.2'));
    setNetworks(registry, []);
    expect(registry.isInUse('s')).toBe(true);
    expect(registry.counts('s')).toEqual([]);
    registry.removePort('n/a');
    expect(registry.isInUse('s')).toBe(false);
  });
});
