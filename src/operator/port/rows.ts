import type { LogicalPort } from '../../api/types.gen.ts';
import type { Hold } from '../../migration/input.ts';
import { isUnallocated } from '../../plan/ports/change.ts';
import { formatPortOwner, planLsp } from '../../plan/ports/lsp.ts';
import type { Kept } from '../../plan/ports/ports.ts';
import type { Programming } from '../../plan/ports/status.ts';
import { NOTHING } from '../../plan/rows.ts';
import type { Turn } from '../context.ts';
import { type Live, makeLive } from './live.ts';
import { program } from './program.ts';
import type { Seen } from './seen.ts';

export type Ports = { readonly live: readonly Live[]; readonly release: readonly LogicalPort[] };

/** How the rows fared, and for how long the first event waited for them (ms); undefined where there was none. */
export type Rows = { readonly programming: Programming; readonly written: boolean; readonly tookMs?: number };

/**
 * The rows of all ports of the key in one transaction. A port that must yield to an older rival has none, nor has one
 * without an address, without an owner, or of a NIC that another plugin makes; those of a port whose Subnet is not there
 * to be read are left as they are.
 */
export async function programPorts(turn: Turn, seen: Seen, { live, release }: Ports): Promise<Rows> {
  const plans = turn.addresses.plans();
  const known = live.filter(({ port }) => plans.has(port.spec.subnet));
  const ports = known.flatMap(({ port, role }) => {
    const subnet = plans.get(port.spec.subnet);
    if (subnet === undefined || !hasRows(port, role) || turn.addresses.listOlderRivals(port).length > 0) return [];
    return [planLsp(port, subnet, seen.stateOf(port), turn.settings)];
  });
  const owners = [...known.map(({ port }) => port), ...release].map(formatPortOwner);
  const programming = await program(turn, { ...NOTHING, ports }, owners);
  const written = programming.ok && programming.written;
  const tookMs = takeTime(turn, seen.key, programming);
  if (written && tookMs !== undefined) turn.metrics.observe('event_to_commit_ms', tookMs, describeTurn(seen, live));
  return { programming, written, ...(tookMs === undefined ? {} : { tookMs }) };
}

const hasRows = (port: LogicalPort, role: Live['role']): boolean =>
  !isUnallocated(port) && port.spec.ipamOnly !== true && (role === 'live' || role === 'restored');

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
