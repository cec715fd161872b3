import type { Problem as Cause } from '../../api/problem.ts';
import type { Settings } from '../../plan/settings.ts';
import type { Records } from '../records.ts';

/** Something wrong with what is asked for. A `denial` keeps the object out; a `warning` is only told. */
export type Problem = Cause & { readonly nic?: string; readonly severity: 'denial' | 'warning' };

/** What the checks know of the cluster, and the operator's own settings: the same flags. */
export type CheckCluster = Records & { readonly settings: Pick<Settings, 'defaultSubnet' | 'defaultVpc' | 'primary'> };

export const deny = ({ reason, message }: Cause, nic?: string): Problem => make('denial', { reason, message }, nic);
export const warn = ({ reason, message }: Cause, nic?: string): Problem => make('warning', { reason, message }, nic);

/** Long enough for every message of ours; what a tenant wrote is in them. */
const MAX_MESSAGE = 1000;

function make(severity: Problem['severity'], { reason, message }: Cause, nic: string | undefined): Problem {
  const base = { reason, message: message.slice(0, MAX_MESSAGE), severity };
  return nic === undefined ? base : { ...base, nic: nic.slice(0, 100) };
}
