import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { KINDS } from '../../src/api/group.ts';
import { formatLspName } from '../../src/api/names.ts';
import type { Resource } from '../../src/kube/index.ts';
import { applyThings, type Context, expectSoon, listThings } from '../../test/lab/demo/context.ts';
import { ensureLab, installChart } from '../../test/lab/demo/install.ts';
import { findPodPid } from '../../test/lab/demo/pods.ts';
import { kubectl } from '../../test/lab/kubectl.ts';
import { type Client, createClient } from '../../test/lab/kubevirt/client.ts';
import { runInVm } from '../../test/lab/kubevirt/guests.ts';
import type { Pod, Vmim } from '../../test/lab/kubevirt/objects.ts';
import { closeMigrationNetwork, openMigrationNetwork } from '../../test/lab/migration-network.ts';
import { preferDatapath } from './datapath.ts';
import {
  BEHIND_NAT,
  type Binding,
  CLIENTS,
  formatClients,
  formatSubnet,
  formatVm,
  MEMORY,
  NAMESPACE,
  SUBNET,
  vmNameOf,
} from './objects.ts';
import { preferLab } from './priority.ts';
import { createWitness, type Witness } from './witness.ts';

/** A VM of the benchmark, its addresses as they were given to it first. */
export type Subject = {
  readonly binding: Binding;
  readonly name: string;
  readonly lsp: string;
  readonly port: string;
  readonly ipv4: string;
  readonly ipv6: string;
  readonly mac: string;
};

/** A pod to probe from, one per node. */
export type ClientPod = { readonly node: string; readonly netns: string; readonly ips: readonly string[] };

/** Everything that the benchmark works with. */
export type Stage = AsyncDisposable & {
  readonly context: Context;
  readonly client: Client;
  readonly witness: Witness;
  readonly vmims: Resource<Vmim & { metadata: object }>;
  readonly pods: Resource<Pod & { metadata: object }>;
  readonly subjects: readonly Subject[];
  readonly clients: readonly ClientPod[];
  /** In memory: a prober that waits for a disk is late. */
  readonly scratch: string;
  /** Between two UDP probes from one node; the families take turns. */
  readonly intervalUs: number;
};

export type StageOptions = {
  readonly root: string;
  readonly env: NodeJS.ProcessEnv;
  readonly bindings: readonly Binding[];
  readonly say: (line: string) => void;
  readonly intervalUs?: number;
};

const BOOT_SECONDS = 90;

