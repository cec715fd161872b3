import { MULTUS_DEFAULT_NETWORK, MULTUS_NETWORKS, NETWORK_STATUS } from '../../../api/annotations.ts';
import type { LogicalPort } from '../../../api/types.gen.ts';
import type { Pod } from '../cluster.ts';
import type { JournalEntry } from '../journal.ts';
import { type NetworkPlan, planNetwork } from '../plan-network.ts';
import { readNetnsId } from './chain.ts';
import { LEDGER_VERSION, type LedgerEntry } from './ledger.ts';
import type { Self } from './networks.ts';
import { isOurTurn } from './who.ts';

/**
 * A pod that had no networks when it was attached is in the journal only. It becomes ours when its list asks
 * for something and nobody has written its network-status, as whoever attaches networks does. Gives its first interface.
 */
export async function adopt(self: Self, pod: Pod, known: JournalEntry | undefined): Promise<LedgerEntry | undefined> {
  if (known === undefined || known.ipam === true || !isNobodys(pod)) return undefined;
  // An ADD that is under way is in the ledger already.
  if (self.ledger.listSandbox(known.containerId).length > 0) return undefined;
  if (!(await isOurTurn(self.mode, self.confDir))) return undefined;
  const port = self.context.cluster.findPort(pod.metadata?.uid ?? '', known.ifname);
  if (port === undefined) return undefined;
  const entry = describe(known, port.spec.mac, findNetwork(self, known.ifname, port));
  await self.ledger.put(entry);
  return entry;
}

/** As it was told to the runtime; without gateway when its Subnet has changed under it. */
function findNetwork({ context }: Self, ifname: string, port: LogicalPort): Pick<NetworkPlan, 'ips' | 'dns'> {
  const subnet = context.cluster.findSubnet(port.spec.subnet);
  try {
    if (subnet !== undefined) return planNetwork(ifname, port, subnet);
  } catch (error) {
    context.log.warn({ err: error, port: port.metadata.name }, 'the Subnet of a running pod no longer fits its port');
  }
  return { ips: port.spec.ips.map((cidr) => ({ cidr })), dns: {} };
}

function isNobodys({ metadata }: Pod): boolean {
  const { [MULTUS_NETWORKS]: list = '', ...others } = metadata?.annotations ?? {};
  return list.trim() !== '' && others[NETWORK_STATUS] === undefined && others[MULTUS_DEFAULT_NETWORK] === undefined;
}

function describe(known: JournalEntry, mac: string, { ips, dns }: Pick<NetworkPlan, 'ips' | 'dns'>): LedgerEntry {
  const { containerId, ifname, netns, network } = known;
  const { namespace, name, uid } = known.pod;
  return {
    ...{ version: LEDGER_VERSION, containerId, ifname, state: 'attached', first: true, order: 0 },
    ...{ network, cniName: network, netns, netnsId: readNetnsId(netns), pod: { namespace, name, uid } },
    cniArgs: `IgnoreUnknown=1;K8S_POD_NAMESPACE=${namespace};K8S_POD_NAME=${name};K8S_POD_UID=${uid}`,
    plugins: [{ cniVersion: '1.0.0', name: network, type: 'mooring' }],
    result: {
      interfaces: [{ name: ifname, mac, sandbox: netns }],
      ips: ips.map(({ cidr, gateway }) => ({ address: cidr, gateway, interface: 0 })),
      dns: { ...dns },
    },
  };
}
