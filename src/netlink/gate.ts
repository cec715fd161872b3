import { fromCode, NetlinkError } from './errors.ts';
import { parseInterfaceName } from './names.ts';
import { type Netns, refuseOwnNetns, withNetns } from './netns.ts';
import { quoteNft, runNft } from './nft.ts';

/**
 * The migration gate: rules in the target launcher's namespace that let nothing in before the guest itself has spoken
 * there, and open in the kernel with its first own frame (DESIGN.md section 8).
 */
export type GateBinding = 'bridge' | 'managedTap' | 'masquerade';
export type GateSpec = { interface: string; binding: GateBinding };
/** `counters`: packets by name: `spoken` by the guest, `admitted`, `refused`, `knocked`, `strays` of the launcher's kernel. */
export type GateState = { interface: string; open: boolean; counters: Record<string, number> };

const PREFIX = 'mooring-gate-';
const FAMILIES = ['bridge', 'inet', 'arp'] as const;
const PRIORITY = -300;
/** While a masquerade gate is shut, so many packets a second may pass to make the launcher's kernel ask for the guest. */
const KNOCKS = 50;

/** KubeVirt's names for what it makes of a pod interface (pkg/network/link/names.go). */
export function deriveLinkNames(podInterface: string): { nic: string; tap: string; bridge: string } {
  const stem = podInterface.replace(/^pod/, '');
  return { nic: `${stem}-nic`, tap: `tap${podInterface.slice(3)}`, bridge: `k6t-${stem}` };
}

/** The rules of one interface's gate, shut. One transaction. Pure. */
export function formatGate(spec: GateSpec): string {
  return spec.binding === 'masquerade' ? formatRoutedGate(spec.interface) : formatBridgedGate(spec.interface);
}

function tableName(podInterface: string): string {
  quoteNft(parseInterfaceName(podInterface));
  return `${PREFIX}${podInterface}`;
}

/**
 * Removes every table of one interface's gate; `add` before `delete` makes that idempotent on every version of nft. Costs
 * 15 ms, as the kernel waits for readers, so it is no part of making a gate. Pure.
 */
export function formatGateRemoval(podInterface: string): string {
  const table = tableName(podInterface);
  return FAMILIES.map((family) => `add table ${family} ${table}\ndelete table ${family} ${table}\n`).join('');
}

/**
 * A set that holds one element when the gate is open: the type of device, which is the same on both sides of it. Declared by
 * `typeof`: a set that nft 1.1 declares by `type` makes nft 1.0.6 crash in this namespace, and KubeVirt's nft runs here too.
 */
const OPEN_SET = 'set open { typeof meta iiftype; size 4; flags dynamic; }';

/**
 * Bridge and managedTap. Rules match names packet by packet, so KubeVirt's renaming needs no attention: until the rename
 * the interface itself is shut both ways (the launcher's kernel holds the guest's address there and would answer for it),
 * afterwards a down dummy bears that name and the bridge rules govern. Filtering is before bridging, so that neither the
 * tap nor the bridge's own address hears anything.
 */
function formatBridgedGate(podInterface: string): string {
  const table = tableName(podInterface);
  const { nic, tap } = deriveLinkNames(podInterface);
  const closed = (hook: string, match: string) =>
    `chain ${hook} { type filter hook ${hook} priority ${PRIORITY}; ${match} ${quoteNft(podInterface)} counter drop; }`;
  return `table bridge ${table} {
  ${OPEN_SET}
  counter spoken { }
  counter admitted { }
  counter refused { }
  chain gate {
    type filter hook prerouting priority ${PRIORITY};
    iifname ${quoteNft(tap)} add @open { meta iiftype } counter name spoken accept
    iifname ${quoteNft(nic)} meta iiftype @open counter name admitted accept
    iifname ${quoteNft(nic)} counter name refused drop
  }
}
table inet ${table} {
  ${closed('prerouting', 'iifname')}
  ${closed('output', 'oifname')}
}
table arp ${table} {
  ${closed('input', 'iifname')}
  ${closed('output', 'oifname')}
}
`;
}

/**
 * Masquerade. The guest's first IP packet opens. A guest that only ever answers is helped by knocks: a few packets a
 * second pass, the launcher's kernel asks the tap for the guest by ARP, and the guest answers both as soon as it runs.
 * What is dropped here, connection tracking never sees. A knock leaves an entry that fits the flow, whichever side began
 * it; only a SYN's would not, as it waits for a SYN-ACK that the source's guest has given long ago, and calls everything
 * else of that session invalid. So a SYN does not knock; its sender repeats it.
 * Until then the launcher's kernel says nothing on the guest's behalf; ARP requests for the address stay unanswered as
 * long as the gate exists (OVN answers for ports it knows), answers to its own requests pass.
 */
