/**
 * Error codes that a runtime can get from us: 1 to 11, 50 and 51 are the specification's (CNI SPEC.md, "Error"), from 100
 * on ours. No runtime shows the code to people, so the message alone must tell what is wrong and where to look.
 */
export const CODES = {
  incompatibleVersion: 1,
  unsupportedField: 2,
  invalidEnvironment: 4,
  io: 5,
  decoding: 6,
  invalidConfig: 7,
  netns: 8,
  tryAgain: 11,
  unavailable: 50,
  limited: 51,
  /** The address, or the port as a whole, is claimed by somebody else. */
  conflict: 100,
  poolExhausted: 101,
  reservedByOther: 102,
  /** Everything is wired, but OVN has not installed the port in time. */
  bindingTimeout: 103,
  /** A DEL or a later ADD has overtaken this ADD. */
  fenced: 104,
  /** The call asks for an address or a network that the LogicalPort does not have. */
  mismatch: 105,
  protocolMismatch: 106,
} as const;

export type CodeName = keyof typeof CODES;

/** An error that goes to the runtime as it is. `stage` is what the call was at. */
export class CniError extends Error {
  override readonly name = 'CniError';
  readonly code: CodeName;
  readonly details: string | undefined;

  constructor(code: CodeName, message: string, options: { details?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details;
  }
}

/** Any error as a CniError: what is not one already is an I/O error with its own words. */
export function toCniError(error: unknown): CniError {
  if (error instanceof CniError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new CniError('io', message, { cause: error });
}

const MAX_MESSAGE = 2000;

/** The error object of the specification, one line of JSON. */
export function formatCniError(error: CniError, cniVersion: string): string {
  const { code, details } = error;
  const body = {
    cniVersion,
    code: CODES[code],
    msg: `mooring: ${error.message}`.slice(0, MAX_MESSAGE),
    ...(details === undefined ? {} : { details: details.slice(0, MAX_MESSAGE) }),
  };
  return `${JSON.stringify(body)}\n`;
}

/**
 * Words for a DEL error. go-cni takes a text with "not found", and libraries above it one with "no such file or
 * directory", for "already gone" and never calls again; a DEL that failed must not sound like that.
 */
export function wordDelError(error: CniError): CniError {
  const reword = (text: string): string =>
    text.replace(/not found/gi, 'missing').replace(/no such file or directory/gi, 'ENOENT');
  const details = error.details === undefined ? {} : { details: reword(error.details) };
  return new CniError(error.code, reword(error.message), { ...details, cause: error });
}
