import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type ConntrackEntry,
  formatConntrackKey,
  formatConntrackState,
  isSameFlow,
  parseConntrackEntry,
  planTravel,
} from './conntrack-entry.ts';
import { anyEntry } from './testing-conntrack.ts';

const TCP: ConntrackEntry = {
  family: 4,
  protocol: 6,
  original: { source: '10.0.2.2', destination: '10.16.0.9', sourcePort: 40000, destinationPort: 80 },
  reply: { source: '10.16.0.9', destination: '10.16.0.5', sourcePort: 80, destinationPort: 1025 },
  status: 0xe,
  timeoutSeconds: 300,
  mark: 7,
  tcp: { state: 3, windowScaleOriginal: 7, windowScaleReply: 9, flagsOriginal: 3, flagsReply: 3 },
};
const ECHO: ConntrackEntry = {
  family: 6,
  protocol: 58,
  original: { source: 'fd10:0:2::2', destination: 'fd00:10::9', icmp: { type: 128, code: 0, id: 77 } },
  reply: { source: 'fd00:10::9', destination: 'fd00:10::5', icmp: { type: 129, code: 0, id: 77 } },
  status: 0x8,
  timeoutSeconds: 30,
};

const tcp = (change: Record<string, unknown>) => ({ ...TCP, tcp: { ...TCP.tcp, ...change } });
const original = (change: Record<string, unknown>) => ({ ...TCP, original: { ...TCP.original, ...change } });

describe('what a peer may send', () => {
  test.each([TCP, ECHO])('an entry as we write it is read as it is', (entry) => {
    expect(parseConntrackEntry(JSON.parse(JSON.stringify(entry)))).toEqual(entry);
  });

  test('every entry that travels is read as it is', () => {
    fc.assert(
      fc.property(anyEntry, (entry) => {
        expect(parseConntrackEntry(entry)).toEqual(entry);
      }),
    );
  });

  test('whatever else comes is refused with EBADMSG or becomes an entry that stays as it is', () => {
    const shapes = fc.oneof(fc.anything(), damage(anyEntry));
    fc.assert(
      fc.property(shapes, (value) => {
        const read = tryParse(value);
        if (read !== undefined) expect(parseConntrackEntry(read)).toEqual(read);
      }),
    );
  });

  test('fields that we do not know are left behind, those of the prototype too', () => {
    const sent = JSON.parse(JSON.stringify(TCP).replace('{', '{"__proto__":{"x":1},"constructor":1,"zone":3,'));
    expect(Object.keys(parseConntrackEntry(sent)).sort()).toEqual(Object.keys(TCP).sort());
  });

  test.each([
    ['nothing', undefined],
    ['a list', [TCP]],
    ['a family of five', { ...TCP, family: 5 }],
    ['an address of the other family', original({ source: 'fd00::1' })],
    ['a name in place of an address', original({ source: 'localhost' })],
    ['an address with a zone', { ...ECHO, original: { ...ECHO.original, source: 'fd00::1%eth0' } }],
    ['an address without an end', original({ source: '1'.repeat(1000) })],
    ['port 0', original({ sourcePort: 0 })],
    ['port 65536', original({ destinationPort: 65536 })],
    ['a port as text', original({ destinationPort: '80' })],
    ['half a port', original({ destinationPort: 80.5 })],
    ['no reply', { ...TCP, reply: undefined }],
    ['SCTP', { ...TCP, protocol: 132 }],
    ['ICMP of the other family', { ...ECHO, protocol: 1 }],
    ['an ICMP error', { ...ECHO, original: { ...ECHO.original, icmp: { type: 1, code: 0, id: 0 } } }],
    ['an answer that is no echo', { ...ECHO, reply: { ...ECHO.reply, icmp: { type: 128, code: 0, id: 77 } } }],
    ['TCP without its state', { ...TCP, tcp: undefined }],
    ['a TCP state that no kernel has', tcp({ state: 10 })],
    ['no TCP state at all', tcp({ state: 0 })],
    ['a window scale above RFC 7323', tcp({ windowScaleReply: 15 })],
    ['flags of two bytes', tcp({ flagsOriginal: 256 })],
    ['a timeout that is over', { ...TCP, timeoutSeconds: 0 }],
    ['a timeout without end', { ...TCP, timeoutSeconds: Number.POSITIVE_INFINITY }],
    ['a mark of more than 32 bits', { ...TCP, mark: 2 ** 32 }],
    ['a status below zero', { ...TCP, status: -1 }],
    ['loopback', original({ destination: '127.0.0.1' })],
    ['loopback, IPv6', { ...ECHO, original: { ...ECHO.original, source: '0:0:0:0:0:0:0:1' } }],
    ['the unspecified address', original({ source: '0.0.0.0' })],
    ['multicast', original({ destination: '224.0.0.251' })],
    ['broadcast', original({ destination: '255.255.255.255' })],
    ['multicast, IPv6', { ...ECHO, original: { ...ECHO.original, destination: 'ff02::1' } }],
    ['link-local, IPv6', { ...ECHO, original: { ...ECHO.original, destination: 'FE80::1' } }],
    ['the unspecified address, IPv6', { ...ECHO, reply: { ...ECHO.reply, destination: '::' } }],
  ])('%s is refused', (_cause, value) => {
    expect(() => parseConntrackEntry(value)).toThrow(expect.objectContaining({ code: 'EBADMSG', class: 'terminal' }));
  });

  test('status and flags are cut to what may travel', () => {
    const read = parseConntrackEntry({ ...tcp({ flagsOriginal: 0xff, flagsReply: 0x38 }), status: 0xffffffff });
    expect(read).toMatchObject({ status: 0xe, tcp: { flagsOriginal: 7, flagsReply: 0 } });
  });

  test.each([
    ['an established session', TCP, 432_000],
    ['a session that closes', { ...TCP, tcp: { ...TCP.tcp, state: 7 } }, 3_600],
    ['an echo', ECHO, 3_600],
  ])('%s lives no longer than a kernel would let it', (_what, entry, most) => {
    expect(parseConntrackEntry({ ...entry, timeoutSeconds: 0xffffffff }).timeoutSeconds).toBe(most);
  });

  test('addresses become canonical, so that one flow has one key', () => {
    const sent = { ...ECHO, original: { ...ECHO.original, source: 'FD10:0:2:0:0:0:0:2' } };
    expect(formatConntrackKey(parseConntrackEntry(sent))).toBe(formatConntrackKey(ECHO));
  });

  test('the metadata service on an IPv4 link-local address travels', () => {
    const sent = original({ destination: '169.254.169.254' });
    const reply = { ...TCP.reply, source: '169.254.169.254' };
    expect(parseConntrackEntry({ ...sent, reply }).original.destination).toBe('169.254.169.254');
  });
});

