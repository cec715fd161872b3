import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from './command.ts';

export type CertificateRequest = {
  /** File name without ending, below the PKI directory. */
  readonly file: string;
  readonly commonName: string;
  readonly organization: string;
  /** openssl's words: `DNS:name` or `IP:address`. */
  readonly names: readonly string[];
};

const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

/** The certificates of the control plane; LAB.md section 2. */
export function listCertificates(host: string): CertificateRequest[] {
  const client = (file: string, commonName: string, organization = 'lab') => ({
    file,
    commonName,
    organization,
    names: [`DNS:${file}`],
  });
  const service = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc'].map((name) => `DNS:${name}`);
  return [
    {
      file: 'apiserver',
      commonName: 'kube-apiserver',
      organization: 'lab',
      names: ['DNS:localhost', ...service, 'IP:127.0.0.1', `IP:${host}`, 'IP:10.96.0.1'],
    },
    client('admin', 'admin', 'system:masters'),
    client('kcm', 'system:kube-controller-manager'),
    client('scheduler', 'system:kube-scheduler'),
    client('front-proxy', 'front-proxy'),
  ];
}

/** A kubelet's certificate, for both serving and asking. */
export function deriveNodeCertificate(name: string, ip: string): CertificateRequest {
  return {
    file: name,
    commonName: `system:node:${name}`,
    organization: 'system:nodes',
    names: [`DNS:${name}`, `IP:${ip}`],
  };
}

/** Makes the lab's certificate authority and the key that signs service-account tokens. */
export async function createAuthority(dir: string): Promise<void> {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const ca = ['-keyout', join(dir, 'ca.key'), '-out', join(dir, 'ca.crt')];
  await Promise.all([
    runCommand(['openssl', 'req', '-x509', ...KEY, '-days', '365', '-subj', '/CN=lab-ca', ...ca]),
    runCommand(['openssl', 'genrsa', '-out', join(dir, 'sa.key'), '2048']),
  ]);
}

/** Signs one certificate with the lab's authority, into `<file>.crt` and `<file>.key`. */
export async function issueCertificate(dir: string, request: CertificateRequest): Promise<void> {
  const path = (ending: string) => join(dir, `${request.file}.${ending}`);
  const subject = `/O=${request.organization}/CN=${request.commonName}`;
  await runCommand(['openssl', 'req', ...KEY, '-subj', subject, '-keyout', path('key'), '-out', path('csr')]);
  writeFileSync(path('ext'), `subjectAltName=${request.names.join(',')}\n`);
  // A random serial, as several are signed at once and a shared serial file would be raced for.
  const serial = `0x${crypto.randomUUID().replaceAll('-', '')}`;
  const ca = ['-CA', join(dir, 'ca.crt'), '-CAkey', join(dir, 'ca.key'), '-set_serial', serial];
  const sign = ['openssl', 'x509', '-req', '-in', path('csr'), ...ca, '-days', '365'];
  await runCommand([...sign, '-out', path('crt'), '-extfile', path('ext')]);
}
