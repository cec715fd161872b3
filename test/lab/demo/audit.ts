import { runCommand, waitFor } from '../command.ts';
import { nodeExec } from '../kubectl.ts';
import { type Context, getThing, listThings, type Thing } from './context.ts';
import { runInVm } from './vms.ts';

type NbRow = { name: string; addresses: string[]; owner: string; uid: string };

const CENTRAL = 'tcp:198.18.0.11:6641';

/** Reads logical switch ports with OVN's own tool: a second opinion beside our client. */
async function listNbPorts(): Promise<NbRow[]> {
  const argv = [
    'ovn-nbctl',
    `--db=${CENTRAL}`,
    '--timeout=10',
    '--format=json',
    '--columns=name,addresses,external_ids',
    'list',
    'Logical_Switch_Port',
  ];
  const { data } = JSON.parse(await runCommand(argv)) as { data: [string, unknown, ['map', [string, string][]]][] };
  return data.map(([name, addresses, [, pairs]]) => {
    const ids = new Map(pairs);
    const list = Array.isArray(addresses) && addresses[0] === 'set' ? (addresses[1] as string[]) : [String(addresses)];
    return { name, addresses: list, owner: ids.get('mooring-owner') ?? '', uid: ids.get('mooring-uid') ?? '' };
  });
}

type OvsPort = { name: string; ifaceId: string; mac: string; ip: string; sandbox: string };

async function listOvsPorts(context: Context, node: (typeof context.lab.nodes)[number]): Promise<OvsPort[]> {
  const argv = ['ovs-vsctl', '--format=json', '--columns=name,external_ids', 'list', 'Interface'];
  const { data } = JSON.parse(await nodeExec(context.lab, node, argv)) as {
    data: [string, ['map', [string, string][]]][];
  };
  return data.map(([name, [, pairs]]) => {
    const ids = new Map(pairs);
    const get = (key: string): string => ids.get(key) ?? '';
    return { name, ifaceId: get('iface-id'), mac: get('attached_mac'), ip: get('ip_address'), sandbox: get('sandbox') };
  });
}

type Views = { port: Thing; vmi: Thing; nb?: NbRow; ovs?: OvsPort; guest: string };

/** Says where LogicalPort, NB row, OVS interface, guest and KubeVirt's status disagree about a VM; nothing is agreement. */
export async function findDisagreements(context: Context, vm: string): Promise<string[]> {
  const port = (await listThings(context, 'lp')).find((candidate) => candidate.spec.owner.name === vm);
  if (port === undefined) return [`${vm} has no LogicalPort`];
  const vmi = await getThing(context, 'vmi', vm);
  const nb = (await listNbPorts()).find((row) => row.uid === port.metadata.uid);
  const node = context.lab.nodes.find((candidate) => candidate.name === vmi.status.nodeName);
  const ports = node === undefined ? [] : await listOvsPorts(context, node);
  const ovs = ports.find((candidate) => candidate.ifaceId === nb?.name);
  const { output: guest } = await runInVm(context, vm, 'ip addr show eth0');
  return compareViews({ port, vmi, guest, ...(nb === undefined ? {} : { nb }), ...(ovs === undefined ? {} : { ovs }) });
}

/** Behind masquerade the guest has KubeVirt's own address; everything else must show the port's. */
function compareViews({ port, vmi, nb, ovs, guest }: Views): string[] {
  const ip = String(port.spec.ips[0]);
  const mac = String(port.spec.mac);
  const masquerade = port.spec.binding === 'masquerade';
  const checks: [string, boolean][] = [
    ['the NB row', nb?.addresses[0]?.startsWith(`${mac} ${ip}`) === true],
    ["the OVS interface's MAC", ovs?.mac === mac],
    ["the OVS interface's address", ovs?.ip.split('/')[0] === ip],
    ["the guest's address", guest.includes(masquerade ? '10.0.2.2/24' : `${ip}/`)],
    ["the guest's MAC", masquerade || guest.includes(mac)],
    ["KubeVirt's status", vmi.status.interfaces[0].ipAddress === ip],
    ['the node in the LogicalPort', port.status?.node === vmi.status.nodeName],
  ];
  const failed = checks.filter(([, holds]) => !holds);
  return failed.map(
    ([what]) => `${vmi.metadata.name}: ${what} does not agree with ${ip} ${mac} on ${vmi.status.nodeName}`,
  );
}

/** Rows of ours in NB without an owner in the API, and ports on nodes without a pod; awaits the reapers for some seconds. */
export async function findLeftovers(context: Context): Promise<string[]> {
  let last: string[] = [];
  await waitFor(
    async () => {
      last = [...(await findOrphanRows(context)), ...(await findOrphanPorts(context))];
      return last.length === 0 ? true : undefined;
    },
    30_000,
    1_000,
  );
  return last;
}

async function findOrphanRows(context: Context): Promise<string[]> {
  const kinds = ['lp', 'subnets.mooring.dev', 'nodes'];
  const things = (await Promise.all(kinds.map((kind) => listThings(context, kind, ['-A'])))).flat();
  const uids = new Set(things.map((thing: Thing) => thing.metadata.uid));
  const owned = (await listNbPorts()).filter(
    (row) => row.owner.startsWith('LogicalPort/') || row.owner.startsWith('Node/'),
  );
  return owned.flatMap((row) =>
    uids.has(row.uid) ? [] : [`NB row ${row.name} belongs to ${row.owner}, which does not exist`],
  );
}

async function findOrphanPorts(context: Context): Promise<string[]> {
  const pods = await listThings(context, 'pods', ['-A']);
  const wrong: string[] = [];
  for (const node of context.lab.nodes) {
    const ports = (await listOvsPorts(context, node)).filter((port) => port.sandbox !== '');
    const here = pods.filter((pod) => pod.spec.nodeName === node.name && !pod.spec.hostNetwork);
    const sandboxes = new Set(ports.map((port) => port.sandbox));
    if (sandboxes.size > here.length)
      wrong.push(
        `${node.name} has ports of ${sandboxes.size} sandboxes for ${here.length} pods: ${ports.map((p) => p.ifaceId).join(', ')}`,
      );
  }
  return wrong;
}
