import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Paths of PEM files. */
export type CertificateFiles = { readonly ca: string; readonly cert: string; readonly key: string };

/** A certificate authority like the one of ovs-pki(8): its certificates name a common name and nothing else. */
export type Authority = {
  readonly ca: string;
  issue(commonName: string): Promise<CertificateFiles>;
};

/** Makes an authority whose files lie in `dir` and begin with `name`. */
export async function makeAuthority(dir: string, name: string): Promise<Authority> {
  const ca = join(dir, `${name}-ca.pem`);
  const caKey = join(dir, `${name}-ca.key`);
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  await run('openssl', ['req', '-x509', ...newKey, '-keyout', caKey, '-out', ca, '-days', '2', '-subj', `/CN=${name}`]);
  return {
    ca,
    issue: async (commonName) => {
      const [cert, key, request] = ['pem', 'key', 'csr'].map((end) => join(dir, `${name}-${commonName}.${end}`));
      if (cert === undefined || key === undefined || request === undefined) throw new Error('no paths');
      await run('openssl', ['req', ...newKey, '-keyout', key, '-out', request, '-subj', `/CN=${commonName}`]);
      const sign = ['x509', '-req', '-in', request, '-CA', ca, '-CAkey', caKey, '-CAcreateserial', '-out', cert];
      await run('openssl', [...sign, '-days', '2']);
      return { ca, cert, key };
    },
  };
}

/** The texts of the files, as the client takes them. */
export function readMaterial(files: CertificateFiles): { ca: string; cert: string; key: string } {
  const [ca, cert, key] = [files.ca, files.cert, files.key].map((path) => readFileSync(path, 'utf8'));
  return { ca: ca ?? '', cert: cert ?? '', key: key ?? '' };
}
