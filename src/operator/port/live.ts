import type { Problem } from '../../api/problem.ts';
import type { LogicalPort } from '../../api/types.gen.ts';
import type { Role } from '../../plan/ports/ports.ts';

/** A port as a turn leaves it, with what there is to say of it beside what it says itself. */
export type Live = {
  readonly port: LogicalPort;
  readonly role: Role;
  /** Why it has no address. */
  readonly problem?: Problem;
  /** What is asked for and not done, in words. */
  readonly pending?: string;
};

/** A port that is its owner's, with nothing to say of it. */
export const makeLive = (port: LogicalPort): Live => ({ port, role: 'live' });

/** `<namespace>/<name>`: under this name the allocator knows the port. */
export const getHolder = ({ metadata }: Pick<LogicalPort, 'metadata'>): string =>
  `${metadata.namespace ?? ''}/${metadata.name}`;
