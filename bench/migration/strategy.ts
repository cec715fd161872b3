import { join } from 'node:path';
import { runCommand } from '../../test/lab/command.ts';
import { type Context, expectSoon, listThings, type Thing } from '../../test/lab/demo/context.ts';
import { RELEASE_NAMESPACE } from '../../test/lab/demo/install.ts';
import { getLeader } from '../../test/lab/demo/operator.ts';

/** Who opens the target of a migration: Mooring's gate, or OVN's activation strategy. */
export type Strategy = 'gate' | 'rarp';

const PROGRAMS = ['mooring-operator', 'mooring-agent'];

/** Gives operator and agents the strategy by the chart's own value, and awaits that all of them run with it. */
export async function setStrategy(context: Context, strategy: Strategy): Promise<void> {
  const { lab, root } = context;
  const helm = [lab.bin.helm, 'upgrade', '--install', 'mooring', join(root, 'charts/mooring')];
  const flags = ['--namespace', RELEASE_NAMESPACE, '-f', join(root, 'test/lab/values.yaml')];
  const value = ['--set', `migration.activation=${strategy}`, '--wait', '--timeout', '3m'];
  await runCommand([...helm, ...flags, ...value], { timeoutMs: 200_000, env: { KUBECONFIG: lab.adminKubeconfig } });
  await expectSoon(`operator and agents with ${strategy}`, 120, async () => {
    const pods = await listThings(context, 'pods', ['-n', RELEASE_NAMESPACE]);
    const own = pods.filter((pod) => PROGRAMS.includes(pod.metadata.labels?.app ?? ''));
    return own.length > 0 && own.every((pod) => isReadyWith(pod, strategy)) ? true : undefined;
  });
  await expectSoon('an operator that leads', 30, () => getLeader(context).catch(() => undefined));
}

function isReadyWith(pod: Thing, strategy: Strategy): boolean {
  const args: string[] = pod.spec.containers?.[0]?.args ?? [];
  const statuses: { ready: boolean }[] = pod.status?.containerStatuses ?? [];
  const ready = statuses.length > 0 && statuses.every((status) => status.ready);
  return ready && pod.metadata.deletionTimestamp === undefined && args.includes(`--activation=${strategy}`);
}
