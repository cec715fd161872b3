import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applyThings, type Context, expectSoon, findThing, getThing, listThings, type Thing } from '../demo/context.ts';
import { kubectl } from '../kubectl.ts';
import { findStartTime } from '../process.ts';
import { closeNamespace, openNamespace, openWorld } from '../scenarios/world.ts';
import { loadFlow } from './flows.ts';
import { listGuests, runInVm } from './guests.ts';
import { findFigures } from './handler/figures.ts';
import { PAUSED } from './handler/pause.ts';
import { POST_COPY } from './handler/plan-copy.ts';
import { startKubevirt } from './start.ts';

const NAMESPACE = 'kubevirt-life';
const VM = { namespace: NAMESPACE, name: 'vm1' };
let context: Context;

const spec = {
  domain: { memory: { guest: '128Mi' }, devices: { interfaces: [{ name: 'default', bridge: {} }] } },
  networks: [{ name: 'default', pod: {} }],
};
const ALLOW = { 'kubevirt.io/allow-pod-bridge-network-live-migration': '' };

function formatVm(): object {
  return {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachine',
    metadata: { name: VM.name, namespace: NAMESPACE },
    spec: { runStrategy: 'Always', template: { metadata: { annotations: ALLOW }, spec } },
  };
}

const annotate = (annotations: Readonly<Record<string, string | null>>): Promise<string> => {
  const body = JSON.stringify({ metadata: { annotations } });
  return kubectl(context.lab, ['-n', NAMESPACE, 'patch', 'vmi', VM.name, '--type=merge', '-p', body]);
};

/** The state of the VMI's condition Paused, which is there only while the guest stands still. */
async function findPaused(): Promise<string | undefined> {
  const { status } = await getThing(context, 'vmi', VM.name, NAMESPACE);
  return (status.conditions as { type: string; reason?: string }[]).find(({ type }) => type === 'Paused')?.reason;
}

function formatMigration(name: string): object {
  const metadata = { name, namespace: NAMESPACE };
  return {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachineInstanceMigration',
    metadata,
    spec: { vmiName: VM.name },
  };
}

const patch = (body: object): Promise<string> =>
  kubectl(context.lab, ['-n', NAMESPACE, 'patch', 'vm', VM.name, '--type=merge', '-p', JSON.stringify(body)]);
const run = (command: string) => runInVm(context.lab, VM, command);

/** Awaits that the VMI's guest answers on its console, and returns the VMI. */
async function awaitGuest(): Promise<Thing> {
  await expectSoon('VMI running', 60, async () =>
    (await findThing(context, 'vmi', VM.name, NAMESPACE))?.status?.phase === 'Running' ? true : undefined,
  );
  await expectSoon('lease', 60, async () => {
    const answer = await run('cat /run/lease.eth0').catch(() => undefined);
    return answer?.code === 0 ? true : undefined;
  });
  return getThing(context, 'vmi', VM.name, NAMESPACE);
}

function awaitPhase(name: string, phases: readonly string[]): Promise<string> {
  return expectSoon(`migration ${name} ${phases.join(' or ')}`, 60, async () => {
    const phase = (await findThing(context, 'vmim', name, NAMESPACE))?.status?.phase as string | undefined;
    return phase !== undefined && phases.includes(phase) ? phase : undefined;
  });
}

/** Only one launcher may live when the next migration starts. */
const awaitSingleLauncher = () =>
  expectSoon('a single launcher', 60, async () => {
    const pods = await listThings(context, 'pods', ['-n', NAMESPACE, '-l', 'kubevirt.io=virt-launcher']);
    return pods.filter((pod) => !['Succeeded', 'Failed'].includes(pod.status.phase)).length === 1 || undefined;
  });

beforeAll(async () => {
  context = await openWorld();
  await openNamespace(context, NAMESPACE);
  await applyThings(context, [formatVm()]);
  await awaitGuest();
});

afterAll(() => closeNamespace(context, NAMESPACE));

