import type { WireRequest } from '../protocol.ts';
import { CniError } from './errors.ts';

export type Command = 'ADD' | 'DEL' | 'CHECK' | 'STATUS' | 'GC' | 'VERSION';
export const COMMANDS: readonly Command[] = ['ADD', 'DEL', 'CHECK', 'STATUS', 'GC', 'VERSION'];

/** Versions of the specification that we answer in, oldest first. */
export const SUPPORTED_VERSIONS = ['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const;
export type CniVersion = (typeof SUPPORTED_VERSIONS)[number];

/** What the runtime says of the pod (CNI_ARGS). `uid` is the API's, or the config hash of a static pod. */
export type PodIdentity = { readonly namespace: string; readonly name: string; readonly uid: string };

/** One interface of one sandbox: the identity of everything that an ADD makes. */
export type AttachmentKey = { readonly containerId: string; readonly ifname: string };

export type NetworkConfig = {
  readonly cniVersion: CniVersion;
  readonly name: string;
  readonly type: string;
  readonly fields: ReadonlyMap<string, unknown>;
};

export type AttachRequest = AttachmentKey & {
  readonly netns: string;
  readonly pod: PodIdentity;
  readonly config: NetworkConfig;
  /** CNI_ARGS whole; tenants have a say in all but the pod's identity. */
  readonly args?: ReadonlyMap<string, string>;
};

const CONTAINER_ID = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/;
const NETWORK_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,252}$/;
const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const DNS_NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
const POD_UID = /^[a-zA-Z0-9-]{1,64}$/;
const MAX_ARGS = 16 * 1024;
const MAX_PATH = 4096;

/** The verb. Throws CniError `invalidEnvironment`. */
export function parseCommand(request: WireRequest): Command {
  const text = request.env.get('CNI_COMMAND') ?? '';
  const command = COMMANDS.find((name) => name === text);
  if (command === undefined) throw invalidEnv('CNI_COMMAND', `${JSON.stringify(text.slice(0, 40))} is no CNI command`);
  return command;
}

/** The version in which even an error has to be worded: that of the configuration when it can be read. */
export function findVersion(request: WireRequest): string {
  try {
    const version = parseObject(request.stdin).get('cniVersion');
    return SUPPORTED_VERSIONS.find((known) => known === version) ?? '1.0.0';
  } catch {
    return '1.0.0';
  }
}

/** All that ADD and CHECK need. Throws CniError; nothing that a tenant can write gets through unchecked. */
export function parseAttach(request: WireRequest): AttachRequest {
  const key = parseKey(request.env);
  const args = parseArgs(request.env.get('CNI_ARGS') ?? '');
  const config = parseConfig(request.stdin);
  return { ...key, netns: parseNetns(request.env), pod: parsePod(args), config, args };
}

/** All that DEL needs: neither netns nor a readable configuration. */
export function parseKey(env: ReadonlyMap<string, string>): AttachmentKey {
  const containerId = env.get('CNI_CONTAINERID') ?? '';
  if (!CONTAINER_ID.test(containerId)) throw invalidEnv('CNI_CONTAINERID', 'it is missing or no container id');
  return { containerId, ifname: parseIfname(env.get('CNI_IFNAME')) };
}

/** The network configuration. Throws CniError `decoding`, `invalidConfig` or `incompatibleVersion`. */
export function parseConfig(stdin: string): NetworkConfig {
  const fields = parseObject(stdin);
  const cniVersion = parseVersion(fields.get('cniVersion'));
  const name = fields.get('name');
  const type = fields.get('type');
  if (typeof name !== 'string' || !NETWORK_NAME.test(name)) {
    throw new CniError('invalidConfig', 'the network configuration has no valid "name"');
  }
  if (typeof type !== 'string' || type === '' || type.includes('/')) {
    throw new CniError('invalidConfig', 'the network configuration has no valid "type"');
  }
  return { cniVersion, name, type, fields };
}

/** The version of the specification that a verb came with; the others have always been there. */
const SINCE: ReadonlyMap<Command, CniVersion> = new Map([
  ['CHECK', '0.4.0'],
  ['STATUS', '1.1.0'],
  ['GC', '1.1.0'],
]);

/** A configuration of an older version knows no such verb. Throws CniError `incompatibleVersion`. */
export function requireVerb(command: Command, { cniVersion }: NetworkConfig): void {
  const since = SINCE.get(command) ?? SUPPORTED_VERSIONS[0];
  if (SUPPORTED_VERSIONS.indexOf(cniVersion) >= SUPPORTED_VERSIONS.indexOf(since)) return;
  throw new CniError('incompatibleVersion', `${command} does not exist in ${cniVersion}, only from ${since} on`);
}

