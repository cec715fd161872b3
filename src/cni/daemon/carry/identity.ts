import { createPublicKey, diffieHellman, generateKeyPairSync, hkdfSync, type KeyObject } from 'node:crypto';
import { formatDigest } from '../../../api/names.ts';
import type { Carry } from './plan.ts';

/** What both ends must agree on; a key is good for one target launcher of one port between two nodes. */
export type Subject = Pick<Carry, 'portUid' | 'podUid' | 'source' | 'target'>;

/** An agent's own key, made at its start and never written anywhere. */
export type Identity = {
  /** 32 bytes, base64url. */
  readonly publicKey: string;
  /** The 32 bytes shared with the holder of `peerKey` for this subject; undefined when that is no usable key. */
  derivePsk(subject: Subject, role: Role, peerKey: string): Buffer | undefined;
};
export type Role = 'source' | 'target';

const CURVE = 'x25519';
const KEY_BYTES = 32;
const PUBLIC_KEY = /^[A-Za-z0-9_-]{43}$/;

export function createIdentity(): Identity {
  const pair = generateKeyPairSync(CURVE);
  const publicKey = String(pair.publicKey.export({ format: 'jwk' }).x);
  return {
    publicKey,
    derivePsk: (subject, role, peerKey) => {
      const shared = agree(pair.privateKey, peerKey);
      if (shared === undefined) return undefined;
      const keys = role === 'source' ? [publicKey, peerKey] : [peerKey, publicKey];
      const { source, target, portUid, podUid } = subject;
      // JSON, so that no two lists of names give the same text.
      const info = JSON.stringify([PREFIX, source, target, portUid, podUid]);
      return Buffer.from(hkdfSync('sha256', shared, keys.join(' '), info, KEY_BYTES));
    },
  };
}

/** RFC 7748; OpenSSL refuses keys whose shared secret would be zero. */
function agree(privateKey: KeyObject, peerKey: string): Buffer | undefined {
  if (!PUBLIC_KEY.test(peerKey)) return undefined;
  try {
    const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x: peerKey }, format: 'jwk' });
    return diffieHellman({ privateKey, publicKey });
  } catch {
    return undefined;
  }
}

const PREFIX = 'mooring-carry/1';
const INTRODUCTION = /^mooring-carry\/1 ([A-Za-z0-9-]{1,64}) ([A-Za-z0-9-]{1,64}) ([0-9a-f]{16}) ([0-9a-f]{16})$/;

/**
 * What the target says in the open before it has proved anything: which port and launcher, and of which keys it knows, so
 * that the source notices a new key of the target, or an old one of its own.
 */
export type Introduction = {
  readonly portUid: string;
  readonly podUid: string;
  readonly sourceKey: string;
  readonly targetKey: string;
};

/** The PSK identity of RFC 4279; 179 bytes at most, of the 256 that OpenSSL takes. */
export function formatIntroduction({ portUid, podUid }: Subject, keys: { source: string; target: string }): string {
  return [PREFIX, portUid, podUid, formatDigest(keys.source), formatDigest(keys.target)].join(' ');
}

/** The inverse, with digests in place of keys; undefined for anything else. */
export function parseIntroduction(text: string): Introduction | undefined {
  const [, portUid, podUid, sourceKey, targetKey] = INTRODUCTION.exec(text) ?? [];
  if (portUid === undefined || podUid === undefined || sourceKey === undefined || targetKey === undefined)
    return undefined;
  return { portUid, podUid, sourceKey, targetKey };
}
