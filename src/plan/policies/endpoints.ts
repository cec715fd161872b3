import { formatPortLsp } from '../../api/names.ts';
import type { Pod } from '../../api/objects.ts';
import type { LogicalPort } from '../../api/types.gen.ts';
import { PRIMARY_INTERFACE } from '../requests/types.ts';
import type { Endpoint, NamedPort, Protocol } from './groups.ts';

type Attachment = NonNullable<LogicalPort['spec']['attachments']>[number];

/**
 * Whoever is behind a port. `uncovered`: no policy speaks of it, as it is no pod's first interface. `unknown`: nobody
 * holds it, or not yet, or nobody that can be seen to run; what was decided of it stays.
 */
export type Holder = Endpoint | 'uncovered' | 'unknown';

const FINAL: readonly (string | undefined)[] = ['Succeeded', 'Failed'];

/**
 * The pod behind a LogicalPort. A guest that migrates has two launchers with the same labels and one port: the one that
 * runs it counts, unless that has ended already.
 */
export function findHolder(port: LogicalPort, findPod: (key: string) => Pod | undefined): Holder {
  const attachments = port.spec.attachments ?? [];
  const first = attachments.filter((one) => one.interface === PRIMARY_INTERFACE);
  if (first.length === 0) return attachments.length === 0 ? 'unknown' : 'uncovered';
  const namespace = port.metadata.namespace ?? '';
  const pods = first.toSorted(bySource).flatMap(({ podName, podUID }) => {
    const pod = findPod(`${namespace}/${podName}`);
    return pod?.metadata.uid === podUID && !FINAL.includes(pod.status?.phase) ? [pod] : [];
  });
  const [pod] = pods;
  if (pod === undefined) return 'unknown';
  return { lsp: formatPortLsp(port), namespace, labels: pod.metadata.labels ?? {}, ports: listNamedPorts(pod) };
}

const bySource = (a: Attachment, b: Attachment): number => Number(b.role === 'Source') - Number(a.role === 'Source');

/** Container ports that have a name; TCP where none is said. */
export function listNamedPorts({ spec }: Pick<Pod, 'spec'>): NamedPort[] {
  const ports = (spec?.containers ?? []).flatMap((container) => container.ports ?? []);
  return ports.flatMap(({ name, containerPort: port, protocol = 'TCP' }) =>
    name === undefined || port === undefined || !isProtocol(protocol) ? [] : [{ name, protocol, port }],
  );
}

export const isProtocol = (value: unknown): value is Protocol => value === 'TCP' || value === 'UDP' || value === 'SCTP';
