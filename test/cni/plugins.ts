import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CNI_PLUGINS_VERSION, findBinaryDirs } from '../lab/binaries.ts';
import { runCommand } from '../lab/command.ts';
import { findCacheDir } from '../lab/state.ts';

const PLUGINS = ['main/macvlan', 'main/bridge', 'ipam/host-local', 'meta/tuning'];

/** Folder with the reference plugins: the lab's when it has built them, else built once beside it (about a minute). */
export async function ensureCniPlugins(env: NodeJS.ProcessEnv): Promise<string> {
  const cache = findCacheDir(env);
  const { cni } = findBinaryDirs(cache);
  if (existsSync(cni)) return cni;
  const folder = join(cache, 'cni-plugins-few', CNI_PLUGINS_VERSION);
  if (existsSync(folder)) return folder;
  const output = `${folder}.new-${process.pid}`;
  mkdirSync(dirname(folder), { recursive: true });
  const modules = PLUGINS.map(
    (path) => `github.com/containernetworking/plugins/plugins/${path}@${CNI_PLUGINS_VERSION}`,
  );
  const options = { env: { CGO_ENABLED: '0', GOBIN: output }, timeoutMs: 600_000 };
  await runCommand(['go', 'install', '-trimpath', '-ldflags', '-s -w', ...modules], options);
  renameSync(output, folder);
  return folder;
}
