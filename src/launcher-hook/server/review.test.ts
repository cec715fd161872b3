import { describe, expect, it } from 'vitest';
import { ALLOWED } from '../admission.ts';
import { formatReview, parseReview } from './review.ts';
import { formatAdmission, formatQuestion } from './testing.ts';

describe('a question', () => {
  it('is read with all that judges need, and fields of newer servers are passed over', () => {
    expect(parseReview(formatQuestion())).toEqual({ ok: true, admission: formatAdmission() });
  });

  it('without optional fields gets the empty ones: a dry run must be asked for, nobody is named', () => {
    const request = { uid: 'u', operation: 'DELETE', kind: { kind: 'VirtualMachine' }, dryRun: null, userInfo: {} };
    const text = JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request });
    expect(parseReview(text)).toEqual({
      ok: true,
      admission: {
        ...{ uid: 'u', operation: 'DELETE', kind: 'VirtualMachine', namespace: '', name: '', dryRun: false },
        ...{ object: null, oldObject: null, user: { name: '', groups: [] } },
      },
    });
  });

  it('keeps the object as it came, with names that are traps', () => {
    const object = JSON.parse('{"metadata":{"annotations":{"__proto__":"x","constructor":"y"}}}') as unknown;
    const read = parseReview(formatQuestion({ object }));
    expect(read.ok && JSON.stringify(read.admission.object)).toBe(JSON.stringify(object));
    expect(({} as Record<string, unknown>).x).toBeUndefined();
  });

  it('says whether it is a dry run', () => {
    expect(parseReview(formatQuestion({ dryRun: true }))).toMatchObject({ admission: { dryRun: true } });
  });

  const change = (from: string, to: string) => formatQuestion().replace(from, to);
  it.each([
    ['no JSON', '{', ''],
    ['no object', 'null', ''],
    ['of another version', change('admission.k8s.io/v1', 'admission.k8s.io/v1beta1'), 'apiVersion'],
    ['of another kind', change('AdmissionReview', 'TokenReview'), 'kind'],
    ['without a request', '{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}', 'request'],
    ['without a uid: no answer could be told from another', change('u-1', ''), 'request.uid'],
    ['with an endless uid', change('u-1', 'u'.repeat(200)), 'request.uid'],
    ['about an operation that we do not look at', change('"CREATE"', '"CONNECT"'), 'request.operation'],
    ['with a namespace that is no text', change('"team"', '{}'), 'request.namespace'],
    ['with endless groups', change('["devs"]', JSON.stringify(Array(5000).fill('g'))), 'request.userInfo.groups'],
  ])('is refused when it is %s', (_cause, text, words) => {
    const read = parseReview(text);
    expect(read.ok).toBe(false);
    expect(!read.ok && read.message).toContain(words);
  });
});

type Response = { uid: string; allowed: boolean; status?: { message: string }; warnings?: string[]; patch?: string };
const respond = (...parameters: Parameters<typeof formatReview>) =>
  (JSON.parse(formatReview(...parameters)) as { response: Response }).response;

describe('an answer', () => {
  const patch = [{ op: 'add', path: '/spec/x~1y', value: { z: 1 } }] as const;

  it('names the question, and says nothing where there is nothing to say', () => {
    expect(JSON.parse(formatReview('u-9', ALLOWED, true))).toEqual({
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      response: { uid: 'u-9', allowed: true },
    });
  });

  it('carries a patch as base64 of RFC 6902', () => {
    const response = respond('u', { ...ALLOWED, patch }, true);
    expect(response).toMatchObject({ patchType: 'JSONPatch' });
    expect(JSON.parse(Buffer.from(response.patch ?? '', 'base64').toString())).toEqual(patch);
  });

  it('of a validating webhook, or a denial, never carries a patch', () => {
    expect(respond('u', { ...ALLOWED, patch }, false)).toEqual({ uid: 'u', allowed: true });
    expect(respond('u', { ...ALLOWED, allowed: false, message: 'no', patch }, true)).not.toHaveProperty('patch');
  });

  it('tells why not', () => {
    const denied = respond('u', { allowed: false, message: 'the address is taken', warnings: ['w'], patch: [] }, true);
    expect(denied).toMatchObject({
      allowed: false,
      warnings: ['w'],
      status: { code: 422, message: 'the address is taken' },
    });
  });

  it('shows each warning once, on one line, cut where clients would cut it', () => {
    const long = 'x'.repeat(300);
    const { warnings = [] } = respond('u', { ...ALLOWED, warnings: ['a\r\nb\u0000c', 'same', 'same', long] }, true);
    expect(warnings.slice(0, 2)).toEqual(['a b c', 'same']);
    expect(warnings[2]).toHaveLength(256);
    const many = Array.from({ length: 40 }, (_, index) => `w${index}`);
    expect(respond('u', { ...ALLOWED, warnings: many }, true).warnings).toHaveLength(16);
  });

  it('never ends a cut text within a character', () => {
    const { warnings = [] } = respond('u', { ...ALLOWED, warnings: ['😀'.repeat(200)] }, true);
    expect(warnings[0]?.isWellFormed()).toBe(true);
  });
});
