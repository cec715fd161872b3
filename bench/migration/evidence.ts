import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tryCommand } from '../../test/lab/command.ts';
import { type Context, listThings, type Thing } from '../../test/lab/demo/context.ts';
import { RELEASE_NAMESPACE } from '../../test/lab/demo/install.ts';
import type { Recording } from '../../test/lab/probe/recording.ts';
import { awaitAnswers } from './probing.ts';
import type { Stage, Subject } from './stage.ts';

const FLOWS = 'ovs-ofctl -O OpenFlow15 dump-flows br-int';
const APPCTL = 'ovs-appctl -t /run/openvswitch/ovs-vswitchd.ctl';
/** What Open vSwitch does with packets, which may be older than its flow tables say. */
const DATAPATH = [
  'dpctl/dump-flows -m',
  'fdb/show br-phy',
  'ovs/route/show',
  'tnl/ports/show -v',
  'tnl/neigh/show',
  'upcall/show',
  'coverage/show',
]
  .map((command) => `${APPCTL} ${command}`)
  .join('; ');
const PURGE = `${APPCTL} revalidator/purge`;
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
    const cured = await findCure(stage, subject, recording);
    throw new Error(`${error instanceof Error ? error.message : String(error)}; ${cured}; see ${dir}`);
  }
}

/** What makes the VM answer again, tried one after the other on every node: it tells whose fault it is. */
async function findCure(stage: Stage, subject: Subject, recording: Recording): Promise<string> {
  const cures = [
    ['controller', RECOMPUTE, 'ovn-controllers have derived their flows anew'],
    ['ovs', PURGE, 'Open vSwitch has forgotten the flows of its datapath'],
  ] as const;
  for (const [container, line, what] of cures) {
    for (const pod of await listPods(stage.context, 'mooring-ovn-node'))
      await runIn(stage.context, pod, container, line);
    const answers = await awaitAnswers(stage, subject, recording).then(
      () => true,
      () => false,
    );
    if (answers) return `it answers after ${what}`;
  }
  return `nor does it after ${cures.map(([, , what]) => what).join(', nor after ')}`;
}

/** Keeps what a person needs to see why a guest is not reached: every node's flows, datapath, bindings and chassis. Returns the folder. */
async function keepEvidence(context: Context, round: string): Promise<string> {
  const dir = join(context.out, 'evidence', round);
  mkdirSync(dir, { recursive: true });
  for (const pod of await listPods(context, 'mooring-ovn-node')) {
    writeFileSync(join(dir, `flows-${pod.spec.nodeName}`), await runIn(context, pod, 'ovs', FLOWS));
    writeFileSync(join(dir, `datapath-${pod.spec.nodeName}`), await runIn(context, pod, 'ovs', DATAPATH));
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
