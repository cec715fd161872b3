import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { startControlPlane, type TestControlPlane } from '../../test/kube/apiserver.ts';
import { API_VERSION, KINDS } from '../api/group.ts';
import { systemClock } from './clock.ts';
import { ApiError } from './errors.ts';
import { createResource, type Resource, type ResourceKind } from './resource.ts';
import { eventually } from './testing/eventually.ts';
import { createTransport, type Transport } from './transport.ts';
import type { KubeObject } from './types.ts';

const CRDS = join(import.meta.dirname, '../../crds');
const CRD: ResourceKind = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
  namespaced: false,
  kind: 'CustomResourceDefinition',
};
type Crd = KubeObject & { status?: { conditions?: { type: string; status: string }[] } };

let plane: TestControlPlane;
let transport: Transport;

beforeAll(async () => {
  plane = await startControlPlane(process.env);
  transport = createTransport({ endpoint: plane.endpoint, clock: systemClock });
  const crds = createResource<Crd>(transport, CRD);
  const files = readdirSync(CRDS).filter((file) => file.endsWith('.yaml'));
  await Promise.all(files.map((file) => crds.create(parse(readFileSync(join(CRDS, file), 'utf8')) as Crd)));
  let served = 0;
  const look = async () => {
    const { items } = await crds.list();
    served = items.filter(({ status }) => status?.conditions?.some(isEstablished)).length;
  };
  await eventually(
    'all kinds served',
    () => {
      void look();
      return served === files.length;
    },
    30_000,
  );
}, 300_000);

afterAll(async () => {
  await transport?.close();
  await plane?.stop();
});

const isEstablished = ({ type, status }: { type: string; status: string }) =>
  type === 'Established' && status === 'True';

type Spec = Record<string, unknown>;
let count = 0;

/** Creates an object, and changes it where `then` is given; what the API server answers, '' for yes. */
type Kind = 'subnet' | 'vpc' | 'ipPool' | 'migrationNetwork';

async function apply(kind: Kind, spec: Spec, then?: Spec): Promise<string> {
  const resource: Resource<KubeObject> = createResource(transport, KINDS[kind]);
  count += 1;
  const name = `t${count}`;
  try {
    await resource.create({ apiVersion: API_VERSION, kind: KINDS[kind].kind, metadata: { name }, spec } as KubeObject);
    if (then !== undefined) await resource.patch({ name }, { spec: then });
    return '';
  } catch (error) {
    if (error instanceof ApiError) return error.message;
    throw error;
  }
}

const V4 = { cidrBlock: '10.0.1.0/24' };
const DUAL = { cidrBlock: '10.0.1.0/24,fd01::/64' };

describe('the schema takes', () => {
  it.each<[string, Kind, Spec]>([
    ['a VPC of one namespace', 'vpc', { namespaces: ['ns1'] }],
    ['a plain subnet', 'subnet', { vpc: 'test-vpc-1', ...V4, protocol: 'IPv4', namespaces: ['ns1'] }],
    [
      'addresses for macvlan',
      'subnet',
      {
        protocol: 'IPv4',
        provider: 'macvlan.default',
        cidrBlock: '172.17.0.0/16',
        gateway: '172.17.0.1',
        excludeIps: ['172.17.0.0..172.17.0.10'],
      },
    ],
    [
      'everything of a dual-stack subnet',
      'subnet',
      {
        ...DUAL,
        protocol: 'Dual',
        gateway: '10.0.1.1,fd01::1',
        excludeIps: ['10.0.1.2', 'fd01::10..fd01::20'],
        private: true,
        allowSubnets: ['10.9.0.0/16', 'fd09::/32', '192.0.2.1'],
        gatewayType: 'centralized',
        gatewayNode: 'n1:172.18.0.2,n2',
        mtu: 1280,
        dhcp: { routes: [{ dst: '192.0.2.0/24', gw: '10.0.1.9' }], dnsServers: ['fd01::53'], leaseSeconds: 600 },
      },
    ],
    ['as many excluded ranges as there may be', 'subnet', { ...V4, excludeIps: Array(256).fill('10.0.1.7..10.0.1.9') }],
    ['a migration network on an interface', 'migrationNetwork', { uplink: { interface: 'eth1' }, ...V4 }],
    [
      'everything of a migration network',
      'migrationNetwork',
      {
        uplink: { interface: 'bond0', type: 'macvlan', vlan: 4094 },
        ...DUAL,
        gateway: '10.0.1.1,fd01::1',
        excludeIps: ['10.0.1.2', 'fd01::10..fd01::20'],
        mtu: 9000,
        bandwidth: '64Mi',
        allowOverlap: true,
        allowSharedUplink: true,
      },
    ],
    [
      'a long name of a bridge with a VLAN',
      'migrationNetwork',
      { uplink: { interface: 'br-migration-01', type: 'bridge', vlan: 7 }, ...V4 },
    ],
    ['a migration network by its definition', 'migrationNetwork', { nad: 'wire', ...V4 }],
    ['a pool', 'ipPool', { subnet: 'a', ips: ['10.0.1.7', '10.0.1.8..10.0.1.9', '10.0.1.16/28'] }],
  ])('%s', async (_cause, kind, spec) => {
    expect(await apply(kind, spec)).toBe('');
  });
});

