import type { Context } from './context.ts';
import { CniError } from './errors.ts';
import { formatKey } from './journal.ts';
import { release } from './release.ts';
import { type NetworkConfig, parseValidAttachments } from './request.ts';

/** GC: removes attachments of this network that the runtime does not know. Goes on after an error and reports all. */
export async function gc(context: Context, config: NetworkConfig): Promise<void> {
  const valid = new Set(parseValidAttachments(config).map(formatKey));
  const stale = context.journal.list().filter((entry) => entry.network === config.name && !valid.has(formatKey(entry)));
  const failures: string[] = [];
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
