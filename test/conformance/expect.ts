import { Failure, type Outcome, type Result } from './model.ts';

/** A JSON object; undefined for anything else. */
export function asObject(value: unknown): Readonly<Record<string, unknown>> | undefined {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? (value as Record<string, unknown>) : undefined;
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** An outcome in one line, for the reason of a failure. */
export function describeOutcome({ exit, signal, stdout }: Outcome): string {
  if (signal !== null) return `ended by ${signal}`;
  const body = asObject(parseJson(stdout));
  if (exit === 0) return stdout.trim() === '' ? 'success' : 'success with output';
  if (body === undefined) return `exit ${exit} without an error object on stdout`;
  const { code, msg, details } = body;
  const more = typeof details === 'string' && details !== '' ? ` (${details})` : '';
  return `code ${JSON.stringify(code)} ${JSON.stringify(msg)}${more}`.slice(0, 240);
}

/** Throws Failure unless the plugin says success by its exit code (section 2, "Errors"). */
export function requireSuccess(outcome: Outcome, what: string): void {
  if (outcome.exit !== 0) throw new Failure(`${what}: ${describeOutcome(outcome)}`);
}

/** DEL, CHECK, GC and STATUS have no result: a runtime takes what is printed for an error. */
export function requireSilence(outcome: Outcome, what: string): void {
  requireSuccess(outcome, what);
  if (outcome.stdout.trim() !== '') throw new Failure(`${what}: prints ${outcome.stdout.trim().slice(0, 80)}`);
}

export type ErrorWish = {
  /** Any of these; every code will do when it is absent. */
  readonly codes?: readonly number[];
  /** What message or details must contain. */
  readonly names?: string;
};

/** Throws Failure unless the outcome is an error object of the wished kind (section 5, "Error"). */
export function requireError(outcome: Outcome, what: string, { codes, names }: ErrorWish = {}): void {
  const said = describeOutcome(outcome);
  if (outcome.exit === 0) throw new Failure(`${what}: ${said}, an error was due`);
  const error = parseError(outcome.stdout);
  if (error === undefined) throw new Failure(`${what}: ${said}`);
  if (codes !== undefined && !codes.includes(error.code)) {
    throw new Failure(`${what}: not code ${codes.join(' or ')}: ${said}`);
  }
  if (names !== undefined && !error.text.includes(names)) {
    throw new Failure(`${what}: does not name ${names}: ${said}`);
  }
}

/** Code and words of an error object; undefined when it is none. */
function parseError(stdout: string): { readonly code: number; readonly text: string } | undefined {
  const { code, msg, details } = asObject(parseJson(stdout)) ?? {};
  const isCode = typeof code === 'number' && Number.isInteger(code) && code >= 0;
  if (!isCode || typeof msg !== 'string' || msg === '') return undefined;
  return { code, text: `${msg} ${typeof details === 'string' ? details : ''}` };
}

/** The result of an ADD. Throws Failure when there is none. */
export function requireResult(outcome: Outcome, what: string): Result {
  requireSuccess(outcome, what);
  const body = asObject(parseJson(outcome.stdout));
  if (body === undefined) throw new Failure(`${what}: no JSON object on stdout`);
  return body;
}

/** Throws Failure that lists the faults, if there are any. */
export function requireNone(faults: readonly string[], what: string): void {
  if (faults.length > 0) throw new Failure(`${what}: ${faults.join('; ')}`.slice(0, 400));
}
