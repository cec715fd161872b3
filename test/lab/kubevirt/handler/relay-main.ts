import { connect, createServer, type Server, type Socket } from 'node:net';

/**
 * Carries one migration stream between a launcher's unix socket and the node's address on the migration network, as
 * virt-handler's proxies do. Runs in the node's network namespace.
 *   relay-main.ts listen ADDRESS SOCKET    takes one TCP connection, prints its port first
 *   relay-main.ts dial SOCKET ADDRESS PORT takes one connection on the unix socket
 */
const LIMIT_MS = 600_000;

function pair(a: Socket, b: Socket): void {
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    from.setNoDelay?.(true);
    from.pipe(to);
    from.on('error', () => to.destroy());
    from.on('close', () => to.destroy());
  }
}

function serveOnce(server: Server, open: () => Socket): void {
  server.once('connection', (socket) => {
    server.close();
    pair(socket, open());
  });
  setTimeout(() => process.exit(1), LIMIT_MS).unref();
}

const [mode, ...rest] = process.argv.slice(2);
const server = createServer();
if (mode === 'listen') {
  const [address = '', socket = ''] = rest;
  serveOnce(server, () => connect(socket));
  server.listen(0, address, () => {
    const bound = server.address();
    console.log(typeof bound === 'object' && bound !== null ? bound.port : '');
  });
} else {
  const [socket = '', address = '', port = ''] = rest;
  serveOnce(server, () => connect(Number(port), address));
  server.listen(socket, () => console.log('ready'));
}
