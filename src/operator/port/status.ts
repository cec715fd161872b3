import { containsAddress, formatCidr, parseAddress } from '../../api/address.ts';
import { formatPortLsp } from '../../api/names.ts';
import type { LogicalPort, LogicalPortStatus } from '../../api/types.gen.ts';
import { ensureStatus, isNotFound, keyOf } from '../../kube/index.ts';
import type { MigrationState } from '../../migration/input.ts';
import type { SubnetPlan } from '../../plan/networks/subnet.ts';
import type { MacStanding } from '../../plan/ports/mac-turns.ts';
import { derivePortStatus, explainRivals, type PortFacts, type Programming } from '../../plan/ports/status.ts';
import { deriveDelay } from '../../plan/ports/status-delay.ts';
import type { Turn } from '../context.ts';
import type { Live } from './live.ts';

export type Facts = {
  readonly state: MigrationState;
  readonly programming: Programming;
  /** Why the guest does not have the port, when it has another one of the NIC. */
  readonly standby?: string | undefined;
  /** Why it has no rows, when others have its MAC. */
  readonly mac?: MacStanding | undefined;
};

/** The moment for conditions, RFC 3339 in whole seconds, as Kubernetes has it. */
export const formatNow = ({ clock }: Pick<Turn, 'clock'>): string =>
  clock
    .date()
    .toISOString()
    .replace(/\.\d+Z$/, 'Z');

/** What is true of a port now. A conflict that is new is told as an event. */
export function planStatus(turn: Turn, live: Live, facts: Facts): LogicalPortStatus {
  const { port } = live;
  const rivals = turn.addresses.listOlderRivals(port);
  if (rivals.length > 0 && port.status?.phase !== 'Conflict') {
    const note = explainRivals(port, rivals).slice(0, 900);
    turn.events.record(port, { type: 'Warning', reason: 'AddressConflict', action: 'Programming', note });
  }
  return derivePortStatus(port, collectFacts(turn, live, facts, rivals), {
    now: formatNow(turn),
    generation: port.metadata.generation,
  });
}

/**
 * Writes a status if it differs from what the port says. One that will be overtaken soon, as a rule, waits: gives after
 * how many ms it is to be looked at again, undefined for not at all. Of an owner that is on its way out (`leaving`) only
 * problems are still worth a write.
 */
export async function writeStatus(
  turn: Turn,
  port: LogicalPort,
  status: LogicalPortStatus,
  leaving: boolean,
): Promise<number | undefined> {
  const key = keyOf(port);
  const waitMs = postpone(turn, key, deriveDelay(port, status));
  if (waitMs > 0) return leaving ? undefined : waitMs;
  turn.late.delete(key);
  await ensureStatus(turn.api.ports, port, { ...status, node: status.node ?? null }, { signal: turn.signal }).catch(
    (error: unknown) => {
      if (!isNotFound(error)) throw error;
    },
  );
  return undefined;
}

/** How long is left of a delay that began when the status first differed. */
function postpone(turn: Turn, key: string, delayMs: number): number {
  if (delayMs === 0) return 0;
  const now = turn.clock.now();
  const due = turn.late.get(key) ?? now + delayMs;
  turn.late.set(key, due);
  return Math.max(0, due - now);
}

function collectFacts(turn: Turn, live: Live, facts: Facts, rivals: readonly string[]): PortFacts {
  const { port, role, problem, pending } = live;
  const binding = turn.bindings.findPortBinding(formatPortLsp(port));
  const boundTo = binding?.up === true ? binding.chassis : undefined;
  const outside = findOutside(port, turn.addresses.plans().get(port.spec.subnet));
  return {
    state: facts.state,
    programming: facts.programming,
    rivals,
    role,
    bindingUnknown: !turn.bindings.isLive(),
    ...(boundTo === undefined ? {} : { boundTo }),
    ...(problem === undefined ? {} : { problem }),
    ...(pending === undefined ? {} : { pending }),
    ...(facts.standby === undefined ? {} : { standby: facts.standby }),
    ...(facts.mac === undefined ? {} : { mac: facts.mac }),
    ...(outside === undefined ? {} : { outside }),
  };
}

/** The subnet's CIDRs when an address is in none of them; a subnet that cannot be used at the moment says nothing. */
function findOutside({ spec }: LogicalPort, subnet: SubnetPlan | undefined): string | undefined {
  if (subnet?.usable !== true) return undefined;
  const isInside = (ip: string) => {
    const address = parseAddress(ip);
    return address !== undefined && subnet.ranges.some(({ cidr }) => containsAddress(cidr, address));
  };
  return spec.ips.every(isInside) ? undefined : subnet.ranges.map(({ cidr }) => formatCidr(cidr)).join(',');
}
