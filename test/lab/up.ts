import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureBinaries, findBinaryDirs, KUBERNETES_VERSION } from './binaries.ts';
import { createCgroups } from './cgroups.ts';
import { API_PORT, HOST_IP, OUTSIDE } from './config.ts';
import { createCredentials, startControlPlane } from './control-plane.ts';
import { findLeftovers, isClean, MARKER, POINTER, removeLab } from './down.ts';
import { findProblems, waitForNodes } from './health.ts';
import { buildImages } from './images/build.ts';
import { loadImages } from './images/load.ts';
import { listImages } from './images/recipes.ts';
import { copyTemplate, ensureTemplate } from './images/template.ts';
import { startKubevirt, stopKubevirt } from './kubevirt-hook.ts';
import { bypassBridgeFilter, createNetworks } from './network.ts';
import { createNode, startContainerd, startKubelet } from './node.ts';
import { ensurePackages } from './packages.ts';
import { LabError, type Progress } from './progress.ts';
import { type KubevirtMode, type LabState, loadState, saveState } from './state.ts';

export type LabPlan = {
  readonly dir: string;
  readonly cache: string;
  readonly checkout: string;
  readonly kubevirt: KubevirtMode;
  readonly nodes: number;
};

/** The state of a lab that is about to be made. */
export function deriveState(plan: LabPlan): LabState {
  const pki = join(plan.dir, 'pki');
  return {
    version: 1,
    phase: 'starting',
    dir: plan.dir,
    cache: plan.cache,
    checkout: plan.checkout,
    kubernetes: KUBERNETES_VERSION,
    kubevirt: plan.kubevirt,
    pki: {
      dir: pki,
      ca: join(pki, 'ca.crt'),
      caKey: join(pki, 'ca.key'),
      serviceAccountKey: join(pki, 'sa.key'),
    },
    adminKubeconfig: join(plan.dir, 'admin.kubeconfig'),
    bin: findBinaryDirs(plan.cache),
    apiserver: { host: HOST_IP, port: API_PORT, url: `https://${HOST_IP}:${API_PORT}` },
    outside: OUTSIDE,
    nodes: [],
  };
}

/** Brings the lab up, or finds that it is up. Throws LabError that names the part, its log and what to do. */
export async function bringUp(plan: LabPlan, progress: Progress): Promise<LabState> {
  refuseForeign(plan.dir);
  const running = await findRunning(plan, progress);
  if (running !== undefined) return running;
  await prepare(plan, progress);
  const lab = deriveState(plan);
  claimDirectory(lab);
  saveState(lab);
  createCgroups(Array.from({ length: plan.nodes }, (_, index) => `node${index + 1}`));
  await createNetworks();
  bypassBridgeFilter();
  progress.say(`starting etcd, the API server and ${plan.nodes} nodes`);
  await Promise.all([startCluster(lab), startNodes(lab, plan, progress)]);
  await startKubelets(lab, progress);
  return finish(lab, progress);
}

/** The OCI store of all images that the lab makes. */
export function findStore(cache: string): string {
  return join(cache, 'oci');
}

/** A healthy lab that fits the plan is kept; one that does not is taken down, as is whatever an aborted run left. */
async function findRunning(plan: LabPlan, progress: Progress): Promise<LabState | undefined> {
  if (!existsSync(join(plan.dir, 'state.json'))) {
    if (isClean(await findLeftovers(plan.dir))) return undefined;
    progress.say('taking down what another run has left');
    await removeLab(plan.dir);
    return undefined;
  }
  const lab = readState(plan.dir);
  const reason = lab === undefined ? 'its state cannot be read' : await findMismatch(lab, plan);
  if (lab !== undefined && reason === undefined) return keepLab(lab, plan.kubevirt, progress);
  progress.say(`taking down the lab in ${plan.dir}: ${reason}`);
  await removeLab(plan.dir);
  return undefined;
}

/** Why a lab cannot be kept; undefined when it can. */
async function findMismatch(lab: LabState, plan: LabPlan): Promise<string | undefined> {
  if (lab.checkout !== plan.checkout) return `it belongs to the checkout ${lab.checkout}`;
  if (lab.nodes.length !== plan.nodes) return `it has ${lab.nodes.length} nodes, not ${plan.nodes}`;
  if (lab.kubernetes !== KUBERNETES_VERSION) return `it runs Kubernetes ${lab.kubernetes}`;
  return (await findProblems(lab)).find((problem) => problem.part === 'cluster')?.text;
}

