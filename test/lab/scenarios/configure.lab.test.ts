import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseNetworkConfig } from '../../../src/api/network-config.ts';
import { applyThings, type Context, expectSoon, findThing, getThing, listThings, type Thing } from '../demo/context.ts';
import { addGate, expectSidecar, SIDECAR_GATE } from '../demo/networks/told.ts';
import { kubectl } from '../kubectl.ts';
import { listLaunchers, startMove } from './moving.ts';
import { expectReady, formatNad, formatSubnet, formatWebPod, patchThing, pings, removeAll } from './things.ts';
import { expectPort, formatMachine, inGuest, setRunning } from './vms.ts';
import { closeNamespace, openNamespace, openWorld } from './world.ts';

/** Guests without a DHCP client, configured by the hook sidecar with what their LogicalPorts have. */
const NAMESPACE = 'configure';
const SUBNET = 'configure-side';
const VM = { namespace: NAMESPACE, name: 'told' };
const PLAIN = { namespace: NAMESPACE, name: 'plain' };
const ON_POD = { namespace: NAMESPACE, name: 'client' };
const ON_SIDE = { namespace: NAMESPACE, name: 'side-client' };
const SIDECARS = 'hooks.kubevirt.io/hookSidecars';

let context: Context;
let putBack: (() => Promise<void>) | undefined;

type Nic = { readonly ip: string; readonly mac: string };

async function readNic(nic: string): Promise<Nic> {
  const { spec } = await expectPort(context, VM, (port) => port.spec.ips.length > 0, nic);
  return { ip: String(spec.ips[0]), mac: String(spec.mac) };
}

const listNics = (): Promise<Nic[]> => Promise.all(['default', 'side'].map(readNic));

/** Awaits that the guest has been configured; gives what its NICs have by its own account. */
async function expectConfigured(vm = VM): Promise<string> {
  await expectSoon(`VM ${vm.name} running`, 60, async () =>
    (await findThing(context, 'vmi', vm.name, vm.namespace))?.status?.phase === 'Running' ? true : undefined,
  );
  await expectSoon(`the guest of ${vm.name} configured`, 60, async () =>
    (await inGuest(context, vm, 'cat /run/configured').catch(() => '')).includes('done') ? true : undefined,
  );
  return inGuest(context, vm, 'ip addr; ip route; ip -6 route');
}

const reach = ([first, second]: readonly Nic[]): Promise<boolean[]> =>
  Promise.all([pings(context, ON_POD, first?.ip ?? ''), pings(context, ON_SIDE, second?.ip ?? '')]);

async function tidy(): Promise<void> {
  await closeNamespace(context, NAMESPACE);
  await removeAll(context, 'subnets.mooring.dev', [SUBNET]);
}

const makeVm = (name: string, userData?: string): object =>
  formatMachine({
    namespace: NAMESPACE,
    name,
    running: true,
    binding: 'managedtap',
    nads: { side: 'side' },
    annotations: { 'mooring.dev/configure-guest': 'true' },
    ...(userData === undefined ? {} : { userData }),
  });

beforeAll(async () => {
  context = await openWorld();
  await tidy();
  putBack = await addGate(context, SIDECAR_GATE);
  await openNamespace(context, NAMESPACE);
  const networks = JSON.stringify([{ name: 'side' }]);
  await applyThings(context, [
    formatSubnet(SUBNET, {
      cidrBlock: '10.55.0.0/24,fd00:55::/64',
      provider: `side.${NAMESPACE}.ovn`,
      mtu: 1300,
      dhcp: { dnsServers: ['10.96.0.10'], routes: [{ dst: '10.56.0.0/16', gw: '10.55.0.9' }] },
    }),
    formatNad(NAMESPACE, 'side'),
    formatWebPod(ON_POD),
    formatWebPod({ ...ON_SIDE, annotations: { 'k8s.v1.cni.cncf.io/networks': networks } }),
  ]);
  await expectReady(context, NAMESPACE, [ON_POD.name, ON_SIDE.name]);
  const vm = makeVm(VM.name, '#cloud-config\n');
  await expectSidecar(context, vm);
  await applyThings(context, [vm]);
});

afterAll(async () => {
  await tidy();
  await putBack?.();
});

