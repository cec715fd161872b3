import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  X509Certificate,
} from 'node:crypto';
import { AsnConvert, OctetString } from '@peculiar/asn1-schema';
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate,
  ExtendedKeyUsage,
  Extension,
  Extensions,
  GeneralName,
  id_ce_authorityKeyIdentifier,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_subjectAltName,
  id_ce_subjectKeyIdentifier,
  id_kp_serverAuth,
  KeyIdentifier,
  KeyUsage,
  KeyUsageFlags,
  Name,
  RelativeDistinguishedName,
  SubjectAlternativeName,
  SubjectKeyIdentifier,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version,
} from '@peculiar/asn1-x509';

/** A certificate and its private key, both PEM. */
export type KeyPair = { readonly cert: string; readonly key: string };

export type CertificateWish = {
  readonly commonName: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** 16 random bytes; two bits are set, so that the number is positive and of one length. */
  readonly serial: Uint8Array;
};

const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2';
const COMMON_NAME = '2.5.4.3';

/** A new authority: it signs servers' certificates and no further authorities (RFC 5280, 4.2.1.9). */
export function createAuthority(wish: CertificateWish): KeyPair {
  const key = generateKey();
  const id = deriveKeyId(key);
  const extensions = [
    formatExtension(id_ce_basicConstraints, new BasicConstraints({ cA: true, pathLenConstraint: 0 }), true),
    formatExtension(id_ce_keyUsage, new KeyUsage(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign), true),
    formatExtension(id_ce_subjectKeyIdentifier, new SubjectKeyIdentifier(id)),
  ];
  return issue(wish, { key, issuer: formatName(wish.commonName), issuerKey: key, extensions });
}

/** A new key with a certificate of `authority` for these DNS names. Throws when the authority's PEM cannot be read. */
export function createServing(wish: CertificateWish, names: readonly string[], authority: KeyPair): KeyPair {
  const key = generateKey();
  const issuerKey = createPrivateKey(authority.key);
  const issuer = AsnConvert.parse(new X509Certificate(authority.cert).raw, Certificate).tbsCertificate.subject;
  const dnsNames = new SubjectAlternativeName(names.map((dNSName) => new GeneralName({ dNSName })));
  const extensions = [
    formatExtension(id_ce_basicConstraints, new BasicConstraints({ cA: false }), true),
    formatExtension(id_ce_keyUsage, new KeyUsage(KeyUsageFlags.digitalSignature), true),
    formatExtension(id_ce_extKeyUsage, new ExtendedKeyUsage([id_kp_serverAuth])),
    formatExtension(id_ce_subjectAltName, dnsNames),
    formatExtension(id_ce_subjectKeyIdentifier, new SubjectKeyIdentifier(deriveKeyId(key))),
    formatExtension(
      id_ce_authorityKeyIdentifier,
      new AuthorityKeyIdentifier({ keyIdentifier: new KeyIdentifier(deriveKeyId(issuerKey)) }),
    ),
  ];
  return issue(wish, { key, issuer, issuerKey, extensions });
}

type Signing = {
  readonly key: KeyObject;
  readonly issuer: Name;
  readonly issuerKey: KeyObject;
  readonly extensions: Extension[];
};

/** Signs what RFC 5280, 4.1 calls tbsCertificate. */
function issue(wish: CertificateWish, { key, issuer, issuerKey, extensions }: Signing): KeyPair {
  const algorithm = new AlgorithmIdentifier({ algorithm: ECDSA_WITH_SHA256 });
  const tbsCertificate = new TBSCertificate({
    version: Version.v3,
    serialNumber: formatSerial(wish.serial),
    signature: algorithm,
    issuer,
    validity: new Validity({ notBefore: wish.notBefore, notAfter: wish.notAfter }),
    subject: formatName(wish.commonName),
    subjectPublicKeyInfo: AsnConvert.parse(exportPublic(key), SubjectPublicKeyInfo),
    extensions: new Extensions(extensions),
  });
  const signatureValue = toArrayBuffer(sign('sha256', new Uint8Array(AsnConvert.serialize(tbsCertificate)), issuerKey));
  const whole = new Certificate({ tbsCertificate, signatureAlgorithm: algorithm, signatureValue });
  return {
    cert: new X509Certificate(new Uint8Array(AsnConvert.serialize(whole))).toString(),
    key: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

const generateKey = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const exportPublic = (key: KeyObject): Buffer => createPublicKey(key).export({ type: 'spki', format: 'der' });

function formatName(commonName: string): Name {
  const value = new AttributeValue({ utf8String: commonName });
  return new Name([new RelativeDistinguishedName([new AttributeTypeAndValue({ type: COMMON_NAME, value })])]);
}

function formatExtension(extnID: string, value: object, critical = false): Extension {
  return new Extension({ extnID, critical, extnValue: new OctetString(AsnConvert.serialize(value)) });
}

const deriveKeyId = (key: KeyObject): ArrayBuffer =>
  toArrayBuffer(createHash('sha256').update(exportPublic(key)).digest().subarray(0, 20));

function formatSerial(random: Uint8Array): ArrayBuffer {
  const [first = 0, ...rest] = random;
  return toArrayBuffer(Uint8Array.from([(first & 0x3f) | 0x40, ...rest]));
}

function toArrayBuffer(bytes: Uint8Array): ArrayBuffer {
  const copy = new ArrayBuffer(bytes.byteLength);
  new Uint8Array(copy).set(bytes);
  return copy;
}
