import { asFields, type Fields } from '../../api/fields.ts';
import type { NetworkAttachmentDefinition } from '../../api/objects.ts';
import { fail, type Result, succeed } from '../../api/problem.ts';
import { quote } from '../../ipam/ranges.ts';
import { MAX_TEXT, parseFields } from '../wishes/json.ts';

/** The names under which our plugin is called (USAGE.md). */
const OURS: readonly unknown[] = ['mooring', 'kube-ovn'];
const OVN = 'ovn';

/** What a NAD means to us. `type` is the plugin that makes the NIC. */
export type NadPlan =
  | { readonly kind: 'none'; readonly type: string }
  | {
      /** `ours`: our NIC. `ipam`: another plugin's NIC with an address of ours. */
      readonly kind: 'ours' | 'ipam';
      readonly type: string;
      /** `<nad>.<ns>.ovn` for a NIC of ours, `<nad>.<ns>` for another plugin's. */
      readonly provider: string;
      /** The NAD names its provider; one of ours that does not, or says `ovn`, may also mean the primary network. */
      readonly named: boolean;
    };

/**
 * Reads a NAD by the configuration, or the first plugin of its list: a NIC is ours when that has our type, its address
 * is when its `ipam.type` is ours. The provider must be the NAD's own: any other would let a tenant's NAD reach another
 * one's network. `server_socket` and other keys mean nothing. Problem: NetworkAttachmentInvalid.
 */
export function planNad(nad: NetworkAttachmentDefinition): Result<NadPlan> {
  const plugin = parsePlugin(nad.spec?.config ?? '');
  if (typeof plugin === 'string') return failNad(nad, plugin);
  const type = String(plugin.get('type'));
  const own = formatOwn(nad);
  if (OURS.includes(type)) {
    const asked = plugin.get('provider') === OVN ? '' : plugin.get('provider');
    return planProvider(nad, { kind: 'ours', type }, { own: `${own}.${OVN}`, asked });
  }
  const ipam = asFields(plugin.get('ipam'));
  if (!OURS.includes(ipam?.get('type'))) return succeed({ kind: 'none', type });
  return isMistakable(nad)
    ? failNad(nad, `its provider ${own} would be that of another NAD; give it a name without a dot`)
    : planProvider(nad, { kind: 'ipam', type }, { own, asked: ipam?.get('provider') });
}

const formatOwn = ({ metadata }: NetworkAttachmentDefinition): string => `${metadata.name}.${metadata.namespace ?? ''}`;

/** `a.b` in namespace `ovn` would share a provider with our NAD `a` of namespace `b`. */
const isMistakable = ({ metadata }: NetworkAttachmentDefinition): boolean =>
  metadata.namespace === OVN && metadata.name.includes('.');

type Base = Pick<Extract<NadPlan, { provider: string }>, 'kind' | 'type'>;

function planProvider(
  nad: NetworkAttachmentDefinition,
  base: Base,
  { own, asked }: { own: string; asked: unknown },
): Result<NadPlan> {
  const named = asked !== undefined && asked !== '';
  if (!named || asked === own) return succeed({ ...base, provider: own, named });
  const shown = typeof asked === 'string' ? `, not ${quote(asked)}` : '';
  return failNad(nad, `provider must be ${own}${shown}`);
}

function failNad({ metadata }: NetworkAttachmentDefinition, what: string) {
  const where = `NetworkAttachmentDefinition ${metadata.namespace ?? ''}/${metadata.name}`;
  return fail('NetworkAttachmentInvalid', `${where}: ${what}`);
}

/** The plugin that makes the NIC, or what is wrong. */
function parsePlugin(config: unknown): Fields | string {
  if (typeof config !== 'string') return 'spec.config is not text';
  if (config.trim() === '')
    return 'spec.config is empty, no subnet can be tied to it; write a configuration with a type';
  const parsed = config.length > MAX_TEXT ? undefined : parseFields(config);
  if (parsed === undefined) return 'spec.config is not a JSON object';
  if (!['string', 'undefined'].includes(typeof parsed.get('name'))) return 'name must be text';
  return findPlugin(parsed) ?? 'spec.config names no plugin';
}

function findPlugin(config: Fields): Fields | undefined {
  const plugins = config.get('plugins');
  const plugin = Array.isArray(plugins) ? asFields(plugins[0]) : config;
  const type = plugin?.get('type');
  return typeof type === 'string' && type !== '' ? plugin : undefined;
}
