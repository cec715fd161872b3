import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tryCommand } from '../command.ts';
import { applyThings, type Context, expectSoon, findThing, getThing, listThings, type Thing } from '../demo/context.ts';
import { RELEASE_NAMESPACE } from '../demo/install.ts';
import { findPodPid } from '../demo/pods.ts';
import { kubectl } from '../kubectl.ts';
import {
  expectReady,
  formatNad,
  formatSubnet,
  formatWebPod,
  patchThing,
  pings,
  removeAll,
} from '../scenarios/things.ts';
import { expectGuest, formatMachine, inGuest } from '../scenarios/vms.ts';
import { closeNamespace, openNamespace, openWorld } from '../scenarios/world.ts';

const NAMESPACE = 'nics';
const SUBNETS = ['nics-old', 'nics-new', 'nics-hot'];
const VM = { namespace: NAMESPACE, name: 'mover' };
const PEER = { namespace: NAMESPACE, name: 'peer' };
const CR = ['-n', 'kubevirt', 'kubevirt', 'kubevirt'];
const ALLOW = { 'kubevirt.io/allow-pod-bridge-network-live-migration': '' };
const GATES = { developerConfiguration: { featureGates: ['LiveUpdateNADRef'] } };
/** Slower than the guest writes: a migration that never ends by itself. */
const SLOW = { migrations: { bandwidthPerMigration: '4Mi' } };
const UPDATES = { workloadUpdateStrategy: { workloadUpdateMethods: ['LiveMigrate'] } };
const FAST = { migrations: { bandwidthPerMigration: null } };
const UNDO = { configuration: { developerConfiguration: null, ...FAST }, workloadUpdateStrategy: null };
const LIMIT = 2;
const TOLD_SECONDS = 3;

type Nic = { name: string; bridge?: object; state?: string };
type Entry = { name: string; infoSource?: string };

let context: Context;

const nadOf = (subnet: string): string => subnet.replace('nics-', '');
const vmi = (): Promise<Thing> => getThing(context, 'vmi', VM.name, NAMESPACE);
const migrations = (): Promise<Thing[]> => listThings(context, 'vmim', ['-n', NAMESPACE]);
const configure = (spec: object): Promise<void> => patchThing(context, CR, { spec });

/** The LogicalPorts of a VM's NIC, of one subnet when it is named. */
async function listPorts(nic: string, subnet?: string): Promise<Thing[]> {
  const ports = await listThings(context, 'lp', ['-n', NAMESPACE]);
  const own = ports.filter(({ spec }) => spec.owner.name === VM.name && spec.nic === nic);
  return own.filter(({ spec }) => subnet === undefined || spec.subnet === subnet);
}

async function findAddress(nic: string, subnet: string): Promise<string> {
  return expectSoon(`a port of ${nic} in ${subnet}`, 30, async () => {
    const [port] = await listPorts(nic, subnet);
    return port?.spec.ips?.[0] as string | undefined;
  });
}

/** Changes NICs and networks of the VM's template, as its owner does by editing it. */
async function editTemplate(edit: (nics: Nic[], networks: Thing['spec'][]) => { nics: Nic[]; networks: object[] }) {
  const { spec } = (await getThing(context, 'vm', VM.name, NAMESPACE)).spec.template;
  const { nics, networks } = edit(spec.domain.devices.interfaces, spec.networks);
  const change = { domain: { devices: { interfaces: nics } }, networks };
  await patchThing(context, ['-n', NAMESPACE, 'vm', VM.name], { spec: { template: { spec: change } } });
}

const addNic = (name: string, networkName: string) =>
  editTemplate((nics, networks) => ({
    nics: [...nics, { name, bridge: {} }],
    networks: [...networks, { name, multus: { networkName } }],
  }));
const setState = (name: string, state: string) =>
  editTemplate((nics, networks) => ({
    nics: nics.map((nic) => (nic.name === name ? { ...nic, state } : nic)),
    networks,
  }));
