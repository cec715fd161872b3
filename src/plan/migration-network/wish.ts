import { asFields } from '../../api/fields.ts';
import { API_VERSION } from '../../api/group.ts';
import { formatMigrationNad, formatMigrationSubnet } from '../../api/names.ts';
import type { NetworkAttachmentDefinition } from '../../api/objects.ts';
import { fail, type Result, succeed } from '../../api/problem.ts';
import type { MigrationNetwork, Subnet } from '../../api/types.gen.ts';
import { planRanges, quote, type SubnetRanges } from '../../ipam/ranges.ts';
import { isOvnProvider } from '../networks/provider.ts';
import { planNad } from '../requests/nad.ts';
import { parseFields } from '../wishes/json.ts';

type Uplink = NonNullable<MigrationNetwork['spec']['uplink']>;

/** What a MigrationNetwork comes to, by its spec and the definition that it names. */
export type Wish = {
  readonly ranges: SubnetRanges;
  /** Name of the definition in KubeVirt's namespace. */
  readonly nad: string;
  /** The interface or bridge of the nodes that the memory leaves by, as far as the definition tells. */
  readonly device?: string;
  /** The NICs are ours, on OVN: they leave by the uplink of guests and pods. */
  readonly viaOvn: boolean;
  /** Undefined where the definition has addresses of its own. */
  readonly subnet?: Subnet;
  /** Undefined where the user made the definition. */
  readonly definition?: NetworkAttachmentDefinition;
};

const MAX_DEVICE = 15;

/** Problems: those of ranges, InvalidSpec, NetworkAttachmentNotFound, NetworkAttachmentInvalid. */
export function planWish(
  network: MigrationNetwork,
  namespace: string,
  nads: readonly NetworkAttachmentDefinition[],
): Result<Wish> {
  const { uplink, nad } = network.spec;
  const ranges = planRanges(network.spec);
  if (!ranges.ok) return ranges;
  if (uplink !== undefined && nad === undefined) return planUplink(network, { uplink, namespace }, ranges.value);
  if (nad === undefined || uplink !== undefined) return fail('InvalidSpec', 'name either uplink or nad');
  const found = nads.find(({ metadata }) => metadata.name === nad && metadata.namespace === namespace);
  if (found !== undefined) return planDefinition(network, found, ranges.value);
  return fail('NetworkAttachmentNotFound', `NetworkAttachmentDefinition ${namespace}/${quote(nad)} does not exist`);
}

type Place = { readonly uplink: Uplink; readonly namespace: string };

function planUplink(network: MigrationNetwork, { uplink, namespace }: Place, ranges: SubnetRanges): Result<Wish> {
  const { name } = network.metadata;
  const nad = formatMigrationNad(name);
  const device = formatDevice(uplink);
  if (device.length > MAX_DEVICE || !/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(device)) {
    return fail('InvalidSpec', `${quote(device)} is no name of an interface`);
  }
  const provider = `${nad}.${namespace}`;
  const config = { cniVersion: '1.0.0', name: nad, ...formatPlugin(network, uplink), ipam: formatIpam(provider) };
  const definition = {
    metadata: { ...formatMeta(network, nad), namespace },
    spec: { config: JSON.stringify(config) },
  };
  return succeed({
    ranges,
    nad,
    device,
    viaOvn: false,
    definition,
    subnet: formatSubnet(network, { provider, namespace }),
  });
}

/** With macvlan a VLAN is an interface of the node; a bridge tags by itself. */
const formatDevice = ({ interface: name, type, vlan }: Uplink): string =>
  vlan === undefined || type === 'bridge' ? name : `${name}.${vlan}`;

const formatIpam = (provider: string) => ({ type: 'mooring', provider });

function formatPlugin({ spec }: MigrationNetwork, uplink: Uplink): Record<string, unknown> {
  const mtu = spec.mtu === undefined ? {} : { mtu: spec.mtu };
  if (uplink.type !== 'bridge') return { type: 'macvlan', master: formatDevice(uplink), mode: 'bridge', ...mtu };
  return {
    type: 'bridge',
    bridge: uplink.interface,
    ...(uplink.vlan === undefined ? {} : { vlan: uplink.vlan }),
    ...mtu,
  };
}

