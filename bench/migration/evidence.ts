import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tryCommand } from '../../test/lab/command.ts';
import { type Context, listThings, type Thing } from '../../test/lab/demo/context.ts';
import { RELEASE_NAMESPACE } from '../../test/lab/demo/install.ts';
import type { Recording } from '../../test/lab/probe/recording.ts';
import { awaitAnswers } from './probing.ts';
import type { Stage, Subject } from './stage.ts';

const FLOWS = 'ovs-ofctl -O OpenFlow15 dump-flows br-int';
const RECOMPUTE = 'for one in /run/ovn/ovn-controller.*.ctl; do ovn-appctl -t "$one" inc-engine/recompute; done';
const SOUTHBOUND = 'ovn-sbctl --no-leader-only --db=unix:/run/ovn/ovnsb_db.sock list';

/**
 * Awaits that every stream of a VM is answered. Where it is not, what all nodes think of it is kept, and whether OVN only
 * has to think again; throws with all that.
 */
export async function awaitReached(
  stage: Stage,
  subject: Subject,
  { recording, name }: { recording: Recording; name: string },
): Promise<void> {
  const { context } = stage;
  try {
    await awaitAnswers(stage, subject, recording);
  } catch (error) {
    const dir = await keepEvidence(context, name);
    await recompute(context);
    const cured = await awaitAnswers(stage, subject, recording).then(
      () => 'it answers after ovn-controllers have derived their flows anew',
      () => 'nor does it after ovn-controllers have derived their flows anew',
    );
    throw new Error(`${error instanceof Error ? error.message : String(error)}; ${cured}; see ${dir}`);
  }
}

/** Keeps what a person needs to see why a guest is not reached: every node's flows, bindings and chassis. Returns the folder. */
async function keepEvidence(context: Context, round: string): Promise<string> {
  const dir = join(context.out, 'evidence', round);
  mkdirSync(dir, { recursive: true });
  for (const pod of await listPods(context, 'mooring-ovn-node')) {
    writeFileSync(join(dir, `flows-${pod.spec.nodeName}`), await runIn(context, pod, 'ovs', FLOWS));
    writeFileSync(join(dir, `controller-${pod.spec.nodeName}`), await readLog(context, pod, 'controller'));
  }
  for (const pod of await listPods(context, 'mooring-ovn-central')) {
    for (const table of ['port_binding', 'chassis', 'datapath_binding'])
      writeFileSync(join(dir, table), await runIn(context, pod, 'sb', `${SOUTHBOUND} ${table}`));
  }
  for (const pod of await listPods(context, 'mooring-operator'))
    writeFileSync(join(dir, pod.metadata.name), await readLog(context, pod, 'operator'));
  return dir;
}

/** Has every ovn-controller derive its flows anew: a fault that this cures is one of its incremental engine. */
async function recompute(context: Context): Promise<void> {
  for (const pod of await listPods(context, 'mooring-ovn-node')) await runIn(context, pod, 'controller', RECOMPUTE);
}

const listPods = (context: Context, app: string): Promise<Thing[]> =>
  listThings(context, 'pods', ['-n', RELEASE_NAMESPACE, '-l', `app=${app}`]);

async function runIn({ lab }: Context, pod: Thing, container: string, line: string): Promise<string> {
  const exec = ['-n', RELEASE_NAMESPACE, 'exec', pod.metadata.name, '-c', container, '--', 'sh', '-c', line];
  const { stdout, stderr } = await tryCommand([lab.bin.kubectl, '--kubeconfig', lab.adminKubeconfig, ...exec]);
  return stdout + stderr;
}

async function readLog({ lab }: Context, pod: Thing, container: string): Promise<string> {
  const logs = ['-n', RELEASE_NAMESPACE, 'logs', pod.metadata.name, '-c', container];
  return (await tryCommand([lab.bin.kubectl, '--kubeconfig', lab.adminKubeconfig, ...logs])).stdout;
}