/** Brings up lab and chart where they are not, and makes clients and guests anew. Disposing it removes them. */
export async function openStage({ root, env, bindings, say, intervalUs = 3000 }: StageOptions): Promise<Stage> {
  await using cleanup = new AsyncDisposableStack();
  const lab = await ensureLab(root, env);
  const out = join(root, 'out/bench');
  mkdirSync(out, { recursive: true });
  const context: Context = { lab, root, out, say, children: new Set() };
  say('installing the chart of this checkout');
  await installChart(context);
  cleanup.use(preferLab());
  cleanup.use(preferDatapath());
  cleanup.defer(() => closeMigrationNetwork(context, MEMORY));
  cleanup.defer(() => closeNamespace(context));
  await closeNamespace(context);
  context.say('making the migration network');
  await openMigrationNetwork(context, MEMORY);
  say(`starting clients on ${lab.nodes.length} nodes and VMs: ${bindings.join(', ')}`);
  await applyThings(context, [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } }, formatSubnet()]);
  await applyThings(context, [formatClients(), ...bindings.map(formatVm)]);
  const client = await createClient(lab.adminKubeconfig, 'bench');
  cleanup.defer(() => client.transport.close());
  const central = lab.nodes[0]?.mgmtIp ?? '';
  const remotes = { nb: `tcp:${central}:6641`, sb: `tcp:${central}:6642` };
  const witness = cleanup.use(await createWitness({ client, ...remotes, namespace: NAMESPACE }));
  const clients = await awaitClients(context);
  const subjects: Subject[] = [];
  for (const binding of bindings) subjects.push(await awaitSubject(context, witness, binding));
  const scratch = mkdtempSync('/dev/shm/mooring-bench-');
  cleanup.defer(() => rmSync(scratch, { recursive: true, force: true }));
  const owned = cleanup.move();
  return {
    ...{ context, client, witness, subjects, clients, scratch, intervalUs },
    vmims: client.resource(KINDS.vmim),
    pods: client.resource(KINDS.pod),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function closeNamespace(context: Context): Promise<void> {
  const flags = ['--ignore-not-found', '--timeout=120s'];
  await kubectl(context.lab, ['delete', 'namespace', NAMESPACE, ...flags], { timeoutMs: 130_000 });
  const ports = ['-n', NAMESPACE, 'delete', 'lp', '--all'];
  await kubectl(context.lab, [...ports, ...flags], { timeoutMs: 130_000 });
  await kubectl(context.lab, ['delete', 'subnets.mooring.dev', SUBNET, ...flags], { timeoutMs: 130_000 });
}

async function awaitClients(context: Context): Promise<ClientPod[]> {
  const wanted = context.lab.nodes.length;
  const selector = Object.entries(CLIENTS).map(([key, value]) => `${key}=${value}`);
  const found = await expectSoon('a client on every node', 60, async () => {
    const pods = await listThings(context, 'pods', ['-n', NAMESPACE, '-l', selector.join()]);
    const running = pods.filter((pod) => pod.status?.phase === 'Running');
    return running.length === wanted ? running : undefined;
  });
  const sorted = found.toSorted((a, b) => (a.spec.nodeName < b.spec.nodeName ? -1 : 1));
  return Promise.all(
    sorted.map(async (pod) => ({
      node: pod.spec.nodeName as string,
      netns: `/proc/${await findPodPid(context, pod, 'main')}/ns/net`,
      ips: (pod.status.podIPs as { ip: string }[]).map(({ ip }) => ip),
    })),
  );
}

async function awaitSubject(context: Context, witness: Witness, binding: Binding): Promise<Subject> {
  const name = vmNameOf(binding);
  await witness.until(`VM ${name} running`, BOOT_SECONDS, () =>
    witness.findVmi(name)?.status?.phase === 'Running' ? true : undefined,
  );
  const port = `${name}.default.vm`;
  const { ips, mac } = await witness.until(`LogicalPort ${port} with two addresses`, 30, () => {
    const spec = witness.findPort(port)?.spec;
    return spec !== undefined && spec.ips.length === 2 ? spec : undefined;
  });
  const ipv4 = ips.find((ip) => !ip.includes(':')) ?? '';
  const ipv6 = ips.find((ip) => ip.includes(':')) ?? '';
  await awaitAddresses(context, binding, ipv6);
  const key = { ownerKind: 'VirtualMachine', namespace: NAMESPACE, owner: name, nic: 'default' } as const;
  return { binding, name, port, lsp: formatLspName(key), ipv4, ipv6, mac };
}

/** A guest behind masquerade is told its IPv6 address by its user (cloud-init), as KubeVirt asks; here by its console. */
async function awaitAddresses(context: Context, binding: Binding, ipv6: string): Promise<void> {
  const { guest6, gateway6 } = BEHIND_NAT;
  const setUp = `ip -6 addr replace ${guest6} dev eth0; ip -6 route replace default via ${gateway6} dev eth0; `;
  const line = `${binding === 'masquerade' ? setUp : ''}cat /run/lease.eth0; ip -6 addr show dev eth0`;
  const wanted = binding === 'masquerade' ? guest6 : `${ipv6}/`;
  await expectSoon(`both addresses in the guest with ${binding}`, BOOT_SECONDS, async () => {
    const output = await inGuest(context, binding, line).catch(() => '');
    return output.includes('ip=') && output.includes(wanted) && !output.includes('tentative') ? true : undefined;
  });
}

/** What a shell line prints in the guest. */
export async function inGuest(context: Context, binding: Binding, line: string): Promise<string> {
  return (await runInVm(context.lab, { namespace: NAMESPACE, name: vmNameOf(binding) }, line)).output;
}

/** The node on which the VMI says that its guest runs. */
export function nodeOf({ witness }: Stage, { name }: Subject): string {
  const node = witness.findVmi(name)?.status?.nodeName;
  if (node === undefined) throw new Error(`${name} runs nowhere`);
  return node;
}