const moveNic = (name: string, networkName: string) =>
  editTemplate((nics, networks) => ({
    nics,
    networks: networks.map((network) => (network.name === name ? { name, multus: { networkName } } : network)),
  }));

function expectSource(nic: string, infoSource: string | undefined, seconds = 60): Promise<true> {
  return expectSoon(`${nic} reported by ${infoSource ?? 'nobody'}`, seconds, async () => {
    const entries = (await vmi()).status.interfaces as Entry[];
    return entries.find((entry) => entry.name === nic)?.infoSource === infoSource || undefined;
  });
}

function expectPhase(name: string, phase: string): Promise<Thing> {
  return expectSoon(`migration ${name} ${phase}`, 90, async () =>
    (await migrations()).find((job) => job.metadata.name === name && job.status?.phase === phase),
  );
}

/** Awaits that KubeVirt starts a migration by itself and that it succeeds; `known` are those of before. */
async function expectUpdate(known: readonly Thing[]): Promise<void> {
  const old = new Set(known.map((job) => job.metadata.name));
  const job = await expectSoon('an automatic migration at its end', 120, async () =>
    (await migrations()).find(
      ({ metadata, status }) => !old.has(metadata.name) && ['Succeeded', 'Failed'].includes(status?.phase),
    ),
  );
  expect(job.metadata.name).toMatch(/^kubevirt-workload-update-/);
  expect(job.status.phase).toBe('Succeeded');
}

/** Takes an address by DHCP on a NIC of the guest that came or changed under it, and awaits that it is `ip`. */
async function renew(device: string, ip: string): Promise<void> {
  const ask = `udhcpc -f -n -q -i ${device} -s /bin/lease -t 5 -T 1`;
  let said = '';
  await expectSoon(`${ip} on ${device}`, 40, async () => {
    said = await inGuest(
      context,
      VM,
      `ip -4 addr flush dev ${device}; ip link set ${device} up; ${ask} 2>&1; ip addr show dev ${device}; cat /run/lease.${device}`,
    );
    return said.includes(`ip=${ip}\n`) || undefined;
  }).catch(async (error: unknown) => {
    throw new Error(`${String(error)}\n${said}\n${await describeVm()}`);
  });
}

/** What there is to know when a guest does not have what it should. */
async function describeVm(): Promise<string> {
  const pods = await listThings(context, 'pods', ['-n', NAMESPACE, '-l', `vm.kubevirt.io/name=${VM.name}`]);
  const ports = (await listThings(context, 'lp', ['-n', NAMESPACE])).filter(({ spec }) => spec.owner.name === VM.name);
  const told = pods.map(({ metadata, spec, status }) => [
    metadata.name,
    spec.nodeName,
    status.phase,
    metadata.annotations,
  ]);
  return JSON.stringify([told, ports.map(({ metadata, spec, status }) => [metadata.name, spec, status])], undefined, 1);
}

const reach = (ip: string, tries = 10): Promise<boolean> => pings(context, PEER, ip, tries);

/** Only one launcher may live when the next migration starts. */
const expectSingleLauncher = () =>
  expectSoon('a single launcher', 60, async () => {
    const pods = await listThings(context, 'pods', ['-n', NAMESPACE, '-l', `vm.kubevirt.io/name=${VM.name}`]);
    return pods.filter((pod) => !['Succeeded', 'Failed'].includes(pod.status.phase)).length === 1 || undefined;
  });

function formatMigration(name: string): object {
  return {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachineInstanceMigration',
    metadata: { name, namespace: NAMESPACE },
    spec: { vmiName: VM.name },
  };
}

async function openNetworks(): Promise<void> {
  const subnets = SUBNETS.map((name, at) =>
    formatSubnet(name, { cidrBlock: `10.9${at}.0.0/24`, provider: `${nadOf(name)}.${NAMESPACE}.ovn` }),
  );
  const networks = SUBNETS.map((name) => ({ name: nadOf(name) }));
  const annotations = { 'k8s.v1.cni.cncf.io/networks': JSON.stringify(networks) };
  await applyThings(context, [...subnets, ...SUBNETS.map((name) => formatNad(NAMESPACE, nadOf(name)))]);
  await applyThings(context, [formatWebPod({ ...PEER, annotations })]);
}

