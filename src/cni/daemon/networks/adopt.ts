import { MULTUS_DEFAULT_NETWORK, MULTUS_NETWORKS, NETWORK_STATUS } from '../../../api/annotations.ts';
import type { Pod } from '../cluster.ts';
import type { JournalEntry } from '../journal.ts';
import { readNetnsId } from './chain.ts';
import { LEDGER_VERSION, type LedgerEntry } from './ledger.ts';
import type { Self } from './networks.ts';
import { isOurTurn } from './who.ts';

/**
 * A pod that was attached before this agent attached networks is in the journal only. It becomes ours when its list asks
 * for something and nobody has written its network-status, as whoever attaches networks does. Gives its first interface.
 */
export async function adopt(self: Self, pod: Pod, known: JournalEntry | undefined): Promise<LedgerEntry | undefined> {
  if (known === undefined || known.ipam === true || !isNobodys(pod)) return undefined;
  // An ADD that is under way is in the ledger already.
  if (self.ledger.listSandbox(known.containerId).length > 0) return undefined;
  if (!(await isOurTurn(self.mode, self.confDir))) return undefined;
  const spec = self.context.cluster.findPort(pod.metadata?.uid ?? '', known.ifname)?.spec;
  if (spec === undefined) return undefined;
  const entry = describe(known, spec);
  await self.ledger.put(entry);
  return entry;
}

function isNobodys({ metadata }: Pod): boolean {
  const { [MULTUS_NETWORKS]: list = '', ...others } = metadata?.annotations ?? {};
  return list.trim() !== '' && others[NETWORK_STATUS] === undefined && others[MULTUS_DEFAULT_NETWORK] === undefined;
}

function describe(known: JournalEntry, { mac, ips }: { mac: string; ips: readonly string[] }): LedgerEntry {
  const { containerId, ifname, netns, network } = known;
  const { namespace, name, uid } = known.pod;
  return {
    ...{ version: LEDGER_VERSION, containerId, ifname, state: 'attached', first: true, order: 0 },
    ...{ network, cniName: network, netns, netnsId: readNetnsId(netns), pod: { namespace, name, uid } },
    cniArgs: `IgnoreUnknown=1;K8S_POD_NAMESPACE=${namespace};K8S_POD_NAME=${name};K8S_POD_UID=${uid}`,
    plugins: [{ cniVersion: '1.0.0', name: network, type: 'mooring' }],
    result: {
      interfaces: [{ name: ifname, mac, sandbox: netns }],
      ips: ips.map((address) => ({ address, interface: 0 })),
    },
  };
}
