import { once } from 'node:events';
import { connect as connectPlain, type Socket } from 'node:net';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LogicalPort } from '../../../api/types.gen.ts';
import { eventually } from '../../../kube/testing/eventually.ts';
import { createFakeClock, type FakeClock } from '../../../kube/testing/fake-clock.ts';
import type { Job } from '../../../netlink/jobs.ts';
import type { Links } from '../context.ts';
import { createIdentity, formatIntroduction, type Identity } from './identity.ts';
import { LIMITS } from './protocol.ts';
import { publish } from './published.ts';
import { formatAttachment, formatFlow, formatJournal, formatPort } from './testing/records.ts';
import { type CarryNode, type CarryWorld, startCarryWorld } from './testing/world.ts';
import { TLS_OPTIONS } from './tls.ts';

/** A source with a table of one flow, on a clock that stands; everybody else is made by hand here. */
const TABLE = { entries: [formatFlow(1234)], truncated: false };
const ANSWERS: Readonly<Partial<Record<Job['kind'], unknown>>> = {
  dumpConntrack: TABLE,
  dumpNeighbours: { neighbours: [] },
  watchConntrack: { watch: 1 },
  readConntrackChanges: { entries: [], lost: false },
  endConntrackWatch: { ended: true },
};
const links: Links = { run: async (job: Job) => ANSWERS[job.kind] as never };
const SIGNAL = new AbortController().signal;

type Stranger = { readonly identity: Identity; readonly address: string };

let world: CarryWorld;
let clock: FakeClock;
let a: CarryNode;
let sourceKey: string;
let target: Stranger;
let third: Stranger;
let sockets: Socket[];
beforeEach(async () => {
  world = await startCarryWorld();
  clock = createFakeClock();
  sockets = [];
  a = await world.startNode('a', { links, journal: [formatJournal('s', '/run/netns/s')], clock });
  const lease = world.api.storage.get('coordination.k8s.io/v1/leases', 'mooring-system/node.a');
  sourceKey = lease.metadata.annotations?.['mooring.dev/agent-key'] ?? '';
  target = await appear('b', 2);
  third = await appear('c', 3);
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await world.stop();
});

/** An agent that is only its Lease. */
async function appear(name: string, host: number): Promise<Stranger> {
  const identity = createIdentity();
  const address = a.address.replace(/\d+$/, String(host));
  await publish(world.registry, name, { key: identity.publicKey, address }, SIGNAL);
  return { identity, address };
}

const subjectOf = (portUid: string, podUid = 't', node = 'b') => ({ portUid, podUid, source: 'a', target: node });

/** What somebody gets: the first bytes, or how it ended. */
type Answer = { readonly socket: Socket; readonly text: Promise<string>; readonly ended: Promise<string> };

function observe(socket: Socket): Answer {
  sockets.push(socket);
  const ended = Promise.withResolvers<string>();
  const text = Promise.withResolvers<string>();
  text.promise.catch(() => undefined);
  let code = 'closed';
  socket.once('data', (bytes) => text.resolve(String(bytes)));
  socket.on('error', (error: NodeJS.ErrnoException) => {
    code = error.code ?? error.message;
  });
  socket.once('close', () => {
    ended.resolve(code);
    text.reject(new Error(code));
  });
  return { socket, text: text.promise, ended: ended.promise };
}

type Ask = { readonly as: Stranger; readonly psk: Buffer | undefined; readonly introduction: string };

/** A connection to the source with this key and introduction. */
function ask({ as, psk = Buffer.alloc(32), introduction }: Ask, options: ConnectionOptions = {}): Answer {
  const socket = connect({
    ...TLS_OPTIONS,
    ...{ host: a.address, port: world.port, localAddress: as.address },
    checkServerIdentity: () => undefined,
    pskCallback: () => ({ psk, identity: introduction }),
    ...options,
  });
  return observe(socket);
}

