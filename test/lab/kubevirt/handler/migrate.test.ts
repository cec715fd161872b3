import { expect, it } from 'vitest';
import { BANDWIDTH, deriveBandwidth } from './migrate.ts';

it.each([
  [undefined, BANDWIDTH],
  [{}, BANDWIDTH],
  [{ bandwidthPerMigration: '0' }, BANDWIDTH],
  [{ bandwidthPerMigration: '16Mi' }, 16 * 2 ** 20],
  [{ bandwidthPerMigration: 1_000_000 }, 1_000_000],
])('bandwidth of a migration by %j is %d bytes a second', (configuration, expected) =>
  expect(deriveBandwidth(configuration)).toBe(expected),
);
