import { describe, expect, it } from 'vitest';
import { deriveLinkNames, formatHostname, formatPodInterface, formatVmiId } from './names.ts';

describe('pod interface of a secondary network', () => {
  it.each([
    ['biz', 'pod9bdd85331e7'],
    ['biz2', 'pod4b24a216797'],
    ['side', 'podea7bf4bb723'],
    ['hot1', 'podd434eee9e60'],
  ])('of network %s is %s, as recorded', (network, expected) => {
    expect(formatPodInterface(network)).toBe(expected);
  });
});

describe('links that KubeVirt makes of a pod interface', () => {
  it('of the primary one', () => {
    expect(deriveLinkNames('eth0', true)).toEqual({
      ...{ pod: 'eth0', nic: 'eth0-nic', bridge: 'k6t-eth0', tap: 'tap0', dummyPeer: 'deth0' },
    });
  });

  it('of a secondary one drop the prefix, and fit into the 15 characters of a link name', () => {
    const names = deriveLinkNames('pod9bdd85331e7', false);
    expect(names).toEqual({
      pod: 'pod9bdd85331e7',
      nic: '9bdd85331e7-nic',
      bridge: 'k6t-9bdd85331e7',
      tap: 'tap9bdd85331e7',
      dummyPeer: 'dpod9bdd85331',
    });
    for (const name of Object.values(names)) expect(name.length).toBeLessThanOrEqual(15);
  });
});

describe('label of a VMI', () => {
  it('is its name while that fits', () => expect(formatVmiId('a'.repeat(63))).toBe('a'.repeat(63)));

  it('is cut and closed with a digest when it is too long', () => {
    const id = formatVmiId('a'.repeat(64));
    expect(id).toMatch(/^a{54}-[0-9a-f]{8}$/);
    expect(id).not.toBe(formatVmiId('a'.repeat(65)));
  });
});

describe('host name', () => {
  it('is what the VMI asks for', () => expect(formatHostname('vm.one', 'asked')).toBe('asked'));
  it('is else the first part of its name, cut', () => {
    expect(formatHostname('vm.one', undefined)).toBe('vm');
    expect(formatHostname('b'.repeat(70), undefined)).toBe('b'.repeat(63));
  });
});
