import { describe, expect, it } from 'vitest';
import { planBlocks, shareOf } from './blocks.ts';

const BINDINGS = ['bridge', 'managedTap', 'masquerade'] as const;
const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0);

describe('the order of a run', () => {
  const blocks = planBlocks({ count: 200, aborts: 20, bindings: BINDINGS, strategies: ['gate', 'rarp'] });
  const of = (strategy: string) => blocks.filter((block) => block.strategy === strategy);

  it('has every migration and abort that was asked for, of the strategy that is kept', () => {
    expect(sum(of('gate').map(({ migrations }) => migrations))).toBe(200);
    expect(sum(blocks.map(({ aborts }) => aborts))).toBe(20);
    expect(of('rarp').every(({ aborts }) => aborts === 0)).toBe(true);
  });

  it('compares a fifth of it, where the other strategy is another one at all', () => {
    expect(sum(of('rarp').map(({ migrations }) => migrations))).toBe(40);
    expect(of('rarp').map(({ binding }) => binding)).not.toContain('masquerade');
  });

  it('takes turns', () => {
    const order = blocks.map(({ strategy }) => strategy).filter((one, index, all) => one !== all[index - 1]);
    expect(order).toEqual(['gate', 'rarp', 'gate', 'rarp']);
  });

  it('has nothing empty when little is asked for', () => {
    const few = planBlocks({ count: 2, aborts: 0, bindings: ['bridge'], strategies: ['rarp'] });
    expect(few).toEqual([
      { strategy: 'rarp', binding: 'bridge', migrations: 1, aborts: 0 },
      { strategy: 'rarp', binding: 'bridge', migrations: 1, aborts: 0 },
    ]);
    expect(planBlocks({ count: 1, aborts: 0, bindings: BINDINGS, strategies: ['gate'] })).toHaveLength(1);
  });

  it.each([
    [7, 3],
    [2, 6],
    [200, 6],
  ])('loses none of %d in %d shares', (total, parts) => {
    expect(sum(Array.from({ length: parts }, (_, index) => shareOf(total, parts, index)))).toBe(total);
  });
});
