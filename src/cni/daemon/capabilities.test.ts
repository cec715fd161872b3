import { describe, expect, test } from 'vitest';
import { checkShared, checkSupported, findIpam, listRuntimeValues } from './capabilities.ts';
import type { Pod } from './cluster.ts';
import { CniError } from './errors.ts';
import { parseConfig } from './request.ts';

const parse = (change: object) =>
  parseConfig(JSON.stringify({ cniVersion: '1.0.0', name: 'n', type: 'mooring', ...change }));
const macvlan = { type: 'macvlan', ipam: { type: 'mooring' } };
const bandwidth = { ingressRate: 5, egressRate: 0 };
const portMappings = [{ HostPort: 80, ContainerPort: 8080 }];

const failure = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof CniError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'accepted';
};

describe('who makes the interface', () => {
  test.each([
    ['our type', {}, false],
    ["Kube-OVN's type", { type: 'kube-ovn', server_socket: '/run/x.sock' }, false],
    ['our type with an ipam of ours', { ipam: { type: 'mooring' } }, false],
    ['another plugin with our ipam', macvlan, true],
    ["another plugin with Kube-OVN's ipam", { type: 'macvlan', ipam: { type: 'kube-ovn' } }, true],
    ["another plugin with somebody else's ipam", { type: 'macvlan', ipam: { type: 'host-local' } }, false],
    ['another plugin with an ipam that is no object', { type: 'macvlan', ipam: ['mooring'] }, false],
  ])('%s', (_cause, change, other) => {
    expect(findIpam(parse(change)) !== undefined).toBe(other);
  });
});

describe('what we cannot do is refused by name', () => {
  test.each([
    ['a device', { runtimeConfig: { deviceID: '0000:00:01.0' } }, 'runtimeConfig.deviceID'],
    ['a GUID, capitalised', { runtimeConfig: { InfinibandGUID: 'c2:11' } }, 'runtimeConfig.InfinibandGUID'],
    ['ranges', { runtimeConfig: { ipRanges: [[{ subnet: '10.0.0.0/24' }]] } }, 'runtimeConfig.ipRanges'],
    ['ranges for another plugin', { ...macvlan, runtimeConfig: { ipRanges: [[{}], [{}]] } }, 'runtimeConfig.ipRanges'],
    ['addresses from another plugin', { ipam: { type: 'host-local' } }, 'ipam.type'],
  ])('%s', (_cause, change, field) => {
    expect(failure(() => checkSupported(parse(change)))).toContain(`unsupportedField: ${field} is not supported: `);
  });

  test.each([
    ['nothing asked', {}],
    ['an empty device, as Multus may write it', { runtimeConfig: { deviceID: '' } }],
    ["a device of another plugin's interface", { ...macvlan, runtimeConfig: { deviceID: '0000:00:01.0' } }],
    ['DNS', { runtimeConfig: { dns: { Servers: ['10.96.0.10'] } } }],
    ['addresses, which the LogicalPort decides', { runtimeConfig: { ips: ['10.0.0.5/24'], mac: '02:00:00:00:00:01' } }],
    ['a runtimeConfig that is no object', { runtimeConfig: 'x' }],
  ])('but %s is fine', (_cause, change) => {
    expect(failure(() => checkSupported(parse(change)))).toBe('accepted');
  });
});

describe('ports and bandwidth', () => {
  const pod = (change: object = {}): Pod => ({ metadata: { name: 'web' }, ...change });
  const open = pod({ spec: { containers: [{}, { ports: [{ containerPort: 1 }, { hostPort: 80 }] }] } });
  const slow = pod({ metadata: { annotations: { 'kubernetes.io/egress-bandwidth': '5M' } } });
  const check = (change: object, place: { pod: Pod; primary: boolean }) =>
    failure(() => checkShared(parse(change), place));

  test.each([
    ['hostPorts of the pod', { runtimeConfig: { portMappings } }, open],
    ['bandwidth of the pod', { runtimeConfig: { bandwidth } }, slow],
    ['zeros', { runtimeConfig: { bandwidth: { ingressRate: 0, egressRate: 0 } } }, pod()],
    ['no ports', { runtimeConfig: { portMappings: [] } }, pod()],
    ['what another plugin has to do', { ...macvlan, runtimeConfig: { bandwidth, portMappings } }, pod()],
  ])('%s reach a secondary network that lists the capability and are left alone', (_cause, change, of) => {
    expect(check(change, { pod: of, primary: false })).toBe('accepted');
  });

  test.each([
    ['ports of this network alone', { portMappings }, { pod: pod(), primary: false }],
    ['bandwidth of this network alone', { Bandwidth: bandwidth }, { pod: open, primary: false }],
    ['hostPorts on the first interface', { portMappings }, { pod: open, primary: true }],
    ['bandwidth on the first interface', { bandwidth }, { pod: slow, primary: true }],
  ])('%s are refused, with the plugin that can', (_cause, runtimeConfig, place) => {
    const words = check({ runtimeConfig }, place);
    expect(words).toContain(`unsupportedField: runtimeConfig.${Object.keys(runtimeConfig)[0]} is not supported`);
    expect(words).toContain('chain the plugin');
  });

  test('a pod whose containers are no list has no hostPorts', () => {
    const odd = pod({ spec: { containers: 'x' } });
    expect(check({ runtimeConfig: { portMappings } }, { pod: odd, primary: false })).toContain('portMappings');
  });
});

test('values of one key are found in any case, and twice', () => {
  const config = parse({ runtimeConfig: { ips: ['10.0.0.1'], IPs: ['10.0.0.2'], mac: '' } });
  expect(listRuntimeValues(config, 'ips').map(([key]) => key)).toEqual(['ips', 'IPs']);
  expect(listRuntimeValues(config, 'mac')).toEqual([]);
});
