import { env } from 'node:process';
import { defineConfig } from 'vitest/config';
import { COMPILED } from './scripts/test/compiled.ts';
import { LongestFirst } from './scripts/test/sequencer.ts';

/** In CI a second try, for real servers share two cores there with whatever else runs; at a desk a flake must show. */
const retry = env.CI === undefined ? 0 : 1;

/** As many files at a time as the smallest machine has cores; vitest's own default leaves one of two idle. */
const maxWorkers = 2;

/**
 * Protocol tests wait two thirds of their time, for servers that start, deadlines and retries. Three keep two cores busy; with four
 * two tests of 2,006 lost their races in both tries.
 */
const waitingWorkers = 3;

/** Unit and protocol tests; the lab's own tests need root and a cluster and are their own project. */
export default defineConfig({
  test: {
    maxWorkers,
    sequence: { sequencer: LongestFirst },
    env: COMPILED,
    projects: [
      {
        test: {
          name: 'unit',
          retry,
          include: [
            'src/**/*.test.ts',
            'scripts/**/*.test.ts',
            'bench/**/*.test.ts',
            'test/unit/**/*.test.ts',
            'test/lab/**/*.test.ts',
            'test/conformance/**/*.test.ts',
          ],
          exclude: ['**/*.protocol.test.ts', '**/*.lab.test.ts'],
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'protocol',
          retry,
          include: ['src/**/*.protocol.test.ts', 'test/{lab,conformance}/**/*.protocol.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers: waitingWorkers,
          // Projects with different numbers of workers run one after the other.
          sequence: { groupOrder: 1 },
          globalSetup: ['scripts/test/compiled.ts'],
        },
      },
      {
        test: {
          name: 'lab',
          retry,
          include: ['test/lab/**/*.lab.test.ts', 'test/usage/**/*.lab.test.ts', 'test/e2e/**/*.lab.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 600_000,
          fileParallelism: false,
          globalSetup: ['test/lab/setup.ts'],
        },
      },
    ],
  },
});
