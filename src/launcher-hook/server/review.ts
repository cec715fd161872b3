import { z } from 'zod';
import type { Admission, Verdict } from '../admission.ts';

const API_VERSION = 'admission.k8s.io/v1';
const KIND = 'AdmissionReview';

/** Texts of the API server's own are far shorter. */
const text = z.string().max(1024);
const REVIEW = z.object({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal(KIND),
  request: z.object({
    uid: z.string().min(1).max(128),
    operation: z.enum(['CREATE', 'UPDATE', 'DELETE']),
    kind: z.object({ kind: text }),
    namespace: text.default(''),
    name: text.default(''),
    object: z.unknown().optional(),
    oldObject: z.unknown().optional(),
    dryRun: z.boolean().nullish(),
    userInfo: z.object({ username: text.default(''), groups: z.array(text).max(4096).nullish() }).nullish(),
  }),
});

export type ParsedReview =
  | { readonly ok: true; readonly admission: Admission }
  | { readonly ok: false; readonly message: string };

/**
 * The question in a request's body (k8s.io/api/admission/v1, AdmissionReview). Fields that we do not know are passed
 * over, as newer servers send more of them; the objects themselves come through unchecked.
 */
export function parseReview(body: string): ParsedReview {
  const read = REVIEW.safeParse(parseJson(body));
  if (!read.success) {
    const [issue] = read.error.issues;
    return { ok: false, message: `no ${KIND} of ${API_VERSION}: ${issue?.path.join('.')}: ${issue?.message}` };
  }
  const { uid, operation, kind, namespace, name, object, oldObject, dryRun, userInfo } = read.data.request;
  const user = { name: userInfo?.username ?? '', groups: userInfo?.groups ?? [] };
  return {
    ok: true,
    admission: {
      ...{ uid, operation, kind: kind.kind, namespace, name, user },
      object: object ?? null,
      oldObject: oldObject ?? null,
      dryRun: dryRun === true,
    },
  };
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

/** What clients show of a warning, and of all of them; see k8s.io/api/admission/v1, AdmissionResponse.warnings. */
const MOST_WARNINGS = 16;
const LONGEST_WARNING = 256;
const LONGEST_MESSAGE = 2048;

/** The answer's body. `mayPatch` is false for validating webhooks, whose patches the API server takes as an error. */
export function formatReview(uid: string, verdict: Verdict, mayPatch: boolean): string {
  const warnings = [...new Set(verdict.warnings.map((warning) => formatLine(warning, LONGEST_WARNING)))];
  const response = {
    uid,
    allowed: verdict.allowed,
    ...(verdict.allowed ? {} : { status: formatStatus(verdict.message) }),
    ...(warnings.length === 0 ? {} : { warnings: warnings.slice(0, MOST_WARNINGS) }),
    ...(mayPatch && verdict.allowed && verdict.patch.length > 0 ? formatPatch(verdict) : {}),
  };
  return JSON.stringify({ apiVersion: API_VERSION, kind: KIND, response });
}

function formatStatus(message = 'no reason was given') {
  return { status: 'Failure', code: 422, reason: 'Invalid', message: formatLine(message, LONGEST_MESSAGE) };
}

function formatPatch({ patch }: Verdict) {
  return { patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(patch)).toString('base64') };
}

/** One line without control characters: it becomes an HTTP header, and it may quote what a tenant has written. */
function formatLine(line: string, longest: number): string {
  const clean = line.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ');
  return clean.length <= longest ? clean : `${clean.slice(0, longest - 1).replace(/[\uD800-\uDBFF]$/, '')}…`;
}
