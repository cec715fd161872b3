import { kubectl } from '../kubectl.ts';
import {
  applyThings,
  type Context,
  DemoError,
  expectSoon,
  findThing,
  getThing,
  listThings,
  type Thing,
} from './context.ts';
import { runGuestCommand } from './guest.ts';
import { type DemoBinding, formatVm, NAMESPACE } from './manifests.ts';
import { echoes, getClient, ping } from './pods.ts';

/** What the demo knows of a running VM. */
export type VmFacts = { name: string; node: string; ip: string; mac: string };
export type GuestAnswer = { output: string; code: number };

/** Runs a command in the guest over its serial console. */
export function runInVm(context: Context, vm: string, command: string): Promise<GuestAnswer> {
  return runGuestCommand(context, vm, command);
}

/** Starts VMs at the same time and awaits each. */
export async function startVms(
  context: Context,
  vms: readonly { vm: string; binding: DemoBinding }[],
): Promise<VmFacts[]> {
  await applyThings(
    context,
    vms.map(({ vm, binding }) => formatVm(vm, binding)),
  );
  const facts: VmFacts[] = [];
  for (const { vm } of vms) facts.push(await awaitVm(context, vm));
  return facts;
}

/** Awaits that the guest runs and answers, and says where it is and which address it has. */
export async function awaitVm(context: Context, name: string): Promise<VmFacts> {
  const vmi = await expectSoon(`VM ${name} running`, 90, async () => {
    const found = await findThing(context, 'vmi', name);
    const address = found?.status?.interfaces?.[0]?.ipAddress;
    return found?.status?.phase === 'Running' && address ? found : undefined;
  });
  const facts = readFacts(vmi);
  const client = await getClient(context, facts.node);
  await expectSoon(`an answer from ${name} at ${facts.ip}`, 60, async () =>
    (await ping(context, client.metadata.name, facts.ip, 2)) && (await echoes(context, client.metadata.name, facts.ip))
      ? true
      : undefined,
  );
  return facts;
}

export function readFacts(vmi: Thing): VmFacts {
  const nic = vmi.status.interfaces[0] as { ipAddress: string; mac: string };
  return { name: vmi.metadata.name, node: vmi.status.nodeName as string, ip: nic.ipAddress, mac: nic.mac };
}

/** Stops the VM and awaits that nothing of it runs. */
export async function stopVm(context: Context, name: string): Promise<void> {
  await setRunStrategy(context, name, 'Halted');
  await expectSoon(`VM ${name} stopped`, 60, async () => {
    const vmi = await findThing(context, 'vmi', name);
    const launchers = await listThings(context, 'pods', ['-n', NAMESPACE, '-l', `demo/vm=${name}`]);
    return vmi === undefined && launchers.length === 0 ? true : undefined;
  });
}

export async function setRunStrategy(context: Context, name: string, strategy: 'Always' | 'Halted'): Promise<void> {
  const patch = JSON.stringify({ spec: { runStrategy: strategy } });
  await kubectl(context.lab, ['-n', NAMESPACE, 'patch', 'vm', name, '--type=merge', '-p', patch]);
}

/** No new pods on these nodes while `work` runs. */
export async function withCordon<T>(context: Context, nodes: readonly string[], work: () => Promise<T>): Promise<T> {
  for (const node of nodes) await kubectl(context.lab, ['cordon', node]);
  try {
    return await work();
  } finally {
    for (const node of nodes) await kubectl(context.lab, ['uncordon', node]);
  }
}

export type Restart = {
  vm: string;
  ipBefore: string;
  ipAfter: string;
  macBefore: string;
  macAfter: string;
  nodeBefore: string;
  nodeAfter: string;
};

/** Stops and starts the VM; with `elsewhere` its present node is closed to it. */
export async function restartVm(context: Context, name: string, elsewhere: boolean): Promise<Restart> {
  const before = readFacts(await getThing(context, 'vmi', name));
  await stopVm(context, name);
  const kept = (await listThings(context, 'lp')).filter((port) => port.spec.owner.name === name);
  if (!kept.some((port) => port.spec.ips[0] === before.ip))
    throw new DemoError(`the stopped VM ${name} no longer holds ${before.ip}`);
  const after = await withCordon(context, elsewhere ? [before.node] : [], async () => {
    await setRunStrategy(context, name, 'Always');
    return awaitVm(context, name);
  });
  return {
    vm: name,
    ipBefore: before.ip,
    ipAfter: after.ip,
    macBefore: before.mac,
    macAfter: after.mac,
    nodeBefore: before.node,
    nodeAfter: after.node,
  };
}
