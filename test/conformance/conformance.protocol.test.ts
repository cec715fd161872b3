import { env } from 'node:process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CASES } from './cases/index.ts';
import type { Plugin, Running } from './model.ts';
import { listMooring } from './plugins/mooring.ts';
import { listReferences } from './plugins/reference.ts';
import { ensureTools } from './plugins/tools.ts';
import { countVerdicts } from './report.ts';
import { judge, listRuns, runSuite } from './suite.ts';

const START_MS = 300_000;
const SUITE_MS = 600_000;

function find(plugins: readonly Plugin[], name: string): Plugin {
  const found = plugins.find((plugin) => plugin.name === name);
  if (found === undefined) throw new Error(`there is no ${name}`);
  return found;
}

describe.each([
  ['mooring', 'interface'],
  ['mooring as IPAM', 'ipam'],
] as const)('%s', (name, kind) => {
  let plugin: Plugin;
  let running: Running;
  beforeAll(async () => {
    plugin = find(listMooring(await ensureTools(env)), name);
    running = await plugin.start();
  }, START_MS);
  afterAll(() => running.stop());

  test.each(listRuns(CASES[kind]).map((run) => [run.version, run.one.id, run] as const))(
    '%s %s',
    async (_version, _id, run) => {
      const verdict = await judge(plugin, running, run);
      expect(verdict, `${run.one.title} (${run.one.source}): ${verdict.reason}`).toMatchObject({
        outcome: expect.stringMatching(/^(pass|known)$/),
      });
    },
  );
});

/** The suite asks nothing that only our plugin could do. */
describe('plugins that are not ours', () => {
  test.each(['bridge', 'macvlan', 'host-local'])(
    '%s passes a fair part of the same cases',
    { timeout: SUITE_MS },
    async (name) => {
      const plugin = find(listReferences(await ensureTools(env)), name);
      const { pass, fail } = countVerdicts(await runSuite(plugin, { cases: CASES[plugin.kind] }));
      expect(pass / (pass + fail)).toBeGreaterThan(0.6);
    },
  );
});
