import { kill } from 'node:process';
import { type Context, DemoError, getThing, listThings, type Thing } from './context.ts';
import { RELEASE_NAMESPACE } from './install.ts';
import { findPodPid } from './pods.ts';

/** The operator pod that leads now, by the Lease. */
export async function getLeader(context: Context): Promise<Thing> {
  const lease = await getThing(context, 'lease', 'mooring-operator', RELEASE_NAMESPACE);
  const holder = String(lease.spec.holderIdentity);
  const pods = await listThings(context, 'pods', ['-n', RELEASE_NAMESPACE, '-l', 'app=mooring-operator']);
  const leader = pods.find((pod) => holder.includes(pod.metadata.name));
  if (leader === undefined) throw new DemoError(`no operator pod bears the Lease's holder ${holder}`);
  return leader;
}

/** SIGKILL to the leading operator: no clean-up, no release of the Lease. */
export async function killOperator(context: Context): Promise<void> {
  const leader = await getLeader(context);
  kill(await findPodPid(context, leader, 'operator'), 'SIGKILL');
  context.say(`    killed the leading operator ${leader.metadata.name} with SIGKILL`);
}
