import { findKubevirtOwner, isStorageOnly, type Pod } from '../api/objects.ts';
import type { LogicalPort } from '../api/types.gen.ts';

/**
 * One key is one unit of work: `vm/<ns>/<name>` for everything of a VM or VMI of that name, `pod/<ns>/<name>` for a pod
 * that is no launcher, `subnet/<name>`, `node/<name>`, `vpc/<name>`, `ippool/<name>`, `migrationnetwork/<name>`,
 * `kubevirt/<ns>/<name>`, `policy/<ns>/<name>`, `policygroup/<id>` for pods that policies speak of, and `rows/<owner>` for
 * rows whose owner is gone.
 */
export type Key =
  | { readonly kind: 'vm' | 'pod'; readonly namespace: string; readonly name: string }
  | { readonly kind: (typeof PLAIN)[number]; readonly name: string };

const PLAIN = [
  'subnet',
  'node',
  'vpc',
  'ippool',
  'migrationnetwork',
  'kubevirt',
  'policy',
  'policygroup',
  'rows',
] as const;

export const formatWorkloadKey = (kind: 'vm' | 'pod', namespace: string, name: string): string =>
  `${kind}/${namespace}/${name}`;

/** No later turn can do anything for such a key. */
class InvalidKey extends TypeError {
  override readonly name = 'InvalidKey';
  readonly class = 'terminal';
}

/**
 * Throws a terminal TypeError for what is no key: names in owner references are free text, which whoever may create a
 * pod can write.
 */
export function parseKey(text: string): Key {
  const at = text.indexOf('/');
  const [kind, rest] = [text.slice(0, at), text.slice(at + 1)];
  if (isPlain(kind)) return { kind, name: rest };
  const [namespace, name, ...more] = rest.split('/');
  if ((kind !== 'vm' && kind !== 'pod') || !namespace || !name || more.length > 0)
    throw new InvalidKey(`no key: ${text.slice(0, 300)}`);
  return { kind, namespace, name };
}

function isPlain(kind: string): kind is (typeof PLAIN)[number] {
  return PLAIN.some((plain) => plain === kind);
}

/** The key that a pod's ports belong to: its VMI's when one controls it, its own when it has no guest. */
export function getPodKey(pod: Pod): string {
  return isStorageOnly(pod.metadata) ? getOwnKey(pod) : (findLauncherKey(pod) ?? getOwnKey(pod));
}

/** The key of the VMI that controls a pod, with or without a guest in it. */
export function findLauncherKey({ metadata }: Pod): string | undefined {
  const vmi = findKubevirtOwner(metadata, 'VirtualMachineInstance');
  return vmi && formatWorkloadKey('vm', metadata.namespace ?? '', vmi.name);
}

const getOwnKey = ({ metadata: { namespace = '', name } }: Pod): string => formatWorkloadKey('pod', namespace, name);

/** The key that a LogicalPort belongs to, by what its owner is called. */
export function getPortKey(port: LogicalPort): string {
  const { owner } = port.spec;
  return formatWorkloadKey(owner.kind === 'Pod' ? 'pod' : 'vm', port.metadata.namespace ?? '', owner.name);
}