beforeAll(async () => {
  context = await openWorld();
  await openNamespace(context, NAMESPACE);
  await removeAll(context, 'subnets.mooring.dev', SUBNETS);
  await openNetworks();
  await applyThings(context, [formatMachine({ ...VM, running: true, annotations: ALLOW, nads: { biz: 'old' } })]);
  await expectReady(context, NAMESPACE, [PEER.name]);
  await expectGuest(context, VM);
});

afterAll(async () => {
  await configure(UNDO);
  await closeNamespace(context, NAMESPACE);
  await removeAll(context, 'subnets.mooring.dev', SUBNETS);
});

describe('case 17: a NIC of a running VM', () => {
  it('is plugged in place, serves its network, and is unplugged again with its address given back', async () => {
    await configure(UPDATES);
    await addNic('hot', 'hot');
    await expectSource('hot', 'domain, multus-status');
    const ip = await findAddress('hot', 'nics-hot');
    await expectSoon(
      'eth2 in the guest',
      20,
      async () => (await inGuest(context, VM, 'ls /sys/class/net')).includes('eth2') || undefined,
    );
    await renew('eth2', ip);
    expect(await reach(ip)).toBe(true);
    await setState('hot', 'absent');
    await expectSource('hot', undefined);
    await expectSoon('the NIC gone from the VM', 30, async () => {
      const { spec } = (await getThing(context, 'vm', VM.name, NAMESPACE)).spec.template;
      return !spec.networks.some((network: { name: string }) => network.name === 'hot') || undefined;
    });
    expect(await inGuest(context, VM, 'ls /sys/class/net')).not.toContain('eth2');
    await expectSoon('the port released', 30, async () => ((await listPorts('hot')).length === 0 ? true : undefined));
    expect(await migrations()).toEqual([]);
  });

  it('comes by a migration when nothing plugs it in place, and the guest has it where it then runs', async () => {
    const before = await vmi();
    const thaw = await freezeAgent(before.status.nodeName);
    try {
      await addNic('late', 'hot');
      await expectUpdate([]);
    } finally {
      thaw();
    }
    await expectSource('late', 'domain, multus-status');
    expect((await vmi()).status.nodeName).not.toBe(before.status.nodeName);
    const ip = await findAddress('late', 'nics-hot');
    await renew('eth2', ip);
    expect(await reach(ip)).toBe(true);
    expect(await reach(await findAddress('biz', 'nics-old'))).toBe(true);
    await expectSingleLauncher();
  });

  it('goes by a migration when nothing unplugs it in place, and its address is given back', async () => {
    const [before, known] = [await vmi(), await migrations()];
    const thaw = await freezeAgent(before.status.nodeName);
    try {
      await setState('late', 'absent');
      await expectUpdate(known);
    } finally {
      thaw();
    }
    await expectSource('late', undefined);
    expect((await vmi()).status.nodeName).not.toBe(before.status.nodeName);
    await expectSoon('the port released', 30, async () => ((await listPorts('late')).length === 0 ? true : undefined));
    expect(await inGuest(context, VM, 'ls /sys/class/net')).not.toContain('eth2');
    expect(await reach(await findAddress('biz', 'nics-old'))).toBe(true);
    await expectSingleLauncher();
  });
});

/** Stops the agent of a node, so that nothing is plugged there; returns what lets it go on. */
async function freezeAgent(node: string): Promise<() => void> {
  const agents = await listThings(context, 'pods', ['-n', RELEASE_NAMESPACE, '-l', 'app=mooring-agent']);
  const agent = agents.find((pod) => pod.spec.nodeName === node);
  if (agent === undefined) throw new Error(`no agent on ${node}`);
  const pid = await findPodPid(context, agent, 'agent');
  process.kill(pid, 'SIGSTOP');
  return () => process.kill(pid, 'SIGCONT');
}

