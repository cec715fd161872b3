import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openRecording } from './recording.ts';
import { RECORD_BYTES } from './records.ts';

let dir: string;
let path: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'recording-'));
  path = join(dir, 'records');
  writeFileSync(path, '');
});
afterEach(() => rmSync(dir, { recursive: true }));

const raw = (type: number, at: number): Buffer => {
  const data = Buffer.alloc(RECORD_BYTES);
  data.writeUInt16LE(type, 2);
  data.writeBigUInt64LE(BigInt(at) * 1_000_000n, 8);
  data.writeBigUInt64LE(BigInt(at) * 1_000_000n, 16);
  return data;
};

describe('the recording of a running prober', () => {
  it('gives what was written since, and takes a half record only when it is whole', () => {
    using recording = openRecording(path);
    expect(recording.read()).toEqual([]);
    const answer = raw(1, 10);
    appendFileSync(path, answer.subarray(0, 10));
    expect(recording.read()).toEqual([]);
    appendFileSync(path, answer.subarray(10));
    expect(recording.read()).toMatchObject([{ type: 'answer', received: 10 }]);
  });

  it('says how far it is complete by the last mark', () => {
    using recording = openRecording(path);
    expect(recording.writtenUntil()).toBe(0);
    appendFileSync(path, Buffer.concat([raw(5, 100), raw(1, 120), raw(5, 150), raw(1, 170)]));
    expect(recording.writtenUntil()).toBe(150);
  });

  it('forgets what is over and keeps the rest', () => {
    using recording = openRecording(path);
    appendFileSync(path, Buffer.concat([1, 2, 3].map((at) => raw(1, at))));
    recording.read();
    recording.forgetBefore(2);
    appendFileSync(path, raw(1, 4));
    expect(recording.read().map((record) => record.type === 'answer' && record.received)).toEqual([2, 3, 4]);
  });
});
