import { describe, expect, test } from 'vitest';
import { listForeignFields, listFormFaults, listIpamFaults } from './form.ts';

const PLACE = { ifname: 'eth0', path: '/run/netns/x' };
const OLD = {
  cniVersion: '0.4.0',
  interfaces: [
    { name: 'br0', mac: '02:00:00:00:00:01' },
    { name: 'eth0', mac: '02:00:00:00:00:02', sandbox: PLACE.path },
  ],
  ips: [{ version: '4', address: '10.0.0.5/16', gateway: '10.0.0.1', interface: 1 }],
  routes: [{ dst: '0.0.0.0/0', gw: '10.0.0.1' }],
  dns: {},
};
const NEW = {
  ...OLD,
  cniVersion: '1.1.0',
  interfaces: OLD.interfaces.map((link) => ({ ...link, mtu: 1400 })),
  ips: [{ address: 'fd00::5/64', interface: 1 }],
};

describe('the form of a result', () => {
  test('is right for an old and for a new version', () => {
    expect(listFormFaults(OLD, { ...PLACE, version: '0.4.0' })).toEqual([]);
    expect(listFormFaults(NEW, { ...PLACE, version: '1.1.0' })).toEqual([]);
  });

  test.each([
    ['no object', [], 'no object'],
    ['another version', { ...OLD, cniVersion: '1.0.0' }, 'cniVersion is "1.0.0"'],
    ['interfaces that are no list', { ...OLD, interfaces: {} }, 'interfaces is no list'],
    ['an interface without sandbox', { ...OLD, interfaces: [{ name: 'eth0' }] }, '0 interfaces named eth0'],
    ['an interface without name', { ...OLD, interfaces: [{}, OLD.interfaces[1]] }, 'interfaces[0] has no name'],
    ['a MAC that is none', { ...OLD, interfaces: [{ name: 'a', mac: 'x' }, OLD.interfaces[1]] }, 'interfaces[0].mac'],
    ['an address without prefix', { ...OLD, ips: [{ ...OLD.ips[0], address: '10.0.0.5' }] }, 'ips[0].address'],
    ['a prefix that is too long', { ...OLD, ips: [{ ...OLD.ips[0], address: '10.0.0.5/33' }] }, 'ips[0].address'],
    ['an index beyond the list', { ...OLD, ips: [{ ...OLD.ips[0], interface: 2 }] }, 'ips[0].interface is 2'],
    ['the wrong family', { ...OLD, ips: [{ ...OLD.ips[0], version: '6' }] }, 'ips[0].version is "6", not "4"'],
    ['no family in an old version', { ...OLD, ips: [{ address: '10.0.0.5/16' }] }, 'ips[0].version is undefined'],
    ['a route without destination', { ...OLD, routes: [{ gw: '10.0.0.1' }] }, 'routes[0] has no dst'],
    ['a gateway that is no address', { ...OLD, routes: [{ dst: '0.0.0.0/0', gw: 'x' }] }, 'routes[0].gw is "x"'],
    ['servers that are no list', { ...OLD, dns: { nameservers: '10.0.0.1' } }, 'dns.nameservers'],
  ])('is wrong with %s', (_cause, result, fault) => {
    expect(listFormFaults(result, { ...PLACE, version: '0.4.0' }).join('; ')).toContain(fault);
  });
});

describe('the form of an answer with addresses only', () => {
  const answer = { cniVersion: '1.0.0', ips: [{ address: '10.0.0.5/16', gateway: '10.0.0.1' }], routes: [] };

  test('is right without interfaces', () => {
    expect(listIpamFaults(answer, '1.0.0')).toEqual([]);
  });

  test.each([
    ['interfaces', { ...answer, interfaces: [] }, 'it has interfaces'],
    ['an index', { ...answer, ips: [{ address: '10.0.0.5/16', interface: 0 }] }, 'ips[0].interface is 0'],
    ['no address', { ...answer, ips: [] }, 'it has no ips'],
    ['text', 'x', 'it is no object'],
  ])('is wrong with %s', (_cause, result, fault) => {
    expect(listIpamFaults(result, '1.0.0').join('; ')).toContain(fault);
  });
});

describe('fields of other versions', () => {
  test.each([
    ['0.4.0', OLD, []],
    ['1.1.0', NEW, []],
    ['1.0.0', NEW, ['interfaces[].mtu is not of 1.0.0']],
    ['1.0.0', OLD, ['ips[].version is not of 1.0.0']],
    ['1.1.0', { routes: [{ dst: 'x', table: 0 }] }, []],
    ['0.3.1', { routes: [{ dst: 'x', table: 0 }] }, ['routes[].table is not of 0.3.1']],
  ] as const)('in a result of %s: %j', (version, result, fields) => {
    expect(listForeignFields(result, version)).toEqual(fields);
  });
});