/** Tied to the MigrationNetwork, so that it goes with it even when nobody of ours is there to see to it. */
function formatMeta({ metadata }: MigrationNetwork, name: string) {
  const owner = { apiVersion: API_VERSION, kind: KIND, name: metadata.name, uid: metadata.uid ?? '', controller: true };
  return { name, ownerReferences: [owner] };
}

const KIND = 'MigrationNetwork';

type Named = Pick<Subnet, 'metadata'>;

/** True for the Subnet that this MigrationNetwork, or an earlier one of its name, has made. */
export const isOwnSubnet = (subnet: Named, network: string): boolean =>
  isMade(subnet, { network, name: formatMigrationSubnet(network) });

/** The same of a definition. The owner alone proves nothing: any tenant may write one into a definition of their own. */
export const isOwnNad = (nad: Named, network: string): boolean =>
  isMade(nad, { network, name: formatMigrationNad(network) });

function isMade({ metadata }: Named, made: { readonly network: string; readonly name: string }): boolean {
  const owners = metadata.ownerReferences ?? [];
  const isOwner = ({ apiVersion, kind, name }: (typeof owners)[number]) =>
    apiVersion === API_VERSION && kind === KIND && name === made.network;
  return metadata.name === made.name && owners.some(isOwner);
}

type Home = { readonly provider: string; readonly namespace: string };

/** Only KubeVirt's own namespace may take addresses of it. */
function formatSubnet(network: MigrationNetwork, { provider, namespace }: Home): Subnet {
  const { cidrBlock, gateway, excludeIps = [], mtu } = network.spec;
  return {
    apiVersion: API_VERSION,
    kind: 'Subnet',
    metadata: formatMeta(network, formatMigrationSubnet(network.metadata.name)),
    spec: {
      provider,
      cidrBlock,
      excludeIps,
      namespaces: [namespace],
      ...(gateway === undefined ? {} : { gateway }),
      ...(isOvnProvider(provider) ? { private: true, ...(mtu === undefined ? {} : { mtu }) } : {}),
    },
  };
}

/** A definition that the user made keeps its addresses, unless they are to be ours. */
function planDefinition(
  network: MigrationNetwork,
  found: NetworkAttachmentDefinition,
  ranges: SubnetRanges,
): Result<Wish> {
  const plan = planNad(found);
  if (!plan.ok) return plan;
  const device = findDevice(found);
  const { name, namespace = '' } = found.metadata;
  const base = { ranges, nad: name, viaOvn: plan.value.kind === 'ours', ...(device === undefined ? {} : { device }) };
  if (plan.value.kind !== 'none') {
    return succeed({ ...base, subnet: formatSubnet(network, { provider: plan.value.provider, namespace }) });
  }
  if (hasIpam(found)) return succeed(base);
  const what = 'it gives no address, and a virt-handler without one does not start; set ipam.type to mooring';
  return fail('NetworkAttachmentInvalid', `NetworkAttachmentDefinition ${namespace}/${name}: ${what}`);
}

/** The fields of the plugin that makes the NIC; `planNad` has said yes to them. */
function findPlugin({ spec }: NetworkAttachmentDefinition) {
  const config = parseFields(spec?.config ?? '');
  const plugins = config?.get('plugins');
  return Array.isArray(plugins) ? asFields(plugins[0]) : config;
}

function hasIpam(nad: NetworkAttachmentDefinition): boolean {
  const type = asFields(findPlugin(nad)?.get('ipam'))?.get('type');
  return typeof type === 'string' && type !== '';
}

/** The keys by which macvlan, ipvlan, vlan, bridge and host-device name what they use of the node. */
const DEVICE_KEYS = ['master', 'bridge', 'device'];

function findDevice(nad: NetworkAttachmentDefinition): string | undefined {
  const plugin = findPlugin(nad);
  const values = DEVICE_KEYS.map((key) => plugin?.get(key));
  return values.find(
    (value): value is string => typeof value === 'string' && value !== '' && value.length <= MAX_DEVICE,
  );
}
