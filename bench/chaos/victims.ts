import { kill } from 'node:process';
import { type Context, listThings, type Thing } from '../../test/lab/demo/context.ts';
import { RELEASE_NAMESPACE } from '../../test/lab/demo/install.ts';
import { getLeader } from '../../test/lab/demo/operator.ts';
import { findPodPid } from '../../test/lab/demo/pods.ts';
import type { Victim } from './plan.ts';

/** Where a victim runs: its pod's label, its container. */
const PLACES: Readonly<Record<Exclude<Victim, 'operator'>, { app: string; container: string }>> = {
  agent: { app: 'mooring-agent', container: 'agent' },
  'ovn-controller': { app: 'mooring-ovn-node', container: 'controller' },
  northd: { app: 'mooring-ovn-central', container: 'northd' },
  // The lab has one member, which leads.
  'nb-leader': { app: 'mooring-ovn-central', container: 'nb' },
};

/** A process that is to be killed, found beforehand so that the moment is exact. */
export type Target = { readonly pid: number; readonly pod: string };

/** Finds the victim's process; of the programs of each node the one on `node`. Throws when it does not run. */
export async function findTarget(context: Context, victim: Victim, node: string): Promise<Target> {
  if (victim === 'operator') return targetOf(context, await getLeader(context), 'operator');
  const { app, container } = PLACES[victim];
  const pods = await listThings(context, 'pods', ['-n', RELEASE_NAMESPACE, '-l', `app=${app}`]);
  const pod = pods.find((one) => one.spec.nodeName === node) ?? pods[0];
  if (pod === undefined) throw new Error(`no pod of ${victim}`);
  return targetOf(context, pod, container);
}

async function targetOf(context: Context, pod: Thing, container: string): Promise<Target> {
  return { pid: await findPodPid(context, pod, container), pod: pod.metadata.name };
}

/** No clean-up, no farewell. */
export const strike = ({ pid }: Target): boolean => kill(pid, 'SIGKILL');

/** True when every program of ours runs and is ready. */
export async function isWhole(context: Context): Promise<boolean> {
  const pods = await listThings(context, 'pods', ['-n', RELEASE_NAMESPACE]);
  return pods.every(({ status }) => {
    const statuses: { ready: boolean }[] = status?.containerStatuses ?? [];
    return statuses.length > 0 && statuses.every(({ ready }) => ready);
  });
}
