import { createServer, Socket } from 'node:net';
import { AF } from './constants.ts';
import { NetlinkError } from './errors.ts';
import { parseIp } from './ip.ts';
import {
  bindSocket,
  closeFd,
  connectSocket,
  MSG_DONTWAIT,
  openSocket,
  receiveInto,
  SOCK_DGRAM,
  sendBytes,
} from './libc.ts';
import { type Netns, withNetns } from './netns.ts';
import { until } from './testing.ts';

/** One end of a session in a namespace; what it has heard, and the errno's name when its kernel gave the session up. */
export type Talker = { say: (text: string) => void; heard: () => string; failure: () => string | undefined };
export type Session = { guest: Talker; remote: Talker; close: () => void };
/** An address and a port; a socket in a namespace. */
export type Place = { netns: Netns; ip: string; port: number };

const SOCK_STREAM = 1;

/** struct sockaddr_in or sockaddr_in6. */
function formatSocketAddress(ip: string, port: number): Buffer {
  const { family, bytes } = parseIp(ip);
  const out = Buffer.alloc(family === AF.inet ? 16 : 28);
  out.writeUInt16LE(family, 0);
  out.writeUInt16BE(port, 2);
  bytes.copy(out, family === AF.inet ? 4 : 8);
  return out;
}

/** A TCP session from `client` to `dial` that ends at `server`. The kernels of both namespaces hold it. */
export async function openTcp(client: Netns, dial: { ip: string; port: number }, server: Place) {
  const accepted: Socket[] = [];
  const listener = createServer((socket) => accepted.push(socket));
  withNetns(server.netns, () => listener.listen(server.port));
  const fd = withNetns(client, () => openSocket(parseIp(dial.ip).family, SOCK_STREAM, 0));
  connectSocket(fd, formatSocketAddress(dial.ip, dial.port));
  const near = new Socket({ fd, readable: true, writable: true });
  const far = await until('the session accepted', () => accepted[0]);
  const close = () => {
    near.destroy();
    far.destroy();
    listener.close();
  };
  return { client: listenTo(near), server: listenTo(far), close };
}

function listenTo(socket: Socket): Talker {
  let heard = '';
  let failure: string | undefined;
  socket.on('data', (bytes) => {
    heard += bytes.toString();
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    failure = error.code;
  });
  socket.resume();
  return { say: (text) => socket.write(text), heard: () => heard, failure: () => failure };
}

/** A UDP session: each end is bound and connected, so that a refusal by ICMP reaches it. */
export function openUdp(one: Place & { peer: { ip: string; port: number } }): Talker & { close: () => void } {
  const fd = withNetns(one.netns, () => openSocket(parseIp(one.ip).family, SOCK_DGRAM, 0));
  bindSocket(fd, formatSocketAddress(one.ip, one.port));
  connectSocket(fd, formatSocketAddress(one.peer.ip, one.peer.port));
  let heard = '';
  let failure: string | undefined;
  const note = (action: () => void): void => {
    try {
      action();
    } catch (error) {
      if (!(error instanceof NetlinkError)) throw error;
      if (error.code !== 'EAGAIN') failure = error.code;
    }
  };
  const buffer = Buffer.alloc(2048);
  const take = () => {
    heard += buffer.toString('utf8', 0, receiveInto(fd, buffer, MSG_DONTWAIT));
  };
  return {
    say: (text) => note(() => sendBytes(fd, Buffer.from(text))),
    heard: () => {
      note(take);
      return heard;
    },
    failure: () => {
      note(take);
      return failure;
    },
    close: () => closeFd(fd),
  };
}
