import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CommandError, runCommand } from './command.ts';
import { LabError, type Progress } from './progress.ts';

export const KUBERNETES_VERSION = 'v1.35.4';
export const HELM_VERSION = 'v4.3.1';
export const CNI_PLUGINS_VERSION = 'v1.9.1';

const KUBERNETES_PROGRAMS = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubelet', 'kubectl'];
const CNI_PLUGINS = {
  main: ['loopback', 'bridge', 'macvlan'],
  ipam: ['host-local', 'static'],
  meta: ['portmap', 'tuning', 'bandwidth'],
};

/** Directories of the programs that are built, each named by its version. */
export function findBinaryDirs(cache: string): { kubernetes: string; cni: string; helm: string; kubectl: string } {
  const kubernetes = join(cache, 'kubernetes', KUBERNETES_VERSION);
  return {
    kubernetes,
    cni: join(cache, 'cni-plugins', CNI_PLUGINS_VERSION),
    helm: join(cache, 'helm', HELM_VERSION, 'helm'),
    kubectl: join(kubernetes, 'kubectl'),
  };
}

/** Linker flags that make Kubernetes' programs tell their version; they refuse to work together without one. */
export function formatLinkerFlags(version: string): string {
  const [, major = '', minor = ''] = /^v(\d+)\.(\d+)\./.exec(version) ?? [];
  const set = (name: string, value: string) => `-X k8s.io/component-base/version.${name}=${value}`;
  return ['-s -w', set('gitVersion', version), set('gitMajor', major), set('gitMinor', minor)].join(' ');
}

type Build = {
  /** What the reader of the progress sees. */
  readonly title: string;
  /** The file that is there when the build is done; appears in one step. */
  readonly target: string;
  readonly argv: (output: string) => string[];
  readonly env?: (output: string) => Record<string, string>;
  readonly cwd?: string;
};

function listBuilds(cache: string, checkout: string): Build[] {
  const dirs = findBinaryDirs(cache);
  const kubernetes = KUBERNETES_PROGRAMS.map((program) => ({
    title: `Kubernetes' ${program} ${KUBERNETES_VERSION}`,
    target: join(dirs.kubernetes, program),
    cwd: join(checkout, 'test/lab/kubernetes'),
    argv: (output: string) => {
      const flags = ['-trimpath', '-ldflags', formatLinkerFlags(KUBERNETES_VERSION)];
      return ['go', 'build', ...flags, '-o', output, `k8s.io/kubernetes/cmd/${program}`];
    },
  }));
  const plugins = Object.entries(CNI_PLUGINS).flatMap(([kind, names]) => names.map((name) => `${kind}/${name}`));
  return [
    ...kubernetes,
    {
      title: `CNI plugins ${CNI_PLUGINS_VERSION}`,
      target: dirs.cni,
      argv: () => installModules(plugins.map(formatPlugin)),
      env: (output: string) => ({ GOBIN: output }),
    },
    {
      title: `Helm ${HELM_VERSION}`,
      target: join(cache, 'helm', HELM_VERSION),
      argv: () => installModules([`helm.sh/helm/v4/cmd/helm@${HELM_VERSION}`]),
      env: (output: string) => ({ GOBIN: output }),
    },
  ];
}

const formatPlugin = (path: string) => `github.com/containernetworking/plugins/plugins/${path}@${CNI_PLUGINS_VERSION}`;

const installModules = (modules: readonly string[]) => ['go', 'install', '-trimpath', '-ldflags', '-s -w', ...modules];

/** Builds what is not in the cache yet, one after the other. Throws LabError that names the log. */
export async function ensureBinaries(progress: Progress, places: { cache: string; checkout: string }): Promise<void> {
  const missing = listBuilds(places.cache, places.checkout).filter((build) => !existsSync(build.target));
  if (missing.length === 0) return;
  const log = join(places.cache, 'build.log');
  progress.say(`building ${missing.length} programs: five to seven minutes the first time ever, log in ${log}`);
  for (const [index, build] of missing.entries()) {
    progress.say(`building ${index + 1} of ${missing.length}: ${build.title}`);
    await runBuild(build, log);
  }
}

/** Builds Helm if it is not in the cache yet; gives the program. Throws LabError that names the log. */
export async function ensureHelm(cache: string): Promise<string> {
  const { helm } = findBinaryDirs(cache);
  const missing = listBuilds(cache, '').filter(({ target }) => helm.startsWith(`${target}/`) && !existsSync(target));
  for (const build of missing) await runBuild(build, join(cache, 'build.log'));
  return helm;
}

async function runBuild(build: Build, log: string): Promise<void> {
  const output = `${build.target}.new-${process.pid}`;
  mkdirSync(join(build.target, '..'), { recursive: true });
  const env = { CGO_ENABLED: '0', ...build.env?.(output) };
  const options = { env, log, timeoutMs: 1_800_000, ...(build.cwd === undefined ? {} : { cwd: build.cwd }) };
  try {
    await runCommand(build.argv(output), options);
    renameSync(output, build.target);
  } catch (error) {
    if (!(error instanceof CommandError)) {
      throw new LabError('build', `${String(error)}`, { todo: 'is Go installed and on the path?' });
    }
    throw new LabError('build', `${build.title} cannot be built`, { log, todo: 'is the Go module proxy reachable?' });
  } finally {
    rmSync(output, { recursive: true, force: true });
  }
}
