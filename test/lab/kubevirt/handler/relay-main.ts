import { connect, createServer, type Server, type Socket } from 'node:net';
import { findStartTime } from '../../process.ts';

/**
 * Carries one migration stream between a launcher's unix socket and another virt-handler, as virt-handler's proxies do.
 * Runs in the virt-handler pod's network namespace and ends with the pod's process PID (started at START).
 *   relay-main.ts PID START listen ADDRESS SOCKET    takes one TCP connection, prints its port first
 *   relay-main.ts PID START dial SOCKET ADDRESS PORT takes one connection on the unix socket
 */
const LIMIT_MS = 600_000;
/** A pod's links go soon after its process: the peer has to hear the end of the stream before that. */
const WATCH_MS = 50;

/** What one side has sent before it closes still reaches the other. */
function pair(a: Socket, b: Socket): void {
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    from.setNoDelay?.(true);
    from.pipe(to);
    from.on('error', () => to.destroy());
    from.on('close', (failed) => (failed ? to.destroy() : to.end()));
  }
}

function serveOnce(server: Server, open: () => Socket): void {
  server.once('connection', (socket) => {
    server.close();
    pair(socket, open());
  });
  setTimeout(() => process.exit(1), LIMIT_MS).unref();
}

function endWith(pid: number, start: string): void {
  setInterval(() => findStartTime(pid) === start || process.exit(1), WATCH_MS).unref();
}

const [pid = '', start = '', mode, ...rest] = process.argv.slice(2);
const server = createServer();
endWith(Number(pid), start);
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
