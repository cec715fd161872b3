import { readFileSync } from 'node:fs';
import net from 'node:net';
import tls from 'node:tls';
import { ConnectionError, OvsdbError } from './errors.ts';

/** Key material as PEM text, for one connection attempt. */
export type TlsMaterial = {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
};

export type TlsOptions = {
  /** PEM texts, or a function asked anew at every connection, so that rotated files take effect on reconnect. */
  readonly material: TlsMaterial | (() => TlsMaterial | Promise<TlsMaterial>);
  /**
   * Whom to accept beyond "signed by our CA". Certificates made by ovs-pki(8) carry no subjectAltName, so the usual
   * host name check cannot work: `any` accepts every certificate of the CA, `{commonName}` also demands the subject,
   * `hostname` is the rule of RFC 6125.
   */
  readonly identity: 'any' | 'hostname' | { readonly commonName: string };
};

export type Remote =
  | { readonly scheme: 'unix'; readonly path: string }
  | { readonly scheme: 'tcp' | 'ssl'; readonly host: string; readonly port: number };

/** A connected byte stream. */
export type Connection = net.Socket;

/** Reads `unix:PATH`, `tcp:HOST:PORT` or `ssl:HOST:PORT` (ovsdb(7), IPv6 in brackets). Throws OvsdbError `bad-remote`. */
export function parseRemote(text: string): Remote {
  const colon = text.indexOf(':');
  const scheme = text.slice(0, colon);
  const rest = text.slice(colon + 1);
  if (scheme === 'unix' && rest !== '') return { scheme, path: rest };
  if (scheme === 'tcp' || scheme === 'ssl') return { scheme, ...parseEndpoint(rest) };
  throw new OvsdbError('bad-remote', 'terminal', `not a remote: ${text}`);
}

function parseEndpoint(text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+(?:%\w+)?)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port < 1 || port > 65535) {
    throw new OvsdbError('bad-remote', 'terminal', `not HOST:PORT: ${text}`);
  }
  return { host: match[1] ?? match[2] ?? '', port };
}

export type ConnectOptions = {
  readonly timeoutMs: number;
  /** Gives the attempt up. */
  readonly signal?: AbortSignal;
  /** Needed for `ssl` remotes. */
  readonly tls?: TlsOptions | undefined;
};

/** Connects. Throws ConnectionError, or OvsdbError `bad-remote` for an `ssl` remote without TLS options. */
export async function connect(remote: Remote, options: ConnectOptions): Promise<Connection> {
  if (remote.scheme !== 'ssl') {
    const socket = remote.scheme === 'unix' ? net.connect(remote.path) : net.connect(remote.port, remote.host);
    return await established(socket, 'connect', options);
  }
  if (options.tls === undefined) throw new OvsdbError('bad-remote', 'terminal', 'an ssl remote needs TLS options');
  return await established(await startTls(remote.host, remote.port, options.tls), 'secureConnect', options);
}

async function startTls(host: string, port: number, options: TlsOptions): Promise<tls.TLSSocket> {
  const material = typeof options.material === 'function' ? await options.material() : options.material;
  const { identity } = options;
  return tls.connect({
    ...material,
    host,
    port,
    minVersion: 'TLSv1.2',
    ...(net.isIP(host) === 0 ? { servername: host } : {}),
    ...(identity === 'hostname' ? {} : { checkServerIdentity: (_host, peer) => checkIdentity(peer, identity) }),
  });
}

function checkIdentity(
  peer: tls.PeerCertificate,
  identity: 'any' | { readonly commonName: string },
): Error | undefined {
  if (identity === 'any') return undefined;
  const name = peer.subject.CN;
  if (name === identity.commonName) return undefined;
  return new Error(`the server's certificate is for ${String(name)}, expected ${identity.commonName}`);
}

/** Reads the three PEM files anew at each call; give it as `material`. */
export function materialFromFiles(files: TlsMaterial): () => TlsMaterial {
  return () => ({
    ca: readFileSync(files.ca, 'utf8'),
    cert: readFileSync(files.cert, 'utf8'),
    key: readFileSync(files.key, 'utf8'),
  });
}

function established(
  socket: net.Socket,
  event: 'connect' | 'secureConnect',
  { timeoutMs, signal }: ConnectOptions,
): Promise<Connection> {
  const { promise, resolve, reject } = Promise.withResolvers<Connection>();
  const timeout = AbortSignal.timeout(timeoutMs);
  const giveUp = signal === undefined ? timeout : AbortSignal.any([timeout, signal]);
  const onAbort = (): void => fail(new Error(timeout.aborted ? `no connection within ${timeoutMs} ms` : 'given up'));
  const done = (): void => {
    giveUp.removeEventListener('abort', onAbort);
    socket.off('error', fail);
  };
  const fail = (cause: Error): void => {
    done();
    socket.on('error', () => undefined).destroy();
    reject(new ConnectionError(`cannot connect: ${cause.message}`, { cause }));
  };
  socket.once('error', fail);
  socket.once(event, () => {
    done();
    socket.setNoDelay(true);
    resolve(socket);
  });
  if (giveUp.aborted) onAbort();
  else giveUp.addEventListener('abort', onAbort, { once: true });
  return promise;
}
