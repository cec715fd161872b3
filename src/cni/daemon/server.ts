import { chmod, mkdir, rm } from 'node:fs/promises';
import { createServer, type Server as NetServer, type Socket } from 'node:net';
import { dirname } from 'node:path';
import type { Clock, Logger } from '../../kube/index.ts';
import {
  createRequestReader,
  formatAnswer,
  LIMITS,
  type WireAnswer,
  WireError,
  type WireRequest,
} from '../protocol.ts';

export type ServerOptions = {
  readonly path: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Answers one call; `caller` aborts when the shim has gone away. Must not throw. */
  readonly answer: (request: WireRequest, caller: AbortSignal) => Promise<WireAnswer>;
  /** Answers what is no request of ours. */
  readonly refuse: (error: WireError) => WireAnswer;
  /** Connections at a time; more wait in the kernel's queue (256). */
  readonly maxConnections?: number;
};

export type Server = { start(): Promise<void>; stop(): Promise<void> };

/**
 * The agent's end of the wire. The fence is the folder: mode 0700 and root's, as Node cannot ask the kernel for the peer's
 * credentials (SO_PEERCRED); the socket itself is 0600. Never an abstract socket, which would have no fence at all.
 */
export function createCniServer(options: ServerOptions): Server {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: false }, (socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    serve(options, socket);
  });
  server.maxConnections = options.maxConnections ?? 256;
  return {
    start: async () => {
      const folder = dirname(options.path);
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await chmod(folder, 0o700);
      await rm(options.path, { force: true });
      await listen(server, options.path);
      await chmod(options.path, 0o600);
    },
    stop: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}

function listen(server: NetServer, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function serve(options: ServerOptions, socket: Socket): void {
  const { clock, log } = options;
  const reader = createRequestReader();
  const caller = new AbortController();
  const slow = clock.schedule(LIMITS.readMs, () => fail(new WireError('Malformed', 'the request is too slow')));
  let whole = false;
  const finish = (answer: WireAnswer) => {
    slow.cancel();
    if (!socket.destroyed) socket.end(formatAnswer(answer));
  };
  const fail = (error: unknown) => {
    if (whole) return;
    whole = true;
    const problem = error instanceof WireError ? error : new WireError('Malformed', String(error));
    log.warn({ err: problem }, 'a call was refused');
    finish(options.refuse(problem));
  };
  socket.on('data', (chunk) => {
    if (whole) return;
    try {
      const request = reader.push(Buffer.from(chunk));
      if (request === undefined) return;
      whole = true;
      slow.cancel();
      void options.answer(request, caller.signal).then(finish);
    } catch (error) {
      fail(error);
    }
  });
  socket.on('error', (error) => log.debug({ err: error }, 'a caller has gone away'));
  socket.on('close', () => {
    slow.cancel();
    caller.abort(new Error('the caller has gone away'));
  });
}
