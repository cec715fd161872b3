import { NIC_DEVICES } from './annotations.ts';
import { asFields, type Fields } from './fields.ts';

/**
 * What somebody wants of the device of one NIC, as the guest sees it. Only what KubeVirt's own API has no field for, or
 * has one that a policy would have to fill, goes this way.
 */
export type NicDevice = {
  /** Bytes; told to the guest, never more than what the pod's link takes. */
  readonly mtu?: number;
  /** Of a virtio NIC whose VM has `networkInterfaceMultiqueue`. */
  readonly queues?: number;
  readonly link?: 'up' | 'down';
  readonly model?: NicModel;
};

/** Models that KubeVirt's build of QEMU has. */
export const NIC_MODELS = ['virtio', 'e1000', 'e1000e', 'rtl8139'] as const;
export type NicModel = (typeof NIC_MODELS)[number];

export type ParsedNicDevices = {
  readonly devices: ReadonlyMap<string, NicDevice>;
  readonly problems: readonly string[];
};

const MAX_TEXT = 16_384;
const MAX_NICS = 64;
const MTU = { min: 576, max: 65_535 };
/** KubeVirt and the kernel's tap take no more. */
const QUEUES = { min: 1, max: 256 };
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;

/**
 * Reads the annotation `mooring.dev/nic-devices`: `{"<nic>": {"mtu", "queues", "link", "model"}}`. A value that is not
 * valid counts as not given, and is told: one of them must not keep a guest from its start.
 */
export function parseNicDevices(text: string): ParsedNicDevices {
  const entries = parseEntries(text);
  if (typeof entries === 'string') return { devices: new Map(), problems: [`${NIC_DEVICES} ${entries}`] };
  const problems: string[] = [];
  const devices = new Map<string, NicDevice>();
  for (const [name, value] of entries) {
    const fields = NAME.test(name) ? asFields(value) : undefined;
    if (fields === undefined) problems.push(`${NIC_DEVICES}: an entry is not a NIC's name with an object`);
    else
      devices.set(
        name,
        readDevice(fields, (problem) => problems.push(`${NIC_DEVICES}: ${name}: ${problem}`)),
      );
  }
  return { devices, problems };
}

function parseEntries(text: string): Fields | string {
  if (text.length > MAX_TEXT) return `is longer than ${MAX_TEXT} characters`;
  const fields = asFields(parseJson(text));
  if (fields === undefined) return 'is not a JSON object';
  return fields.size > MAX_NICS ? `names more than ${MAX_NICS} NICs` : fields;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const READERS = new Map<string, (value: unknown) => NicDevice | undefined>([
  ['mtu', (value) => (isNumber(value, MTU) ? { mtu: value } : undefined)],
  ['queues', (value) => (isNumber(value, QUEUES) ? { queues: value } : undefined)],
  ['link', (value) => (value === 'up' || value === 'down' ? { link: value } : undefined)],
  [
    'model',
    (value) => {
      const model = NIC_MODELS.find((one) => one === value);
      return model && { model };
    },
  ],
]);

function readDevice(fields: Fields, tell: (problem: string) => void): NicDevice {
  const parts = [...fields].map(([key, value]) => {
    const reader = READERS.get(key);
    const part = reader?.(value);
    if (reader === undefined) tell(`a key is not one of ${[...READERS.keys()].join(', ')}`);
    else if (part === undefined) tell(`the value of ${key} is not valid`);
    return part;
  });
  return Object.assign({}, ...parts) as NicDevice;
}

function isNumber(value: unknown, { min, max }: { min: number; max: number }): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max;
}
