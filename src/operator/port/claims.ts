import type { LogicalPort } from '../../api/types.gen.ts';
import { ensureStatus, isNotFound } from '../../kube/index.ts';
import { chooseSpeaker, deriveClaimStatus } from '../../plan/ports/claim-status.ts';
import { forAll } from '../all.ts';
import type { Turn } from '../context.ts';
import { getHolder, type Live } from './live.ts';
import { findClaim } from './wishes.ts';

/** Tells the IPAMClaims that speak for these ports what came of them: addresses, who has them, and why there are none. */
export async function writeClaims(turn: Turn, live: readonly Live[], now: string): Promise<void> {
  await forAll(live, async ({ port, problem, role }) => {
    const { ipamClaim, subnet } = port.spec;
    if (ipamClaim === undefined || role === 'restored') return;
    const claim = findClaim(turn, port.metadata.namespace ?? '', ipamClaim);
    if (claim === undefined || !speaks(turn, port, ipamClaim)) return;
    const status = deriveClaimStatus(claim, { port, subnet: turn.addresses.plans().get(subnet), problem, now });
    await ensureStatus(turn.api.ipamClaims, claim, status, { signal: turn.signal }).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
  });
}

/** As the cache has the others, and this one as it was just written. */
function speaks({ world }: Turn, port: LogicalPort, claim: string): boolean {
  const key = getHolder(port);
  const all = world.ports.store.byIndex('claim', `${port.metadata.namespace ?? ''}/${claim}`);
  const others = all.filter((other) => getHolder(other) !== key);
  return chooseSpeaker([...others, port]) === port;
}
