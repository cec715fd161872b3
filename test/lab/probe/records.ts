/** What one stream of the prober is: UDP by either family, TCP opened by the prober (`in`) or by the guest (`out`). */
export const STREAM_KINDS = ['udp4', 'udp6', 'in4', 'in6', 'out4', 'out6'] as const;
export type StreamKind = (typeof STREAM_KINDS)[number];

/** Number of a stream as records bear it, from the prober's place and the kind. */
export const streamOf = (place: number, kind: StreamKind): number =>
  place * STREAM_KINDS.length + STREAM_KINDS.indexOf(kind);

/**
 * One record of `probe.c` or `tap.c`; times are milliseconds since the epoch, with fractions.
 *   answer   `sequence` was sent and came back
 *   late     the prober itself woke up late: due, awake
 *   opened   a TCP stream is there; closed: it ended, with an errno (0: by the guest's FIN)
 *   mark     everything before this time has been written
 *   request, reply   a probe as the guest's tap saw it
 *   asked    the guest was asked for its address there (ARP, neighbour solicitation); spoke: it said something else
 */
export type ProbeRecord =
  | { readonly type: 'answer'; readonly stream: number; readonly sequence: number; sent: number; received: number }
  | { readonly type: 'late'; readonly due: number; readonly at: number }
  | { readonly type: 'opened'; readonly stream: number; readonly at: number }
  | { readonly type: 'closed'; readonly stream: number; readonly at: number; readonly errno: number }
  | { readonly type: 'mark' | 'asked' | 'spoke'; readonly at: number }
  | { readonly type: 'request' | 'reply'; readonly stream: number; readonly sequence: number; readonly at: number };

export const RECORD_BYTES = 24;

/**
 * Parses whole records: little endian u16 stream, u16 type, u32 sequence, u64 a, u64 b (nanoseconds since the epoch).
 * A last part that is no whole record is left. Throws for a type that neither program writes.
 */
export function parseRecords(data: Buffer): ProbeRecord[] {
  const count = Math.floor(data.length / RECORD_BYTES);
  return Array.from({ length: count }, (_, index) => parseRecord(data, index * RECORD_BYTES));
}

function parseRecord(data: Buffer, at: number): ProbeRecord {
  const stream = data.readUInt16LE(at);
  const type = data.readUInt16LE(at + 2);
  const sequence = data.readUInt32LE(at + 4);
  const a = toMs(data.readBigUInt64LE(at + 8));
  const b = toMs(data.readBigUInt64LE(at + 16));
  switch (type) {
    case 1:
      return { type: 'answer', stream, sequence, sent: a, received: b };
    case 2:
      return { type: 'late', due: a, at: b };
    case 3:
      return { type: 'opened', stream, at: a };
    case 4:
      return { type: 'closed', stream, at: a, errno: sequence };
    case 5:
      return { type: 'mark', at: a };
    case 6:
      return { type: 'request', stream, sequence, at: b };
    case 7:
      return { type: 'reply', stream, sequence, at: b };
    case 8:
      return { type: 'spoke', at: b };
    case 9:
      return { type: 'asked', at: b };
    default:
      throw new Error(`record of unknown type ${type} at byte ${at}`);
  }
}

/** A double holds the epoch in milliseconds to a quarter of a microsecond. */
function toMs(ns: bigint): number {
  return Number(ns / 1_000_000n) + Number(ns % 1_000_000n) / 1e6;
}
