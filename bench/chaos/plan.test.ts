import { describe, expect, it } from 'vitest';
import { hasCome, PHASES, type Phase, planRounds, VICTIMS } from './plan.ts';

const plan = (seed: number, count = 50) =>
  planRounds({ count, seed, bindings: ['bridge', 'managedTap', 'masquerade'], nodes: 3 });

describe('the rounds of a seed', () => {
  it('are the same every time, and others of another seed', () => {
    expect(plan(4)).toEqual(plan(4));
    expect(plan(4)).not.toEqual(plan(5));
  });

  it('are as many as asked for, each with a name of its own', () => {
    expect(plan(1)).toHaveLength(50);
    expect(new Set(plan(1).map(({ name }) => name)).size).toBe(50);
    expect(plan(1, 2)).toHaveLength(2);
  });

  it('kill every program on every node at all moments', () => {
    const rounds = plan(1, 300);
    expect(new Set(rounds.map(({ victim }) => victim))).toEqual(new Set(VICTIMS));
    expect(new Set(rounds.map(({ node }) => node))).toEqual(new Set([0, 1, 2]));
    expect(new Set(rounds.map(({ phase }) => phase))).toEqual(new Set(PHASES));
    const moments = rounds.map(({ plusMs }) => plusMs);
    expect(Math.min(...moments)).toBeLessThan(50);
    expect(Math.max(...moments)).toBeGreaterThan(950);
    expect(Math.max(...moments)).toBeLessThan(1000);
  });

  it.each<[string, Phase, boolean]>([
    ['', '', true],
    ['', 'Pending', false],
    ['Running', 'Scheduled', true],
    ['Scheduled', 'Running', false],
    ['Failed', 'Succeeded', true],
  ])('have come in phase "%s" to "%s": %s', (now, wanted, expected) => {
    expect(hasCome(now, wanted)).toBe(expected);
  });
});
