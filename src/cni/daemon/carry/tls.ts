import { constants } from 'node:crypto';
import { connect, type TLSSocket } from 'node:tls';
import type { Clock } from '../../../kube/index.ts';
import { CarryError, type CarryProblem } from './errors.ts';
import { LIMITS } from './protocol.ts';

const CIPHER = 'ECDHE-PSK-CHACHA20-POLY1305';

/**
 * TLS 1.2 with a pre-shared key and ephemeral Diffie-Hellman (RFC 8442 family, RFC 7905 cipher), and nothing beside it: whoever
 * has not the key of this very subject cannot finish the handshake, on either side. No tickets and no renegotiation, by
 * which a session for one port could be taken up again, or go on, for another.
 */
export const TLS_OPTIONS = {
  ciphers: CIPHER,
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.2',
  ecdhCurve: 'X25519',
  secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_COMPRESSION,
} as const;

/** Whether a finished handshake was what we ask for. The options leave nothing else; this says it where it matters. */
export function isGenuine(socket: TLSSocket): boolean {
  return socket.getCipher()?.name === CIPHER && socket.getProtocol() === 'TLSv1.2' && !socket.isSessionReused();
}

export type Call = {
  readonly address: string;
  readonly port: number;
  /** The own node's, by which the source knows the target before TLS begins. */
  readonly localAddress: string;
  readonly psk: Buffer;
  readonly introduction: string;
};

/** Connects to a source. Rejects with CarryError `unreachable` or `refused`, or the signal's reason. */
export function callSource(call: Call, clock: Clock, signal: AbortSignal): Promise<TLSSocket> {
  const { address: host, port, localAddress, psk, introduction: identity } = call;
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const socket = connect({
      ...TLS_OPTIONS,
      ...{ host, port, localAddress },
      pskCallback: () => ({ psk, identity }),
      // A key that only the two of them can have says who it is; there is no certificate that could bear a name.
      checkServerIdentity: () => undefined,
    });
    const fail = (error: unknown) => {
      settle();
      socket.destroy();
      reject(error);
    };
    const onAbort = () => fail(signal.reason);
    const onError = (error: NodeJS.ErrnoException) => fail(describe(error, call));
    const onClose = () => fail(describe({ code: 'ECONNRESET', message: 'closed' }, call));
    const timer = clock.schedule(LIMITS.handshakeMs, () =>
      fail(describe({ code: 'ETIMEDOUT', message: 'no answer' }, call)),
    );
    const settle = () => {
      timer.cancel();
      signal.removeEventListener('abort', onAbort);
      socket.off('close', onClose);
      // An error that comes later ends the stream; nobody may have to listen for it.
      socket.off('error', onError).on('error', () => undefined);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('error', onError).once('close', onClose);
    socket.once('secureConnect', () => {
      if (!isGenuine(socket)) return fail(describe({ code: 'ERR_SSL', message: 'another kind of session' }, call));
      settle();
      resolve(socket);
    });
  });
}

function describe(
  { code = '', message }: { code?: string | undefined; message: string },
  { address, port }: Call,
): CarryError {
  const problem: CarryProblem = code.startsWith('ERR_SSL') || code === 'ECONNRESET' ? 'refused' : 'unreachable';
  const words = message.split(':').slice(-2).join(':').trim();
  return new CarryError(problem, `the agent at ${address} port ${port}: ${code || 'failed'}: ${words}`);
}
