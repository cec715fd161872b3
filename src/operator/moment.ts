import type { ObjectMeta } from '../api/types.gen.ts';
import type { Moment } from '../plan/conditions.ts';
import type { Context } from './context.ts';

/** Now, as conditions have it, for an object as it was read. */
export function makeMoment({ clock }: Pick<Context, 'clock'>, { generation }: Pick<ObjectMeta, 'generation'>): Moment {
  const now = clock
    .date()
    .toISOString()
    .replace(/\.\d+Z$/, 'Z');
  return { now, generation };
}
