import type { Context } from '../context.ts';
import type { Task } from './attach.ts';

/**
 * `default-route` of a network (multi-network specification v1.3, section 4.1.2.1.9): the pod's default route goes there
 * and nowhere else. Done after all interfaces are there, whoever made them.
 */
export async function setDefaultRoutes(
  { links }: Pick<Context, 'links'>,
  netnsPath: string,
  tasks: readonly Pick<Task, 'ifname' | 'requests'>[],
): Promise<void> {
  for (const { ifname, requests } of tasks) {
    const gateways = requests.defaultRoute ?? [];
    if (gateways.length > 0) await links.run({ kind: 'moveDefaultRoute', netnsPath, interface: ifname, gateways });
  }
}
