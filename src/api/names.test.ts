import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatHostInterface,
  formatLauncherInterface,
  formatLogicalPortName,
  formatLspName,
  formatNodeLabel,
  type PortKey,
  parseLspName,
} from './names.ts';

const dns = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?$/);
const nic = fc.stringMatching(/^[A-Za-z0-9_-]{1,40}$/);
const dotted = fc
  .array(fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,60}[a-z0-9])?$/), { minLength: 1, maxLength: 4 })
  .map((labels) => labels.join('.'));
const first: fc.Arbitrary<PortKey> = fc.record({
  ownerKind: fc.constantFrom('VirtualMachine' as const, 'VirtualMachineInstance' as const, 'Pod' as const),
  namespace: dns,
  owner: dotted,
  nic,
});
const second: fc.Arbitrary<PortKey> = fc.record({
  ownerKind: fc.constantFrom('VirtualMachine' as const, 'VirtualMachineInstance' as const),
  namespace: dns,
  owner: dotted,
  nic,
  madeFor: dotted,
});
const key = fc.oneof(first, second);

describe('LSP names', () => {
  it('round-trip for every key', () => {
    fc.assert(
      fc.property(key, (k) => {
        expect(parseLspName(formatLspName(k))).toEqual(k);
      }),
    );
  });

  it.each(['gateway', 'node/n1', 'vm/a/b', 'vm/a/b/c/d/e', 'vm/a/b/c/', 'pod/a/b/c/d', 'vm//b/c', 'x/a/b/c', ''])(
    '%j is no port of an owner',
    (name) => {
      expect(parseLspName(name)).toBeUndefined();
    },
  );
});

describe('LogicalPort object names', () => {
  it.each([
    [{ ownerKind: 'VirtualMachine', namespace: 'a', owner: 'db.one', nic: 'default' }, 'db.one.default.vm'],
    [{ ownerKind: 'Pod', namespace: 'a', owner: 'web-0', nic: 'eth0' }, 'web-0.eth0.pod'],
  ] as [PortKey, string][])('%j is %s', (k, name) => {
    expect(formatLogicalPortName(k)).toBe(name);
  });

  it('are valid object names of at most 253 characters', () => {
    fc.assert(
      fc.property(key, (k) => {
        const name = formatLogicalPortName(k);
        expect(name.length).toBeLessThanOrEqual(253);
        expect(name).toMatch(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/);
      }),
    );
  });

  it('differ when the keys differ, even by case, underscore, cut, or an imitation of the digest', () => {
    const base: PortKey = { ownerKind: 'VirtualMachine', namespace: 'a', owner: 'vm', nic: 'Net_1' };
    const imitation = formatLogicalPortName(base).split('.')[1] ?? '';
    const long = 'v'.repeat(250);
    const keys: PortKey[] = [
      base,
      { ...base, nic: 'net-1' },
      { ...base, nic: 'net_1' },
      { ...base, nic: imitation },
      { ...base, owner: `${long}a` },
      { ...base, owner: `${long}b` },
      { ...base, ownerKind: 'VirtualMachineInstance' },
    ];
    expect(new Set(keys.map(formatLogicalPortName)).size).toBe(keys.length);
  });

  it('K6 of a second port are nobody else’s, though names of VMs and subnets have dots', () => {
    const base: PortKey = { ownerKind: 'VirtualMachine', namespace: 'a', owner: 'db', nic: 'net' };
    const keys: PortKey[] = [
      base,
      { ...base, madeFor: 'blue' },
      { ...base, madeFor: 'blue.net' },
      { ...base, nic: 'blue', madeFor: 'net' },
      { ...base, owner: 'db.net', nic: 'blue' },
      { ...base, owner: 'db.net', nic: 'blue', madeFor: 'net' },
      { ...base, ownerKind: 'VirtualMachineInstance', madeFor: 'blue' },
    ];
    expect(new Set(keys.map(formatLogicalPortName)).size).toBe(keys.length);
    expect(formatLogicalPortName({ ...base, madeFor: 'blue' })).toMatch(/^db\.net\.blue-x[0-9a-f]{16}\.vm$/);
  });

  it('K6 differ for any two keys, first ports and second ones', () => {
    const small = fc.constantFrom('a', 'b', 'a.b', 'b.a');
    const near = fc.record({
      ownerKind: fc.constant('VirtualMachine' as const),
      namespace: fc.constant('a'),
      owner: small,
      nic: fc.constantFrom('a', 'b'),
    });
    const any = fc.oneof(
      near,
      fc.tuple(near, small).map(([one, madeFor]) => ({ ...one, madeFor })),
    );
    fc.assert(
      fc.property(any, any, (one, other) => {
        const isSame = formatLspName(one) === formatLspName(other);
        expect(formatLogicalPortName(one) === formatLogicalPortName(other)).toBe(isSame);
      }),
    );
  });
});

describe('derived names', () => {
  it("equals KubeVirt's own interface names", () => {
    expect(formatLauncherInterface('biz')).toBe('pod9bdd85331e7');
    expect(formatLauncherInterface('biz2')).toBe('pod4b24a216797');
    expect(formatLauncherInterface('side')).toBe('podea7bf4bb723');
  });

  it('host interfaces fit the kernel and differ by sandbox and interface', () => {
    const names = [
      formatHostInterface('a', 'eth0'),
      formatHostInterface('a', 'net1'),
      formatHostInterface('b', 'eth0'),
    ];
    expect(new Set(names).size).toBe(3);
    for (const name of names) expect(name).toMatch(/^m[0-9a-f]{14}$/);
  });

  it('node labels are valid label keys', () => {
    expect(formatNodeLabel('a.very.long.node.name'.repeat(8))).toMatch(/^node\.mooring\.dev\/[0-9a-f]{16}$/);
  });
});
