import type { LogicalPort } from '../../api/types.gen.ts';
import type { Hold } from '../../migration/input.ts';
import { planMembership } from '../../ovn/membership.ts';
import { SWITCH_PORT } from '../../ovn/switch-port.ts';
import { isUnallocated } from '../../plan/ports/change.ts';
import { formatPortOwner, planLsp } from '../../plan/ports/lsp.ts';
import { judgeMac, type MacPartner, type MacStanding } from '../../plan/ports/mac-turns.ts';
import type { Kept } from '../../plan/ports/ports.ts';
import type { Programming } from '../../plan/ports/status.ts';
import { NOTHING } from '../../plan/rows.ts';
import type { Turn } from '../context.ts';
import { getHolder, type Live, makeLive } from './live.ts';
import { type Beside, program } from './program.ts';
import type { Seen } from './seen.ts';

export type Ports = { readonly live: readonly Live[]; readonly release: readonly LogicalPort[] };

/**
 * How the rows fared, and for how long the first event waited for them (ms); undefined where there was none. `macs` are
 * the ports, by `<namespace>/<name>`, that have no rows because of others with their MAC.
 */
export type Rows = {
  readonly programming: Programming;
  readonly written: boolean;
  readonly macs: ReadonlyMap<string, MacStanding>;
  readonly tookMs?: number;
};

/**
 * The rows of all ports of the key in one transaction. A port that must yield to an older rival has none, nor has one
 * without an address, without an owner, of a NIC that another plugin makes, or whose MAC it is another one's turn with;
 * those of a port whose Subnet is not there to be read are left as they are.
 */
export async function programPorts(turn: Turn, seen: Seen, { live, release }: Ports): Promise<Rows> {
  const plans = turn.addresses.plans();
  const known = live.filter(({ port }) => plans.has(port.spec.subnet));
  const macs = new Map<string, MacStanding>();
  const programmed = known.filter((item) => takeTurn(turn, seen, { item, macs }));
  const ports = programmed.flatMap(({ port }) => {
    const subnet = plans.get(port.spec.subnet);
    return subnet === undefined ? [] : [planLsp(port, subnet, seen.stateOf(port), turn.settings)];
  });
  const bare = [...known.filter((item) => !programmed.includes(item)).map(({ port }) => port), ...release];
  const owners = [...programmed.map(({ port }) => port), ...bare].map(formatPortOwner);
  const groups = joinGroups(turn, programmed);
  const programming = await program(turn, { ...NOTHING, ports }, owners, groups);
  const written = programming.ok && programming.written;
  if (programming.ok) for (const port of bare) endTurn(turn, port, written);
  const tookMs = takeTime(turn, seen.key, programming);
  if (written && tookMs !== undefined) turn.metrics.observe('event_to_commit_ms', tookMs, describeTurn(seen, live));
  return { programming, written, macs, ...(tookMs === undefined ? {} : { tookMs }) };
}

/**
 * A port is in the groups of policies that isolate its pod before it carries the first frame: from the transaction on that
 * makes it, or that lets another launcher have it.
 */
function joinGroups({ policies, nb, settings }: Turn, programmed: readonly Live[]): Beside {
  if (policies === undefined) return () => [];
  return (planned) => {
    const members = programmed.flatMap(({ port }) => policies.findMembership(port) ?? []);
    return planMembership({ observed: nb.observed, cluster: settings.cluster, planned }, members);
  };
}

const hasRows = (port: LogicalPort, role: Live['role']): boolean =>
  !isUnallocated(port) && port.spec.ipamOnly !== true && (role === 'live' || role === 'restored');

type Candidate = { readonly item: Live; readonly macs: Map<string, MacStanding> };

/**
 * Whether a port is to have rows. From here on until its rows are known to be gone nobody else gets any with its MAC:
 * nothing may come between the look at the others and this.
 */
function takeTurn(turn: Turn, seen: Seen, { item: { port, role }, macs }: Candidate): boolean {
  if (!hasRows(port, role) || turn.addresses.listOlderRivals(port).length > 0) return false;
  const partners = turn.addresses.listMacPartners(port).map((other) => describePartner(turn, other));
  const own = { isHeld: seen.stateOf(port).holds.length > 0, isWaiting: port.status?.phase === 'Conflict' };
  const standing = judgeMac(own, partners);
  if (standing === undefined) turn.macTurns.begin(getHolder(port));
  else macs.set(getHolder(port), standing);
  return standing === undefined;
}

function describePartner({ nb, settings, macTurns }: Turn, port: LogicalPort): MacPartner {
  const name = getHolder(port);
  const rows = nb.observed.findByOwner(SWITCH_PORT, settings.cluster, formatPortOwner(port));
  return {
    name,
    mayHaveRows: macTurns.isBegun(name) || rows.length > 0,
    isHeld: (port.spec.attachments ?? []).length > 0,
    isWaiting: port.status?.phase === 'Conflict',
  };
}

/** Its rows are gone: whoever waits for the MAC looks again. */
function endTurn({ addresses, macTurns, wake }: Turn, port: LogicalPort, written: boolean): void {
  if (!macTurns.end(getHolder(port)) && !written) return;
  for (const subnet of new Set(addresses.listMacPartners(port).map(({ spec }) => spec.subnet))) wake(subnet);
}

/** From the first event whose rows are not written yet, over all turns that could not. */
function takeTime({ since, unwritten, clock }: Turn, key: string, { ok }: Programming): number | undefined {
  const first = unwritten.get(key) ?? since;
  if (first === undefined) return undefined;
  if (ok) unwritten.delete(key);
  else unwritten.set(key, first);
  return clock.now() - first;
}

/** Labels of the time from event to commit; `phase` tells a migration's turns from all others. */
function describeTurn(seen: Seen, live: readonly Live[]): Record<string, string> {
  const [first] = live;
  return {
    kind: seen.key.slice(0, seen.key.indexOf('/')),
    phase: first === undefined ? 'released' : seen.stateOf(first.port).phase,
  };
}

/**
 * The rows of a guest that has moved, or has not moved after all, before anything is asked of or told to the API server:
 * where its frames go must not wait for that. It is safe in this order, as nothing is reserved and nothing freed: the
 * ports and their addresses are in the API already, and only where they belong is written. A pod that is yet to be wired
 * is told to the API first, for its agent. Undefined when no guest moves.
 */
export async function programMoves(turn: Turn, seen: Seen, keep: readonly Kept[]): Promise<Rows | undefined> {
  const moving = keep.filter(({ port, role }) => role === 'live' && moves(seen, port));
  if (moving.length === 0) return undefined;
  return programPorts(turn, seen, { live: moving.map(({ port }) => makeLive(port)), release: [] });
}

/** It is in a migration or was, or somebody holds it no more; and no target is new to it. */
function moves(seen: Seen, port: LogicalPort): boolean {
  const { uid, holds } = seen.stateOf(port);
  const before = port.spec.attachments ?? [];
  const isMigrating = uid !== undefined;
  // One that has had the guest is wired already, though it held the port no more while the guest was elsewhere.
  const isWired = ({ launcher, role }: Hold) =>
    before.some(({ podUID }) => podUID === launcher.uid) || (isMigrating && role === 'Source');
  return holds.every(isWired) && (isMigrating || holds.length < before.length);
}
