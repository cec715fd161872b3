import { fail, type Result, succeed } from '../../../api/problem.ts';
import { type CniVersion, SUPPORTED_VERSIONS } from '../request.ts';
import { asJson, asText, getOwn, type Json, listJson, parseJson } from './json.ts';
import type { Requests, Selected } from './selected.ts';
import { MULTUS_TYPES, OUR_TYPES } from './who.ts';

/** The plugins of one network, each with the whole configuration that it is called with. */
export type Chain = {
  readonly cniVersion: CniVersion;
  /** Name of the CNI network. */
  readonly name: string;
  readonly plugins: readonly Json[];
  /** The first plugin is ours: the interface is made without starting a process. */
  readonly ours: boolean;
};

/** What is read of a NetworkAttachmentDefinition. */
export type Nad = { readonly metadata?: unknown; readonly spec?: { readonly config?: string } };

const NETWORK_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,252}$/;
const PLUGIN = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$/;
const MAX_CONFIG = 65_536;
const MAX_PLUGINS = 16;

/**
 * What to call for a NAD: a single plugin or a list (CNI SPEC.md section 1), with the name filled in as Multus does, the
 * pod's wishes under `args.cni`, and under `runtimeConfig` for each plugin that declares the capability.
 * `pluginTypes` are those of others that may be called, none for any. Problem: NetworkAttachmentInvalid.
 */
export function planChain(nad: Nad, selected: Selected, pluginTypes: readonly string[] = []): Result<Chain> {
  const refuse = (what: string) =>
    fail('NetworkAttachmentInvalid', `NetworkAttachmentDefinition ${selected.namespace}/${selected.name}: ${what}`);
  const config = readConfig(nad);
  if (typeof config === 'string') return refuse(config);
  const version = getOwn(config, 'cniVersion');
  const cniVersion = SUPPORTED_VERSIONS.find((known) => known === version);
  if (cniVersion === undefined) return refuse(`cniVersion must be one of ${SUPPORTED_VERSIONS.join(', ')}`);
  const name = getOwn(config, 'name') ?? selected.name;
  if (typeof name !== 'string' || !NETWORK_NAME.test(name)) return refuse('its "name" is not one of a network');
  const plugins = listPlugins(config);
  const fault = findFault(plugins) ?? findForbidden(plugins, pluginTypes);
  if (fault !== undefined) return refuse(fault);
  return succeed({
    cniVersion,
    name,
    ours: OUR_TYPES.includes(getOwn(plugins[0], 'type')),
    plugins: plugins.map((plugin) => fillIn({ ...plugin, name, cniVersion }, selected.requests)),
  });
}

/** The configuration, or what is wrong with its text. */
function readConfig({ spec }: Nad): Json | string {
  const text = spec?.config ?? '';
  if (text.trim() === '') return 'spec.config is empty';
  return (text.length > MAX_CONFIG ? undefined : parseJson(text)) ?? 'spec.config is not a JSON object';
}

/** A type becomes the name of a file to run: nothing but a plain name may get there. */
function findFault(plugins: readonly Json[]): string | undefined {
  const types = plugins.flatMap(listTypesOf);
  const bad = types.find((type) => !PLUGIN.test(type));
  if (bad !== undefined) return `${JSON.stringify(bad.slice(0, 60))} is not a type of plugin`;
  const meta = types.find((type) => MULTUS_TYPES.includes(type));
  if (meta !== undefined) return `${meta} attaches networks itself and cannot be one`;
  const isFew = plugins.length > 0 && plugins.length <= MAX_PLUGINS;
  return isFew ? undefined : `it must name 1 to ${MAX_PLUGINS} plugins`;
}

/** The administrator's list of what NADs may have run on the nodes. */
function findForbidden(plugins: readonly Json[], allowed: readonly string[]): string | undefined {
  if (allowed.length === 0) return undefined;
  const found = plugins.flatMap(listTypesOf).find((type) => !OUR_TYPES.includes(type) && !allowed.includes(type));
  return found === undefined ? undefined : `plugin ${found} is not one of agent.pluginTypes (${allowed.join(', ')})`;
}

/** The plugin's own type, then those that it hands a part of the work to (CNI SPEC.md section 4). */
function listTypesOf(plugin: Json): string[] {
  const handed = ['ipam', 'delegate'].map((key) => getOwn(asJson(getOwn(plugin, key)), 'type') ?? '');
  const named = handed.filter((type) => type !== '').map((type) => asText(type) ?? '');
  return [asText(getOwn(plugin, 'type')) ?? '', ...named];
}

function listPlugins(config: Json): Json[] {
  const list = getOwn(config, 'plugins');
  return list === undefined ? [config] : listJson(list);
}

/** The plugin's configuration with what the pod asks for, and without anything that only a runtime may say. */
function fillIn(plugin: Json, requests: Requests): Json {
  const { prevResult: _, runtimeConfig: __, ...rest } = plugin;
  const runtimeConfig = listCapabilities(asJson(getOwn(plugin, 'capabilities')), requests);
  const args = asJson(getOwn(plugin, 'args'));
  return {
    ...rest,
    ...(requests.cniArgs === undefined
      ? {}
      : { args: { ...args, cni: { ...asJson(getOwn(args, 'cni')), ...requests.cniArgs } } }),
    ...(Object.keys(runtimeConfig).length === 0 ? {} : { runtimeConfig }),
  };
}

function listCapabilities(declared: Json | undefined, requests: Requests): Json {
  const offered: Json = {
    ips: requests.ips,
    mac: requests.mac,
    portMappings: requests.portMappings,
    bandwidth: requests.bandwidth,
    infinibandGUID: requests.infinibandGuid,
    deviceID: requests.deviceId,
  };
  return Object.fromEntries(
    Object.entries(offered).filter(([key, value]) => value !== undefined && getOwn(declared, key) === true),
  );
}
