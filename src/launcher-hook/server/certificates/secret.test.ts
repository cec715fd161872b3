import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  type Configuration,
  describeAuthority,
  formatSecret,
  formatTrust,
  parseBundle,
  parseSecret,
  type Secret,
} from './secret.ts';
import { createAuthority, createServing } from './x509.ts';

const wish = (commonName: string) => ({
  commonName,
  notBefore: new Date('2026-01-01T00:00:00Z'),
  notAfter: new Date('2036-01-01T00:00:00Z'),
  serial: crypto.getRandomValues(new Uint8Array(16)),
});
const [a, b] = [createAuthority(wish('a')), createAuthority(wish('b'))].map(describeAuthority);
if (a === undefined || b === undefined) throw new Error('no authorities');
const pair = createServing(wish('server'), ['one.svc', 'two.svc'], b);
const EMPTY: Secret = { metadata: { name: 's', resourceVersion: '7', labels: { theirs: 'x' } } };
const FULL = formatSecret(EMPTY, {
  authorities: [a, { ...b, trustedAt: 5 }],
  serving: { ...pair, issuer: b.fingerprint, names: [], notBefore: 0, notAfter: 0 },
});
const encode = (text: string) => Buffer.from(text).toString('base64');

describe('the Secret', () => {
  it('gives back what was put into it, with what the certificates themselves say', () => {
    const { authorities, serving } = parseSecret(FULL);
    expect(authorities).toEqual([a, { ...b, trustedAt: 5 }]);
    const [notBefore, notAfter] = [Date.parse('2026-01-01T00:00:00Z'), Date.parse('2036-01-01T00:00:00Z')];
    expect(serving).toEqual({ ...pair, issuer: b.fingerprint, names: ['one.svc', 'two.svc'], notBefore, notAfter });
  });

  it('keeps what others put into it, and the version it was read at', () => {
    const found = { ...EMPTY, data: { other: 'eA==' } };
    const written = formatSecret(found, { authorities: [], serving: undefined });
    expect(written.metadata).toEqual(EMPTY.metadata);
    expect(written.data).toEqual({ other: 'eA==', 'authorities.json': encode('[]') });
  });

  it('loses the serving certificate when there is none any more', () => {
    const written = formatSecret(FULL, { authorities: [a], serving: undefined });
    expect(Object.keys(written.data ?? {})).toEqual(['authorities.json']);
  });

  const serving = (data: Record<string, string>) => parseSecret({ ...FULL, data: { ...FULL.data, ...data } }).serving;
  it.each([
    ['is empty', () => parseSecret(EMPTY), { authorities: [], serving: undefined }],
    [
      'holds something else',
      () => parseSecret({ ...EMPTY, data: { 'authorities.json': encode('[{"cert":1}]'), 'tls.crt': 'eA==' } }),
      { authorities: [], serving: undefined },
    ],
    ['holds a key of another certificate', () => serving({ 'tls.key': encode(a.key) }), undefined],
    ['holds no key', () => serving({ 'tls.key': '' }), undefined],
    ['holds too much', () => serving({ 'tls.crt': encode('x'.repeat(70_000)) }), undefined],
    [
      'has an authority that is none, or without its key',
      () =>
        parseSecret({
          data: {
            'authorities.json': encode(
              JSON.stringify([pair, { cert: a.cert, key: b.key }, { cert: b.cert, key: b.key }]),
            ),
          },
        }).authorities,
      [b],
    ],
  ])('that %s gives only what can be used', (_cause, read, expected) => {
    expect(read()).toEqual(expected);
  });

  it('with a serving certificate of nobody we know tells no issuer', () => {
    const stranger = createServing(wish('server'), ['one.svc'], createAuthority(wish('b')));
    const data = { 'tls.crt': encode(stranger.cert), 'tls.key': encode(stranger.key) };
    expect(serving(data)).toMatchObject({ issuer: undefined });
  });
});

describe('a webhook configuration', () => {
  const found: Configuration = {
    kind: 'MutatingWebhookConfiguration',
    metadata: { name: 'mooring-hook', labels: { l: 'x' } },
    webhooks: [{ name: 'one', clientConfig: { service: { name: 's' } } }, { name: 'two' }],
  };

  it('is told only whom to trust, for each of its webhooks', () => {
    const told = formatTrust(found, [a, b]);
    const caBundle = encode(a.cert + b.cert);
    expect(told).toEqual({
      metadata: { name: 'mooring-hook' },
      webhooks: [
        { name: 'one', clientConfig: { caBundle } },
        { name: 'two', clientConfig: { caBundle } },
      ],
    });
    expect(parseBundle({ ...told, kind: 'MutatingWebhookConfiguration' })).toEqual({
      configuration: 'MutatingWebhookConfiguration',
      authorities: [a.fingerprint, b.fingerprint],
    });
    expect(a.fingerprint).toBe(new X509Certificate(a.cert).fingerprint256);
  });

  it.each([
    ['whose bundle is empty', { ...found }],
    [
      'whose webhooks trust different ones',
      { ...found, webhooks: [{ name: 'one' }, ...(formatTrust(found, [a]).webhooks ?? [])] },
    ],
    ['without webhooks', { ...found, webhooks: [] }],
    ['whose bundle is rubbish', { ...found, webhooks: [{ name: 'one', clientConfig: { caBundle: '!!' } }] }],
  ])('%s trusts nobody', (_cause, configuration) => {
    expect(parseBundle(configuration).authorities).toEqual([]);
  });

  it('that trusts something unreadable is not taken for one that trusts what it should', () => {
    const caBundle = encode('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
    const { authorities } = parseBundle({ ...found, webhooks: [{ name: 'one', clientConfig: { caBundle } }] });
    expect(authorities).toEqual(['unreadable']);
  });
});
