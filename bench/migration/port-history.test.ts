import { describe, expect, it } from 'vitest';
import { findCommit, findReturn, isAlone, type PortView } from './port-history.ts';

const view = (at: number, chassis: string, requested: string[], additional: string[] = []): PortView => ({
  at,
  chassis,
  requested,
  additional,
});
const HISTORY = [
  view(1, 'b', ['b']),
  view(10, 'a', ['a']),
  view(20, 'a', ['a', 'b'], ['b']),
  view(30, 'b', ['b', 'a'], ['a']),
  view(31, 'b', ['b']),
];

describe('the commit', () => {
  it('is when the target has the port, not when a migration before had it', () => {
    expect(findCommit(HISTORY, 'b', 10)).toBe(30);
  });

  it('is none while the target is only an additional chassis', () => {
    expect(findCommit(HISTORY.slice(0, 3), 'b', 10)).toBeUndefined();
  });
});

describe('the way back', () => {
  it('is when the source is alone in both databases', () => {
    const back = [...HISTORY.slice(0, 3), view(40, 'a', ['a'], ['b']), view(45, 'a', ['a'])];
    expect(findReturn(back, 'a')).toBe(45);
  });

  it('is not reached by one database alone', () => {
    expect(findReturn([...HISTORY.slice(0, 3), view(40, 'a', ['a'], ['b'])], 'a')).toBeUndefined();
    expect(findReturn([view(40, 'a', ['a', 'b'])], 'a')).toBeUndefined();
  });

  it('counts from the last time, where the port went once more', () => {
    const flap = [view(1, 'a', ['a']), view(2, 'a', ['a', 'b'], ['b']), view(3, 'a', ['a'])];
    expect(findReturn([...flap, view(4, 'b', ['a']), view(5, 'a', ['a'])], 'a')).toBe(5);
  });

  it('was never left when the target never got the port', () => {
    expect(findReturn([view(7, 'a', ['a'])], 'a')).toBe(7);
    expect(isAlone(view(7, 'a', ['a']), 'a')).toBe(true);
    expect(isAlone(undefined, 'a')).toBe(false);
  });
});