describe('what leaves the source', () => {
  test('what travels is read by the peer as it was sent', () => {
    const raw = anyEntry.map((entry) => ({ ...entry, status: entry.status | 0x1b0 }));
    fc.assert(
      fc.property(raw, (entry) => {
        const sent = planTravel(entry);
        expect(sent).toBeDefined();
        expect(parseConntrackEntry(sent)).toEqual(sent);
      }),
    );
  });

  test.each([
    ['is over', { ...TCP, timeoutSeconds: 0 }],
    ['has no TCP state any more', { ...TCP, tcp: { ...TCP.tcp, state: 0 } as ConntrackEntry['tcp'] }],
    ['is of this launcher alone', { ...TCP, original: { ...TCP.original, source: '127.0.0.1' } }],
  ] as [string, ConntrackEntry][])('an entry that %s stays', (_cause, entry) => {
    expect(planTravel(entry)).toBeUndefined();
  });
});

describe('telling flows apart', () => {
  test('a timeout that runs is no change', () => {
    expect(formatConntrackState({ ...TCP, timeoutSeconds: 1 })).toBe(formatConntrackState(TCP));
  });

  test.each([
    ['state', { ...TCP, tcp: { ...TCP.tcp, state: 4 } as NonNullable<ConntrackEntry['tcp']> }],
    ['status', { ...TCP, status: 8 }],
    ['mark', { ...TCP, mark: 8 }],
    ['translation', { ...TCP, reply: { ...TCP.reply, destinationPort: 1026 } }],
  ])('another %s is a change of the same flow', (_what, entry) => {
    expect(formatConntrackState(entry)).not.toBe(formatConntrackState(TCP));
    expect(formatConntrackKey(entry)).toBe(formatConntrackKey(TCP));
  });

  test('another translation is not the same flow to the kernel', () => {
    expect(isSameFlow(TCP, { ...TCP, status: 8, timeoutSeconds: 1 })).toBe(true);
    expect(isSameFlow(TCP, { ...TCP, reply: { ...TCP.reply, destinationPort: 1026 } })).toBe(false);
    expect(isSameFlow(TCP, { ...TCP, protocol: 17 })).toBe(false);
  });
});

function tryParse(value: unknown): ConntrackEntry | undefined {
  try {
    return parseConntrackEntry(value);
  } catch (error) {
    expect(error).toMatchObject({ code: 'EBADMSG' });
    return undefined;
  }
}

/** An entry with one field replaced by anything. */
function damage(entries: fc.Arbitrary<ConntrackEntry>): fc.Arbitrary<unknown> {
  const fields = ['family', 'protocol', 'original', 'reply', 'status', 'timeoutSeconds', 'mark', 'tcp'];
  return fc
    .tuple(entries, fc.constantFrom(...fields), fc.anything())
    .map(([entry, field, value]) => ({ ...entry, [field]: value }));
}