function formatRoutedGate(podInterface: string): string {
  const table = tableName(podInterface);
  const { bridge } = deriveLinkNames(podInterface);
  const pod = quoteNft(podInterface);
  return `table inet ${table} {
  ${OPEN_SET}
  counter spoken { }
  counter admitted { }
  counter knocked { }
  counter refused { }
  counter strays { }
  chain gate {
    type filter hook prerouting priority ${PRIORITY};
    iifname ${quoteNft(bridge)} add @open { meta iiftype } counter name spoken accept
    iifname ${pod} meta iiftype @open counter name admitted accept
    iifname ${pod} tcp flags & (fin | syn | rst | ack) == syn counter name refused drop
    iifname ${pod} limit rate ${KNOCKS}/second burst 1 packets counter name knocked accept
    iifname ${pod} counter name refused drop
  }
  chain local {
    type filter hook input priority ${PRIORITY};
    iifname ${pod} meta iiftype != @open counter name refused drop
  }
  chain strays {
    type filter hook output priority ${PRIORITY};
    oifname ${pod} meta oiftype != @open counter name strays drop
  }
}
table arp ${table} {
  chain input { type filter hook input priority ${PRIORITY}; iifname ${pod} arp operation request counter drop; }
}
`;
}

/** Puts the gate in place, shut, unless it is there already (then it stays as it is). Says whether it was made. */
export function ensureGate(netns: Netns, spec: GateSpec): boolean {
  refuseOwnNetns(netns);
  const text = formatGate(spec);
  return withNetns(netns, () => {
    const present = listGates().includes(spec.interface);
    if (present && findGate(spec.interface) !== undefined) return false;
    runNft(present ? formatGateRemoval(spec.interface) + text : text);
    return true;
  });
}

/** Opens by hand, for a guest known to run there. Throws ENOENT when there is no gate. */
export function openGate(netns: Netns, spec: GateSpec): void {
  refuseOwnNetns(netns);
  const family = spec.binding === 'masquerade' ? 'inet' : 'bridge';
  const table = tableName(spec.interface);
  withNetns(netns, () => runNft(`add element ${family} ${table} open { ether }`));
}

/** Removes the gate of one interface, or all of the namespace. Idempotent. */
export function deleteGate(netns: Netns, podInterface?: string): void {
  refuseOwnNetns(netns);
  withNetns(netns, () => {
    const names = podInterface === undefined ? listGates() : [podInterface];
    if (names.length > 0) runNft(names.map(formatGateRemoval).join(''));
  });
}

/** What the gate of an interface has seen, undefined when there is none. */
export function getGateState(netns: Netns, podInterface: string): GateState | undefined {
  return withNetns(netns, () => findGate(podInterface));
}

function listGates(): string[] {
  const tables = parseObjects(runNft('list tables', { json: true }), 'table');
  const names = tables.map((table) => String(table.name)).filter((name) => name.startsWith(PREFIX));
  return [...new Set(names)].map((name) => name.slice(PREFIX.length));
}

function findGate(podInterface: string): GateState | undefined {
  for (const family of ['bridge', 'inet'] as const) {
    const found = listTable(family, tableName(podInterface));
    if (found !== undefined && parseObjects(found, 'set').length > 0) return parseGateState(podInterface, found);
  }
  return undefined;
}

function listTable(family: string, table: string): string | undefined {
  try {
    return runNft(`list table ${family} ${table}`, { json: true });
  } catch (error) {
    if (error instanceof NetlinkError && error.class === 'not-found') return undefined;
    throw error;
  }
}

/** Reads libnftables-json(5) output of one gate table. Pure; throws EBADMSG. */
export function parseGateState(podInterface: string, json: string): GateState {
  const open = parseObjects(json, 'set').some((set) => set.name === 'open' && Array.isArray(set.elem));
  const counters: Record<string, number> = Object.create(null);
  for (const counter of parseObjects(json, 'counter')) counters[String(counter.name)] = Number(counter.packets);
  return { interface: podInterface, open, counters: { ...counters } };
}

function parseObjects(json: string, kind: string): Record<string, unknown>[] {
  const parsed = JSON.parse(json) as { nftables?: Record<string, Record<string, unknown>>[] };
  if (!Array.isArray(parsed.nftables)) throw fromCode('EBADMSG', 'nft answered without "nftables"');
  return parsed.nftables.flatMap((entry) => (entry[kind] === undefined ? [] : [entry[kind]]));
}
