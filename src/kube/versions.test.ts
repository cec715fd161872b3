import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareVersions, createTombstones, latestVersion } from './versions.ts';

describe('compareVersions', () => {
  it('orders as numbers do, beyond what a double can hold', () => {
    fc.assert(
      fc.property(fc.bigInt(1n, 2n ** 100n), fc.bigInt(1n, 2n ** 100n), (a, b) => {
        const order = compareVersions(String(a), String(b)) ?? Number.NaN;
        expect(Math.sign(order)).toBe(a < b ? -1 : Number(a > b));
      }),
    );
  });

  it.each([undefined, '', '0', '01', '-1', '1.5', '1e3', 'abc', ' 1'])('says nothing about %j', (odd) => {
    expect([compareVersions(odd, '1'), compareVersions('1', odd)]).toEqual([undefined, undefined]);
  });
});

describe('latestVersion', () => {
  it.each([
    ['5', '9', '9'],
    ['9', '5', '9'],
    [undefined, '5', '5'],
    ['9', 'opaque', 'opaque'],
  ])('of %j and %j is %j', (a, b, latest) => {
    expect(latestVersion(a, b)).toBe(latest);
  });
});

describe('tombstones', () => {
  it('forget the oldest when there are too many, and all when told to', () => {
    const tombstones = createTombstones();
    for (let n = 0; n <= 10_000; n += 1) tombstones.set(`k${n}`, String(n + 1));
    expect([tombstones.get('k0'), tombstones.get('k1')]).toEqual([undefined, '2']);
    tombstones.clear();
    expect(tombstones.get('k1')).toBeUndefined();
  });
});