/** What the true target of a port would say. */
function credentials(portUid: string, podUid = 't'): Ask {
  const subject = subjectOf(portUid, podUid);
  const keys = { source: sourceKey, target: target.identity.publicKey };
  const psk = target.identity.derivePsk(subject, 'target', sourceKey);
  return { as: target, psk, introduction: formatIntroduction(subject, keys) };
}

/** Moves these ports, and waits until the source knows their target. */
async function move(...ports: LogicalPort[]): Promise<void> {
  a.show(...ports);
  for (const { metadata } of ports) {
    for (let known = false; !known; ) {
      const answer = ask(credentials(metadata.uid ?? ''));
      known = await answer.text.then(
        () => true,
        () => false,
      );
      answer.socket.destroy();
      await answer.ended;
    }
  }
}

describe('the true target', () => {
  test('gets the table, once it is the target and not before or after', async () => {
    await expect(ask(credentials('p1')).text).rejects.toThrow();
    await move(formatPort('p1'));
    const served = ask(credentials('p1'));
    expect(await served.text).toContain('"sourcePort":1234');
    a.show(formatPort('p1', { attachments: [formatAttachment('t', 'b', 'Source')] }));
    await served.ended;
    await expect(ask(credentials('p1')).text).rejects.toThrow();
  });

  test('that comes again ends its earlier session', async () => {
    await move(formatPort('p1'));
    const first = ask(credentials('p1'));
    await first.text;
    const second = ask(credentials('p1'));
    expect(await second.text).toContain('entries');
    await first.ended;
    expect(second.socket.destroyed).toBe(false);
  });

  test('that says anything at all is cut off', async () => {
    await move(formatPort('p1'));
    const talker = ask(credentials('p1'));
    await talker.text;
    talker.socket.write('{}\n');
    await talker.ended;
  });

  test('that takes nothing stops the reading, not the agent', async () => {
    await move(formatPort('p1'));
    const mute = ask(credentials('p1'));
    await mute.text;
    mute.socket.pause();
    expect(await ask(credentials('p1')).text).toContain('entries');
  });
});