function readState(dir: string): LabState | undefined {
  try {
    return loadState(dir);
  } catch {
    return undefined; // damaged: the caller says so and starts afresh
  }
}

/** Keeps a lab whose cluster is healthy; KubeVirt's stand-in is started again when it has ended or is of the other mode. */
async function keepLab(lab: LabState, mode: KubevirtMode, progress: Progress): Promise<LabState> {
  const [ended] = await findProblems(lab);
  if (lab.kubevirt === mode && ended === undefined) {
    progress.say(`the lab in ${lab.dir} is up and healthy`);
    return lab;
  }
  progress.say(ended?.text ?? `changing KubeVirt's stand-in from ${lab.kubevirt} to ${mode}`);
  await stopKubevirt(lab);
  const changed = { ...lab, kubevirt: mode };
  await startKubevirt(changed, mode);
  saveState(changed);
  progress.say(`KubeVirt's stand-in runs (${mode})`);
  return changed;
}

async function prepare(plan: LabPlan, progress: Progress): Promise<void> {
  if (process.getuid?.() !== 0) throw new LabError('lab', 'it needs root', { todo: 'run it as root' });
  mkdirSync(plan.cache, { recursive: true });
  await ensurePackages(progress, plan);
  await ensureBinaries(progress, plan);
}

/** Refuses a directory that holds something else, as `down` deletes the lab's. */
export function refuseForeign(dir: string): void {
  if (!existsSync(dir) || readdirSync(dir).length === 0 || existsSync(join(dir, MARKER))) return;
  throw new LabError('lab', `${dir} holds something that is not a lab's`, {
    todo: 'set MOORING_LAB to a directory of its own',
  });
}

/** Marks the state directory as ours, for `down`. */
function claimDirectory(lab: LabState): void {
  mkdirSync(lab.dir, { recursive: true });
  writeFileSync(join(lab.dir, MARKER), '');
  writeFileSync(POINTER, `${lab.dir}\n`);
}

async function startCluster(lab: LabState): Promise<void> {
  await createCredentials(lab);
  await startControlPlane(lab);
}

async function startNodes(lab: LabState, plan: LabPlan, progress: Progress): Promise<void> {
  const numbers = Array.from({ length: plan.nodes }, (_, index) => index + 1);
  lab.nodes = await Promise.all(numbers.map((index) => createNode(lab, index)));
  saveState(lab);
  const store = findStore(lab.cache);
  const images = await buildImages(store, await listImages(plan.checkout), progress);
  const template = await ensureTemplate(lab, { ...images, store }, progress);
  await Promise.all(
    lab.nodes.map(async (node) => {
      await copyTemplate(template, join(node.dir, 'containerd'));
      await startContainerd(lab, node);
    }),
  );
  await loadImages(lab, lab.nodes, images.all, store);
  progress.say('images are in the nodes');
}

async function startKubelets(lab: LabState, progress: Progress): Promise<void> {
  progress.say('starting the kubelets');
  await Promise.all(lab.nodes.map((node) => startKubelet(lab, node)));
  const [late] = await waitForNodes(lab, 90_000);
  if (late === undefined) return;
  throw new LabError(late, 'it does not register or is not ready for pods', {
    log: join(lab.dir, 'log', `kubelet-${late}.log`),
    todo: 'node test/lab/lab.ts down, then up again',
  });
}

async function finish(lab: LabState, progress: Progress): Promise<LabState> {
  if (await startKubevirt(lab, lab.kubevirt)) progress.say(`KubeVirt's stand-in runs (${lab.kubevirt})`);
  const done: LabState = { ...lab, phase: 'up' };
  saveState(done);
  progress.say(`${lab.nodes.length} nodes are registered; they miss only the network, which the chart brings`);
  return done;
}

/** Makes the images anew and brings those that changed into the nodes. Returns their names. */
export async function refreshImages(lab: LabState, checkout: string, progress: Progress): Promise<string[]> {
  const store = findStore(lab.cache);
  const images = await buildImages(store, await listImages(checkout), progress);
  const changed = await loadImages(lab, lab.nodes, images.all, store);
  progress.say(changed.length === 0 ? 'no image has changed' : `loaded ${changed.join(', ')}`);
  return changed;
}
