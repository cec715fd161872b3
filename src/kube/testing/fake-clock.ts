import type { Clock } from '../clock.ts';

/** Time that moves only when told to. */
export type FakeClock = Clock & {
  /** Moves time on and runs what is due, in order of time. */
  advance(ms: number): void;
  /** The waits that are under way, in ms from now, soonest first. */
  pending(): number[];
};

type Entry = { at: number; run: () => void };

/** A clock that stands at 1 000 000 ms; its date starts at 2026-01-01. */
export function createFakeClock(): FakeClock {
  const origin = Date.UTC(2026, 0, 1);
  const entries = new Set<Entry>();
  let time = 1_000_000;
  const soonest = () => [...entries].sort((a, b) => a.at - b.at)[0];
  return {
    now: () => time,
    date: () => new Date(origin + time),
    schedule: (delayMs, run) => {
      const entry = { at: time + Math.max(0, delayMs), run };
      entries.add(entry);
      return { cancel: () => entries.delete(entry) };
    },
    advance: (ms) => {
      const end = time + ms;
      for (let next = soonest(); next !== undefined && next.at <= end; next = soonest()) {
        entries.delete(next);
        time = next.at;
        next.run();
      }
      time = end;
    },
    pending: () => [...entries].map((entry) => entry.at - time).sort((a, b) => a - b),
  };
}