describe('case 19: a NIC whose network changes', () => {
  it('asks for a restart while the gate LiveUpdateNADRef is shut', async () => {
    await configure(UNDO);
    await moveNic('biz', 'new');
    await expectSoon('RestartRequired', 30, async () => {
      const { conditions } = (await getThing(context, 'vm', VM.name, NAMESPACE)).status;
      return conditions.some((condition: { type: string }) => condition.type === 'RestartRequired') || undefined;
    });
    expect(
      (await vmi()).spec.networks.find((network: { name: string }) => network.name === 'biz').multus.networkName,
    ).toBe('old');
    await moveNic('biz', 'old');
  });

  it('K6 keeps the old address through a migration that is aborted', async () => {
    await configure({ configuration: { ...GATES, ...SLOW }, workloadUpdateStrategy: null });
    const [before, old] = [await vmi(), await findAddress('biz', 'nics-old')];
    await moveNic('biz', 'new');
    const fresh = await findAddress('biz', 'nics-new');
    await inGuest(context, VM, 'dirty 60 3000');
    await applyThings(context, [formatMigration('aborted')]);
    await expectPhase('aborted', 'Running');
    expect(await reach(old)).toBe(true);
    expect((await migrations()).find((job) => job.metadata.name === 'aborted')?.status.phase).toBe('Running');
    await kubectl(context.lab, ['-n', NAMESPACE, 'delete', 'vmim', 'aborted', '--timeout=60s']);
    await inGuest(context, VM, 'dirty stop');
    expect((await vmi()).status.migrationState).toMatchObject({ abortStatus: 'Succeeded', failed: true });
    await expectSingleLauncher();
    expect(await reach(old, 3)).toBe(true);
    expect(await reach(fresh, 1)).toBe(false);
    expect((await vmi()).status.nodeName).toBe(before.status.nodeName);
    const ports = await listPorts('biz');
    expect(ports.map(({ spec }) => [spec.subnet, spec.attachments?.length ?? 0]).toSorted()).toEqual([
      ['nics-new', 0],
      ['nics-old', 1],
    ]);
  });

  it('K6 has the old address until the guest has moved, then the new one, and the old one is given back', async () => {
    const [old, fresh] = [await findAddress('biz', 'nics-old'), await findAddress('biz', 'nics-new')];
    const known = await migrations();
    await configure({ ...UPDATES, configuration: FAST });
    await watchOld(old);
    await expectUpdate(known);
    await renew('eth1', fresh);
    expect(await reach(fresh)).toBe(true);
    expect(await reach(old, 1)).toBe(false);
    await expectSoon('the old port released', 60, async () =>
      (await listPorts('biz', 'nics-old')).length === 0 ? true : undefined,
    );
    const { interfaces } = (await vmi()).status;
    expect(interfaces.map((entry: Entry) => entry.name).toSorted()).toEqual(['biz', 'default']);
  });
});

/** Asks the guest at its old address again and again until it runs elsewhere; every question before that is answered. */
async function watchOld(ip: string): Promise<void> {
  const last = (await vmi()).status.migrationState?.migrationUid;
  const hasMoved = async (): Promise<boolean> => {
    const { migrationState: state } = (await vmi()).status;
    return state?.migrationUid !== last && state?.targetNodeDomainReadyTimestamp !== undefined;
  };
  let answers = 0;
  while (await reach(ip, 2)) answers += 1;
  // The guest is elsewhere a moment before KubeVirt says so; a port that was taken too early is gone for seconds.
  await expectSoon(
    `the move, told right after ${answers} answers`,
    TOLD_SECONDS,
    async () => (await hasMoved()) || undefined,
  );
  expect(answers).toBeGreaterThan(1);
}

