import { describe, expect, it } from 'vitest';
import type { End } from './ends.ts';
import { WARM_UP } from './figures.ts';
import { measureScene } from './measure.ts';
import { planCases } from './plan.ts';

const EFFORT = { rounds: 2, requests: 3, seconds: 1 };
const target: End = { name: 'target', ip: '10.0.0.1', run: () => Promise.reject(new Error('nobody asks the target')) };

/** An end that answers as `flow` does, and notes what it was told to do. */
function createEnd(name: string, told: string[], broken: 'ping' | 'fill' | 'never' = 'never'): End {
  const run = async (args: readonly (string | number)[]): Promise<string> => {
    told.push(`${name}: ${args.join(' ')}`);
    if (args[0] === broken) throw new Error(`${broken} is broken`);
    return args[0] === 'ping' ? '5.0\n'.repeat(Number(args[3])) : '12500000 1000000000\n';
  };
  return { name, ip: '10.0.0.2', run };
}

describe('measuring a binding', () => {
  it('goes over all rows in each round', async () => {
    const told: string[] = [];
    const from = (path: string, placement: string): End => createEnd(`${path} ${placement}`, told);
    const { rows, failures } = await measureScene({ target, from }, planCases('pod'), EFFORT, () => undefined);
    const ping = `ping 10.0.0.1 5201 ${WARM_UP + 3}`;
    const round = ['sameNode', 'twoNodes'].flatMap((placement) => [
      `podToPod ${placement}: ${ping}`,
      `podToPod ${placement}: fill 10.0.0.1 5201 1000`,
    ]);
    expect(told).toEqual([...round, ...round]);
    expect(failures).toEqual([]);
    expect(rows).toHaveLength(2);
    expect(rows[0]).toMatchObject({ latencyUs: { p50: 5, p99: 5 }, throughputMbit: 100, requests: 6, lost: 0 });
  });

  it('leaves out a row that fails, says why, and goes on with the others', async () => {
    const from = (_: string, placement: string): End =>
      createEnd(placement, [], placement === 'twoNodes' ? 'fill' : 'never');
    const said: string[] = [];
    const { rows, failures } = await measureScene({ target, from }, planCases('bridge'), EFFORT, (line) =>
      said.push(line),
    );
    expect(rows.map(({ path, placement }) => `${path} ${placement}`)).toEqual([
      'podToGuest sameNode',
      'guestToGuest sameNode',
    ]);
    expect(failures).toEqual([
      'bridge podToGuest twoNodes: fill is broken',
      'bridge guestToGuest twoNodes: fill is broken',
    ]);
    expect(said).toContain('  FAILED bridge podToGuest twoNodes: fill is broken');
  });

  it('has no row of requests that nobody answered', async () => {
    const silent = {
      ...target,
      run: async (args: readonly (string | number)[]) => (args[0] === 'ping' ? 'lost\n'.repeat(23) : '1 1\n'),
    };
    const { rows, failures } = await measureScene(
      { target, from: () => silent },
      planCases('pod'),
      EFFORT,
      () => undefined,
    );
    expect(rows).toEqual([]);
    expect(failures[0]).toBe('pod podToPod sameNode: none of 6 requests was answered');
  });
});
