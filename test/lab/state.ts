import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';

/** Which half of KubeVirt's stand-in runs: `external` leaves the controller half to somebody else (LAB.md section 7). */
export type KubevirtMode = 'internal' | 'external';

const node = z.object({
  /** Kubernetes node name, also the hostname inside the node: node1, node2, ... */
  name: z.string().regex(/^node\d+$/),
  index: z.number().int().min(1).max(99),
  mgmtIp: z.ipv4(),
  mgmtIp6: z.ipv6(),
  underlayIp: z.ipv4(),
  migrationIp: z.ipv4(),
  /** Name of the network namespace below /run/netns of the machine. */
  netns: z.string(),
  /** The node's own directory; its sub-directories are bound over the node's default paths. */
  dir: z.string(),
  /** The node's containerd socket as the machine sees it. */
  containerdSocket: z.string(),
  /** A process that lives as long as the node and holds its mount and hostname namespaces. */
  mountNsPid: z.number().int().positive(),
});

const state = z.object({
  version: z.literal(1),
  /** `starting` until `up` has finished: such a lab is taken down before the next one. */
  phase: z.enum(['starting', 'up']),
  dir: z.string(),
  cache: z.string(),
  checkout: z.string(),
  kubernetes: z.string(),
  kubevirt: z.enum(['internal', 'external']),
  pki: z.object({
    dir: z.string(),
    ca: z.string(),
    caKey: z.string(),
    serviceAccountKey: z.string(),
  }),
  adminKubeconfig: z.string(),
  bin: z.object({ kubernetes: z.string(), cni: z.string(), helm: z.string(), kubectl: z.string() }),
  apiserver: z.object({ host: z.ipv4(), port: z.number().int(), url: z.url() }),
  /** The world outside the cluster: a namespace that answers at `address`; nodes reach it by their default route. */
  outside: z.object({
    netns: z.string(),
    address: z.ipv4(),
    gateway: z.ipv4(),
    address6: z.ipv6(),
    gateway6: z.ipv6(),
  }),
  nodes: z.array(node),
});

export type LabNode = z.infer<typeof node>;
export type LabState = z.infer<typeof state>;

/** The lab's state cannot be used: absent (`not found`) or damaged (`terminal`). */
export class LabStateError extends Error {
  readonly kind: 'not found' | 'terminal';
  constructor(kind: 'not found' | 'terminal', message: string) {
    super(message);
    this.name = 'LabStateError';
    this.kind = kind;
  }
}

/** Where the lab keeps its state: one directory that can be deleted after `down`. */
export function findStateDir(env: Readonly<Record<string, string | undefined>>): string {
  return env.MOORING_LAB ?? '/var/lib/mooring-lab';
}

/** Where downloads and builds are kept, outside every checkout. */
export function findCacheDir(env: Readonly<Record<string, string | undefined>>): string {
  return env.MOORING_CACHE ?? join(env.HOME ?? homedir(), '.cache/mooring');
}

/** Parses the text of state.json; throws LabStateError (terminal) that names the first wrong field. */
export function parseState(text: string): LabState {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new LabStateError('terminal', `state.json is not JSON (\`make lab\` starts afresh): ${String(error)}`);
  }
  const parsed = state.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new LabStateError('terminal', `state.json: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`);
}

/** Reads the lab's state; throws LabStateError when there is no lab or its file is damaged. */
export function loadState(dir: string): LabState {
  const path = join(dir, 'state.json');
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    throw new LabStateError('not found', `no lab in ${dir}: bring one up with \`make lab\``);
  }
  return parseState(text);
}

/** Writes the state in one step, so that a reader sees the old or the new one. */
export function saveState(lab: LabState): void {
  mkdirSync(lab.dir, { recursive: true });
  const path = join(lab.dir, 'state.json');
  writeFileSync(`${path}.new`, `${JSON.stringify(lab, null, 2)}\n`);
  renameSync(`${path}.new`, path);
}

/** The node of that name; throws LabStateError when the lab has none. */
export function getNode(lab: LabState, name: string): LabNode {
  const found = lab.nodes.find((candidate) => candidate.name === name);
  if (found === undefined) throw new LabStateError('not found', `the lab has no node ${name}`);
  return found;
}