describe('a node that is drained', () => {
  const names = ['drain-a', 'drain-b', 'drain-c'];

  it('loses its three VMs by migrations, two at a time, and each keeps its address', async () => {
    const node = context.lab.nodes[0]?.name ?? '';
    const others = context.lab.nodes.map(({ name }) => name).filter((name) => name !== node);
    await kubectl(context.lab, ['cordon', ...others]);
    await applyThings(
      context,
      names.map((name) => formatMachine({ namespace: NAMESPACE, name, running: true, annotations: ALLOW })),
    );
    try {
      for (const name of names) await expectGuest(context, { namespace: NAMESPACE, name });
    } finally {
      await kubectl(context.lab, ['uncordon', ...others]);
    }
    const before = await listPlaces(names);
    expect(before.map(({ node: at }) => at)).toEqual([node, node, node]);
    try {
      const drain = drainNode(node);
      const busiest = await watchTraffic(drain);
      expect((await drain).code).toBe(0);
      expect(busiest).toBeLessThanOrEqual(LIMIT);
    } finally {
      await kubectl(context.lab, ['uncordon', node]);
    }
    const after = await listPlaces(names);
    expect(after.map(({ ip, mac }) => [ip, mac])).toEqual(before.map(({ ip, mac }) => [ip, mac]));
    for (const { node: at } of after) expect(others).toContain(at);
    for (const { ip } of after) expect(await reach(ip)).toBe(true);
    const jobs = (await migrations()).filter((job) => job.metadata.name.startsWith('kubevirt-evacuation-'));
    expect(jobs.map((job) => job.metadata.annotations?.['kubevirt.io/evacuationMigration'])).toEqual([
      node,
      node,
      node,
    ]);
  });
});

async function listPlaces(names: readonly string[]): Promise<{ node: string; ip: string; mac: string }[]> {
  return Promise.all(
    names.map(async (name) => {
      const { spec } = await getThing(context, 'lp', `${name}.default.vm`, NAMESPACE);
      const { nodeName } = (await getThing(context, 'vmi', name, NAMESPACE)).status;
      return { node: nodeName, ip: spec.ips[0], mac: spec.mac };
    }),
  );
}

/** `kubectl drain` of the launchers on a node: it comes again until every one has ended and is gone. */
function drainNode(node: string): Promise<{ code: number }> {
  const { bin, adminKubeconfig } = context.lab;
  const flags = ['--ignore-daemonsets', '--delete-emptydir-data', '--force', '--timeout=200s'];
  const argv = [
    bin.kubectl,
    '--kubeconfig',
    adminKubeconfig,
    'drain',
    node,
    '--pod-selector=kubevirt.io=virt-launcher',
  ];
  return tryCommand([...argv, ...flags], { timeoutMs: 220_000 });
}

/** The most migrations with a target that were seen at one time until `end`. */
async function watchTraffic(end: Promise<unknown>): Promise<number> {
  let busiest = 0;
  let over = false;
  end.finally(() => {
    over = true;
  });
  await expectSoon('the end', 240, async () => {
    const busy = (await migrations()).filter(
      (job) => !['Pending', 'Succeeded', 'Failed', undefined].includes(job.status?.phase),
    );
    busiest = Math.max(busiest, busy.length);
    return over || undefined;
  });
  return busiest;
}

describe('a second migration of a VM', () => {
  it('is refused while the first goes on', async () => {
    await expectSingleLauncher();
    await configure({ configuration: SLOW });
    await inGuest(context, VM, 'dirty 60 3000');
    await applyThings(context, [formatMigration('first')]);
    await expectPhase('first', 'Running');
    await expect(applyThings(context, [formatMigration('second')])).rejects.toThrow('in-flight migration detected');
    await kubectl(context.lab, ['-n', NAMESPACE, 'delete', 'vmim', 'first', '--timeout=60s']);
    expect(await findThing(context, 'vmim', 'second', NAMESPACE)).toBeUndefined();
  });
});
