import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { waitFor } from './command.ts';
import { formatApiserver, formatControllerManager, formatEtcd, formatKubeconfig, formatScheduler } from './config.ts';
import { isApiReady } from './kubectl.ts';
import { createAuthority, issueCertificate, listCertificates } from './pki.ts';
import { isAlive, startProcess } from './process.ts';
import { LabError } from './progress.ts';
import type { LabState } from './state.ts';

/**
 * Collecting garbage less often costs memory, of which there is plenty, and saves CPU, of which there are two cores:
 * at its start the API server otherwise spends a quarter of its time there.
 */
const RELAXED = { GOGC: '200' };

/** Writes a kubeconfig that authenticates by the certificate `<file>.crt` of the lab's PKI. */
export function writeCertificateKubeconfig(lab: LabState, file: string, path: string): void {
  const user = { cert: join(lab.pki.dir, `${file}.crt`), key: join(lab.pki.dir, `${file}.key`) };
  writeFileSync(path, formatKubeconfig({ server: lab.apiserver.url, ca: lab.pki.ca, user }), { mode: 0o600 });
}

/** Makes keys, certificates and kubeconfigs of the control plane. */
export async function createCredentials(lab: LabState): Promise<void> {
  await createAuthority(lab.pki.dir);
  await Promise.all(listCertificates(lab.apiserver.host).map((request) => issueCertificate(lab.pki.dir, request)));
  writeCertificateKubeconfig(lab, 'admin', lab.adminKubeconfig);
  for (const user of ['kcm', 'scheduler']) writeCertificateKubeconfig(lab, user, join(lab.dir, `${user}.kubeconfig`));
}

/** Starts etcd and the API server, and when that is ready the controller-manager and the scheduler. */
export async function startControlPlane(lab: LabState): Promise<void> {
  await startProcess(lab, { name: 'etcd', argv: formatEtcd(lab.dir), env: RELAXED });
  const apiserver = await startProcess(lab, { name: 'apiserver', argv: formatApiserver(lab), env: RELAXED });
  const ready = await waitFor(async () => {
    if (!isAlive(apiserver)) return 'dead';
    return (await isApiReady(lab)) ? 'ready' : undefined;
  }, 90_000);
  if (ready !== 'ready') {
    const what = ready === 'dead' ? 'ended' : 'is not ready after 90 s';
    const log = `${apiserver.log} and ${join(lab.dir, 'log/etcd.log')}`;
    throw new LabError('API server', what, { log, todo: 'is the port taken? `ss -ltnp`' });
  }
  await startProcess(lab, { name: 'kcm', argv: formatControllerManager(lab), env: RELAXED });
  await startProcess(lab, { name: 'scheduler', argv: formatScheduler(lab), env: RELAXED });
}
