import { type Context, expectSoon, findThing, getThing, listThings, type Thing } from '../demo/context.ts';
import { findPodPid } from '../demo/pods.ts';
import { pathsOf } from '../guest/guest.ts';
import { connectQmp } from '../guest/qmp.ts';
import { kubectl } from '../kubectl.ts';
import { listGuests } from '../kubevirt/guests.ts';
import { listLaunchers, startMove } from './moving.ts';
import { expectPort, inGuest, type Machine } from './vms.ts';

/** One NIC of a guest: on the pod network when it names no NAD. */
export type CaseNic = {
  readonly masquerade?: true;
  readonly mac?: string;
  /** `<namespace>/<name>`; with `first` it takes the place of the pod network (Multus' default network). */
  readonly nad?: string;
  readonly first?: true;
  /** Of KubeVirt's own words: `e1000`, ...; `up` or `down`. */
  readonly model?: string;
  readonly state?: string;
  readonly ports?: readonly { readonly protocol: string; readonly port: number }[];
};

export type CaseVm = Machine & {
  readonly node?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Several: each NIC has as many pairs of queues. */
  readonly cpus?: number;
  /** In the guest's order; none for a guest that wants none. */
  readonly nics: Readonly<Record<string, CaseNic>>;
};

/** A running virtual machine as a case of KubeVirt's own suite has it. */
export function formatCaseVm(vm: CaseVm): object {
  const { namespace, name, node, labels = {}, annotations = {}, cpus = 1, nics } = vm;
  const entries = Object.entries(nics);
  const several = cpus > 1 ? { networkInterfaceMultiqueue: true } : {};
  const devices = entries.length === 0 ? { autoattachPodInterface: false } : { interfaces: entries.map(formatNic) };
  return {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachine',
    metadata: { name, namespace },
    spec: {
      runStrategy: 'Always',
      template: {
        metadata: { labels, annotations },
        spec: {
          terminationGracePeriodSeconds: 5,
          ...(node === undefined ? {} : { nodeSelector: { 'kubernetes.io/hostname': node } }),
          domain: { cpu: { cores: cpus }, memory: { guest: '128Mi' }, devices: { ...devices, ...several } },
          ...(entries.length === 0 ? {} : { networks: entries.map(formatNetwork) }),
        },
      },
    },
  };
}

function formatNic([name, { masquerade, mac, ports, model, state }]: [string, CaseNic]): object {
  return {
    name,
    ...(masquerade === true ? { masquerade: {} } : { bridge: {} }),
    ...(mac === undefined ? {} : { macAddress: mac }),
    ...(ports === undefined ? {} : { ports }),
    ...(model === undefined ? {} : { model }),
    ...(state === undefined ? {} : { state }),
  };
}

function formatNetwork([name, { nad, first }]: [string, CaseNic]): object {
  if (nad === undefined) return { name, pod: {} };
  return { name, multus: { networkName: nad, ...(first === true ? { default: true } : {}) } };
}

/** The pod that the guest runs in; throws unless there is one. */
export async function getLauncher(context: Context, vm: Machine): Promise<Thing> {
  const [pod, ...more] = await listLaunchers(context, vm);
  if (pod === undefined || more.length > 0)
    throw new Error(`${vm.name} has ${more.length} launchers beside ${pod?.metadata.name}`);
  return pod;
}

/** How a guest pings: from which NIC, with how many bytes behind the headers, how often once a second (5). */
export type Pinging = { readonly nic?: string; readonly size?: number; readonly tries?: number };

/** Sends one ping a second from the guest until one is answered; false when none is. */
export async function guestPings(context: Context, vm: Machine, ip: string, how: Pinging = {}): Promise<boolean> {
  const { nic, size, tries = 5 } = how;
  const flags = [...(nic === undefined ? [] : ['-I', nic]), ...(size === undefined ? [] : ['-s', size])].join(' ');
  const program = ip.includes(':') ? 'ping6' : 'ping';
  const one = `${program} ${flags} -c 1 -W 1 ${ip} >/dev/null 2>&1 && echo answered && break`;
  return (await inGuest(context, vm, `for i in $(seq ${tries}); do ${one}; done`)).includes('answered');
}

