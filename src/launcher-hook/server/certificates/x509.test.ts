import { createPrivateKey, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { createAuthority, createServing, type KeyPair } from './x509.ts';

const NAME = 'mooring-hook.mooring-system.svc';
const HOUR = 3_600_000;
const wish = (commonName: string, from = -HOUR, to = HOUR) => ({
  commonName,
  notBefore: new Date(Date.now() + from),
  notAfter: new Date(Date.now() + to),
  serial: new Uint8Array(16).fill(0xff),
});

/** What a client that trusts only `ca` says of a server with this certificate. */
async function shake(serving: KeyPair, ca: string, servername = NAME): Promise<string> {
  const server = createServer(serving).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const socket: TLSSocket = connect({ port, host: '127.0.0.1', ca, servername });
  try {
    await once(socket, 'secureConnect');
    return 'trusted';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  } finally {
    socket.destroy();
    server.close();
  }
}

describe('an authority', () => {
  const authority = createAuthority(wish('one'));
  const parsed = new X509Certificate(authority.cert);

  it('is one, signed by its own key, for the time that was asked for', () => {
    expect(parsed.ca).toBe(true);
    expect(parsed.verify(parsed.publicKey)).toBe(true);
    expect(parsed.subject).toBe('CN=one');
    expect(parsed.checkPrivateKey(createPrivateKey(authority.key))).toBe(true);
    expect(Math.abs(parsed.validToDate.getTime() - (Date.now() + HOUR))).toBeLessThan(60_000);
  });

  it('has a positive serial number, whatever the random bytes', () => {
    expect(parsed.serialNumber).toMatch(/^7F(FF){15}$/);
  });

  it('keeps its time beyond 2049, where the encoding changes', () => {
    const late = createAuthority({ ...wish('late'), notAfter: new Date('2061-02-03T04:05:06Z') });
    expect(new X509Certificate(late.cert).validToDate.toISOString()).toBe('2061-02-03T04:05:06.000Z');
  });
});

describe('a serving certificate', () => {
  const authority = createAuthority(wish('one'));
  const serving = createServing(wish('server'), [NAME, 'other.example'], authority);

  it('names its hosts and its issuer, and is no authority', () => {
    const parsed = new X509Certificate(serving.cert);
    expect(parsed.subjectAltName).toBe(`DNS:${NAME}, DNS:other.example`);
    expect(parsed.checkIssued(new X509Certificate(authority.cert))).toBe(true);
    expect(parsed.ca).toBe(false);
    expect(parsed.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
  });

  it('is trusted by who trusts its authority, also beside another one of the same name', async () => {
    const namesake = createAuthority(wish('one'));
    expect(await shake(serving, authority.cert)).toBe('trusted');
    expect(await shake(serving, namesake.cert + authority.cert)).toBe('trusted');
  });

  it.each([
    ['who trusts only another authority', () => shake(serving, createAuthority(wish('one')).cert)],
    ['who asked for another name', () => shake(serving, authority.cert, 'elsewhere.example')],
    ['anybody after its end', () => shake(createServing(wish('s', -2, -1), [NAME], authority), authority.cert)],
  ])('is refused by %s', async (_cause, ask) => {
    expect(await ask()).not.toBe('trusted');
  });
});
