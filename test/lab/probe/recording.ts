import { closeSync, openSync, readSync } from 'node:fs';
import { type ProbeRecord, parseRecords, RECORD_BYTES } from './records.ts';

/** The records of a prober that still runs, as far as they are needed. */
export type Recording = Disposable & {
  /** Reads what was written since the last call and returns everything that is kept. */
  read(): readonly ProbeRecord[];
  /** Everything up to this time has been written; 0 before the first mark. */
  writtenUntil(): number;
  /** Forgets what came before; times of answers are when they were received. */
  forgetBefore(at: number): void;
};

/** When something was recorded, milliseconds since the epoch. */
export const timeOf = (record: ProbeRecord): number => (record.type === 'answer' ? record.received : record.at);

/** Follows the file of a prober. Throws when the file cannot be opened or holds something else. */
export function openRecording(path: string): Recording {
  const file = openSync(path, 'r');
  const chunk = Buffer.alloc(RECORD_BYTES * 8192);
  let kept: ProbeRecord[] = [];
  let offset = 0;
  let marked = 0;
  const readOn = (): void => {
    for (;;) {
      const size = readSync(file, chunk, 0, chunk.length, offset);
      const whole = size - (size % RECORD_BYTES);
      if (whole === 0) return;
      for (const record of parseRecords(chunk.subarray(0, whole))) {
        kept.push(record);
        if (record.type === 'mark') marked = record.at;
      }
      offset += whole;
    }
  };
  return {
    read: () => {
      readOn();
      return kept;
    },
    writtenUntil: () => {
      readOn();
      return marked;
    },
    forgetBefore: (at) => {
      kept = kept.filter((record) => timeOf(record) >= at);
    },
    [Symbol.dispose]: () => closeSync(file),
  };
}
