import fc from 'fast-check';
import type { ConntrackEntry, ConntrackTuple } from './conntrack-entry.ts';
import { formatIp } from './ip.ts';

/** Arbitrary flows that may travel, as `parseConntrackEntry` gives them, for property tests. */

const port = fc.integer({ min: 1, max: 65535 });
const unicast4 = fc
  .tuple(fc.integer({ min: 1, max: 223 }), fc.uint8Array({ minLength: 3, maxLength: 3 }))
  .filter(([first]) => first !== 127)
  .map(([first, rest]) => formatIp(Uint8Array.from([first, ...rest])));
const unicast6 = fc
  .tuple(fc.integer({ min: 0x20, max: 0xfd }), fc.uint8Array({ minLength: 15, maxLength: 15 }))
  .map(([first, rest]) => formatIp(Uint8Array.from([first, ...rest])));

type Shape = { family: 4 | 6; protocol: number };

function tuple({ family, protocol }: Shape, reply: boolean): fc.Arbitrary<ConntrackTuple> {
  const address = family === 4 ? unicast4 : unicast6;
  const addresses = { source: address, destination: address };
  if (protocol === 6 || protocol === 17) return fc.record({ ...addresses, sourcePort: port, destinationPort: port });
  const type = family === 4 ? (reply ? 0 : 8) : reply ? 129 : 128;
  const id = fc.integer({ min: 0, max: 65535 });
  return fc.record({ ...addresses, icmp: id.map((value) => ({ type, code: 0, id: value })) });
}

const flags = fc.integer({ min: 0, max: 7 });
const scale = fc.integer({ min: 0, max: 14 });
const tcp = fc.record({
  state: fc.integer({ min: 1, max: 9 }),
  windowScaleOriginal: scale,
  windowScaleReply: scale,
  flagsOriginal: flags,
  flagsReply: flags,
});

const shapes: Shape[] = [
  { family: 4, protocol: 6 },
  { family: 4, protocol: 17 },
  { family: 4, protocol: 1 },
  { family: 6, protocol: 6 },
  { family: 6, protocol: 17 },
  { family: 6, protocol: 58 },
];

export const anyEntry: fc.Arbitrary<ConntrackEntry> = fc.constantFrom(...shapes).chain((shape) => {
  const common = {
    family: fc.constant(shape.family),
    protocol: fc.constant(shape.protocol),
    original: tuple(shape, false),
    reply: tuple(shape, true),
    status: fc.constantFrom(0, 0x2, 0x8, 0xa, 0xe),
    timeoutSeconds: fc.integer({ min: 1, max: 3600 }),
  };
  const mark = fc.integer({ min: 1, max: 0xffffffff });
  const bare = shape.protocol === 6 ? fc.record({ ...common, tcp }) : fc.record(common);
  return fc.oneof(
    bare,
    fc.tuple(bare, mark).map(([entry, value]) => ({ ...entry, mark: value })),
  );
});
