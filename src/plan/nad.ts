import type { NetworkAttachmentDefinition } from '../api/objects.ts';
import { fail, type Result, succeed } from '../api/problem.ts';

/** The names under which our plugin is called (USAGE.md). */
const OURS: readonly unknown[] = ['mooring', 'kube-ovn'];
const MAX_CONFIG = 65_536;

/** What a NAD means to us: a NIC of ours with a provider, or somebody else's. */
export type NadPlan = { readonly ours: false } | { readonly ours: true; readonly provider: string };

/**
 * Reads a NAD. A NIC is ours when the configuration, or the first plugin of its list, has our type. The provider must
 * be the NAD's own: any other would let a tenant's NAD reach another one's network. Problem: NetworkAttachmentInvalid.
 */
export function planNad(nad: NetworkAttachmentDefinition): Result<NadPlan> {
  const { name, namespace = '' } = nad.metadata;
  const plugin = parsePlugin(nad.spec?.config ?? '');
  if (typeof plugin === 'string') return failNad(nad, plugin);
  if (!OURS.includes(plugin.get('type'))) return succeed({ ours: false });
  const expected = `${name}.${namespace}.ovn`;
  const provider = plugin.get('provider') ?? expected;
  return provider === expected
    ? succeed({ ours: true, provider: expected })
    : failNad(nad, `provider must be ${expected}`);
}

function failNad({ metadata }: NetworkAttachmentDefinition, what: string) {
  const where = `NetworkAttachmentDefinition ${metadata.namespace ?? ''}/${metadata.name}`;
  return fail('NetworkAttachmentInvalid', `${where}: ${what}`);
}

/** The plugin that makes the NIC, or what is wrong. */
function parsePlugin(config: string): Config | string {
  if (config.trim() === '') return 'spec.config is empty, no subnet can be tied to it';
  const parsed = config.length > MAX_CONFIG ? undefined : parseObject(config);
  if (parsed === undefined) return 'spec.config is not a JSON object';
  return findPlugin(parsed) ?? 'spec.config names no plugin';
}

type Config = ReadonlyMap<string, unknown>;

function parseObject(text: string): Config | undefined {
  try {
    return asConfig(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function asConfig(value: unknown): Config | undefined {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? new Map(Object.entries(value)) : undefined;
}

function findPlugin(config: Config): Config | undefined {
  const plugins = config.get('plugins');
  const plugin = Array.isArray(plugins) ? asConfig(plugins[0]) : config;
  return typeof plugin?.get('type') === 'string' ? plugin : undefined;
}
