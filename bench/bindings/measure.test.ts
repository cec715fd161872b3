import { describe, expect, it } from 'vitest';
import type { End } from './ends.ts';
import { WARM_UP } from './figures.ts';
import { createBook, deriveRows, type Item, measureRounds } from './measure.ts';
import { type Binding, planCases } from './plan.ts';

const EFFORT = { rounds: 2, requests: 3, seconds: 1 };
const target: End = { name: 'target', ip: '10.0.0.1', run: () => Promise.reject(new Error('nobody asks the target')) };
type Broken = 'ping' | 'fill' | 'never' | 'silent';

/** An end that answers as `flow` does, and notes what it was told to do. */
function createEnd(name: string, told: string[], broken: Broken = 'never'): End {
  const run = async (args: readonly (string | number)[]): Promise<string> => {
    told.push(`${name}: ${args.join(' ')}`);
    if (args[0] === broken) throw new Error(`${broken} is broken`);
    if (args[0] === 'fill') return '12500000 1000000000\n';
    return (broken === 'silent' ? 'lost\n' : '5.0\n').repeat(Number(args[3]));
  };
  return { name, ip: '10.0.0.2', run };
}

const itemsOf = (binding: Binding, told: string[], brokenAt: (placement: string) => Broken = () => 'never'): Item[] =>
  planCases(binding).map((one) => ({
    one,
    from: createEnd(`${one.binding} ${one.placement}`, told, brokenAt(one.placement)),
    target,
  }));

async function measure(items: readonly Item[]) {
  const said: string[] = [];
  const book = createBook();
  await measureRounds(items, EFFORT, { book, say: (line) => said.push(line) });
  return { ...deriveRows(book), said };
}

describe('measuring', () => {
  it('goes over the rows of all bindings in each round', async () => {
    const told: string[] = [];
    const { rows, failures } = await measure([...itemsOf('pod', told), ...itemsOf('macvlanPod', told)]);
    const round = ['pod sameNode', 'pod twoNodes', 'macvlanPod sameNode', 'macvlanPod twoNodes'].flatMap((name) => [
      `${name}: ping 10.0.0.1 5201 ${WARM_UP + 3}`,
      `${name}: fill 10.0.0.1 5201 1000`,
    ]);
    expect(told).toEqual([...round, ...round]);
    expect(failures).toEqual([]);
    expect(rows).toHaveLength(4);
    expect(rows[0]).toMatchObject({ latencyUs: { p50: 5, p99: 5 }, throughputMbit: 100, requests: 6, lost: 0 });
  });

  it('leaves out a row that fails, says why once, and goes on with the others', async () => {
    const { rows, failures, said } = await measure(
      itemsOf('bridge', [], (placement) => (placement === 'twoNodes' ? 'fill' : 'never')),
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
    expect(said).toContain('round 2 of 2: 2 rows');
  });

  it('has no row of requests that nobody answered', async () => {
    const { rows, failures } = await measure(itemsOf('pod', [], () => 'silent'));
    expect(rows).toEqual([]);
    expect(failures[0]).toBe('pod podToPod sameNode: no request was answered');
  });
});
