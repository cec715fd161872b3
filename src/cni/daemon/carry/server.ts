import { createServer, type Server } from 'node:net';
import { createDoorman, type DoormanOptions } from './doorman.ts';

export type CarryServer = {
  /** Listens at this address, and no longer at an earlier one. Rejects with the system's error. */
  ensure(address: string): Promise<void>;
  /** Stops listening and ends every connection. */
  close(): Promise<void>;
};

/** The source's listening socket. */
export function createCarryServer(port: number, options: DoormanOptions): CarryServer {
  const doorman = createDoorman(options);
  let listening: { server: Server; address: string } | undefined;
  const close = async () => {
    const server = listening?.server;
    listening = undefined;
    const closed = server === undefined ? undefined : new Promise<void>((done) => server.close(() => done()));
    doorman.clear();
    await closed;
  };
  return {
    ensure: async (address) => {
      if (listening?.address === address) return;
      await close();
      const server = createServer(doorman.take);
      await listen(server, port, address);
      listening = { server, address };
    },
    close,
  };
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host }, () => {
      server.off('error', reject);
      // A connection that cannot be accepted (no descriptors left) is the caller's to try again.
      server.on('error', () => undefined);
      resolve();
    });
  });
}
