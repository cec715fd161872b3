import { describe, expect, it } from 'vitest';
import { checkTold, type Told } from './told.ts';

const nic = { vm: 'told-vm', subnet: 'storage', mac: '0a:00:00:00:00:01', inGuest: true, reachable: true };
const told: Told = {
  vm: 'told-vm',
  dhcpClients: 0,
  nics: [
    { ...nic, nic: 'default', ips: ['10.16.0.9'] },
    { ...nic, nic: 'storage', ips: ['172.21.0.3'] },
  ],
};
const [first, second] = told.nics;

describe('a guest without DHCP', () => {
  it('breaks no promise when it has and answers all', () => {
    expect(checkTold(told)).toEqual([]);
  });

  it.each<[string, Partial<Told>, string[]]>([
    ['a DHCP client of its own', { dhcpClients: 1 }, ['told-vm was to come up without a DHCP client and has 1']],
    ['one NIC alone', { nics: told.nics.slice(0, 1) }, ['told-vm has 1 NICs instead of two']],
    [
      'a NIC that was not configured',
      { nics: [...(first ? [first] : []), ...(second ? [{ ...second, inGuest: false }] : [])] },
      ['NIC storage of told-vm (172.21.0.3) was not configured by cloud-init data'],
    ],
    [
      'a NIC that nobody reaches',
      { nics: [...(first ? [{ ...first, reachable: false }] : []), ...(second ? [second] : [])] },
      ['NIC default of told-vm (10.16.0.9) was not reached from its network'],
    ],
  ])('is told with %s', (_what, change, expected) => {
    expect(checkTold({ ...told, ...change })).toEqual(expected);
  });

  it('is not taken for fine when nobody could count its DHCP clients', () => {
    expect(checkTold({ ...told, dhcpClients: Number.NaN })).toHaveLength(1);
  });
});
