import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { runCommand } from '../command.ts';
import { kubectl } from '../kubectl.ts';
import { formatNodeCommand } from '../process.ts';
import { findStateDir, type LabState, loadState } from '../state.ts';
import { type Context, DemoError, expectSoon, listThings, type Thing } from './context.ts';

export const RELEASE_NAMESPACE = 'mooring-system';
const DEPLOYMENTS = ['deployment/mooring-operator', 'deployment/mooring-hook'];

/** Brings the lab up if it is not, with its own progress lines. */
export async function ensureLab(root: string, environment: NodeJS.ProcessEnv): Promise<LabState> {
  const code = await new Promise<number>((done) => {
    const child = spawn(process.execPath, [join(root, 'test/lab/lab.ts'), 'up'], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    child.once('close', (exit) => done(exit ?? 1));
  });
  if (code !== 0)
    throw new DemoError('the lab did not come up; its last lines say why. Then: make lab-down, make demo');
  return loadState(findStateDir(environment));
}

/** Loads this checkout's images into the nodes and installs or upgrades the chart; awaits that all nodes are Ready. */
export async function installChart(context: Context): Promise<void> {
  const { lab, root } = context;
  await runCommand([process.execPath, join(root, 'test/lab/lab.ts'), 'images'], { timeoutMs: 600_000 });
  // Helm installs CRDs once and never changes them (docs/install.md, upgrades).
  await kubectl(lab, ['apply', '--server-side', '--force-conflicts', '-f', join(root, 'crds')]);
  const helm = [lab.bin.helm, 'upgrade', '--install', 'mooring', join(root, 'charts/mooring')];
  const flags = ['--namespace', RELEASE_NAMESPACE, '--create-namespace', '-f', join(root, 'test/lab/values.yaml')];
  await runCommand([...helm, ...flags, '--wait', '--timeout', '4m'], {
    timeoutMs: 300_000,
    env: { KUBECONFIG: lab.adminKubeconfig },
  });
  await restartWhatChanged(context);
  await expectSoon('every node Ready', 120, async () => ((await countUnready(context)) === 0 ? true : undefined));
}

/** Everything of the chart runs as its objects ask for, and every node is Ready. */
export async function isInstalled(context: Context): Promise<boolean> {
  const list = (kind: string) => listThings(context, kind, ['-n', RELEASE_NAMESPACE]);
  const [deployments, daemonSets] = await Promise.all([list('deployments'), list('daemonsets')]);
  const isWhole = deployments.length > 0 && daemonSets.length > 0 && [...deployments, ...daemonSets].every(isRolledOut);
  return isWhole && (await countUnready(context)) === 0;
}

/** Of a Deployment or a DaemonSet: all of its pods are of its present template, and ready. */
export function isRolledOut({ metadata, spec, status = {} }: Thing): boolean {
  const { generation } = metadata as { generation?: number };
  const wanted: number = spec.replicas ?? status.desiredNumberScheduled ?? 0;
  const [fresh, ready] = [
    status.updatedReplicas ?? status.updatedNumberScheduled,
    status.readyReplicas ?? status.numberReady,
  ];
  return status.observedGeneration === generation && wanted > 0 && fresh === wanted && ready === wanted;
}

/** A rebuilt image keeps its tag in the lab, so Helm sees no change: restart programs whose image is newer than they are. */
async function restartWhatChanged(context: Context): Promise<void> {
  const images = await readImageIds(context);
  const pods = await listThings(context, 'pods', ['-n', RELEASE_NAMESPACE]);
  const stale = pods.filter((pod) => isStale(pod.status?.containerStatuses, images));
  if (stale.length === 0) return;
  context.say(`restarting ${stale.length} programs with the new image`);
  await kubectl(context.lab, [
    '-n',
    RELEASE_NAMESPACE,
    'delete',
    'pod',
    '--wait=true',
    ...stale.map((pod) => pod.metadata.name),
  ]);
  const rollouts = ['daemonset/mooring-ovn-node', 'daemonset/mooring-agent', ...DEPLOYMENTS];
  for (const name of rollouts) {
    await kubectl(context.lab, ['-n', RELEASE_NAMESPACE, 'rollout', 'status', name, '--timeout=120s']);
  }
}

function isStale(
  statuses: { image: string; imageID: string }[] | undefined,
  images: ReadonlyMap<string, string>,
): boolean {
  return (statuses ?? []).some((status) => {
    const wanted = images.get(status.image);
    return wanted !== undefined && status.imageID !== '' && !status.imageID.includes(wanted);
  });
}

/** Tag to image id (digest of the configuration, as container statuses name it) on the first node. */
async function readImageIds(context: Context): Promise<ReadonlyMap<string, string>> {
  const node = context.lab.nodes[0];
  if (node === undefined) return new Map();
  const ctr = (...args: string[]) => runCommand(formatNodeCommand(node, ['ctr', '-n', 'k8s.io', ...args]));
  const rows = (await ctr('images', 'ls')).split('\n').map((line) => line.split(/\s+/));
  const ids = new Map<string, string>();
  for (const [name = '', , digest = ''] of rows.filter(([name]) => name?.includes('mooring/'))) {
    const manifest = JSON.parse(await ctr('content', 'get', digest)) as { config: { digest: string } };
    ids.set(name, manifest.config.digest);
  }
  return ids;
}

async function countUnready(context: Context): Promise<number> {
  const nodes = await listThings(context, 'nodes', []);
  const ready = nodes.filter((node) =>
    (node.status.conditions as { type: string; status: string }[]).some(
      (c) => c.type === 'Ready' && c.status === 'True',
    ),
  );
  return nodes.length - ready.length;
}