/** Headers of an echo request without options: what a ping of that size is short of its packet. */
export const PING_HEADERS = { ping: 28, ping6: 48 } as const;

/** The network namespace of a pod, as a path. */
export async function findNetns(context: Context, pod: Thing, container: string): Promise<string> {
  return `/proc/${await findPodPid(context, pod, container)}/ns/net`;
}

/** What the VMI says of each NIC. */
export async function listReported(context: Context, { namespace, name }: Machine): Promise<Map<string, Reported>> {
  const { status } = await getThing(context, 'vmi', name, namespace);
  return new Map((status.interfaces as Reported[]).map((nic) => [nic.name, nic]));
}

export type Reported = {
  readonly name: string;
  readonly mac?: string;
  readonly ipAddress?: string;
  readonly ipAddresses?: readonly string[];
  readonly infoSource?: string;
  readonly linkState?: string;
  readonly queueCount?: number;
};

/** What QEMU says of its NICs and of what they are plugged into (`info network`), for the guest of a VM. */
export async function describeDevices(context: Context, { namespace, name }: Machine): Promise<string> {
  const guests = await listGuests(context.lab, namespace, name);
  const here = guests.find(({ record }) => record.stage === 'booted' && record.released !== true);
  if (here === undefined) throw new Error(`no guest of ${namespace}/${name} runs`);
  const qmp = await connectQmp(pathsOf(here.dir).ask);
  try {
    return String(await qmp.execute('human-monitor-command', { 'command-line': 'info network' }));
  } finally {
    qmp.close();
  }
}

/** Moves a VM to another node; gives the port of one of its NICs as it then is. */
export async function moveVm(context: Context, vm: Machine, move: string, nic: string): Promise<Thing> {
  const before = (await getThing(context, 'vmi', vm.name, vm.namespace)).status.nodeName;
  await startMove(context, vm, move);
  await expectSoon(`migration ${move} of ${vm.name}`, 90, async () => {
    const phase = (await findThing(context, 'vmim', move, vm.namespace))?.status?.phase;
    if (phase === 'Failed') throw new Error(`migration ${move} of ${vm.name} failed`);
    return phase === 'Succeeded' ? true : undefined;
  });
  // The next one waits for it, too.
  await expectSoon(`a single launcher of ${vm.name}`, 60, async () =>
    (await listLaunchers(context, vm)).length === 1 ? true : undefined,
  );
  return expectPort(context, vm, ({ status }) => status?.phase === 'Bound' && status.node !== before, nic);
}

/** Awaits that a Service finds just these addresses, ready. */
export function expectEndpoints(
  context: Context,
  service: { readonly namespace: string; readonly name: string },
  wanted: readonly string[],
): Promise<true> {
  const flags = ['-n', service.namespace, '-l', `kubernetes.io/service-name=${service.name}`];
  return expectSoon(`endpoints ${wanted.join(' ')} of ${service.name}`, 30, async () => {
    const slices = (await listThings(context, 'endpointslices', flags)) as unknown as Slice[];
    const ready = slices
      .flatMap(({ endpoints }) => endpoints ?? [])
      .filter(({ conditions }) => conditions?.ready === true);
    const found = ready.flatMap(({ addresses }) => addresses).toSorted();
    return JSON.stringify(found) === JSON.stringify(wanted.toSorted()) ? true : undefined;
  });
}

type Slice = { readonly endpoints?: { readonly addresses: string[]; readonly conditions?: { ready?: boolean } }[] };

/** A headless Service for the echo servers of guests whose launchers have this label. */
export function formatService(namespace: string, name: string, selector: Readonly<Record<string, string>>): object {
  const ports = [{ name: 'echo', protocol: 'TCP', port: 7 }];
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace },
    spec: { selector, ports, clusterIP: 'None' },
  };
}

/** Deletes VMs and awaits that nothing of them is left. */
export async function deleteVms(context: Context, vms: readonly Machine[]): Promise<void> {
  for (const { namespace, name } of vms) {
    await kubectl(context.lab, ['-n', namespace, 'delete', 'vm', name, '--ignore-not-found', '--timeout=90s']);
  }
}
