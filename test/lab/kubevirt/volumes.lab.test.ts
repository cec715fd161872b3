import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applyThings, type Context, expectSoon, findThing, getThing, listThings, type Thing } from '../demo/context.ts';
import { kubectl } from '../kubectl.ts';
import { expectReady, formatWebPod, patchThing, pings } from '../scenarios/things.ts';
import { expectGuest, formatMachine } from '../scenarios/vms.ts';
import { closeNamespace, openNamespace, openWorld } from '../scenarios/world.ts';

const NAMESPACE = 'volumes';
const VM = { namespace: NAMESPACE, name: 'disks' };
const PEER = { namespace: NAMESPACE, name: 'peer' };
const EPHEMERAL = 'kubevirt.io/ephemeral-provisioning';
const PLUGGED = 'lab.mooring.dev/plugged-volume';
const annotations = {
  'kubevirt.io/allow-pod-bridge-network-live-migration': '',
  'lab.mooring.dev/first-consumer': '',
  [PLUGGED]: 'ready',
};

let context: Context;
/** Names of the storage-only launchers that were seen. */
const ghosts = new Set<string>();

const listPods = (selector: string): Promise<Thing[]> => listThings(context, 'pods', ['-n', NAMESPACE, '-l', selector]);
const port = (): Promise<Thing> => getThing(context, 'lp', `${VM.name}.default.vm`, NAMESPACE);
const holders = async (): Promise<string[]> =>
  ((await port()).spec.attachments ?? []).map((attachment: { podName: string }) => attachment.podName);

async function migrate(name: string, phase: string): Promise<void> {
  const metadata = { name, namespace: NAMESPACE };
  const spec = { vmiName: VM.name };
  await applyThings(context, [
    { apiVersion: 'kubevirt.io/v1', kind: 'VirtualMachineInstanceMigration', metadata, spec },
  ]);
  await expectSoon(`migration ${name} ${phase}`, 60, async () =>
    (await findThing(context, 'vmim', name, NAMESPACE))?.status?.phase === phase ? true : undefined,
  );
}

beforeAll(async () => {
  context = await openWorld();
  await openNamespace(context, NAMESPACE);
  await applyThings(context, [formatWebPod(PEER), formatMachine({ ...VM, running: true, annotations })]);
  await expectSoon('a storage-only launcher', 60, async () => {
    const found = (await listPods('kubevirt.io=virt-launcher')).find((pod) => pod.metadata.annotations?.[EPHEMERAL]);
    return found === undefined ? undefined : ghosts.add(found.metadata.name);
  });
  await expectGuest(context, VM);
  await expectReady(context, NAMESPACE, [PEER.name]);
});

afterAll(() => closeNamespace(context, NAMESPACE));

describe('a VM whose volume waits for its first consumer', () => {
  it('has its port on the launcher with the guest, and nothing on the one that only made room for the volume', async () => {
    const launchers = await listPods('kubevirt.io=virt-launcher');
    const real = launchers.map(({ metadata }) => metadata.name).filter((name) => !ghosts.has(name));
    expect(real.length).toBe(1);
    expect(await holders()).toEqual(real);
    expect(await pings(context, PEER, (await port()).spec.ips[0], 10)).toBe(true);
  });

  it('has one that has run, on a port of its own, and is gone with it', async () => {
    // KubeVirt lets it go once its container runs; one that never starts stays as long as the VMI.
    await expectSoon('no storage-only launcher', 60, async () =>
      (await listPods('kubevirt.io=virt-launcher')).some(({ metadata }) => ghosts.has(metadata.name))
        ? undefined
        : true,
    );
    for (const name of ghosts) {
      const listEvents = (reason: string) =>
        listThings(context, 'events', [
          '-n',
          NAMESPACE,
          '--field-selector',
          `involvedObject.name=${name},reason=${reason}`,
        ]);
      expect((await listEvents('Started')).length).toBeGreaterThan(0);
      expect(await listEvents('AttachFailed')).toEqual([]);
    }
    await expectSoon('no port of it', 30, async () => {
      const ports = await listThings(context, 'lp', ['-n', NAMESPACE]);
      return ports.some(({ spec }) => ghosts.has(spec.owner.name)) ? undefined : true;
    });
  });
});

describe('a VM with a volume that was plugged', () => {
  it('moves when the pod that attaches it is ready, which holds no port of the VM', async () => {
    const { ips, mac } = (await port()).spec;
    await migrate('ready', 'Succeeded');
    expect((await listPods('kubevirt.io=hotplug-disk')).length).toBe(1);
    await expectSoon('the port on the target alone', 30, async () =>
      (await holders()).length === 1 ? true : undefined,
    );
    const { targetPod } = (await getThing(context, 'vmi', VM.name, NAMESPACE)).status.migrationState;
    expect(await holders()).toEqual([targetPod]);
    expect([(await port()).spec.ips, (await port()).spec.mac]).toEqual([ips, mac]);
    expect(await pings(context, PEER, ips[0], 10)).toBe(true);
  });

  it('that no node takes stays where it is, reachable, until the migration is called off', async () => {
    const before = await getThing(context, 'vmi', VM.name, NAMESPACE);
    const [ip] = (await port()).spec.ips;
    await patchThing(context, ['-n', NAMESPACE, 'vmi', VM.name], { metadata: { annotations: { [PLUGGED]: 'stuck' } } });
    await migrate('stuck', 'Scheduling');
    const target = await expectSoon('a target that runs', 60, async () =>
      (await listPods('kubevirt.io=virt-launcher')).find(
        (pod) =>
          pod.metadata.annotations?.['kubevirt.io/migrationJobName'] === 'stuck' && pod.status.phase === 'Running',
      ),
    );
    expect((await holders()).toSorted()).toContain(target.metadata.name);
    expect(await pings(context, PEER, ip, 3)).toBe(true);
    expect((await getThing(context, 'vmim', 'stuck', NAMESPACE)).status.phase).toBe('Scheduling');
    await kubectl(context.lab, ['-n', NAMESPACE, 'delete', 'vmim', 'stuck', '--timeout=60s']);
    await expectSoon('the port on the source alone', 90, async () => {
      const names = await holders();
      return names.length === 1 && names[0] !== target.metadata.name ? true : undefined;
    });
    expect(await pings(context, PEER, ip, 3)).toBe(true);
    expect((await getThing(context, 'vmi', VM.name, NAMESPACE)).status.nodeName).toBe(before.status.nodeName);
  });
});