describe('a guest with two NICs and no DHCP client', () => {
  let before: Nic[];
  let boot: string;

  it('comes up with the addresses, routes and MTU of its LogicalPorts, by the sidecar that the webhook put in', async () => {
    const told = await expectConfigured();
    before = await listNics();
    for (const { ip, mac } of before) {
      expect(told).toContain(`inet ${ip}/`);
      expect(told).toContain(mac);
    }
    expect(told).toContain('inet6 fd00:55::');
    expect(told).toContain('mtu 1300');
    expect(told).toContain('10.56.0.0/16 via 10.55.0.9');
    expect(told.match(/^default via \d/gm)).toHaveLength(1);
    const clients = await inGuest(context, VM, 'ps | grep -c "[u]dhcpc"; ls /run | grep -c lease');
    expect(clients).toBe('0\n0\n');
  });

  it('is reached on both networks', async () => {
    expect(await reach(before)).toEqual([true, true]);
  });

  it('was told so by its VMI, and its launcher has the sidecar as KubeVirt renders it', async () => {
    const { annotations = {} } = (await getThing(context, 'vmi', VM.name, NAMESPACE)).metadata;
    const parsed = parseNetworkConfig(annotations['mooring.dev/network-config'] ?? '');
    expect(parsed.ok && parsed.config.nics.map(({ name, mac }) => [name, mac])).toEqual([
      ['default', before[0]?.mac],
      ['side', before[1]?.mac],
    ]);
    const [launcher] = await listLaunchers(context, VM);
    expect(launcher?.spec.containers[1]).toMatchObject({
      name: 'hook-sidecar-0',
      args: ['sidecar', '--configure-guest'],
    });
  });

  it('keeps both through a restart', async () => {
    await setRunning(context, VM, false);
    await setRunning(context, VM, true);
    const told = await expectConfigured();
    expect(await listNics()).toEqual(before);
    for (const { ip } of before) expect(told).toContain(`inet ${ip}/`);
    expect(await reach(before)).toEqual([true, true]);
  });

  it('keeps both through a live migration without a boot, and the source’s launcher ends with its sidecar', async () => {
    boot = await inGuest(context, VM, 'cat /proc/sys/kernel/random/boot_id');
    const [source] = await listLaunchers(context, VM);
    await startMove(context, VM, 'move-1');
    await expectSoon('the migration', 90, async () => {
      const phase = (await findThing(context, 'vmim', 'move-1', NAMESPACE))?.status?.phase;
      if (phase === 'Failed') throw new Error('the migration failed');
      return phase === 'Succeeded' ? true : undefined;
    });
    await expectSoon('the source’s launcher ended', 60, async () => {
      const pods = await listThings(context, 'pods', ['-n', NAMESPACE]);
      return (
        pods.find(({ metadata }) => metadata.uid === source?.metadata.uid)?.status?.phase === 'Succeeded' || undefined
      );
    });
    expect(await reach(before)).toEqual([true, true]);
    expect(await inGuest(context, VM, 'cat /proc/sys/kernel/random/boot_id')).toBe(boot);
    expect(await listNics()).toEqual(before);
  });
});

describe('the webhook', () => {
  const listSidecars = async (vm: { name: string }): Promise<string | undefined> => {
    const { spec }: Thing = await getThing(context, 'vm', vm.name, NAMESPACE);
    return spec.template.metadata.annotations[SIDECARS];
  };

  it('puts the sidecar in only with a cloud-init volume, and takes it out again when nobody asks', async () => {
    const input = JSON.stringify(makeVm(PLAIN.name));
    const stopped = input.replace('"Always"', '"Halted"');
    await kubectl(context.lab, ['apply', '-f', '-'], { input: stopped });
    expect(await listSidecars(PLAIN)).toBeUndefined();
    expect(JSON.parse((await listSidecars(VM)) ?? '[]')).toMatchObject([{ args: ['sidecar', '--configure-guest'] }]);
    await patchThing(context, ['-n', NAMESPACE, 'vm', VM.name], {
      spec: { template: { metadata: { annotations: { 'mooring.dev/configure-guest': null } } } },
    });
    expect(await listSidecars(VM)).toBeUndefined();
  });
});
