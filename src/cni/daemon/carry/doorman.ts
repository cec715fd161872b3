import type { Socket } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import type { Clock } from '../../../kube/index.ts';
import { type Introduction, parseIntroduction } from './identity.ts';
import { LIMITS } from './protocol.ts';
import { isGenuine, TLS_OPTIONS } from './tls.ts';

/** Unfinished handshakes of one address at a time. */
const HANDSHAKES = 4;

export type DoormanOptions = {
  readonly clock: Clock;
  /** Does a port move to a node with this address? Everybody else is sent away before TLS costs anything. */
  isExpected(address: string): boolean;
  /** The key of whom somebody says to be; undefined for a stranger. */
  findPsk(introduction: Introduction): Buffer | undefined;
  /** Takes over a socket whose other end has proved that it has that key. */
  serve(introduction: Introduction, socket: TLSSocket): void;
  /** Somebody was sent away. */
  onRefused(address: string, why: string): void;
};

/** Between the plain connection and the one that has proved who it is. */
export type Doorman = {
  take(socket: Socket): void;
  /** Ends all connections, proved or not. */
  clear(): void;
};

export function createDoorman(options: DoormanOptions): Doorman {
  const { clock, isExpected, onRefused } = options;
  const sockets = new Set<Socket>();
  /** Connections that have proved nothing yet, by both ends' names for them, with what ends their time. */
  const unproved = new Map<string, { address: string; settle: () => void }>();
  const tls = createTls(options, (socket) => unproved.get(formatRemote(socket))?.settle());
  return {
    take: (socket) => {
      const address = socket.remoteAddress ?? '';
      const waiting = [...unproved.values()].filter((other) => other.address === address).length;
      if (!isExpected(address) || waiting >= HANDSHAKES) {
        onRefused(address, waiting >= HANDSHAKES ? 'too many handshakes at a time' : 'no port moves there');
        socket.destroy();
        return;
      }
      const remote = formatRemote(socket);
      // The handshake's own timeout begins anew with every byte; this one does not.
      const timer = clock.schedule(LIMITS.handshakeMs, () => socket.destroy());
      const settle = () => {
        timer.cancel();
        unproved.delete(remote);
      };
      unproved.set(remote, { address, settle });
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => {
        sockets.delete(socket);
        settle();
      });
      tls.emit('connection', socket);
    },
    clear: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
}

function formatRemote(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}

function createTls({ findPsk, serve, onRefused }: DoormanOptions, onProved: (socket: TLSSocket) => void) {
  const introductions = new WeakMap<TLSSocket, Introduction>();
  const tls = createServer({
    ...TLS_OPTIONS,
    handshakeTimeout: LIMITS.handshakeMs,
    pskCallback: (socket, identity) => {
      const introduction = parseIntroduction(identity);
      // Once for each connection: what is served is what was proved.
      if (introduction === undefined || introductions.has(socket)) return null;
      introductions.set(socket, introduction);
      return findPsk(introduction) ?? null;
    },
  });
  tls.on('tlsClientError', (error, socket) => {
    onRefused(socket.remoteAddress ?? '', error.message);
    socket.destroy();
  });
  tls.on('secureConnection', (socket) => {
    onProved(socket);
    const introduction = introductions.get(socket);
    socket.on('error', () => undefined);
    if (introduction === undefined || !isGenuine(socket)) socket.destroy();
    else serve(introduction, socket);
  });
  return tls;
}
