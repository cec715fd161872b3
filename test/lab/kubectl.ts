import { writeFileSync } from 'node:fs';
import { type CommandOptions, runCommand, tryCommand } from './command.ts';
import { formatKubeconfig } from './config.ts';
import { formatNodeCommand } from './process.ts';
import type { LabNode, LabState } from './state.ts';

/** Runs kubectl as the lab's administrator and returns its standard output; throws CommandError when it fails. */
export function kubectl(lab: LabState, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  return runCommand([lab.bin.kubectl, '--kubeconfig', lab.adminKubeconfig, ...args], options);
}

/** Runs a program inside a node's network, mount and hostname namespaces; throws CommandError when it fails. */
export function nodeExec(
  _lab: LabState,
  node: LabNode,
  argv: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  return runCommand(formatNodeCommand(node, argv), options);
}

/** True when the API server says that it is ready. */
export async function isApiReady(lab: LabState): Promise<boolean> {
  const argv = [
    lab.bin.kubectl,
    '--kubeconfig',
    lab.adminKubeconfig,
    'get',
    '--raw',
    '/readyz',
    '--request-timeout=2s',
  ];
  return (await tryCommand(argv, { timeoutMs: 5000 })).code === 0;
}

export type ServiceAccountRequest = {
  readonly namespace: string;
  readonly name: string;
  /** File to write. */
  readonly path: string;
  /** Validity of the token in seconds; default one day, the API server's usual limit applies. */
  readonly seconds?: number;
};

/**
 * Writes a kubeconfig that acts as a service account, by a token of the TokenRequest API; the namespace and the account
 * are made when they are missing. Returns its path.
 */
export async function issueServiceAccountKubeconfig(lab: LabState, request: ServiceAccountRequest): Promise<string> {
  const { namespace, name, path } = request;
  const objects = [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } },
  ];
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
  await kubectl(lab, ['apply', '-f', '-'], { input });
  const duration = `${request.seconds ?? 86_400}s`;
  const token = await kubectl(lab, ['-n', namespace, 'create', 'token', name, `--duration=${duration}`]);
  const text = formatKubeconfig({ server: lab.apiserver.url, ca: lab.pki.ca, user: { token: token.trim() } });
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}
