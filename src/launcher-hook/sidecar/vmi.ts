import { parseMac } from '../../api/address.ts';
import { asFields, type Fields, listFields, readTexts } from '../../api/fields.ts';

/** A NIC as the VMI's spec has it. */
export type VmiNic = {
  readonly name: string;
  /** What the guest sees; undefined where KubeVirt or libvirt chooses it. */
  readonly mac?: string;
  /** The guest's address is KubeVirt's, not the pod's. */
  readonly translated: boolean;
  /** On the pod network. */
  readonly primary: boolean;
};

/** What the sidecar reads of the VMI that comes with each call. */
export type VmiFacts = {
  readonly annotations: ReadonlyMap<string, string>;
  /** In the order of the spec, without those that are to be absent. */
  readonly nics: readonly VmiNic[];
};

/** An object in the API has at most 1.5 MiB; KubeVirt's JSON of one is no longer. */
const MAX_BYTES = 2_097_152;

/** Reads a VMI as KubeVirt marshals it. Undefined when it is none, or too long. What has another form counts as absent. */
export function parseVmi(json: Uint8Array): VmiFacts | undefined {
  const vmi = asFields(parseJson(json));
  if (vmi === undefined) return undefined;
  const spec = asFields(vmi.get('spec')) ?? new Map();
  const devices = asFields(asFields(spec.get('domain'))?.get('devices'));
  const primary = new Set(listFields(spec.get('networks')).flatMap((one) => (one.has('pod') ? one.get('name') : [])));
  const interfaces = listFields(devices?.get('interfaces')).filter((one) => one.get('state') !== 'absent');
  return {
    annotations: readTexts(asFields(vmi.get('metadata'))?.get('annotations')),
    nics: interfaces.flatMap((one) => readNic(one, primary)),
  };
}

function parseJson(json: Uint8Array): unknown {
  if (json.length > MAX_BYTES) return undefined;
  try {
    return JSON.parse(Buffer.from(json.buffer, json.byteOffset, json.byteLength).toString('utf8'));
  } catch {
    return undefined;
  }
}

function readNic(fields: Fields, primary: ReadonlySet<unknown>): VmiNic[] {
  const name = fields.get('name');
  if (typeof name !== 'string') return [];
  const address = fields.get('macAddress');
  // KubeVirt takes dashes, too; the guest is given colons.
  const mac = typeof address === 'string' ? parseMac(address.replaceAll('-', ':')) : undefined;
  const translated = fields.has('masquerade') || fields.has('passtBinding');
  return [{ name, translated, primary: primary.has(name), ...(mac === undefined ? {} : { mac }) }];
}
