/** What a caller can do about an error: try again, give up, accept the absence, or read afresh and try again. */
export type ErrorClass = 'retry' | 'terminal' | 'notFound' | 'conflict';

const CLASSES: readonly string[] = ['retry', 'terminal', 'notFound', 'conflict'];

/** The fields of `ApiError`; `status` 0 means that no answer came. */
export type ApiErrorFields = {
  status: number;
  reason: string;
  message: string;
  class: ErrorClass;
  retryAfterMs?: number | undefined;
  cause?: unknown;
};

/** A request to the API server that did not succeed. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly reason: string;
  readonly class: ErrorClass;
  readonly retryAfterMs: number | undefined;

  constructor(fields: ApiErrorFields) {
    super(fields.message, fields.cause === undefined ? undefined : { cause: fields.cause });
    this.status = fields.status;
    this.reason = fields.reason;
    this.class = fields.class;
    this.retryAfterMs = fields.retryAfterMs;
  }
}

const TERMINAL_STATUS = [400, 405, 406, 413, 415, 422];

/**
 * What an HTTP status asks of the caller. 401 and 403 are worth a retry: tokens rotate, RBAC arrives late and a
 * terminating namespace answers 403. 410 is a retry too: the reader starts over.
 */
export function deriveErrorClass(status: number): ErrorClass {
  if (status === 404) return 'notFound';
  if (status === 409) return 'conflict';
  return TERMINAL_STATUS.includes(status) ? 'terminal' : 'retry';
}

/** The class that an unknown thrown value carries (any error of ours with a `class`), else `retry`. */
export function findErrorClass(error: unknown): ErrorClass {
  const found = error instanceof Error && 'class' in error ? error.class : undefined;
  return typeof found === 'string' && CLASSES.includes(found) ? (found as ErrorClass) : 'retry';
}

/** True when the list or watch must start over: the resource version is too old (410 Gone or Expired). */
export function isGone(error: unknown): boolean {
  return error instanceof ApiError && error.status === 410;
}

/** True when the object is not there. */
export function isNotFound(error: unknown): boolean {
  return error instanceof ApiError && error.class === 'notFound';
}

/** True when we may not do this: by RBAC or by an admission plugin. */
export function isForbidden(error: unknown): boolean {
  return error instanceof ApiError && error.status === 403;
}

/** True for a lost race: stale resourceVersion, a foreign field manager, or an object that exists already. */
export function isConflict(error: unknown): boolean {
  return error instanceof ApiError && error.class === 'conflict';
}

/** True when a create met an object of the same name. */
export function isAlreadyExists(error: unknown): boolean {
  return isConflict(error) && (error as ApiError).reason === 'AlreadyExists';
}

type StatusBody = { reason?: unknown; message?: unknown; code?: unknown; details?: { retryAfterSeconds?: unknown } };

function asStatusBody(body: unknown): StatusBody {
  return typeof body === 'object' && body !== null ? (body as StatusBody) : {};
}

/** The delay a server asks for, in ms: the header wins over the Status body; dates are not used by the API server. */
export function parseRetryAfter(header: string | undefined, body: unknown): number | undefined {
  const details = asStatusBody(body).details;
  const candidates = [header === undefined ? undefined : Number(header), details?.retryAfterSeconds];
  const seconds = candidates.find((value) => typeof value === 'number' && Number.isFinite(value) && value >= 0);
  return typeof seconds === 'number' ? Math.min(seconds, 300) * 1000 : undefined;
}

/** Makes an error of an answer: a `Status` object (API conventions, "Response Status Kind") or any other text. */
export function parseApiError(status: number, body: unknown, retryAfter?: string): ApiError {
  const { reason, message } = asStatusBody(body);
  return new ApiError({
    status,
    reason: typeof reason === 'string' && reason !== '' ? reason : `HTTP${status}`,
    message: typeof message === 'string' ? message.slice(0, 2000) : `the API server answered ${status}`,
    class: deriveErrorClass(status),
    retryAfterMs: parseRetryAfter(retryAfter, body),
  });
}
