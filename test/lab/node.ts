import { cpSync, existsSync, linkSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { waitFor } from './command.ts';
import {
  deriveNode,
  formatContainerd,
  formatKubelet,
  formatKubeletCommand,
  formatNodeArguments,
  NODE_BINDS,
  NODE_SCRIPT,
} from './config.ts';
import { writeCertificateKubeconfig } from './control-plane.ts';
import { waitForContainerd } from './images/template.ts';
import { createNodeNetwork } from './network.ts';
import { deriveNodeCertificate, issueCertificate } from './pki.ts';
import { isAlive, startProcess } from './process.ts';
import { LabError } from './progress.ts';
import type { LabNode, LabState } from './state.ts';

/** Makes a node's network, directories and namespaces; the result can be entered. */
export async function createNode(lab: LabState, index: number): Promise<LabNode> {
  const names = deriveNode(lab.dir, index);
  await createNodeNetwork(names);
  for (const [own] of NODE_BINDS) mkdirSync(join(names.dir, own), { recursive: true });
  writeFileSync(join(names.dir, 'containerd.toml'), formatContainerd());
  installPlugins(lab.bin.cni, join(names.dir, 'cni-bin'));
  const ready = join(names.dir, 'namespaces-ready');
  const script = ['sh', '-c', NODE_SCRIPT, 'sh', ...formatNodeArguments(names, ready)];
  const holder = await startProcess(lab, {
    name: `namespaces-${names.name}`,
    argv: ['unshare', '--mount', '--uts', '--', ...script],
    netns: names.netns,
  });
  const done = await waitFor(async () => (existsSync(ready) || !isAlive(holder) ? true : undefined), 20_000, 20);
  if (done === undefined || !isAlive(holder)) {
    throw new LabError(names.name, 'its namespaces cannot be set up', { log: holder.log });
  }
  return { ...names, mountNsPid: holder.pid };
}

/** The plugins that a distribution's kubernetes-cni package would bring; the container runtime itself needs `loopback`. */
function installPlugins(from: string, to: string): void {
  for (const file of readdirSync(from)) {
    try {
      linkSync(join(from, file), join(to, file));
    } catch {
      cpSync(join(from, file), join(to, file)); // another file system
    }
  }
}

/** Starts containerd and waits until it answers. */
export async function startContainerd(lab: LabState, node: LabNode): Promise<void> {
  const argv = ['containerd', '--log-level', 'warn', '-c', join(node.dir, 'containerd.toml')];
  const record = await startProcess(lab, { name: `containerd-${node.name}`, argv, node });
  await waitForContainerd(record, node.containerdSocket);
}

/** Starts the kubelet, with a certificate of its own. The API server is asked at 198.18.0.1 from then on. */
export async function startKubelet(lab: LabState, node: LabNode): Promise<void> {
  await issueCertificate(lab.pki.dir, deriveNodeCertificate(node.name, node.mgmtIp));
  writeCertificateKubeconfig(lab, node.name, join(node.dir, 'kubeconfig'));
  writeFileSync(join(node.dir, 'kubelet.yaml'), formatKubelet(lab, node));
  await startProcess(lab, { name: `kubelet-${node.name}`, argv: formatKubeletCommand(lab, node), node });
}
