import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { asFields } from '../request.ts';

/** Who attaches a pod's networks: whoever fits, always this agent, never this agent. */
export const ATTACH_MODES = ['auto', 'always', 'never'] as const;
export type AttachMode = (typeof ATTACH_MODES)[number];

/** The names under which our plugin is called. */
export const OUR_TYPES: readonly unknown[] = ['mooring', 'kube-ovn'];
export const MULTUS_TYPES: readonly unknown[] = ['multus', 'multus-shim', 'multus-cni'];
const CONFIG = /\.(conf|conflist|json)$/;
const MAX_FILES = 64;

/**
 * Decides from the folder that the runtime reads: it uses the first configuration by name, so that one tells who is
 * asked for a pod. Ours, or one that chains to us: we attach. Multus: it does, and calls us for our NICs.
 */
export async function isOurTurn(mode: AttachMode, confDir: string): Promise<boolean> {
  if (mode !== 'auto') return mode === 'always';
  const types = await readFirstTypes(confDir);
  return types.some((type) => OUR_TYPES.includes(type)) && !types.some((type) => MULTUS_TYPES.includes(type));
}

/** Types of the plugins of the first configuration that can be read. */
async function readFirstTypes(confDir: string): Promise<readonly unknown[]> {
  const names = await readdir(confDir).catch(() => []);
  for (const name of names
    .filter((file) => CONFIG.test(file))
    .sort()
    .slice(0, MAX_FILES)) {
    const types = listTypes(await readFile(join(confDir, name), 'utf8').catch(() => ''));
    if (types.length > 0) return types;
  }
  return [];
}

/** Types of the plugins in a configuration or list; none when it is neither. */
export function listTypes(text: string): readonly unknown[] {
  let config: ReadonlyMap<string, unknown> | undefined;
  try {
    config = asFields(JSON.parse(text));
  } catch {
    return [];
  }
  const plugins = config?.get('plugins');
  const list = Array.isArray(plugins) ? plugins.map(asFields) : [config];
  return list.flatMap((plugin) => (typeof plugin?.get('type') === 'string' ? [plugin.get('type')] : []));
}
