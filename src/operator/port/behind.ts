import { NO_CHASSIS } from '../../api/names.ts';
import type { Observed } from '../../ovn/observed.ts';
import { SWITCH_PORT } from '../../ovn/switch-port.ts';
import { formatPortOwner } from '../../plan/ports/lsp.ts';
import type { Kept } from '../../plan/ports/ports.ts';
import type { Turn } from '../context.ts';
import { isKubevirtKnown } from '../world.ts';
import type { Seen } from './seen.ts';

/** A watch that is well shows what the API server has within this time. */
const PATIENCE_MS = 1000;

/**
 * True when a new leader would take a port from a node on the strength of a VMI that is not the one the API server has:
 * the leader before it may have seen the guest move. Asked once in a term for a machine of which no VMI has been heard
 * since its beginning, and only when a node is to lose a port; a cache that stays behind is read anew.
 */
export async function isGuestBehind(turn: Turn, seen: Seen, keep: readonly Kept[]): Promise<boolean> {
  const { versions, key, namespace, name } = seen;
  if (!('vmi' in versions) || turn.heard.has(key) || !isKubevirtKnown(turn.world)) return false;
  if (!keep.some(({ port, role }) => role === 'live' && losesNode(turn, seen, port))) return false;
  const found = await turn.api.vmis.find({ namespace, name }, { signal: turn.signal });
  const version = found?.metadata.resourceVersion;
  if (version === versions.vmi) {
    turn.heard.add(key);
    return false;
  }
  if (version !== undefined) await catchUp(turn, version);
  return true;
}

/** True when the row names a node that the port is not asked for on any more. */
function losesNode({ nb, settings }: Turn, seen: Seen, port: Kept['port']): boolean {
  const wanted: readonly string[] = seen.stateOf(port).requestedChassis;
  return listChassis(nb.observed, settings.cluster, port).some(
    (chassis) => chassis !== NO_CHASSIS && !wanted.includes(chassis),
  );
}

function listChassis(observed: Observed, cluster: string, port: Kept['port']): string[] {
  const [row] = observed.findByOwner(SWITCH_PORT, cluster, formatPortOwner(port));
  const options = row?.options;
  const text = options instanceof Map ? options.get('requested-chassis') : undefined;
  return typeof text === 'string' ? text.split(',') : [];
}

async function catchUp({ world, signal, log }: Turn, version: string): Promise<void> {
  const patience = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
  await world.vmis.whenAt(version, patience).catch(() => {
    signal.throwIfAborted();
    log.warn({}, 'the cache of VirtualMachineInstances is behind; listing them anew');
    world.vmis.refresh();
  });
}
