import { describe, expect, it } from 'vitest';
import { at, change, count, listRivals, makeRegistry, reserve, tell } from './testing.ts';

describe('faults', () => {
  it('F31: exhausted, then released: everybody is served in the end, the oldest free address first', () => {
    const registry = makeRegistry([{ name: 's', cidr: '10.0.0.0/29' }]);
    const vms = Array.from({ length: 20 }, (_, index) => `n/vm${index}`);
    const got = vms.map((vm) => reserve(registry, vm));
    expect(got.filter((ip) => ip === 'SubnetFull')).toHaveLength(15);
    const free: string[] = [];
    for (const [index, vm] of vms.slice(5).entries()) {
      const leaving = vms[index] ?? '';
      free.push(index < 5 ? (got[index] ?? '') : (free[index - 5] ?? ''));
      registry.giveBack('s', leaving);
      expect(reserve(registry, vm)).toBe(free[index]);
    }
    expect(count(registry)).toBe('5/0');
  });

  it('F32: of 20 that want one address at once, exactly one gets it, a thousand times', () => {
    const registry = makeRegistry();
    const history: { round: number; holder: string }[] = [];
    for (let round = 0; round < 1000; round += 1) {
      for (let racer = 0; racer < 20; racer += 1) {
        const holder = `n${(racer * 7 + round) % 20}/vm`;
        const got = reserve(registry, holder, { ips: ['10.0.0.9'] });
        if (got === '10.0.0.9') history.push({ round, holder });
        else expect(got).toBe('AddressInUse');
      }
      const winner = history[round];
      expect(history).toHaveLength(round + 1);
      expect(winner).toEqual({ round, holder: `n${round % 20}/vm` });
      // The winner's LogicalPort comes and goes: only then may the next one claim.
      registry.setPort(winner?.holder ?? '', 's', at('10.0.0.9'));
      expect(reserve(registry, 'late/vm', { ips: ['10.0.0.9'] })).toBe('AddressInUse');
      registry.removePort(winner?.holder ?? '');
    }
    expect(count(registry)).toBe('0/253');
  });

  it('F36: a new VM of the same name gets nothing of the old one before that is released', () => {
    const registry = makeRegistry();
    registry.setPort('n/vm.nic', 's', at('10.0.0.9'));
    expect(reserve(registry, 'n/other', { ips: ['10.0.0.9'] })).toBe('AddressInUse');
    registry.removePort('n/vm.nic');
    expect(reserve(registry, 'n/vm.nic')).toBe('10.0.0.2');
  });

  it('F37: a stopped VM keeps its address while 10,000 pods come and go and the operator restarts', () => {
    let registry = makeRegistry([{ name: 's', cidr: '10.0.0.0/27' }]);
    const vm = at('10.0.0.13', '02:00:00:00:00:0d');
    registry.setPort('n/vm', 's', vm);
    const live: string[] = [];
    for (let pod = 0; pod < 10_000; pod += 1) {
      if (pod % 100 === 0) {
        // Restart: only LogicalPorts are left.
        const ports = live.splice(0).slice(0, 3);
        registry = makeRegistry([{ name: 's', cidr: '10.0.0.0/27' }]);
        registry.setPort('n/vm', 's', vm);
        for (const entry of ports) registry.setPort(entry, 's', at(`10.0.0.${20 + ports.indexOf(entry)}`, ''));
        live.push(...ports);
      }
      const name = `n/pod${pod}`;
      const ip = reserve(registry, name);
      expect(ip).not.toBe('10.0.0.13');
      registry.setPort(name, 's', at(ip, ''));
      live.push(name);
      if (live.length > 20) registry.removePort(live.shift() ?? '');
    }
    expect(reserve(registry, 'n/thief', { ips: ['10.0.0.13'] })).toBe('AddressInUse');
    expect(reserve(registry, 'n/thief', { mac: vm.mac })).toBe('AddressInUse');
  });

  it('F53: what foreign rows have is given to nobody, until they are gone', () => {
    const registry = makeRegistry([{ name: 's', cidr: '10.0.0.0/29' }]);
    const foreign = (name: string, ip: string) => ({ subnet: 's', name, lease: at(ip, '02:00:00:00:00:66') });
    registry.holdForeign([foreign('x', '10.0.0.2'), foreign('y', '10.0.0.3')]);
    expect(reserve(registry, 'n/a')).toBe('10.0.0.4');
    expect(reserve(registry, 'n/b', { ips: ['10.0.0.2'] })).toBe('AddressInUse');
    expect(reserve(registry, 'n/b', { mac: '02:00:00:00:00:66' })).toBe('AddressInUse');
    registry.setPort('n/c', 's', at('10.0.0.3', '02:00:00:00:00:0c'));
    expect(listRivals(registry, 'n/c', at('10.0.0.3', '02:00:00:00:00:0c'))).toEqual(['ovn:y']);
    registry.holdForeign([foreign('x', '10.0.0.5')]);
    expect(listRivals(registry, 'n/c', at('10.0.0.3', '02:00:00:00:00:0c'))).toEqual([]);
    expect(reserve(registry, 'n/b', { ips: ['10.0.0.2'] })).toBe('10.0.0.2');
    expect(reserve(registry, 'n/d', { ips: ['10.0.0.5'] })).toBe('AddressInUse');
  });

  it('F54: a pod that names the address or the MAC of a VM is refused, and told no name of another namespace', () => {
    const registry = makeRegistry();
    registry.setPort('bank/vm.nic', 's', at('10.0.0.9', '02:00:00:00:00:09'));
    const messages = [{ ips: ['10.0.0.9'] }, { mac: '02:00:00:00:00:09' }, { candidates: [['10.0.0.9']] }].map(
      (over) => {
        const result = registry.reserve([{ holder: 'evil/pod', subnet: 's', ...over }]);
        return result.ok ? 'given' : result.problem.message;
      },
    );
    expect(messages).toEqual([
      '10.0.0.9 in subnet s belongs to another owner',
      'MAC 02:00:00:00:00:09 belongs to another owner',
      'none of the 1 candidates in subnet s is free',
    ]);
    expect(listRivals(registry, 'bank/vm.nic', at('10.0.0.9', '02:00:00:00:00:09'))).toEqual([]);
  });

  it('F64: one family full: nothing of the other one is held', () => {
    const registry = makeRegistry([{ name: 's', cidr: '10.0.0.0/24,fd00::/126' }]);
    expect([reserve(registry, 'n/a'), reserve(registry, 'n/b'), reserve(registry, 'n/c')]).toEqual([
      '10.0.0.2,fd00::2',
      '10.0.0.3,fd00::3',
      'SubnetFull',
    ]);
    expect(count(registry)).toBe('2/251,2/0');
    registry.setPort('n/x', 's', at('10.0.0.77', ''));
    expect(tell(change(registry, 'n/x', { ips: ['10.0.0.78'] }))).toBe('SubnetFull');
    expect(count(registry)).toBe('3/250,2/0');
  });
});