describe('the manual', () => {
  const pages = ['networks', 'migration-network'].map((name) => readFileSync(join(CRDS, `../docs/${name}.md`), 'utf8'));
  const texts = pages.flatMap((page) => [...page.matchAll(/^```yaml\n(.*?)^```$/gms)]);
  const blocks = texts.flatMap(([, text = '']) => parseAllDocuments(text));
  const objects = blocks.map((document) => document.toJS() as KubeObject & { spec: Spec });

  it('shows objects that the schema takes', async () => {
    expect(objects.length).toBeGreaterThan(7);
    for (const { kind, metadata, spec } of objects) {
      const known = (['subnet', 'vpc', 'ipPool', 'migrationNetwork'] as const).find((key) => KINDS[key].kind === kind);
      expect(known && (await apply(known, spec)), metadata?.name).toBe('');
    }
  });
});

describe('the schema refuses', () => {
  it.each<[string, Spec, string]>([
    ['no CIDR', { cidrBlock: '10.0.1.0' }, 'must be a CIDR such as'],
    ['two CIDRs of a family', { cidrBlock: '10.0.1.0/24,10.0.2.0/24' }, 'must be of different families'],
    ['a gateway elsewhere', { ...V4, gateway: '10.0.2.1' }, 'each gateway must be an address inside cidrBlock'],
    ['an exclusion elsewhere', { ...V4, excludeIps: ['10.0.1.9', '10.0.2.9'] }, 'excludeIps must lie inside cidrBlock'],
    ['a range that leaves', { ...V4, excludeIps: ['10.0.1.9..10.0.2.9'] }, 'excludeIps must lie inside cidrBlock'],
    ['an exclusion that is none', { ...V4, excludeIps: ['10.0.1'] }, 'must be an address or a range a..b'],
    ['centralized by nobody', { ...V4, gatewayType: 'centralized' }, 'gatewayType centralized needs gatewayNode'],
    [
      'centralized by commas',
      { ...V4, gatewayType: 'centralized', gatewayNode: ' ,' },
      'centralized needs gatewayNode',
    ],
    ['an unknown gatewayType', { ...V4, gatewayType: 'both' }, 'supported values: "distributed", "centralized"'],
    ['allowed by name', { ...V4, private: true, allowSubnets: ['net2'] }, 'must be a CIDR such as 10.0.1.0/24'],
    ['the other family', { ...V4, protocol: 'IPv6' }, 'protocol is not the family of cidrBlock'],
    ['one of two families', { ...DUAL, protocol: 'IPv4' }, 'protocol Dual needs two CIDRs'],
    ['Dual with one', { ...V4, protocol: 'Dual' }, 'protocol Dual needs two CIDRs'],
    ['an MTU too small for IPv6', { ...DUAL, mtu: 1279 }, 'mtu must be at least 1280 for IPv6'],
    ['an MTU too small for anything', { ...V4, mtu: 68 }, 'should be greater than or equal to 576'],
    ['a DNS server by name', { ...V4, dhcp: { dnsServers: ['resolver'] } }, 'must be an IP address'],
    ['a route that is none', { ...V4, dhcp: { routes: [{ dst: '10.0.9.1', gw: '10.0.1.1' }] } }, 'must be a CIDR'],
    [
      'a gateway that is none',
      { ...V4, dhcp: { routes: [{ dst: '10.9.0.0/24', gw: 'gw' }] } },
      'must be an IP address',
    ],
    ['a domain that is none', { ...V4, dhcp: { domainName: 'a"b' } }, 'should match'],
    ['an unknown policy', { ...V4, releasePolicy: 'Never' }, 'supported values: "WithOwner", "Retain", "OnStop"'],
    ['an unknown time', { ...V4, allocate: 'Later' }, 'supported values: "OnCreate", "OnFirstStart"'],
  ])('%s', async (_cause, spec, message) => {
    expect(await apply('subnet', spec)).toContain(message);
  });

  it('a pool entry that is none, a pool without any, and another subnet for a pool', async () => {
    expect(await apply('ipPool', { subnet: 'a', ips: ['x'] })).toContain('must be an address, a range a..b or a CIDR');
    expect(await apply('ipPool', { subnet: 'a', ips: [] })).toContain('should have at least 1 items');
    const moved = await apply('ipPool', { subnet: 'a', ips: ['10.0.1.7'] }, { subnet: 'b' });
    expect(moved).toContain('the subnet of a pool is fixed; make another pool');
  });

  it.each<[string, Spec, string]>([
    ['neither uplink nor nad', V4, 'name either uplink'],
    ['both', { uplink: { interface: 'eth1' }, nad: 'wire', ...V4 }, 'name either uplink'],
    ['an interface by path', { uplink: { interface: '../eth1' }, ...V4 }, 'should match'],
    [
      'a name too long for its VLAN',
      { uplink: { interface: 'enp175s0f0np0', vlan: 10 }, ...V4 },
      'can have 15 characters',
    ],
    ['a VLAN that is none', { uplink: { interface: 'eth1', vlan: 4095 }, ...V4 }, 'less than or equal to 4094'],
    [
      'an unknown type',
      { uplink: { interface: 'eth1', type: 'ipvlan' }, ...V4 },
      'supported values: "macvlan", "bridge"',
    ],
    ['a definition of another namespace', { nad: 'default/wire', ...V4 }, 'should match'],
    ['no CIDR', { nad: 'wire', cidrBlock: '10.0.1.0' }, 'must be a CIDR such as'],
    ['a gateway elsewhere', { nad: 'wire', ...V4, gateway: '10.0.2.1' }, 'each gateway must be an address inside'],
    [
      'an exclusion elsewhere',
      { nad: 'wire', ...V4, excludeIps: ['10.0.2.9'] },
      'excludeIps must lie inside cidrBlock',
    ],
    ['a bandwidth in bits', { nad: 'wire', ...V4, bandwidth: '64Mbit' }, 'should match'],
    ['an MTU too small for IPv6', { nad: 'wire', ...DUAL, mtu: 1279 }, 'mtu must be at least 1280 for IPv6'],
  ])('of a migration network: %s', async (_cause, spec, message) => {
    expect(await apply('migrationNetwork', spec)).toContain(message);
  });

  it('another range for a migration network, and a name that NADs cannot have', async () => {
    const moved = await apply('migrationNetwork', { nad: 'wire', ...V4 }, { cidrBlock: '10.0.2.0/24' });
    expect(moved).toContain('the range of a migration network is fixed');
    const resource: Resource<KubeObject> = createResource(transport, KINDS.migrationNetwork);
    for (const name of ['a.b', 'a'.repeat(41)]) {
      const object = { metadata: { name }, spec: { nad: 'wire', ...V4 } } as KubeObject;
      await expect(resource.create(object)).rejects.toThrow('at most 40 characters and no dot');
    }
  });
});
