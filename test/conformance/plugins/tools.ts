import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ensureCniPlugins } from '../../cni/plugins.ts';
import { runCommand } from '../../lab/command.ts';
import { findCacheDir } from '../../lab/state.ts';
import type { Tools } from '../model.ts';

/** The version of libcni that has the specification 1.1.0 whole. */
const CNITOOL = { module: 'github.com/containernetworking/cni/cnitool', version: 'v1.3.0' };

/** The reference plugins and cnitool, built once per machine, for which Go has to be there. */
export async function ensureTools(env: NodeJS.ProcessEnv): Promise<Tools> {
  return { plugins: await ensureCniPlugins(env), cnitool: await ensureCnitool(env) };
}

async function ensureCnitool(env: NodeJS.ProcessEnv): Promise<string> {
  const folder = join(findCacheDir(env), 'cnitool', CNITOOL.version);
  const program = join(folder, 'cnitool');
  if (existsSync(program)) return program;
  const output = `${folder}.new-${process.pid}`;
  mkdirSync(dirname(folder), { recursive: true });
  const options = { env: { CGO_ENABLED: '0', GOBIN: output }, timeoutMs: 600_000 };
  const module = `${CNITOOL.module}@${CNITOOL.version}`;
  await runCommand(['go', 'install', '-trimpath', '-ldflags', '-s -w', module], options);
  renameSync(output, folder);
  return program;
}
