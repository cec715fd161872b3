import { type Context, expectSoon, findThing, listThings, type Thing } from '../demo/context.ts';
import { listGuests, runInVm } from '../kubevirt/guests.ts';
import { patchThing } from './things.ts';

export type VmRequest = {
  readonly namespace: string;
  readonly name: string;
  readonly running: boolean;
  /** On the template, where users put requests for addresses. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** Key of the interface: `bridge`, or a binding of KubeVirt's configuration. */
  readonly binding?: 'bridge' | 'managedtap';
  /** NADs of further NICs by the NIC's name. */
  readonly nads?: Readonly<Record<string, string>>;
  readonly mac?: string;
  /** Data for cloud-init, on a volume of NoCloud. */
  readonly userData?: string;
};

/** A virtual machine with a NIC on the pod network and one for each NAD. */
export function formatMachine(request: VmRequest): object {
  const { namespace, name, running, annotations = {}, binding = 'bridge', nads = {}, mac, userData } = request;
  const way = binding === 'bridge' ? { bridge: {} } : { binding: { name: binding } };
  const first = { name: 'default', ...way, ...(mac === undefined ? {} : { macAddress: mac }) };
  const others = Object.keys(nads).map((nic) => ({ name: nic, bridge: {} }));
  const networks = Object.entries(nads).map(([nic, networkName]) => ({ name: nic, multus: { networkName } }));
  return {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachine',
    metadata: { name, namespace },
    spec: {
      runStrategy: running ? 'Always' : 'Halted',
      template: {
        metadata: { annotations },
        spec: {
          terminationGracePeriodSeconds: 5,
          domain: {
            cpu: { cores: 1 },
            memory: { guest: '128Mi' },
            devices: {
              interfaces: [first, ...others],
              ...(userData === undefined ? {} : { disks: [{ name: 'seed', disk: { bus: 'virtio' } }] }),
            },
          },
          networks: [{ name: 'default', pod: {} }, ...networks],
          ...(userData === undefined ? {} : { volumes: [{ name: 'seed', cloudInitNoCloud: { userData } }] }),
        },
      },
    },
  };
}

export type Machine = { readonly namespace: string; readonly name: string };

/** Awaits that the guest runs and has taken an address by DHCP. */
export async function expectGuest(context: Context, vm: Machine): Promise<void> {
  await expectSoon(`VM ${vm.name} running`, 60, async () =>
    (await findThing(context, 'vmi', vm.name, vm.namespace))?.status?.phase === 'Running' ? true : undefined,
  );
  await expectSoon(`a lease in the guest of ${vm.name}`, 60, async () =>
    (await inGuest(context, vm, 'cat /run/lease.eth0').catch(() => '')).includes('ip=') ? true : undefined,
  );
}

/** Awaits what only comes by IPv6: an address by DHCPv6 and a default route by an advertisement. */
export async function expectGuest6(context: Context, vm: Machine): Promise<void> {
  await expectGuest(context, vm);
  const line = 'cat /run/lease6.eth0; ip -6 route';
  await expectSoon(`address and route by IPv6 in the guest of ${vm.name}`, 30, async () => {
    const output = await inGuest(context, vm, line).catch(() => '');
    return output.includes('ip=') && output.includes('default via fe80:') ? true : undefined;
  });
}

/** What a command prints in the guest. */
export async function inGuest(context: Context, vm: Machine, command: string): Promise<string> {
  return (await runInVm(context.lab, vm, command)).output;
}

/** Stops or starts a VM; a stop is awaited until nothing of it runs. */
export async function setRunning(context: Context, vm: Machine, running: boolean): Promise<void> {
  const { namespace, name } = vm;
  await patchThing(context, ['-n', namespace, 'vm', name], { spec: { runStrategy: running ? 'Always' : 'Halted' } });
  if (running) return;
  await expectSoon(`VM ${name} stopped`, 60, async () => {
    const vmi = await findThing(context, 'vmi', name, namespace);
    const pods = await listThings(context, 'pods', ['-n', namespace, '-l', `vm.kubevirt.io/name=${name}`]);
    const guests = await listGuests(context.lab, namespace, name);
    return vmi === undefined && pods.length === 0 && guests.length === 0 ? true : undefined;
  });
}

/** The LogicalPort of a VM's NIC, once it is as `check` wants it. */
export function expectPort(
  context: Context,
  vm: Machine,
  check: (port: Thing) => boolean,
  nic = 'default',
): Promise<Thing> {
  const name = `${vm.name}.${nic}.vm`;
  return expectSoon(`LogicalPort ${name} as wanted`, 30, async () => {
    const port = await findThing(context, 'lp', name, vm.namespace);
    return port !== undefined && check(port) ? port : undefined;
  });
}

/** The condition of a LogicalPort. */
export function conditionOf(port: Thing, type: string): { status: string; reason: string; message: string } {
  const found = (
    (port.status?.conditions ?? []) as { type: string; status: string; reason: string; message: string }[]
  ).find((condition) => condition.type === type);
  return found ?? { status: 'Unknown', reason: '', message: '' };
}

/** Sets annotations on the VM's template. */
export function annotateTemplate(
  context: Context,
  { namespace, name }: Machine,
  annotations: Readonly<Record<string, string | null>>,
): Promise<void> {
  return patchThing(context, ['-n', namespace, 'vm', name], { spec: { template: { metadata: { annotations } } } });
}
