import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { createFakeClock } from '../../../kube/testing/fake-clock.ts';
import type { ConntrackEntry } from '../../../netlink/conntrack-entry.ts';
import type { TravellingNeighbour } from '../../../netlink/neighbour-travel.ts';
import { formatEntries, formatNeighbours, formatWhole, IDLE_LINE, LIMITS } from './protocol.ts';
import { receiveFlows } from './receive.ts';
import { formatFlow, formatNeighbour, PORT_IP } from './testing/records.ts';

/** What a target has loaded and heard after a stream of these pieces, and how it ended. */
async function receive(pieces: Iterable<string | Buffer>, onLoad: () => Promise<void> = async () => undefined) {
  const loaded: ConntrackEntry[] = [];
  const wholes: boolean[] = [];
  const told: (readonly TravellingNeighbour[])[] = [];
  const error: unknown = await receiveFlows({
    chunks: Readable.from([...pieces].map((piece) => Buffer.from(piece))),
    ips: [PORT_IP],
    load: async (entries) => {
      loaded.push(...entries);
      await onLoad();
    },
    onNeighbours: (neighbours) => told.push(neighbours),
    onWhole: (complete) => wholes.push(complete),
    clock: createFakeClock(),
  }).catch((thrown: unknown) => thrown);
  return { loaded, wholes, told, error };
}

describe('the target', () => {
  it('loads what it is told, and hears when that was all', async () => {
    const { loaded, wholes, error } = await receive([
      ...formatEntries([formatFlow(1), formatFlow(2)]),
      formatWhole(true),
    ]);
    expect(loaded).toEqual([formatFlow(1), formatFlow(2)]);
    expect(wholes).toEqual([true]);
    expect(error).toMatchObject({ problem: 'closed' });
  });

  it('however the stream is cut', async () => {
    const bytes = Buffer.from(`${formatEntries([formatFlow(1)])[0]}${IDLE_LINE}${formatWhole(false)}`);
    const pieces = Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));
    const { loaded, wholes } = await receive(pieces);
    expect(loaded).toEqual([formatFlow(1)]);
    expect(wholes).toEqual([false]);
  });

  it('hears whom the source knows, each time it is told', async () => {
    const lines = [[formatNeighbour()], []].map(formatNeighbours);
    const { told, loaded } = await receive([lines[0] ?? '', ...formatEntries([formatFlow(1)]), lines[1] ?? '']);
    expect(told).toEqual([[formatNeighbour()], []]);
    expect(loaded).toHaveLength(1);
  });

  it('does not load a line without its end', async () => {
    const line = formatEntries([formatFlow(1)])[0] ?? '';
    expect((await receive([line.slice(0, -1)])).loaded).toEqual([]);
  });

  it('loads no flow of another address', async () => {
    const reply = { ...formatFlow(1).reply, destination: '10.16.0.99' };
    const { loaded } = await receive(formatEntries([formatFlow(1, { reply }), formatFlow(2)]));
    expect(loaded).toEqual([formatFlow(2)]);
  });

  it.each([
    ['a line that never ends', ['x'.repeat(LIMITS.lineBytes + 1)]],
    ['a line that is too long', [`"${'x'.repeat(LIMITS.lineBytes)}"\n`]],
    ['no JSON', ['hello\n']],
    ['too many bytes', Array.from({ length: 70 }, () => `{"x":"${'x'.repeat(2 ** 19)}"}\n`)],
  ])('ends a session with %s', async (_cause, pieces) => {
    const { error } = await receive([...formatEntries([formatFlow(1)]), ...pieces]);
    expect(error).toMatchObject({ name: 'CarryError', problem: 'protocol' });
  });

  it('ends with the error of loading', async () => {
    const { error } = await receive(formatEntries([formatFlow(1)]), async () =>
      Promise.reject(new Error('netns gone')),
    );
    expect(error).toMatchObject({ message: 'netns gone' });
  });

  it('calls a stream that breaks closed', async () => {
    const chunks = (async function* () {
      yield Buffer.from(formatEntries([formatFlow(1)])[0] ?? '');
      throw new Error('ECONNRESET');
    })();
    const options = {
      chunks,
      ips: [PORT_IP],
      load: async () => undefined,
      onNeighbours: () => undefined,
      onWhole: () => undefined,
    };
    await expect(receiveFlows({ ...options, clock: createFakeClock() })).rejects.toMatchObject({ problem: 'closed' });
  });
});
