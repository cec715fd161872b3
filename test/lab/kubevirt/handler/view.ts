import type { MigrationState, Pod, Vmi } from '../objects.ts';
import type { GuestRecord, NicPlan } from './record.ts';

/** One guest of this node as the node knows it: its record and what QEMU says now. */
export type Guest = {
  record: GuestRecord;
  pod: Pod | undefined;
  alive: boolean;
  /** QEMU's run state (`query-status`), undefined when it does not answer. */
  run: string | undefined;
  /** State of the last migration, outgoing or incoming (`query-migrate`). */
  migrate: string | undefined;
  /** Its relay in the virt-handler pod lives. */
  relay: boolean;
};

/** All that the handler of one node knows about one VMI name. */
export type NodeView = {
  node: string;
  /** Ms since the epoch. */
  now: number;
  vmi: Vmi | undefined;
  /** Launchers of the VMI on this node. */
  pods: readonly Pod[];
  guests: readonly Guest[];
};

type Stamp = 'startTimestamp' | 'endTimestamp' | 'targetNodeDomainReadyTimestamp';

/** What the handler does next. `note` and `move` write the VMI's migrationState; `stamps` get the present time. */
export type Action =
  | { do: 'boot' | 'receive'; pod: Pod }
  | { do: 'shutdown' | 'reap' | 'forget' | 'miss' | 'give-up' | 'publish' | 'settle-in' | 'report'; guest: Guest }
  | { do: 'cancel' | 'pause' | 'resume' | 'post-copy'; guest: Guest }
  | { do: 'plug'; guest: Guest; name: string }
  | { do: 'unplug'; guest: Guest; nic: NicPlan }
  | { do: 'link'; guest: Guest; nic: NicPlan; down: boolean }
  | { do: 'send'; guest: Guest; state: MigrationState }
  | { do: 'end'; phase: 'Succeeded' | 'Failed' }
  | { do: 'note'; change: Partial<MigrationState>; stamps?: readonly Stamp[] }
  | { do: 'move' | 'drop-label' };