describe('a VM', () => {
  it('runs a guest whose address KubeVirt reports as the guest has it', async () => {
    const vmi = await getThing(context, 'vmi', VM.name, NAMESPACE);
    const [nic] = vmi.status.interfaces;
    const { output } = await run('cat /run/lease.eth0 /sys/class/net/eth0/address');
    expect(output).toContain(`ip=${nic.ipAddress}\n`);
    expect(output).toContain(`${nic.mac}\n`);
  });

  it('starts anew under the same address after a stop', async () => {
    const before = await getThing(context, 'vmi', VM.name, NAMESPACE);
    await patch({ spec: { runStrategy: 'Halted' } });
    await expectSoon('VMI gone', 60, async () =>
      (await findThing(context, 'vmi', VM.name, NAMESPACE)) === undefined ? true : undefined,
    );
    expect(await listGuests(context.lab, NAMESPACE, VM.name)).toEqual([]);
    await patch({ spec: { runStrategy: 'Always' } });
    const after = await awaitGuest();
    expect(after.metadata.uid).not.toBe(before.metadata.uid);
    expect(after.status.interfaces[0].ipAddress).toBe(before.status.interfaces[0].ipAddress);
    expect(after.status.interfaces[0].mac).toBe(before.status.interfaces[0].mac);
  });

  it('is made anew when the user deletes its VMI', async () => {
    const before = await getThing(context, 'vmi', VM.name, NAMESPACE);
    await kubectl(context.lab, ['-n', NAMESPACE, 'delete', 'vmi', VM.name, '--timeout=60s']);
    expect((await awaitGuest()).metadata.uid).not.toBe(before.metadata.uid);
  });
});

describe('a live migration', () => {
  it('moves the guest with its memory and leaves a VMI with the fields of the recorded one', async () => {
    const before = await getThing(context, 'vmi', VM.name, NAMESPACE);
    await run('echo kept > /run/mark; dirty 8 10');
    await applyThings(context, [formatMigration('move')]);
    expect(await awaitPhase('move', ['Succeeded', 'Failed'])).toBe('Succeeded');
    const vmi = await getThing(context, 'vmi', VM.name, NAMESPACE);
    expect(vmi.status.nodeName).not.toBe(before.status.nodeName);
    expect(await run('cat /run/mark; dirty stop')).toEqual({ output: 'kept\n', code: 0 });
    const recorded = loadFlow('migrate-success').find((step) => step.step === 'completed')?.objects;
    const model = recorded?.find((one) => one.kind === 'VirtualMachineInstance') as unknown as Thing;
    const fields = (thing: Thing) => Object.keys(thing.status.migrationState).toSorted();
    // The recording's virt-handler was a script that left the network's type out.
    expect(fields(vmi)).toEqual([...fields(model), 'migrationNetworkType'].toSorted());
    const figures = findFigures(context.lab.dir, vmi.status.migrationState.migrationUid);
    expect(figures?.qemuDowntimeMs).toBeTypeOf('number');
    expect(figures?.guestPausedMs).toBeTypeOf('number');
    await awaitSingleLauncher();
  });

  it('that the user aborts leaves the guest where it was', async () => {
    const before = await getThing(context, 'vmi', VM.name, NAMESPACE);
    await run('dirty 60 3000');
    await applyThings(context, [formatMigration('abort')]);
    await awaitPhase('abort', ['Running']);
    await kubectl(context.lab, ['-n', NAMESPACE, 'delete', 'vmim', 'abort', '--timeout=60s']);
    await run('dirty stop');
    const vmi = await getThing(context, 'vmi', VM.name, NAMESPACE);
    expect(vmi.status.nodeName).toBe(before.status.nodeName);
    expect(vmi.status.migrationState).toMatchObject({ abortStatus: 'Succeeded', failed: true });
    await awaitSingleLauncher();
  });

  it('whose target dies leaves the guest where it was', async () => {
    const before = await getThing(context, 'vmi', VM.name, NAMESPACE);
    await run('dirty 60 3000');
    await applyThings(context, [formatMigration('lost')]);
    await awaitPhase('lost', ['Running']);
    const guests = await listGuests(context.lab, NAMESPACE, VM.name);
    const target = guests.find(({ record }) => record.stage === 'incoming')?.record.qemu;
    if (target === undefined || findStartTime(target.pid) !== target.start) throw new Error('no target to kill');
    process.kill(target.pid, 'SIGKILL');
    await awaitPhase('lost', ['Failed']);
    await run('dirty stop');
    const vmi = await getThing(context, 'vmi', VM.name, NAMESPACE);
    expect(vmi.status.nodeName).toBe(before.status.nodeName);
    await awaitSingleLauncher();
  });

  it('goes on when the node half is started anew in the middle of it', async () => {
    await run('echo again > /run/mark; dirty 40 300');
    await applyThings(context, [formatMigration('restart')]);
    await awaitPhase('restart', ['Running']);
    await startKubevirt(context.lab, context.lab.kubevirt);
    await run('dirty stop');
    expect(await awaitPhase('restart', ['Succeeded', 'Failed'])).toBe('Succeeded');
    expect((await run('cat /run/mark')).output).toBe('again\n');
    await awaitSingleLauncher();
  });
});

