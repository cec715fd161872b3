import type { Clock } from '../../../kube/index.ts';
import { splitLines } from '../../../kube/lines.ts';
import type { ConntrackEntry } from '../../../netlink/conntrack-entry.ts';
import type { TravellingNeighbour } from '../../../netlink/neighbour-travel.ts';
import { CarryError } from './errors.ts';
import { createCounter, filterFlows } from './flows.ts';
import { deriveBudget, LIMITS, parseMessage } from './protocol.ts';

export type ReceiveOptions = {
  readonly chunks: AsyncIterable<Uint8Array>;
  readonly ips: readonly string[];
  /** Puts flows into the launcher's namespace. */
  load(entries: readonly ConntrackEntry[]): Promise<void>;
  /** Whom the source's launcher knows now; in place of what was told before. */
  onNeighbours(neighbours: readonly TravellingNeighbour[]): void;
  /** All that there was at first has been loaded; `complete` is false when the source had to leave some out. */
  onWhole(complete: boolean): void;
  readonly clock: Clock;
};

/**
 * Loads what a source tells, line by line; what comes faster waits in the socket. Rejects with CarryError `protocol` when
 * the source sends what none of ours sends or more than may be, `closed` when it ends, and with what loading throws.
 */
export async function receiveFlows(options: ReceiveOptions): Promise<never> {
  const counter = createCounter();
  for await (const line of readLines(options)) {
    const message = parseMessage(line);
    if (message.kind === 'whole') options.onWhole(message.complete);
    if (message.kind === 'neighbours') options.onNeighbours(message.neighbours);
    if (message.kind !== 'entries') continue;
    const flows = filterFlows(message.entries, options.ips).filter(counter.admit);
    if (flows.length > 0) await options.load(flows);
  }
  throw new CarryError('closed', 'the source has ended the session');
}

async function* readLines({ chunks, clock }: ReceiveOptions): AsyncGenerator<string> {
  try {
    yield* splitLines(meter(chunks, clock), LIMITS.lineBytes);
  } catch (error) {
    throw error instanceof CarryError ? error : deriveFailure(error);
  }
}

/** A line that is too long is the peer's fault; anything else that a socket throws is its end. */
function deriveFailure(error: unknown): CarryError {
  const words = error instanceof Error ? error.message : String(error);
  const isTooLong = error instanceof Error && 'reason' in error && error.reason === 'TooLarge';
  return new CarryError(isTooLong ? 'protocol' : 'closed', `the source's stream ended: ${words}`, error);
}

async function* meter(chunks: AsyncIterable<Uint8Array>, clock: Clock): AsyncGenerator<Uint8Array> {
  const begun = clock.now();
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > deriveBudget(clock.now() - begun, 'target')) {
      throw new CarryError('protocol', `the source has sent more than it may: ${bytes} bytes`);
    }
    yield chunk;
  }
}
