import { describe, expect, it } from 'vitest';
import { findProcessCpu, findResidentMb, parseCpu, parseResident } from './process-stat.ts';

describe('what /proc says of a process', () => {
  it('reads CPU time although the command has spaces and parentheses in its name', () => {
    const stat = '12 (a (b) c) S 1 12 12 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 11 0 300 1000 2000';
    expect(parseCpu(stat)).toBe(3);
  });

  it('reads resident memory in MiB, and says NaN where there is none', () => {
    expect(parseResident('Name:\tnode\nVmHWM:\t  999999 kB\nVmRSS:\t  204800 kB\n')).toBe(200);
    expect(parseResident('Name:\tkthreadd\n')).toBeNaN();
  });

  it('agrees with what the process itself knows', () => {
    const { user, system } = process.cpuUsage();
    expect(Math.abs(findProcessCpu(process.pid) - (user + system) / 1e6)).toBeLessThan(0.5);
    expect(Math.abs(findResidentMb(process.pid) - process.memoryUsage.rss() / 1024 / 1024)).toBeLessThan(50);
  });
});
