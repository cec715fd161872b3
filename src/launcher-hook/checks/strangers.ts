import { KUBEVIRT_ADDRESSES, NICS_ANNOTATION } from '../../api/annotations.ts';
import { listVmNics } from '../../plan/requests/vm-nics.ts';
import { parseFields } from '../../plan/wishes/json.ts';
import { readKey } from '../../plan/wishes/keys.ts';
import type { Guest } from './guest.ts';
import { type Problem, warn } from './types.ts';

/**
 * Names in what is keyed by NIC that no NIC of the guest has: what is asked for them has no effect. A warning, as the NIC
 * may be plugged in later. Of what cannot be read nothing is said here.
 */
export function listStrangers({ sources, spec }: Guest): Problem[] {
  const known = new Set(listVmNics(spec).map(({ name }) => name));
  return sources.flatMap((source) =>
    [NICS_ANNOTATION, KUBEVIRT_ADDRESSES].flatMap((key) => {
      const fields = parseFields(readKey(source, key) ?? '');
      const strangers = [...(fields?.keys() ?? [])].filter((name) => !known.has(name));
      if (strangers.length === 0) return [];
      const names = strangers.slice(0, 3).map((name) => JSON.stringify(name.slice(0, 64)));
      const more = strangers.length > 3 ? ` and ${strangers.length - 3} more` : '';
      const message = `${source.from}: ${key} names ${names.join(', ')}${more}, which is no NIC of it; what is asked there has no effect`;
      return warn({ reason: 'InvalidRequest', message });
    }),
  );
}
