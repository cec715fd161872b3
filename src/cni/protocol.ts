/**
 * The wire between the shim and the agent: one request and one answer per connection.
 *
 * Request: `MOORING_SHIM=<version>`, `MOORING_STDIN=<bytes>`, then the CNI variables, each ended by NUL; one more NUL;
 * then that many bytes of stdin. The length spares a half-close: whatever ends the connection afterwards means that the
 * caller is gone. Answer: one byte, the exit status, then what to print; the agent closes.
 * A spooled DEL is a request in a file (src/cni/shim/mooring-cni.c).
 */
export const WIRE_VERSION = '1';
export const VERSION_VARIABLE = 'MOORING_SHIM';
export const LENGTH_VARIABLE = 'MOORING_STDIN';

/** Caps of a request; what is larger is refused before it is stored. */
export const LIMITS = { bytes: 1024 * 1024, headerBytes: 64 * 1024, variables: 64, readMs: 5000 } as const;

export type WireRequest = { readonly env: ReadonlyMap<string, string>; readonly stdin: string };
export type WireAnswer = { readonly status: number; readonly output: string };

/** `Malformed`: not our wire or over a limit. `Skew`: a shim of another version. */
export class WireError extends Error {
  override readonly name = 'WireError';
  readonly kind: 'Malformed' | 'Skew';
  constructor(kind: 'Malformed' | 'Skew', message: string) {
    super(message);
    this.kind = kind;
  }
}

/** A request as the shim writes it. Throws WireError for variables that the form cannot carry. */
export function formatRequest(request: WireRequest): Buffer {
  const stdin = Buffer.from(request.stdin);
  const variables = [`${VERSION_VARIABLE}=${WIRE_VERSION}`, `${LENGTH_VARIABLE}=${stdin.length}`];
  for (const [name, value] of request.env) {
    if (name === '' || name.includes('=') || `${name}${value}`.includes('\0')) {
      throw new WireError('Malformed', `the variable ${JSON.stringify(name)} cannot be sent`);
    }
    variables.push(`${name}=${value}`);
  }
  return Buffer.concat([Buffer.from(`${variables.join('\0')}\0\0`), stdin]);
}

export function formatAnswer(answer: WireAnswer): Buffer {
  return Buffer.concat([Buffer.from([answer.status & 0xff]), Buffer.from(answer.output)]);
}

/** Undefined for an empty answer: the agent went away before it could say anything. */
export function parseAnswer(bytes: Buffer): WireAnswer | undefined {
  const status = bytes[0];
  return status === undefined ? undefined : { status, output: bytes.subarray(1).toString('utf8') };
}

/** Takes a request in pieces. `push` gives it once it is whole; both throw WireError. Bytes after the request are refused. */
export type RequestReader = {
  push(chunk: Uint8Array): WireRequest | undefined;
  /** The peer will send no more. */
  end(): never;
};

export function createRequestReader(): RequestReader {
  let bytes = Buffer.alloc(0);
  let header: Header | undefined;
  return {
    push: (chunk) => {
      if (bytes.length + chunk.length > LIMITS.bytes) throw tooLarge('the request', LIMITS.bytes);
      bytes = Buffer.concat([bytes, chunk]);
      header ??= parseHeader(bytes);
      return header === undefined ? undefined : takeBody(bytes, header);
    },
    end: () => {
      throw new WireError('Malformed', `the request ends after ${bytes.length} bytes, before it is whole`);
    },
  };
}

/** A request that is all there, such as a spooled one. Throws WireError. */
export function parseRequest(bytes: Uint8Array): WireRequest {
  const reader = createRequestReader();
  return reader.push(bytes) ?? reader.end();
}

type Header = { env: ReadonlyMap<string, string>; length: number; at: number };

function tooLarge(what: string, limit: number): WireError {
  return new WireError('Malformed', `${what} is larger than ${limit}`);
}

function parseHeader(bytes: Buffer): Header | undefined {
  const end = bytes.subarray(0, LIMITS.headerBytes).indexOf('\0\0');
  checkStart(bytes);
  if (end === -1) {
    if (bytes.length >= LIMITS.headerBytes) throw tooLarge('the header', LIMITS.headerBytes);
    return undefined;
  }
  const env = parseVariables(bytes.subarray(0, end).toString('utf8'));
  const version = env.get(VERSION_VARIABLE);
  if (version !== WIRE_VERSION) {
    throw new WireError('Skew', `the shim speaks version ${version}, this agent speaks ${WIRE_VERSION}`);
  }
  const length = env.get(LENGTH_VARIABLE) ?? '';
  if (!/^(0|[1-9][0-9]{0,8})$/.test(length)) throw new WireError('Malformed', `no valid ${LENGTH_VARIABLE}`);
  env.delete(VERSION_VARIABLE);
  env.delete(LENGTH_VARIABLE);
  return { env, length: Number(length), at: end + 2 };
}

/** Refuses a stranger by its first bytes, before anything is kept for it. */
function checkStart(bytes: Buffer): void {
  const wanted = `${VERSION_VARIABLE}=`;
  const got = bytes.subarray(0, wanted.length).toString('latin1');
  if (got !== wanted.slice(0, got.length)) throw new WireError('Malformed', 'this is no request of the shim');
}

function parseVariables(text: string): Map<string, string> {
  const parts = text.split('\0');
  if (parts.length > LIMITS.variables) throw tooLarge('the number of variables', LIMITS.variables);
  const env = new Map<string, string>();
  for (const part of parts) {
    const at = part.indexOf('=');
    if (at < 1) throw new WireError('Malformed', 'a variable has no name');
    const name = part.slice(0, at);
    if (env.has(name)) throw new WireError('Malformed', `the variable ${name} comes twice`);
    env.set(name, part.slice(at + 1));
  }
  return env;
}

function takeBody(bytes: Buffer, header: Header): WireRequest | undefined {
  const end = header.at + header.length;
  if (end > LIMITS.bytes) throw tooLarge('the request', LIMITS.bytes);
  if (bytes.length < end) return undefined;
  if (bytes.length > end) throw new WireError('Malformed', 'there are bytes after the request');
  return { env: header.env, stdin: bytes.subarray(header.at).toString('utf8') };
}
