import { readFileSync } from 'node:fs';

/** Ticks of `/proc/<pid>/stat` per second; the same on every Linux that Node runs on. */
const TICKS = 100;

/** Seconds of CPU that a process has used, user and system together (proc_pid_stat(5), fields 14 and 15). */
export function findProcessCpu(pid: number): number {
  return parseCpu(readFileSync(`/proc/${pid}/stat`, 'utf8'));
}

/** The command's name may hold spaces and parentheses: counting begins after the last one. */
export function parseCpu(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

/** Resident memory in MiB (proc_pid_status(5), VmRSS). */
export function findResidentMb(pid: number): number {
  return parseResident(readFileSync(`/proc/${pid}/status`, 'utf8'));
}

export function parseResident(status: string): number {
  return Math.round(Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? Number.NaN) / 1024);
}
