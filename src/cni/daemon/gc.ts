import type { Context } from './context.ts';
import { CniError } from './errors.ts';
import { formatKey } from './journal.ts';
import type { Networks } from './networks/networks.ts';
import { release } from './release.ts';
import { type NetworkConfig, parseValidAttachments } from './request.ts';

/** GC: removes attachments of this network that the runtime does not know. Goes on after an error and reports all. */
export async function gc(context: Context, config: NetworkConfig, networks?: Networks): Promise<void> {
  const valid = new Set(parseValidAttachments(config).map(formatKey));
  const failures: string[] = [];
  await networks?.gc(config.name, valid).catch((error: unknown) => failures.push(String(error)));
  // An interface that we have attached for its pod is on no runtime's list: it goes with the pod's first one.
  const stale = context.journal
    .list()
    .filter(
      (entry) => entry.network === config.name && !valid.has(formatKey(entry)) && networks?.keeps(entry) !== true,
    );
  for (const entry of stale) {
    if (context.calls.isBusy(entry)) continue;
    try {
      await context.calls.run(entry, () => release(context, entry));
    } catch (error) {
      failures.push(`${formatKey(entry)}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  if (failures.length > 0) throw new CniError('io', `GC could not remove ${failures.join('; ')}`);
}
