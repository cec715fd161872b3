import { describe, expect, it } from 'vitest';
import type { MigrationNetworkSpec } from '../../api/types.gen.ts';
import { makeNad, makeNetwork } from './testing/facts.ts';
import { isOwnNad, isOwnSubnet, planWish } from './wish.ts';

const plan = (spec: Partial<MigrationNetworkSpec>, nads: Parameters<typeof planWish>[2] = []) =>
  planWish(makeNetwork(spec), 'kubevirt', nads);
const pluginOf = (spec: Partial<MigrationNetworkSpec>): unknown => {
  const wish = plan(spec);
  return wish.ok ? JSON.parse(wish.value.definition?.spec?.config ?? 'null') : wish.problem.reason;
};

describe('an uplink', () => {
  it.each<[string, Partial<MigrationNetworkSpec>, object]>([
    ['is a macvlan', { uplink: { interface: 'eth1' } }, { type: 'macvlan', master: 'eth1', mode: 'bridge' }],
    [
      'in a VLAN is the interface of that VLAN',
      { uplink: { interface: 'bond0', vlan: 100 }, mtu: 9000 },
      { type: 'macvlan', master: 'bond0.100', mtu: 9000 },
    ],
    [
      'may be a bridge, which tags by itself',
      { uplink: { interface: 'br1', type: 'bridge', vlan: 100 } },
      { type: 'bridge', bridge: 'br1', vlan: 100 },
    ],
  ])('%s', (_what, spec, expected) => {
    expect(pluginOf(spec)).toMatchObject({
      ...expected,
      ipam: { type: 'mooring', provider: 'mooring-migration-lab.kubevirt' },
    });
  });

  it('is served from a Subnet that only the namespace of KubeVirt may use', () => {
    const wish = plan({ gateway: '198.18.2.254', excludeIps: ['198.18.2.1'], mtu: 9000 });
    expect(wish.ok && wish.value.subnet).toMatchObject({
      metadata: { name: 'migration-lab', ownerReferences: [{ kind: 'MigrationNetwork', name: 'lab', uid: 'mn' }] },
    });
    expect(wish.ok && wish.value.subnet?.spec).toEqual({
      provider: 'mooring-migration-lab.kubevirt',
      cidrBlock: '198.18.2.0/24',
      gateway: '198.18.2.254',
      excludeIps: ['198.18.2.1'],
      namespaces: ['kubevirt'],
    });
  });

  it.each<[string, Partial<MigrationNetworkSpec>, string]>([
    ['with a name too long for its VLAN', { uplink: { interface: 'enp175s0f0np0', vlan: 100 } }, 'InvalidSpec'],
    ['with a path for a name', { uplink: { interface: '../eth1' } }, 'InvalidSpec'],
    ['with quotes in its name', { uplink: { interface: 'e","x":"' } }, 'InvalidSpec'],
    ['beside a definition', { uplink: { interface: 'eth1' }, nad: 'wire' }, 'InvalidSpec'],
    ['and a range with host bits', { cidrBlock: '198.18.2.1/24' }, 'InvalidCIDR'],
    ['and a gateway elsewhere', { gateway: '10.0.0.1' }, 'InvalidGateway'],
    ['and excluded addresses elsewhere', { excludeIps: ['10.0.0.1'] }, 'InvalidExcludeIps'],
  ])('%s is refused', (_what, spec, reason) => {
    expect(plan(spec)).toMatchObject({ ok: false, problem: { reason } });
  });

  it('and no definition: one of both has to be named', () => {
    const { uplink: _, ...spec } = makeNetwork().spec;
    expect(planWish({ ...makeNetwork(), spec }, 'kubevirt', [])).toMatchObject({ problem: { reason: 'InvalidSpec' } });
  });
});

describe('a definition of the user', () => {
  const ipam = { type: 'mooring' };
  it.each<[string, unknown, object]>([
    [
      'has our addresses when it asks for them',
      { type: 'macvlan', master: 'eth1', ipam },
      { device: 'eth1', viaOvn: false, subnet: { spec: { provider: 'wire.kubevirt' } } },
    ],
    [
      'may be a list',
      { name: 'wire', plugins: [{ type: 'bridge', bridge: 'br1', ipam }, { type: 'tuning' }] },
      { device: 'br1', viaOvn: false, subnet: { spec: { provider: 'wire.kubevirt' } } },
    ],
    [
      'may be a network of ours',
      { type: 'mooring', provider: 'wire.kubevirt.ovn' },
      { viaOvn: true, subnet: { spec: { provider: 'wire.kubevirt.ovn', private: true } } },
    ],
    [
      'keeps the addresses that it has',
      { type: 'host-device', device: 'eth1', ipam: { type: 'whereabouts' } },
      { device: 'eth1', viaOvn: false },
    ],
  ])('%s', (_what, config, expected) => {
    const wish = plan({ nad: 'wire' }, [makeNad('wire', config)]);
    expect(wish).toMatchObject({ ok: true, value: { nad: 'wire', ...expected } });
    expect(wish.ok && wish.value).not.toHaveProperty('definition');
    expect(wish.ok && 'subnet' in wish.value).toBe('subnet' in expected);
  });

  it.each<[string, unknown, string]>([
    ['is not there', undefined, 'NetworkAttachmentNotFound'],
    ['is in another namespace', makeNad('wire', { type: 'macvlan', ipam }, 'other'), 'NetworkAttachmentNotFound'],
    ['gives no address', { type: 'macvlan', master: 'eth1' }, 'NetworkAttachmentInvalid'],
    ['is no JSON', 'x', 'NetworkAttachmentInvalid'],
    [
      'has the provider of another one',
      { type: 'macvlan', ipam: { ...ipam, provider: 'a.b' } },
      'NetworkAttachmentInvalid',
    ],
  ])('is refused when it %s', (_what, config, reason) => {
    const isWhole = typeof config === 'object' && config !== null && 'metadata' in config;
    const nads =
      config === undefined ? [] : [isWhole ? (config as ReturnType<typeof makeNad>) : makeNad('wire', config)];
    expect(plan({ nad: 'wire' }, nads)).toMatchObject({ ok: false, problem: { reason } });
  });
});

describe('what is ours', () => {
  const own = { apiVersion: 'mooring.dev/v1alpha1', kind: 'MigrationNetwork', name: 'lab', uid: 'x' };
  it.each<[string, object[] | undefined, boolean]>([
    ['names the network as its owner, also an earlier one', [own], true],
    ['has another owner', [{ ...own, name: 'other' }], false],
    ['has an owner of another kind', [{ ...own, kind: 'Subnet' }], false],
    ['has an owner of another group', [{ ...own, apiVersion: 'example.org/v1' }], false],
    ['has none', undefined, false],
  ])('%s', (_what, ownerReferences, expected) => {
    const owners = ownerReferences && { ownerReferences: ownerReferences as (typeof own)[] };
    expect(isOwnSubnet({ metadata: { name: 'migration-lab', ...owners } }, 'lab')).toBe(expected);
    expect(isOwnNad({ metadata: { name: 'mooring-migration-lab', ...owners } }, 'lab')).toBe(expected);
  });

  it.each(['x', 'migration-lab', 'mooring-migration-other'])(
    'is no definition named %s, whoever wrote an owner',
    (name) => {
      expect(isOwnNad({ metadata: { name, namespace: 'tenant', ownerReferences: [own] } }, 'lab')).toBe(false);
    },
  );
});
