import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { formatCpio } from './cpio.ts';

const ENTRIES = [
  { kind: 'dir', path: 'bin', mode: 0o755 },
  { kind: 'file', path: 'bin/program', mode: 0o755, content: Buffer.from('hello') },
  { kind: 'link', path: 'bin/alias', target: 'program' },
] as const;

describe('an archive for the kernel', () => {
  it('has records of four-byte units and ends with the trailer', () => {
    const archive = formatCpio(ENTRIES);
    expect(archive.length % 4).toBe(0);
    expect(archive.subarray(0, 6).toString()).toBe('070701');
    expect(archive.includes('TRAILER!!!')).toBe(true);
  });

  it('is the same for the same entries', () => expect(formatCpio(ENTRIES)).toEqual(formatCpio(ENTRIES)));

  it('holds modes, contents and link targets at their places', () => {
    const text = formatCpio(ENTRIES).toString('latin1');
    const at = text.indexOf('bin/program');
    const header = text.slice(at - 110, at);
    expect(header.slice(14, 22)).toBe((0o100755).toString(16).padStart(8, '0'));
    expect(header.slice(54, 62)).toBe('00000005');
    expect(text).toContain('hello\0\0\0');
    expect(text).toContain('bin/alias\0');
  });

  it.runIf(existsSync('/bin/busybox'))('is read by another implementation', () => {
    const list = execFileSync('/bin/busybox', ['cpio', '-t'], {
      input: formatCpio(ENTRIES),
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    expect(list.toString().trim().split('\n')).toEqual(['bin', 'bin/program', 'bin/alias']);
  });
});
