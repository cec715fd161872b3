import type { LogicalPort } from '../../api/types.gen.ts';
import type { KubeObject } from '../../kube/index.ts';
import type { MigrationState } from '../../migration/input.ts';
import type { Carriage } from '../../plan/ports/carriage.ts';
import type { Carrier } from '../../plan/ports/logical-port.ts';
import type { Lives } from '../../plan/ports/ownership.ts';
import type { RequestPlan } from '../../plan/requests/types.ts';

export type Versions =
  | { readonly pod: string | undefined }
  | { readonly vm: string | undefined; readonly vmi: string | undefined };

/** A VMI whose guest is configured by what its NICs have, and what it says of them now. */
export type Told = { readonly uid: string; readonly text: string | undefined };

/** What one turn for a VM or a pod has seen: everything that it decides from. */
export type Seen = {
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  readonly lives: Lives;
  readonly ports: readonly LogicalPort[];
  readonly plan: RequestPlan;
  /** Where a port belongs now, and who holds it. */
  readonly stateOf: (port: LogicalPort) => MigrationState;
  /** The same for the port that is still to be made for a NIC. */
  readonly stateOfNew: (nic: string) => MigrationState;
  /** Which port of a NIC each launcher carries; absent where a NIC has one port only. */
  readonly carriage?: Carriage;
  /** How pods carry a NIC, also one whose request cannot be understood. */
  readonly carrierOf: (nic: string) => Carrier | undefined;
  /** Nothing of the owner runs or is about to. */
  readonly stopped: boolean;
  /** The owner is on its way out: what its status would say now is of no use to anybody. */
  readonly leaving: boolean;
  readonly claimExists: (name: string) => boolean;
  /** The resourceVersions of the owners as they were seen; undefined for what was not there. */
  readonly versions: Versions;
  /** The VMI that asks for its guest to be configured without DHCP. */
  readonly told?: Told;
  /** The machine's migrations; those that are refused are marked. */
  readonly migrations?: readonly { readonly object: KubeObject; readonly refused: boolean }[];
  /** The object that events are about. */
  readonly regarding?: KubeObject;
  /** True while an address need not be chosen yet (`allocate: OnFirstStart`, a pod without a node). */
  readonly mayWait: (subnet: string) => boolean;
};

/** A carrier with the networks of those launchers that were made with another one. */
export function addNads({ carriage }: Seen, port: LogicalPort, carrier: Carrier): Carrier {
  const nads = (carriage?.carriersOf(port) ?? []).flatMap(({ podUID, nad }) =>
    nad === undefined ? [] : [[podUID, nad] as const],
  );
  return nads.length === 0 ? carrier : { ...carrier, nads: new Map(nads) };
}
