import { constants } from 'node:os';

/** What a caller can do about a failure: try again, give up, or treat the thing as gone. */
export type ErrorClass = 'retry' | 'terminal' | 'not-found';

/** A NetlinkError as a plain record, fit for a message between threads. */
export type NetlinkErrorRecord = { code: string; errno: number; message: string; class: ErrorClass };

const NAMES = new Map<number, string>();
for (const [name, value] of Object.entries(constants.errno)) if (!NAMES.has(value)) NAMES.set(value, name);

const NOT_FOUND = new Set(['ENOENT', 'ENODEV', 'ESRCH', 'EADDRNOTAVAIL', 'ENXIO']);
const RETRY = new Set(['EINTR', 'EAGAIN', 'EBUSY', 'ENOBUFS', 'ENOMEM', 'ETIMEDOUT', 'EMFILE', 'ENFILE']);

/**
 * Every failure of this folder. `code` is the errno's name (`EEXIST`) or one of ours (`EHOSTNETNS`: asked to act on the
 * host's own namespace; `EWORKERGONE`: the worker thread ended); `errno` is 0 for ours.
 */
export class NetlinkError extends Error {
  readonly code: string;
  readonly errno: number;
  readonly class: ErrorClass;

  constructor(record: NetlinkErrorRecord) {
    super(record.message);
    this.name = 'NetlinkError';
    this.code = record.code;
    this.errno = record.errno;
    this.class = record.class;
  }
}

/** The class that an error code belongs to; unknown ones are terminal. */
export function findErrorClass(code: string): ErrorClass {
  if (NOT_FOUND.has(code)) return 'not-found';
  return RETRY.has(code) ? 'retry' : 'terminal';
}

/** An error from a (positive) errno; `what` says which step failed, `detail` is the kernel's own words if it gave any. */
export function fromErrno(errno: number, what: string, detail?: string): NetlinkError {
  const code = NAMES.get(errno) ?? `E${errno}`;
  const message = detail === undefined || detail === '' ? `${what}: ${code}` : `${what}: ${code}: ${detail}`;
  return new NetlinkError({ code, errno, message, class: findErrorClass(code) });
}

/** An error from an errno's name, or from a code of ours. */
export function fromCode(code: string, message: string, kind?: ErrorClass): NetlinkError {
  const errno = Object.entries(constants.errno).find(([name]) => name === code)?.[1] ?? 0;
  return new NetlinkError({ code, errno, message: `${message}: ${code}`, class: kind ?? findErrorClass(code) });
}

/** Turns anything thrown (ours, Node's system errors, the rest) into a record that survives `postMessage`. */
export function toErrorRecord(error: unknown): NetlinkErrorRecord {
  if (error instanceof NetlinkError) {
    return { code: error.code, errno: error.errno, message: error.message, class: error.class };
  }
  const system = error as NodeJS.ErrnoException;
  const code = typeof system?.code === 'string' ? system.code : 'EUNKNOWN';
  const message = error instanceof Error ? error.message : String(error);
  return { code, errno: Math.abs(system?.errno ?? 0), message, class: findErrorClass(code) };
}
