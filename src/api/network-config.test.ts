import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatNetworkConfig, type NetworkConfig, type NicConfig, parseNetworkConfig } from './network-config.ts';

const NIC: NicConfig = {
  name: 'default',
  mac: '02:00:5e:00:00:01',
  ips: ['10.1.0.5/24', 'fd00:1::5/64'],
  gateways: ['10.1.0.1', 'fd00:1::1'],
  dns: ['10.1.0.2'],
  search: ['a.example'],
  routes: [{ dst: '192.168.0.0/16', gw: '10.1.0.9' }],
  mtu: 1400,
};
const parse = (nics: unknown, version: unknown = 1) => parseNetworkConfig(JSON.stringify({ version, nics }));

describe('network config', () => {
  it('is read as it was written', () => {
    const config: NetworkConfig = { nics: [NIC, { ...NIC, name: 'b', mac: '02:00:5e:00:00:02', gateways: [] }] };
    expect(parseNetworkConfig(formatNetworkConfig(config))).toEqual({ ok: true, config });
  });

  it('is written in one way only', () => {
    const same = { ...NIC, mac: '02:00:5E:00:00:01', ips: ['10.1.0.5/24', 'FD00:1:0::5/64'] };
    expect(formatNetworkConfig({ nics: [same] })).toBe(formatNetworkConfig({ nics: [NIC] }));
  });

  it('is not written when it could not be read', () => {
    expect(() => formatNetworkConfig({ nics: [{ ...NIC, mac: 'x' }] })).toThrow(/NIC default: mac is missing or not/);
  });

  it('keys that a later version may have are ignored', () => {
    expect(parse([{ ...NIC, later: 1 }])).toEqual({ ok: true, config: { nics: [NIC] } });
  });

  it.each<[string, unknown, string]>([
    ['a name that could end a line', { name: 'a\nb' }, 'name is missing or not valid'],
    ['a multicast MAC', { mac: '01:00:5e:00:00:01' }, 'NIC default: mac is missing'],
    ['no addresses', { ips: undefined }, 'ips is not a list of at most 2'],
    ['three addresses', { ips: ['10.0.0.1/8', 'fd00::1/64', '10.0.0.2/8'] }, 'ips is not a list of at most 2'],
    ['two addresses of a family', { ips: ['10.0.0.1/8', '10.0.0.2/8'] }, 'ips is not one IPv4, one IPv6'],
    ['IPv6 first', { ips: ['fd00::1/64', '10.0.0.2/8'] }, 'ips is not one IPv4, one IPv6'],
    ['an address without its prefix', { ips: ['10.1.0.5', 'fd00:1::5/64'] }, 'ips[0] is not valid'],
    ['a gateway with a prefix', { gateways: ['10.1.0.1/24'] }, 'gateways[0] is not valid'],
    [
      'a gateway of a family without address',
      { ips: ['10.1.0.5/24'] },
      'gateways: fd00:1::1 is of a family that ips has not',
    ],
    ['a server that is no address', { dns: ['dns.example'] }, 'dns[0] is not valid'],
    ['a domain with a blank', { search: ['a b'] }, 'search[0] is not valid'],
    ['a domain of 300 letters', { search: ['a.'.repeat(150)] }, 'search[0] is not valid'],
    ['a route with host bits', { routes: [{ dst: '10.0.0.1/8', gw: '10.1.0.1' }] }, 'dst is missing or not valid'],
    ['a route between families', { routes: [{ dst: 'fd00::/8', gw: '10.1.0.1' }] }, 'mixes the families'],
    ['a route that is no object', { routes: [null] }, 'a route is not an object'],
    ['an MTU of text', { mtu: '1400' }, 'mtu is not a number from 576 to 65535'],
    ['an MTU that nothing has', { mtu: 68 }, 'mtu is not a number from 576 to 65535'],
  ])('%s refuses the whole', (_cause, over, problem) => {
    const parsed = parse([{ ...NIC, ...(over as object) }]);
    expect(parsed).toEqual({ ok: false, problem: expect.stringContaining(problem) });
    expect(parsed).toEqual({ ok: false, problem: expect.stringContaining('mooring.dev/network-config: ') });
  });

  it.each<[string, unknown, unknown, string]>([
    ['another version', [NIC], 2, 'version is not 1'],
    ['no list', {}, 1, 'nics is not a list of at most 64'],
    ['too many NICs', Array.from({ length: 65 }, () => NIC), 1, 'nics is not a list of at most 64'],
    ['one name twice', [NIC, { ...NIC, mac: '02:00:5e:00:00:02' }], 1, 'two NICs have one name'],
    ['one MAC twice', [NIC, { ...NIC, name: 'b' }], 1, 'two NICs have one mac'],
  ])('%s refuses the whole', (_cause, nics, version, problem) => {
    expect(parse(nics, version)).toEqual({ ok: false, problem: expect.stringContaining(problem) });
  });

  it.each<[string, string, string]>([
    ['no JSON', '', 'not JSON'],
    ['no object', '[]', 'it is not an object'],
    ['a long text', `"${'x'.repeat(70_000)}"`, 'longer than 65536 characters'],
  ])('%s refuses the whole', (_cause, text, problem) => {
    expect(parseNetworkConfig(text)).toEqual({ ok: false, problem: expect.stringContaining(problem) });
  });

  it('anything else is an answer too, never an error', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
        for (const nics of [one, [one], [{ ...NIC, ips: other }], [{ ...NIC, routes: [one, other] }]]) {
          expect(typeof parse(nics).ok).toBe('boolean');
        }
      }),
      { numRuns: 50 },
    );
  });
});