describe('a live migration in a special way', () => {
  it('of a guest that its user has paused leaves it paused, until the user lets it go on', async () => {
    const before = await getThing(context, 'vmi', VM.name, NAMESPACE);
    await annotate({ [PAUSED]: 'true' });
    await expectSoon('condition Paused', 20, findPaused);
    await applyThings(context, [formatMigration('paused')]);
    expect(await awaitPhase('paused', ['Succeeded', 'Failed'])).toBe('Succeeded');
    await awaitSingleLauncher();
    const after = await getThing(context, 'vmi', VM.name, NAMESPACE);
    expect(after.status.nodeName).not.toBe(before.status.nodeName);
    expect(after.status.migrationState.targetNodeDomainReadyTimestamp).toBeTypeOf('string');
    expect(await findPaused()).toBe('PausedByUser');
    await annotate({ [PAUSED]: null });
    await expectSoon('the guest at work again', 20, async () =>
      (await run('cat /run/mark').catch(() => undefined))?.output === 'again\n' ? true : undefined,
    );
    expect(await findPaused()).toBeUndefined();
  });

  it('by post-copy is told as such, and keeps what the guest has in its memory', async () => {
    await run('dirty 60 3000');
    await annotate({ [POST_COPY]: 'now' });
    await applyThings(context, [formatMigration('post-copy')]);
    expect(await awaitPhase('post-copy', ['Succeeded', 'Failed'])).toBe('Succeeded');
    await annotate({ [POST_COPY]: null });
    expect((await run('dirty stop; cat /run/mark')).output).toBe('again\n');
    const { status } = await getThing(context, 'vmi', VM.name, NAMESPACE);
    expect(status.migrationState).toMatchObject({ mode: 'PostCopy', completed: true });
    await awaitSingleLauncher();
  });
});

describe('a deleted VM', () => {
  it('leaves no object and no guest', async () => {
    const qemu = (await listGuests(context.lab, NAMESPACE, VM.name)).flatMap(({ record }) => record.qemu ?? []);
    expect(qemu.length).toBe(1);
    await kubectl(context.lab, ['-n', NAMESPACE, 'delete', 'vm', VM.name, '--timeout=60s']);
    for (const kind of ['vmi', 'vmim', 'pods']) {
      await expectSoon(`no ${kind}`, 30, async () =>
        (await listThings(context, kind, ['-n', NAMESPACE])).length === 0 ? true : undefined,
      );
    }
    expect(await listGuests(context.lab, NAMESPACE, VM.name)).toEqual([]);
    for (const { pid, start } of qemu) expect(findStartTime(pid)).not.toBe(start);
  });
});