function parseVersion(value: unknown): CniVersion {
  const wanted = value === undefined ? '0.1.0' : value;
  const found = SUPPORTED_VERSIONS.find((known) => known === wanted);
  if (found !== undefined) return found;
  const text = typeof wanted === 'string' ? wanted.slice(0, 20) : typeof wanted;
  throw new CniError(
    'incompatibleVersion',
    `cniVersion ${text} is not supported; supported are ${SUPPORTED_VERSIONS.join(', ')}`,
  );
}

/** A JSON object as a map, so that no key can reach a prototype. Throws CniError `decoding`. */
export function parseObject(text: string): ReadonlyMap<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new CniError('decoding', 'the network configuration on stdin is not JSON');
  }
  const fields = asFields(value);
  if (fields === undefined) throw new CniError('decoding', 'the network configuration on stdin is no JSON object');
  return fields;
}

/** The entries of a JSON object, undefined for anything else. */
export function asFields(value: unknown): ReadonlyMap<string, unknown> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return new Map(Object.entries(value));
}

function parseIfname(text = ''): string {
  const plain = text.length >= 1 && Buffer.byteLength(text) <= 15 && text !== '.' && text !== '..';
  const clean = [...text].every((char) => char > ' ' && char !== '\x7f' && !'/:%'.includes(char)) && !/\s/u.test(text);
  if (!plain || !clean) throw invalidEnv('CNI_IFNAME', 'it is missing or no interface name');
  return text;
}

function parseNetns(env: ReadonlyMap<string, string>): string {
  const netns = env.get('CNI_NETNS') ?? '';
  if (!netns.startsWith('/') || netns.length > MAX_PATH || netns.split('/').includes('..')) {
    throw invalidEnv('CNI_NETNS', 'it is missing or no absolute path');
  }
  return netns;
}

function parsePod(args: ReadonlyMap<string, string>): PodIdentity {
  const pod = {
    namespace: args.get('K8S_POD_NAMESPACE') ?? '',
    name: args.get('K8S_POD_NAME') ?? '',
    uid: args.get('K8S_POD_UID') ?? '',
  };
  if (!DNS_LABEL.test(pod.namespace)) throw invalidEnv('CNI_ARGS', 'K8S_POD_NAMESPACE is missing or no name');
  if (!DNS_NAME.test(pod.name)) throw invalidEnv('CNI_ARGS', 'K8S_POD_NAME is missing or no name');
  if (!POD_UID.test(pod.uid)) throw invalidEnv('CNI_ARGS', 'K8S_POD_UID is missing or no UID');
  return pod;
}

/**
 * `K=V;K=V`. A key that comes twice must mean the same both times, as Multus repeats the runtime's; IgnoreUnknown is
 * written `1` by one and `true` by the other and means nothing here. Throws CniError `invalidEnvironment`.
 */
export function parseArgs(text: string): ReadonlyMap<string, string> {
  if (text.length > MAX_ARGS) throw invalidEnv('CNI_ARGS', `it is longer than ${MAX_ARGS} bytes`);
  const args = new Map<string, string>();
  for (const pair of text.split(';').filter((part) => part !== '')) {
    const [key, value, ...rest] = pair.split('=');
    if (!key || value === undefined || rest.length > 0) throw invalidEnv('CNI_ARGS', 'it is not a list of KEY=VALUE');
    const known = args.get(key);
    if (known !== undefined && known !== value && key !== 'IgnoreUnknown') {
      throw invalidEnv('CNI_ARGS', `${key.slice(0, 60)} has two different values`);
    }
    if (known === undefined) args.set(key, value);
  }
  return args;
}

/** The attachments that GC must keep. Throws CniError `invalidConfig` when the list is missing: that is not "none". */
export function parseValidAttachments(config: NetworkConfig): readonly AttachmentKey[] {
  const list = config.fields.get('cni.dev/valid-attachments') ?? config.fields.get('cni.dev/attachments');
  if (!Array.isArray(list)) {
    throw new CniError('invalidConfig', 'GC without the list cni.dev/valid-attachments: nothing was removed');
  }
  return list.map((item: unknown) => {
    const fields = asFields(item);
    const containerId = fields?.get('containerID');
    const ifname = fields?.get('ifname');
    if (typeof containerId !== 'string' || typeof ifname !== 'string') {
      throw new CniError('invalidConfig', 'an entry of cni.dev/valid-attachments is malformed: nothing was removed');
    }
    return { containerId, ifname };
  });
}

function invalidEnv(name: string, message: string): CniError {
  return new CniError('invalidEnvironment', `${name}: ${message}`, { details: name });
}
