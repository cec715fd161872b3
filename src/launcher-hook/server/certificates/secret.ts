import { createPrivateKey, X509Certificate } from 'node:crypto';
import { z } from 'zod';
import type { KubeObject, ResourceKind } from '../../../kube/index.ts';
import type { Authority, Bundle, Serving } from './plan.ts';
import type { KeyPair } from './x509.ts';

export const SECRET: ResourceKind = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true };
const REGISTRATION = { group: 'admissionregistration.k8s.io', version: 'v1', namespaced: false };
export const CONFIGURATIONS: readonly ResourceKind[] = [
  { ...REGISTRATION, plural: 'mutatingwebhookconfigurations', kind: 'MutatingWebhookConfiguration' },
  { ...REGISTRATION, plural: 'validatingwebhookconfigurations', kind: 'ValidatingWebhookConfiguration' },
];

export type Secret = KubeObject & { data?: Record<string, string> };
/** Either kind; only what is read and written here. */
export type Configuration = KubeObject & {
  webhooks?: { name: string; clientConfig?: { service?: object; caBundle?: string } }[];
};

/** What the Secret holds, each with its keys. */
export type Vault = {
  readonly authorities: readonly (Authority & KeyPair)[];
  readonly serving: (Serving & KeyPair) | undefined;
};

const KEYS = { authorities: 'authorities.json', cert: 'tls.crt', key: 'tls.key' } as const;
const MOST_TEXT = 65_536;
const AUTHORITIES = z.array(z.object({ cert: z.string(), key: z.string(), trustedAt: z.number().optional() })).max(16);

/** What can be read of the Secret; what is broken counts as absent and is made anew. */
export function parseSecret(secret: Secret): Vault {
  const authorities = parseAuthorities(readKey(secret, KEYS.authorities));
  const pair = { cert: readKey(secret, KEYS.cert), key: readKey(secret, KEYS.key) };
  const parsed = parseCertificate(pair.cert);
  if (parsed === undefined || !isPair(pair)) return { authorities, serving: undefined };
  const issuer = authorities.find(({ cert }) => {
    const authority = new X509Certificate(cert);
    return parsed.checkIssued(authority) && parsed.verify(authority.publicKey);
  });
  const names = (parsed.subjectAltName ?? '').split(', ').map((name) => name.replace(/^DNS:/, ''));
  return { authorities, serving: { ...pair, ...parseTimes(parsed), names, issuer: issuer?.fingerprint } };
}

/** The Secret with this in it; all else of it stays. */
export function formatSecret(secret: Secret, vault: Vault): Secret {
  const authorities = vault.authorities.map(({ cert, key, trustedAt }) => ({ cert, key, trustedAt }));
  const { [KEYS.cert]: _, [KEYS.key]: __, ...rest } = secret.data ?? {};
  const serving = vault.serving && {
    [KEYS.cert]: encode(vault.serving.cert),
    [KEYS.key]: encode(vault.serving.key),
  };
  return { ...secret, data: { ...rest, [KEYS.authorities]: encode(JSON.stringify(authorities)), ...serving } };
}

/** Throws when `cert` is no certificate. */
export function describeAuthority(pair: KeyPair): Authority & KeyPair {
  const parsed = new X509Certificate(pair.cert);
  return { ...pair, fingerprint: parsed.fingerprint256, ...parseTimes(parsed) };
}

/** What a configuration trusts; where its webhooks differ nothing counts, so that they are told again. */
export function parseBundle(configuration: Configuration): Bundle {
  const texts = new Set((configuration.webhooks ?? []).map(({ clientConfig }) => clientConfig?.caBundle ?? ''));
  const [text = ''] = texts.size === 1 ? texts : [];
  const parts = decode(text).match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  const authorities = parts.map((part) => parseCertificate(part)?.fingerprint256 ?? 'unreadable');
  return { configuration: configuration.kind ?? '', authorities };
}

/** The fields of a configuration that are ours to say, for server-side apply. */
export function formatTrust(configuration: Configuration, authorities: readonly KeyPair[]): Configuration {
  const caBundle = encode(authorities.map(({ cert }) => cert).join(''));
  const webhooks = (configuration.webhooks ?? []).map(({ name }) => ({ name, clientConfig: { caBundle } }));
  return { metadata: { name: configuration.metadata?.name }, webhooks };
}

function parseAuthorities(text: string): (Authority & KeyPair)[] {
  const read = AUTHORITIES.safeParse(parseJson(text));
  if (!read.success) return [];
  return read.data.flatMap(({ cert, key, trustedAt }) => {
    if (parseCertificate(cert)?.ca !== true || !isPair({ cert, key })) return [];
    return [{ ...describeAuthority({ cert, key }), ...(trustedAt === undefined ? {} : { trustedAt }) }];
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function parseCertificate(text: string): X509Certificate | undefined {
  try {
    return new X509Certificate(text);
  } catch {
    return undefined;
  }
}

function isPair({ cert, key }: KeyPair): boolean {
  try {
    return new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}

function parseTimes(parsed: X509Certificate): { notBefore: number; notAfter: number } {
  return { notBefore: parsed.validFromDate.getTime(), notAfter: parsed.validToDate.getTime() };
}

function readKey(secret: Secret, key: string): string {
  const value = secret.data?.[key];
  return value === undefined || value.length > MOST_TEXT ? '' : decode(value);
}

const encode = (text: string): string => Buffer.from(text).toString('base64');
const decode = (text: string): string => Buffer.from(text, 'base64').toString();
