import { PRIMARY_INTERFACE } from '../../plan/requests/types.ts';
import { listHostPorts } from './capabilities.ts';
import type { Context } from './context.ts';
import { CLUSTER_NETWORK, findHostPortObstacle, type InstallOptions } from './install.ts';
import type { AttachRequest } from './request.ts';

/** What decides whether `hostPort` works on this node. */
export type HostPortsSettings = Pick<InstallOptions, 'binDir' | 'hostPorts'>;

/**
 * Nobody opens a pod's `hostPort` unless a plugin after ours does. In a list of the user's own that is theirs to see to;
 * in ours it is off by default, and a pod that asks for such a port is told, as it would wait for packets for ever.
 */
export async function tellHostPorts(
  { cluster, events }: Pick<Context, 'cluster' | 'events'>,
  settings: HostPortsSettings,
  { ifname, config, pod: identity }: AttachRequest,
): Promise<void> {
  if (ifname !== PRIMARY_INTERFACE || config.name !== CLUSTER_NETWORK || config.fields.has('prevResult')) return;
  const pod = cluster.findPod(identity);
  const ports = pod === undefined ? [] : listHostPorts(pod);
  if (pod === undefined || ports.length === 0) return;
  const obstacle = await findHostPortObstacle(settings);
  if (obstacle === undefined) return;
  const note = `hostPort ${ports.slice(0, 8).join(', ')} does nothing: ${obstacle}`;
  events.record(
    { apiVersion: 'v1', kind: 'Pod', ...pod },
    { type: 'Warning', reason: 'HostPortIgnored', action: 'Attach', note },
  );
}
