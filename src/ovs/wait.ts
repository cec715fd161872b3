import type { OvsClient } from './database.ts';
import { findInterface, type OvsInterface } from './find.ts';
import { IFACE_ID, IFACE_ID_VER } from './keys.ts';
import { OvsProblem } from './problems.ts';

/** What waiting needs of the node's database. */
export type Watched = Pick<OvsClient, 'indexes'> & { readonly client: Pick<OvsClient['client'], 'onChange'> };

/**
 * Resolves when ovn-controller has installed the flows of this interface's logical port; woken by the monitor, without
 * polling. Rejects with the signal's reason, or with OvsProblem: `interface-missing` when there is none of this name,
 * `evicted` when it goes or gets another `iface-id` while waiting, `interface-failed` when ovs-vswitchd cannot use it.
 */
export function waitInstalled(ovs: Watched, name: string, signal: AbortSignal): Promise<void> {
  const first = findInterface(ovs, name);
  if (first === undefined) {
    return Promise.reject(new OvsProblem('interface-missing', 'retry', `there is no interface ${name}`));
  }
  return new Promise((resolve, reject) => {
    const end = (act: () => void): void => {
      stop();
      signal.removeEventListener('abort', onAbort);
      act();
    };
    const check = (): void => {
      const now = findInterface(ovs, name);
      const problem = findProblem(first, now);
      if (problem !== undefined) end(() => reject(problem));
      else if (now?.installed === true) end(resolve);
    };
    const onAbort = (): void => end(() => reject(signal.reason));
    const stop = ovs.client.onChange(check);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    else check();
  });
}

function findProblem(first: OvsInterface, now: OvsInterface | undefined): OvsProblem | undefined {
  const keeps = (key: string): boolean => now?.externalIds.get(key) === first.externalIds.get(key);
  if (now === undefined || ![IFACE_ID, IFACE_ID_VER].every(keeps)) {
    return new OvsProblem('evicted', 'terminal', `the interface ${first.name} was taken away while waiting`);
  }
  if (now.error === undefined || now.ofport !== -1) return undefined;
  return new OvsProblem('interface-failed', 'retry', `the interface ${first.name}: ${now.error}`);
}
