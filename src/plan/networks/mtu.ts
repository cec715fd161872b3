import type { ChassisInfo } from '../../ovn/bindings.ts';

/** For pods while no node has told what its uplink takes: Ethernet less the overhead that nodes reckon with. */
export const USUAL_MTU = 1400;

/**
 * IPv6 needs as much (RFC 8200 section 5). A node that claims less is not believed: it would slow down all others; an
 * uplink that small wants `--mtu`.
 */
const LEAST_MTU = 1280;

/**
 * The least MTU that a packet between two pods can count on, in bytes, by what the chassis of present nodes tell of their
 * uplinks; a chassis stays in the database when its node is gone. Undefined while nobody tells.
 */
export function deriveMtu(
  chassis: readonly Pick<ChassisInfo, 'name' | 'mtu'>[],
  isNode: (name: string) => boolean,
): number | undefined {
  const told = chassis.flatMap(({ name, mtu }) =>
    mtu !== undefined && isNode(name) ? [Math.max(mtu, LEAST_MTU)] : [],
  );
  return told.length === 0 ? undefined : Math.min(...told);
}
