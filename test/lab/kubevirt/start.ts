import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { formatKubeconfig } from '../config.ts';
import { startProcess, stopProcess } from '../process.ts';
import type { KubevirtMode, LabState } from '../state.ts';
import { createClient } from './client.ts';
import {
  CONTROLLER_ACCOUNT,
  HANDLER_ACCOUNT,
  installControllerHalf,
  installNodeHalf,
  requestToken,
} from './install.ts';
import { installWebhooks } from './webhooks.ts';

export const LAUNCHER_IMAGE = 'lab.local/virt-launcher:1';
const PROCESSES = { controller: 'kubevirt-controller', handler: 'kubevirt-handler' } as const;

/**
 * Starts KubeVirt's stand-in: both halves, or with `external` only the node half. With `external` nothing of
 * KubeVirt's own is installed: somebody else brings CRDs, the KubeVirt CR, virt-controller and virt-api, and the node
 * half waits until the CRDs are served.
 */
export async function startKubevirt(lab: LabState, mode: KubevirtMode): Promise<void> {
  const admin = await createClient(lab.adminKubeconfig, 'lab');
  try {
    await installNodeHalf(admin);
    await startHandler(lab, await writeKubeconfig(lab, HANDLER_ACCOUNT, await requestToken(admin, HANDLER_ACCOUNT)));
    if (mode === 'external') return;
    await installControllerHalf(admin);
    const token = await requestToken(admin, CONTROLLER_ACCOUNT);
    const kubeconfig = await writeKubeconfig(lab, CONTROLLER_ACCOUNT, token);
    const main = join(import.meta.dirname, 'controller/main.ts');
    await stopProcess(lab, PROCESSES.controller);
    const { cert, key } = await installWebhooks(admin, lab);
    const argv = [process.execPath, main, kubeconfig, LAUNCHER_IMAGE, lab.apiserver.host, cert, key];
    await startProcess(lab, { name: PROCESSES.controller, argv });
  } finally {
    await admin.transport.close();
  }
}

async function startHandler(lab: LabState, kubeconfig: string): Promise<void> {
  const main = join(import.meta.dirname, 'handler/main.ts');
  await stopProcess(lab, PROCESSES.handler);
  await startProcess(lab, { name: PROCESSES.handler, argv: [process.execPath, main, lab.dir, kubeconfig] });
}

async function writeKubeconfig(lab: LabState, account: string, token: string): Promise<string> {
  const dir = join(lab.dir, 'kubevirt');
  await mkdir(dir, { recursive: true });
  const path = join(dir, `${account}.kubeconfig`);
  const config = formatKubeconfig({ server: lab.apiserver.url, ca: lab.pki.ca, user: { token } });
  await writeFile(path, config, { mode: 0o600 });
  return path;
}

/** Ends both halves. Guests are not touched: they end with their pods, or with the lab. */
export async function stopKubevirt(lab: LabState): Promise<void> {
  await stopProcess(lab, PROCESSES.controller);
  await stopProcess(lab, PROCESSES.handler);
}