describe('a source sends away', () => {
  beforeEach(() => move(formatPort('p1'), formatPort('p2')));

  test('an address that no port moves to, before TLS', async () => {
    const answer = observe(connectPlain({ host: a.address, port: world.port, localAddress: third.address }));
    answer.socket.write('hello');
    await answer.ended;
    expect(answer.socket.bytesRead).toBe(0);
    expect(a.metrics).toContain('carry_failures source refused');
  });

  const wrong: [string, () => Ask][] = [
    ['a wrong key', () => ({ ...credentials('p1'), psk: Buffer.alloc(32, 7) })],
    [
      "a third node's key from the target's address",
      () => ({ ...credentials('p1'), psk: third.identity.derivePsk(subjectOf('p1'), 'target', sourceKey) }),
    ],
    [
      'a third node in its own name',
      () => {
        const subject = subjectOf('p1', 't', 'c');
        const keys = { source: sourceKey, target: third.identity.publicKey };
        const psk = third.identity.derivePsk(subject, 'target', sourceKey);
        return { as: target, psk, introduction: formatIntroduction(subject, keys) };
      },
    ],
    [
      'the key of one port with the name of another',
      () => ({ ...credentials('p1'), introduction: credentials('p2').introduction }),
    ],
    ['the name of one port with the key of another', () => ({ ...credentials('p1'), psk: credentials('p2').psk })],
    ['a port that does not move', () => credentials('p3')],
    ['another launcher of the target node', () => credentials('p1', 'other')],
    ['an introduction that is none', () => ({ ...credentials('p1'), introduction: 'mooring-carry/1 p1' })],
    ['an empty introduction', () => ({ ...credentials('p1'), introduction: '' })],
  ];
  test.each(wrong)('%s', async (_cause, make) => {
    await expect(ask(make()).text).rejects.toThrow(/ERR_SSL|ECONNRESET|closed/);
  });

  test.each<[string, ConnectionOptions]>([
    ['TLS 1.3', { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3' }],
    ['a cipher without Diffie-Hellman', { ciphers: 'PSK-CHACHA20-POLY1305' }],
    ['a cipher that is no AEAD', { ciphers: 'ECDHE-PSK-AES256-CBC-SHA384' }],
    ['certificates in place of a key', { ciphers: 'ECDHE-RSA-AES128-GCM-SHA256', rejectUnauthorized: false }],
    ['no secret at all', { ciphers: 'aNULL:@SECLEVEL=0', rejectUnauthorized: false }],
  ])('%s', async (_cause, options) => {
    await expect(ask(credentials('p1'), options).text).rejects.toThrow(/ERR_SSL|ECONNRESET|closed/);
  });

  test.each([
    ['HTTP', 'GET / HTTP/1.1\r\nhost: x\r\n\r\n'],
    ['noise', '\u0000\u0001\u0002'.repeat(100)],
    ['a record that is too long', '\u0016\u0003\u0001\u00ff\u00ff'],
  ])('plain TCP with %s', async (_cause, text) => {
    const answer = observe(connectPlain({ host: a.address, port: world.port, localAddress: target.address }));
    answer.socket.write(text, 'latin1');
    await eventually('its time', () => clock.pending().length > 0);
    clock.advance(LIMITS.handshakeMs);
    await answer.ended;
  });

  test('one that takes its time, byte by byte', async () => {
    const answer = observe(connectPlain({ host: a.address, port: world.port, localAddress: target.address }));
    await eventually('its time', () => clock.pending().includes(LIMITS.handshakeMs));
    for (const byte of ['\u0016', '\u0003', '\u0001', '\u0001']) answer.socket.write(byte, 'latin1');
    clock.advance(LIMITS.handshakeMs - 1);
    expect(answer.socket.destroyed).toBe(false);
    clock.advance(1);
    await answer.ended;
  });

  test('a fifth handshake of one address, and takes the next one when the four have ended', async () => {
    const open = () => observe(connectPlain({ host: a.address, port: world.port, localAddress: target.address }));
    const four = Array.from({ length: 4 }, open);
    await eventually('four', () => clock.pending().filter((ms) => ms === LIMITS.handshakeMs).length === 4);
    await open().ended;
    for (const { socket } of four) socket.destroy();
    await eventually('none', () => !clock.pending().includes(LIMITS.handshakeMs));
    expect(await ask(credentials('p1')).text).toContain('entries');
  });

  test('a session that is taken up again instead of proved anew', async () => {
    const first = ask(credentials('p1'));
    await first.text;
    const session = (first.socket as TLSSocket).getSession();
    first.socket.destroy();
    const again = ask({ ...credentials('p2'), psk: Buffer.alloc(32, 7) }, { session });
    await expect(again.text).rejects.toThrow(/ERR_SSL|ECONNRESET|closed/);
  });

  test('a session that wants to become another one', async () => {
    const { socket, text } = ask(credentials('p1'), { secureOptions: 0 });
    await text;
    const refused = once(socket, 'error').catch((error: unknown) => [error]);
    (socket as TLSSocket).renegotiate({ rejectUnauthorized: false }, () => undefined);
    expect(await refused).toMatchObject([{ code: 'ERR_SSL_NO_RENEGOTIATION' }]);
  });
});

describe('many ports', () => {
  test('are served sixteen at a time; the next one gets its turn when one has ended', async () => {
    const names = Array.from({ length: LIMITS.sessions + 1 }, (_, index) => `q${index + 10}`);
    const ports = names.map((uid) => formatPort(uid));
    await move(...ports);
    const served = names.slice(0, LIMITS.sessions).map((uid) => ask(credentials(uid)));
    for (const { text } of served) expect(await text).toContain('entries');
    const last = credentials(names.at(-1) ?? '');
    await expect(ask(last).text).rejects.toThrow();
    served[0]?.socket.destroy();
    await eventually(
      'the end of one',
      () => a.metrics.filter((name) => name === 'carry_sessions source ended').length > names.length,
    );
    expect(await ask(last).text).toContain('entries');
  });
});
