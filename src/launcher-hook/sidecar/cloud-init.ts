import { CONFIGURE_GUEST, NETWORK_CONFIG } from '../../api/annotations.ts';
import { asFields, type Fields, isGiven } from '../../api/fields.ts';
import { parseNetworkConfig } from '../../api/network-config.ts';
import { type GuestNic, planGuest } from './guest.ts';
import { formatNetplan } from './netplan.ts';
import { formatNetworkData } from './network-data.ts';
import { parseVmi, type VmiFacts } from './vmi.ts';

/** The two forms in which KubeVirt hands cloud-init's data over, and takes it back: JSON texts. */
export type CloudInit = { readonly data: Uint8Array; readonly noCloudSource: Uint8Array };

/** What to hand back, and why it is what came, if it is. */
export type CloudInitPlan = { readonly cloudInit: CloudInit; readonly note?: string };

/** Cloud-init's data are a part of the VMI or of a Secret, which has 1 MiB; JSON makes it longer. */
const MAX_BYTES = 2_097_152;

/**
 * Fills `NetworkData` where the guest is to be configured and the user gave none. Everything else of the data is handed
 * back as it came. KubeVirt (v1.4 to v1.9, `pkg/cloud-init/cloud-init.go`) keeps NetworkData as plain text, not base64,
 * and writes it to the disk as it is: as `network-config` for DataSource `noCloud`, as
 * `openstack/latest/network_data.json` for `configDrive`. Where the first form has no UserData it reads the second.
 */
export function planCloudInit(cloudInit: CloudInit, vmiJson: Uint8Array): CloudInitPlan {
  const keep = (note: string): CloudInitPlan => ({ cloudInit, note });
  const vmi = parseVmi(vmiJson);
  if (vmi === undefined) return keep('the VMI cannot be read');
  const asked = vmi.annotations.get(CONFIGURE_GUEST);
  if (asked !== 'true') return keep(`${CONFIGURE_GUEST} is not "true"`);
  const data = parseObject(cloudInit.data);
  if (data === undefined) return keep('there are no cloud-init data');
  if (isGiven(data.get('NetworkData'))) return keep('the user gave network data');
  const format = FORMATS.get(data.get('DataSource'));
  if (format === undefined) return keep('the data source is not known');
  const guest = planNics(vmi);
  if (!guest.ok) return keep(guest.problem);
  return { cloudInit: fill(cloudInit, data, format(guest.nics)) };
}

const FORMATS: ReadonlyMap<unknown, (nics: readonly GuestNic[]) => string> = new Map([
  ['noCloud', formatNetplan],
  ['configDrive', formatNetworkData],
]);

function planNics(vmi: VmiFacts) {
  const text = vmi.annotations.get(NETWORK_CONFIG);
  if (text === undefined) return { ok: false, problem: `the VMI has no ${NETWORK_CONFIG}` } as const;
  const parsed = parseNetworkConfig(text);
  return parsed.ok ? planGuest(vmi, parsed.config) : parsed;
}

function fill({ noCloudSource }: CloudInit, data: Fields, networkData: string): CloudInit {
  const source = parseObject(noCloudSource);
  return {
    data: formatObject([...data, ['NetworkData', networkData]]),
    noCloudSource: source ? formatObject([...source, ['networkData', networkData]]) : noCloudSource,
  };
}

/** Later entries win; a name that every object inherits stays a name. */
function formatObject(entries: readonly (readonly [string, unknown])[]): Uint8Array {
  return Buffer.from(JSON.stringify(Object.fromEntries(entries)));
}

function parseObject(json: Uint8Array): Fields | undefined {
  if (json.length > MAX_BYTES) return undefined;
  try {
    return asFields(JSON.parse(Buffer.from(json).toString('utf8')));
  } catch {
    return undefined;
  }
}
